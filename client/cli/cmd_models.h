// sigctl models: every model and version with its state, the unready ones with the reason.
#pragma once

#include "client/cli/context.h"

namespace CLI {
class App;
}

namespace sigserve::cli {

/// Adds the verb to `app`; when it is chosen on the command line, sets `context->run`.
void AddModelsCommand(CLI::App* app, Context* context);

}  // namespace sigserve::cli
