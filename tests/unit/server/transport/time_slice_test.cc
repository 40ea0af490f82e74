#include "server/transport/time_slice.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <thread>

#include "gtest/gtest.h"

namespace sigserve {
namespace {

/// The kernel's struct sched_attr (its header conflicts with <sched.h>): size, policy, flags,
/// nice, priority, runtime, deadline, period.
struct Attributes {
  uint32_t size = 0;
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0;
  uint64_t deadline = 0;
  uint64_t period = 0;
};

Attributes OfThisThread() {
  Attributes attributes;
  EXPECT_EQ(syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0), 0);
  return attributes;
}

TEST(TimeSliceTest, ChangesOnlyTheSliceOfTheCallingThread) {
  const Attributes outside = OfThisThread();
  std::thread([] {
    errno = 0;
    EXPECT_TRUE(nice(3) != -1 || errno == 0);
    const Attributes before = OfThisThread();
    SetTimeSlice(200'000);
    const Attributes after = OfThisThread();
    EXPECT_EQ(after.policy, before.policy);
    EXPECT_EQ(after.nice, before.nice);
    if (before.runtime == 0) GTEST_SKIP() << "Linux before 6.12 has one slice for all";
    EXPECT_EQ(after.runtime, 200'000U);
  }).join();
  EXPECT_EQ(OfThisThread().runtime, outside.runtime);
}

}  // namespace
}  // namespace sigserve
