#include "server/transport/time_slice.h"

// Not beside <sched.h>, which also defines sched_param.
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sigserve {

void AskForTimeSlice(int64_t nanoseconds) {
  constexpr int kThisThread = 0;
  sched_attr attributes = {};
  if (syscall(SYS_sched_getattr, kThisThread, &attributes, sizeof(attributes), 0) != 0) return;
  attributes.sched_runtime = static_cast<__u64>(nanoseconds);
  syscall(SYS_sched_setattr, kThisThread, &attributes, 0);
}

}  // namespace sigserve
