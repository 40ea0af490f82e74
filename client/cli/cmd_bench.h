// sigctl bench: load on a server, and what became of it.
#pragma once

#include "client/cli/context.h"

namespace CLI {
class App;
}

namespace sigserve::cli {

/// Adds the verb to `app`; when it is chosen on the command line, sets `context->run`.
void AddBenchCommand(CLI::App* app, Context* context);

}  // namespace sigserve::cli
