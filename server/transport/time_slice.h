// The calling thread's time slice. From Linux 6.12 on (EEVDF) a thread with a short slice runs
// first when it wakes, ahead of threads with longer ones, while its share of the time stays the
// same: an I/O thread next to heavy batches needs just that.
#pragma once

#include <cstdint>

namespace sigserve {

/// Keeps the thread's policy and nice value. No effect on older kernels, or where the system
/// refuses.
void SetTimeSlice(int64_t nanoseconds);

}  // namespace sigserve
