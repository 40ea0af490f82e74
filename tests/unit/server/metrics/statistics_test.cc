#include "server/metrics/statistics.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sigserve {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

/// Counts the records that each version's series receives.
class FakeExporter final : public RequestExporter {
 public:
  std::unique_ptr<VersionSeries> OpenVersion(absl::string_view model, int64_t version) override {
    opened.emplace_back(std::string(model), version);
    return std::make_unique<Series>(&records);
  }
  void RecordBatch(absl::string_view, absl::string_view) override {}
  void RecordRefusal(absl::string_view, absl::string_view) override {}

  std::vector<std::pair<std::string, int64_t>> opened;
  size_t records = 0;

 private:
  class Series final : public VersionSeries {
   public:
    explicit Series(size_t* records) : records_(records) {}
    void Record(absl::Span<const RequestRecord> run) override { *records_ += run.size(); }

   private:
    size_t* const records_;
  };
};

class StatisticsTest : public testing::Test {
 protected:
  FakeExporter exporter_;
  FakeClock clock_;
  StatisticsRecorder statistics_{&exporter_, &clock_};
};

RequestRecord Success(absl::string_view model, int64_t version) {
  return {.model = model,
          .version = version,
          .rows = 1,
          .batch_rows = 1,
          .queued = absl::Microseconds(5),
          .computed = absl::Microseconds(7),
          .total = absl::Microseconds(20)};
}

TEST_F(StatisticsTest, SumUpByModelAndVersion) {
  RequestRecord failure = Success("m", 3);
  failure.code = absl::StatusCode::kInvalidArgument;
  const std::vector<RequestRecord> records = {Success("m", 3), Success("m", 3), failure,
                                              Success("m", 3), Success("a", 1)};
  statistics_.RecordAll(records);
  const std::vector<VersionStatistics> all = statistics_.Get("");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].model, "a");
  EXPECT_EQ(all[1].model, "m");
  EXPECT_EQ(all[1].version, 3);
  EXPECT_EQ(all[1].successes, 3);
  EXPECT_EQ(all[1].failures, 1);
  EXPECT_EQ(all[1].rows, 3);
  EXPECT_EQ(all[1].batches, 3);
  EXPECT_EQ(all[1].queued, absl::Microseconds(15));
  EXPECT_EQ(all[1].computed, absl::Microseconds(21));
  EXPECT_EQ(all[1].success_time, absl::Microseconds(60));
  EXPECT_EQ(all[1].failure_time, absl::Microseconds(20));
  EXPECT_EQ(statistics_.Get("a").size(), 1U);
  EXPECT_TRUE(statistics_.Get("other").empty());
}

TEST_F(StatisticsTest, RequestsThatShareABatchCountItOnce) {
  RequestRecord record = Success("m", 1);
  record.batch_rows = 8;
  for (const int rows : {1, 3, 4}) {
    record.rows = rows;
    statistics_.Record(record);
  }
  EXPECT_EQ(statistics_.Get("m")[0].batches, 1);
  EXPECT_EQ(statistics_.Get("m")[0].rows, 8);
}

TEST_F(StatisticsTest, EachVersionsSeriesIsOpenedOnceAndGetsEveryRecord) {
  for (int i = 0; i < 3; ++i) {
    statistics_.Record(Success("m", 1));
    statistics_.Record(Success("m", 2));
  }
  EXPECT_THAT(exporter_.opened, ElementsAre(Pair("m", 1), Pair("m", 2)));
  EXPECT_EQ(exporter_.records, 6U);
}

TEST_F(StatisticsTest, RequestsWithoutAModelAreExportedButNotListed) {
  RequestRecord record;
  record.code = absl::StatusCode::kNotFound;
  statistics_.Record(record);
  EXPECT_THAT(exporter_.opened, ElementsAre(Pair("", 0)));
  EXPECT_EQ(exporter_.records, 1U);
  EXPECT_TRUE(statistics_.Get("").empty());
}

}  // namespace
}  // namespace sigserve
