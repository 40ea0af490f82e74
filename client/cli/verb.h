// What adding a verb takes, once. Includes CLI11: for cmd_*.cc and sigctl.cc.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>
#include <string>

#include "client/cli/context.h"

namespace sigserve::cli {

/// `example` is shown at the end of --help. Global options are taken after the verb, too.
CLI::App* AddVerb(CLI::App* app, const std::string& name, const std::string& what,
                  const std::string& example);

/// Runs `run` when the verb is chosen.
void OnChosen(CLI::App* verb, Context* context, std::function<ExitCode(Context&)> run);

}  // namespace sigserve::cli
