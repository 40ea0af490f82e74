// sigctl metadata: one model's inputs, outputs, labels and thresholds.
#pragma once

#include "client/cli/context.h"

namespace CLI {
class App;
}

namespace sigserve::cli {

/// Adds the verb to `app`; when it is chosen on the command line, sets `context->run`.
void AddMetadataCommand(CLI::App* app, Context* context);

}  // namespace sigserve::cli
