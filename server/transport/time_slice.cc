#include "server/transport/time_slice.h"

// Not together with <sched.h>, which defines sched_param as well.
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sigserve {

void SetTimeSlice(int64_t nanoseconds) {
  constexpr int kThisThread = 0;
  sched_attr attributes = {};
  if (syscall(SYS_sched_getattr, kThisThread, &attributes, sizeof(attributes), 0) != 0) return;
  attributes.sched_runtime = static_cast<__u64>(nanoseconds);
  syscall(SYS_sched_setattr, kThisThread, &attributes, 0);
}

}  // namespace sigserve
