// sigctl cancel: asks a training job to stop.
#pragma once

#include "client/cli/context.h"

namespace CLI {
class App;
}

namespace sigserve::cli {

/// Adds the verb to `app`; when it is chosen on the command line, sets `context->run`.
void AddCancelCommand(CLI::App* app, Context* context);

}  // namespace sigserve::cli
