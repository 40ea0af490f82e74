// sigctl jobs: the training jobs, newest first.
#pragma once

#include "client/cli/context.h"

namespace CLI {
class App;
}

namespace sigserve::cli {

/// Adds the verb to `app`; when it is chosen on the command line, sets `context->run`.
void AddJobsCommand(CLI::App* app, Context* context);

}  // namespace sigserve::cli
