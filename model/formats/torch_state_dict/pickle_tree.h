// For the sources of this folder: what a pickle made is a tree of bearable size.
#pragma once

#include "absl/status/status.h"

namespace sigserve {

struct Pickle;

/// INVALID_ARGUMENT PT_CYCLE (a value within itself), PT_DEPTH (nested more than 64 deep);
/// RESOURCE_EXHAUSTED PT_NODE_LIMIT (more than 10,000,000 leaves once shared values are counted as
/// often as they are used).
absl::Status CheckTree(const Pickle& pickle);

}  // namespace sigserve
