// How long a thread runs at a stretch where others wait for its processor. From Linux 6.12 on, one
// that asks for little is let in at once when it wakes up, before one that asked for more, while
// its share of the time stays the same: what an I/O thread wants beside heavy batches.
#pragma once

#include <cstdint>

namespace sigserve {

/// Of the calling thread; its policy and nice value stay as they are. Without effect on an older
/// kernel, or where the system refuses.
void AskForTimeSlice(int64_t nanoseconds);

}  // namespace sigserve
