#include "server/batching/model_queue.h"

#include <vector>

#include "gtest/gtest.h"
#include "tests/support/fake_batches.h"

namespace sigserve {
namespace {

using testing_support::DoublingTarget;

TEST(GoodRowsTest, AreWorthTheirBatchAndNotTooLongForOthers) {
  struct Case {
    double batch_us, row_us;
    absl::Duration target;
    int64_t rows;
  };
  const absl::Duration none = absl::InfiniteDuration();
  for (const Case& c : std::vector<Case>{
           {0, 1500, none, 1},                       // batches gain nothing
           {0, 9, none, 111},                        // but for a millisecond's worth
           {100, 10, none, 200},                     // 21 times 100 us
           {2000, 100, none, 180},                   // at most 20 ms
           {7000, 5000, none, 8},                    // or four times a row alone
           {20000, 32000, none, 5},                  // but no longer than 200 ms
           {300000, 200000, none, 1},                // if that is a row at all
           {7000, 5000, absl::Milliseconds(45), 3},  // half of the target
           {7000, 5000, absl::Milliseconds(10), 1},
       }) {
    BatchTarget target = DoublingTarget("m", c.batch_us, c.row_us);
    target.queue.latency_target = c.target;
    EXPECT_NEAR(static_cast<double>(GoodRows(target)), static_cast<double>(c.rows),
                c.rows > 100 ? 1 : 0)
        << c.batch_us << " us + " << c.row_us << " us a row";
  }
}

TEST(GoodRowsTest, OfWhatIsNotBatchedOrNotKnown) {
  BatchTarget target = DoublingTarget("m", 100, 10);
  target.batchable = false;
  EXPECT_EQ(GoodRows(target), 1);
  BatchTarget unknown;
  unknown.batchable = true;
  EXPECT_EQ(GoodRows(unknown), 32);
}

}  // namespace
}  // namespace sigserve
