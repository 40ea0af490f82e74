#include "server/rpc/control_threads.h"

#include <atomic>
#include <vector>

#include "absl/synchronization/barrier.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sigserve {
namespace {

TEST(ControlThreadsTest, FunctionsRunConcurrentlyUpToTheLimit) {
  constexpr int kAtOnce = 5;
  ControlThreads threads(kAtOnce);
  auto* all_run = new absl::Barrier(kAtOnce);  // the last one deletes it
  absl::BlockingCounter done(kAtOnce);
  for (int i = 0; i < kAtOnce; ++i) {
    threads.Run([&] {
      if (all_run->Block()) delete all_run;
      done.DecrementCount();
    });
  }
  done.Wait();
}

TEST(ControlThreadsTest, BeyondTheLimitTheyWaitInOrder) {
  std::vector<int> order;  // of the one thread
  {
    ControlThreads threads(1);
    absl::Notification go;
    threads.Run([&] { go.WaitForNotification(); });
    for (int i = 0; i < 10; ++i) threads.Run([&order, i] { order.push_back(i); });
    EXPECT_TRUE(order.empty());
    go.Notify();
  }
  EXPECT_THAT(order, testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
}

TEST(ControlThreadsTest, WorkMayQueueWork) {
  std::atomic<int> done = 0;
  {
    ControlThreads threads(2);
    absl::Notification asked;
    threads.Run([&] {
      threads.Run([&] { ++done; });
      ++done;
      asked.Notify();
    });
    asked.WaitForNotification();
  }
  EXPECT_EQ(done, 2);
}

}  // namespace
}  // namespace sigserve
