// sigctl without its process: tests call it directly.
#pragma once

#include <string>
#include <vector>

#include "client/cli/context.h"

namespace sigserve::cli {

/// Variables of the environment that are read where the command line does not set the option.
inline constexpr const char* kEnvironmentVariables[] = {
    "SIGSERVE_ADDRESS", "SIGSERVE_CA_FILE", "SIGSERVE_CERTIFICATE_FILE", "SIGSERVE_KEY_FILE",
    "SIGSERVE_SERVER_NAME"};

/// `arguments` without the program's name. Returns the process's exit code.
int RunSigctl(const std::vector<std::string>& arguments, const Console& console);

}  // namespace sigserve::cli
