// The first batches of a version, run before it serves: they touch its weights, and tell its cost
// model what a batch takes, so that the first requests already find the right lane.
#pragma once

#include "model/base/clock.h"
#include "server/registry/servable.h"

namespace sigserve {

/// Runs zeros, a few rows at most, on the calling thread; for about 60 ms, or one row if that
/// takes longer. Where the signature leaves sizes open it tries 1. Whatever fails is left to the
/// requests to find.
void WarmUp(const Servable& servable, const Clock* clock);

}  // namespace sigserve
