// Ctrl-C. Each case runs in a process of its own: a signal goes to the whole process, and other
// tests have left threads behind that do not block it.
#include "client/cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace sigserve::cli {
namespace {

void InterruptTwiceThenEnd() {
  {
    const Interrupt interrupt;
    absl::Notification stopped;
    const std::stop_callback on_stop(interrupt.token(), [&stopped] { stopped.Notify(); });
    if (interrupt.token().stop_requested()) std::exit(1);
    kill(getpid(), SIGINT);
    stopped.WaitForNotification();
    kill(getpid(), SIGINT);
  }
  std::exit(0);
}

void InterruptAfterwards() {
  { const Interrupt interrupt; }
  kill(getpid(), SIGINT);
  std::exit(0);
}

class InterruptTest : public testing::Test {
 protected:
  InterruptTest() { testing::GTEST_FLAG(death_test_style) = "threadsafe"; }
};

TEST_F(InterruptTest, TheFirstRequestsAStopAndALaterOneIsSwallowed) {
  EXPECT_EXIT(InterruptTwiceThenEnd(), testing::ExitedWithCode(0), "");
}

TEST_F(InterruptTest, AfterItsLifeCtrlCEndsTheProcess) {
  EXPECT_EXIT(InterruptAfterwards(), testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace sigserve::cli
