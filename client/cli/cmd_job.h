// sigctl job: one training job, once or until it has ended.
#pragma once

#include "client/cli/context.h"

namespace CLI {
class App;
}

namespace sigserve::cli {

/// Adds the verb to `app`; when it is chosen on the command line, sets `context->run`.
void AddJobCommand(CLI::App* app, Context* context);

}  // namespace sigserve::cli
