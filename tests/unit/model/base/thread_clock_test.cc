#include "model/base/thread_clock.h"

#include <thread>

#include "gtest/gtest.h"

namespace sigserve {
namespace {

TEST(ThreadClockTest, CountsTheCallingThreadsWorkAlone) {
  const ThreadClock clock;
  const MonotonicTime before = clock.Monotonic();
  EXPECT_GT(before, MonotonicTime());
  volatile double sum = 0;
  while (clock.Monotonic() < before + absl::Milliseconds(5)) sum = sum + 1;
  MonotonicTime others;
  std::thread([&] { others = clock.Monotonic(); }).join();
  EXPECT_LT(others, before + absl::Milliseconds(5)) << "a new thread has not had as much";
}

}  // namespace
}  // namespace sigserve
