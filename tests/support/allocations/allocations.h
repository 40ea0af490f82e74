// Counts what the test binary allocates: its source replaces operator new, so it is linked into
// those alone that ask for it (sigserve_test's COUNT_ALLOCATIONS).
#pragma once

#include <cstdint>

namespace sigserve::testing_support {

/// False under a sanitizer, which has operators of its own.
bool CountsAllocations();
/// Calls of operator new so far, of all threads.
int64_t Allocations();

}  // namespace sigserve::testing_support
