#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "client/cli/sigctl.h"

namespace {

size_t OutColumns() {
  winsize size = {};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace

int main(int argc, char** argv) {
  sigserve::cli::Console console{.in = &std::cin,
                                 .out = &std::cout,
                                 .err = &std::cerr,
                                 .err_is_terminal = isatty(STDERR_FILENO) == 1,
                                 .out_columns = OutColumns()};
  for (const char* const name : sigserve::cli::kEnvironmentVariables) {
    const char* const value = std::getenv(name);
    if (value != nullptr) console.environment[name] = value;
  }
  return sigserve::cli::RunSigctl(std::vector<std::string>(argv + 1, argv + argc), console);
}
