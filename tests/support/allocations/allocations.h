// Counts what the test binary allocates: its source replaces operator new, so it is linked into
// those alone that ask for it (sigserve_test's COUNT_ALLOCATIONS).
#pragma once

#include <cstdint>

namespace sigserve::testing_support {

/// Calls of operator new so far, of all threads; 0 under a sanitizer (sanitized.h).
int64_t Allocations();

}  // namespace sigserve::testing_support
