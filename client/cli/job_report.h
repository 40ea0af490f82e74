// Training jobs as text, for train, job, jobs and cancel.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "client/cli/context.h"
#include "client/types.h"

namespace sigserve::cli {

void WriteJobs(const std::vector<client::Job>& jobs, const OutputStyle& style, std::ostream& out);
void WriteJob(const client::Job& job, const OutputStyle& style, std::ostream& out);

/// "RUNNING".
std::string StateText(client::JobState state);

}  // namespace sigserve::cli
