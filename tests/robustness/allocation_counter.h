// Counts what the process has allocated with operator new: the files' bytes, the messages, the
// tensors. Counts nothing under a sanitizer, which has its own.
#pragma once

#include <cstddef>

namespace sigserve::robustness {

/// Starts anew: bytes that are there now do not count.
void ResetPeak();
/// The most bytes at once since then.
size_t PeakBytes();

}  // namespace sigserve::robustness
