#include "client/retry.h"

#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace sigserve::client {
namespace {

using absl::Milliseconds;
using absl::Seconds;
using Delay = std::optional<absl::Duration>;
using Code = absl::StatusCode;

constexpr RetryPolicy kPolicy{
    .max_attempts = 4, .initial_backoff = Milliseconds(100), .max_backoff = Milliseconds(300)};

TEST(RetryTest, Decisions) {
  struct Case {
    const char* what;
    FailedAttempt failed;
    double uniform;
    Delay expected;
  };
  const auto forever = absl::InfiniteDuration();
  const std::vector<Case> cases = {
      {"first back-off, least jitter",
       {1, Code::kUnavailable, false, {}, forever},
       0,
       Milliseconds(50)},
      {"first back-off, half jitter",
       {1, Code::kUnavailable, false, {}, forever},
       0.5,
       Milliseconds(75)},
      {"doubles", {2, Code::kUnavailable, false, {}, forever}, 0, Milliseconds(100)},
      {"stops growing at the maximum",
       {3, Code::kUnavailable, false, {}, forever},
       0,
       Milliseconds(150)},
      {"attempts are used up", {4, Code::kUnavailable, false, {}, forever}, 0, {}},
      {"no time left", {1, Code::kUnavailable, false, {}, Milliseconds(50)}, 0, {}},
      {"just enough time",
       {1, Code::kUnavailable, false, {}, Milliseconds(51)},
       0,
       Milliseconds(50)},
      {"overload without push-back", {1, Code::kResourceExhausted, false, {}, forever}, 0, {}},
      {"overload with push-back",
       {1, Code::kResourceExhausted, false, "7", forever},
       0,
       Milliseconds(7)},
      {"push-back replaces back-off",
       {2, Code::kUnavailable, false, "7", forever},
       0.9,
       Milliseconds(7)},
      {"push-back of nothing", {1, Code::kUnavailable, false, "0", forever}, 0, Milliseconds(0)},
      {"push-back says never", {1, Code::kUnavailable, false, "-1", forever}, 0, {}},
      {"push-back is no number", {1, Code::kUnavailable, false, "soon", forever}, 0, {}},
      {"push-back beyond the deadline", {1, Code::kUnavailable, false, "9999", Seconds(5)}, 0, {}},
      {"other errors", {1, Code::kInvalidArgument, false, {}, forever}, 0, {}},
      {"other errors with push-back", {1, Code::kInternal, false, "7", forever}, 0, {}},
      {"no connection", {1, Code::kUnavailable, true, {}, forever}, 0, Milliseconds(50)},
      {"no connection: attempts are not counted",
       {99, Code::kUnavailable, true, {}, Seconds(5)},
       0,
       Milliseconds(150)},
      {"no connection: delays shrink towards the deadline",
       {99, Code::kUnavailable, true, {}, Milliseconds(40)},
       0,
       Milliseconds(20)},
      {"no connection, and the deadline is reached",
       {99, Code::kUnavailable, true, {}, Milliseconds(10)},
       0,
       {}},
      {"a passed deadline", {1, Code::kDeadlineExceeded, false, {}, forever}, 0, {}},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(DelayBeforeRetry(kPolicy, c.failed, c.uniform), c.expected) << c.what;
  }
}

TEST(RetryTest, OneAttemptMeansOneAttempt) {
  EXPECT_EQ(DelayBeforeRetry({.max_attempts = 1}, {.unreachable = true}, 0), std::nullopt);
}

TEST(RetryTest, ManyAttemptsDoNotOverflow) {
  const RetryPolicy patient{.max_attempts = 1 << 30, .max_backoff = Seconds(2)};
  EXPECT_EQ(DelayBeforeRetry(patient, {.number = 1 << 29}, 0), Delay(Seconds(1)));
}

}  // namespace
}  // namespace sigserve::client
