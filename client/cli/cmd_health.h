// sigctl health: is the server, or one model, serving? The exit code tells.
#pragma once

#include "client/cli/context.h"

namespace CLI {
class App;
}

namespace sigserve::cli {

/// Adds the verb to `app`; when it is chosen on the command line, sets `context->run`.
void AddHealthCommand(CLI::App* app, Context* context);

}  // namespace sigserve::cli
