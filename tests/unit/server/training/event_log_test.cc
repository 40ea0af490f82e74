#include "server/training/event_log.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/training/data_budget.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::HasSubstr;

JobStatus InState(JobState state) {
  JobStatus status;
  status.state = state;
  return status;
}

EpochMetrics Epoch(int64_t number) {
  EpochMetrics metrics;
  metrics.epoch = number;
  return metrics;
}

TEST(EventLogTest, NumbersFromOneWithoutGaps) {
  EventLog log;
  log.Append(InState(JobState::kQueued));
  log.Append(Epoch(1));
  log.Append(InState(JobState::kSucceeded));
  for (int64_t after = -1; after < 3; ++after) {
    const EventLog::Next next = log.After(after);
    ASSERT_TRUE(next.event.has_value());
    EXPECT_EQ(next.event->number, std::max<int64_t>(after, 0) + 1);
  }
  EXPECT_EQ(std::get<EpochMetrics>(log.After(1).event->what).epoch, 1);
  EXPECT_EQ(std::get<JobStatus>(log.After(2).event->what).state, JobState::kSucceeded);
  EXPECT_EQ(log.last_number(), 3);
}

TEST(EventLogTest, EndsWithAnEndedState) {
  for (const JobState state : {JobState::kSucceeded, JobState::kFailed, JobState::kCancelled}) {
    EventLog log;
    log.Append(InState(JobState::kRunning));
    EXPECT_FALSE(log.After(1).ended);
    log.Append(InState(state));
    EXPECT_FALSE(log.After(1).ended);  // the event itself is still to be read
    EXPECT_TRUE(log.After(2).ended);
    EXPECT_TRUE(log.After(1000).ended);
  }
}

TEST(EventLogTest, AShortenedLogKeepsItsNumbers) {
  EventLog log(57);
  log.Append(InState(JobState::kFailed));
  EXPECT_EQ(log.After(0).event->number, 57);
  EXPECT_EQ(log.After(56).event->number, 57);
  EXPECT_TRUE(log.After(57).ended);
  EXPECT_EQ(log.last_number(), 57);
}

TEST(EventLogTest, WakesListenersUntilTheyLeave) {
  EventLog log;
  int first = 0;
  int second = 0;
  const int64_t subscription = log.Subscribe([&] { ++first; });
  log.Subscribe([&] {
    ++second;
    EXPECT_TRUE(log.After(0).event.has_value());  // under no lock
  });
  log.Append(Epoch(1));
  log.Unsubscribe(subscription);
  log.Append(Epoch(2));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
}

TEST(EventLogTest, ReadersMayReadWhileItGrows) {
  constexpr int kEpochs = 5000;
  EventLog log;
  std::thread reader([&] {
    int64_t seen = 0;
    for (EventLog::Next next; !next.ended; next = log.After(seen)) {
      if (!next.event.has_value()) continue;
      ASSERT_EQ(next.event->number, seen + 1);
      seen = next.event->number;
    }
    EXPECT_EQ(seen, kEpochs + 1);
  });
  for (int i = 1; i <= kEpochs; ++i) log.Append(Epoch(i));
  log.Append(InState(JobState::kSucceeded));
  reader.join();
}

TEST(RecordsEpochTest, AllOfShortJobsSomeOfLongOnes) {
  const struct {
    int64_t epochs;
    int64_t events;
  } kCases[] = {{1, 1}, {10, 10}, {10'000, 10'000}, {10'001, 5'001}, {1'000'000, 10'000}};
  for (const auto& test : kCases) {
    int64_t events = 0;
    for (int64_t epoch = 1; epoch <= test.epochs; ++epoch) {
      events += RecordsEpoch(epoch, test.epochs) ? 1 : 0;
    }
    EXPECT_EQ(events, test.events) << test.epochs;
    EXPECT_TRUE(RecordsEpoch(test.epochs, test.epochs));
  }
}

TEST(DataBudgetTest, RefusesBeyondTheLimitAndGetsBytesBack) {
  DataBudget budget(100);
  {
    DataBudget::Share a(&budget);
    ASSERT_OK(a.Grow(60));
    DataBudget::Share b(&budget);
    EXPECT_THAT(b.Grow(41),
                StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("max_data_bytes is 100")));
    EXPECT_OK(b.Grow(40));
    DataBudget::Share moved = std::move(a);
    EXPECT_EQ(budget.used(), 100);
    moved = DataBudget::Share();
    EXPECT_EQ(budget.used(), 40);
  }
  EXPECT_EQ(budget.used(), 0);
}

}  // namespace
}  // namespace sigserve
