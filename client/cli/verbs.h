// The verbs of sigctl, one cmd_<verb>.cc each. A verb's options are stored in an object that its
// `run` owns: parse a verb's options at most once.
#pragma once

#include "client/cli/options.h"

namespace sigserve::cli {

Verb BenchVerb();
Verb CancelVerb();
Verb HealthVerb();
Verb JobVerb();
Verb JobsVerb();
Verb MetadataVerb();
Verb ModelsVerb();
Verb PredictVerb();
Verb ReloadVerb();
Verb TrainVerb();

}  // namespace sigserve::cli
