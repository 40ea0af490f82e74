// sigctl predict: rows from a file, standard input or --row; probabilities out.
#pragma once

#include "client/cli/context.h"

namespace CLI {
class App;
}

namespace sigserve::cli {

/// Adds the verb to `app`; when it is chosen on the command line, sets `context->run`.
void AddPredictCommand(CLI::App* app, Context* context);

}  // namespace sigserve::cli
