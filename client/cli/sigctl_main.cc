#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "client/cli/sigctl.h"

int main(int argc, char** argv) {
  return sigserve::cli::RunSigctl(std::vector<std::string>(argv + 1, argv + argc),
                                  {.in = &std::cin,
                                   .out = &std::cout,
                                   .err = &std::cerr,
                                   .err_is_terminal = isatty(STDERR_FILENO) == 1});
}
