// The whole of sigctl: the verbs, joined; tests call it in their own process.
#pragma once

#include <string>
#include <vector>

#include "client/cli/context.h"

namespace sigserve::cli {

/// `arguments` without the program's name. Returns the process's exit code.
int RunSigctl(std::vector<std::string> arguments, const Console& console);

}  // namespace sigserve::cli
