// --help, from the tables in options.h. Pure.
#pragma once

#include <string>
#include <vector>

#include "client/cli/options.h"

namespace sigserve::cli {

/// What sigctl itself shows: verbs and the options that every verb takes.
std::string ProgramHelp(const std::vector<Verb>& verbs, const std::vector<Option>& global_options,
                        size_t width);
/// One verb with all options it takes, the global ones too.
std::string VerbHelp(const Verb& verb, const std::vector<Option>& global_options, size_t width);

}  // namespace sigserve::cli
