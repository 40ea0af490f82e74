#include "server/metrics/turn_recorder.h"

#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sigserve {
namespace {

using ::testing::ElementsAre;

class Rows final : public RequestRecorder {
 public:
  void RecordAll(absl::Span<const RequestRecord> records) override {
    for (const RequestRecord& record : records) rows.push_back(record.rows);
  }
  void RecordBatch(absl::string_view, absl::string_view) override {}
  std::vector<int64_t> rows;
};

TEST(TurnRecorderTest, KeepsItsOwnThreadsRecordsUntilTheTurnEnds) {
  Rows next;
  TurnRecorder recorder(&next);
  recorder.SetOwnThread();
  recorder.Record({.rows = 1});
  recorder.Record({.rows = 2});
  EXPECT_THAT(next.rows, ElementsAre());
  std::thread other([&recorder] { recorder.Record({.rows = 3}); });
  other.join();
  EXPECT_THAT(next.rows, ElementsAre(3));
  recorder.EndTurn();
  EXPECT_THAT(next.rows, ElementsAre(3, 1, 2));
  recorder.EndTurn();
  EXPECT_THAT(next.rows, ElementsAre(3, 1, 2)) << "each once";
}

TEST(TurnRecorderTest, ALastTurnIsNotLost) {
  Rows next;
  {
    TurnRecorder recorder(&next);
    recorder.SetOwnThread();
    recorder.Record({.rows = 1});
  }
  EXPECT_THAT(next.rows, ElementsAre(1));
}

}  // namespace
}  // namespace sigserve
