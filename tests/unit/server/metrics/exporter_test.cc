#include "server/metrics/exporter.h"

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/base/clock.h"
#include "server/metrics/statistics.h"

namespace sigserve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

RequestRecord Answer(absl::string_view model, absl::StatusCode code) {
  return {.model = model,
          .version = 3,
          .method = PredictMethod::kPredict,
          .code = code,
          .rows = 5,
          .batch_rows = 5,
          .computed = absl::Microseconds(20),
          .total = absl::Microseconds(40)};
}

class ExporterTest : public testing::Test {
 protected:
  FakeClock clock_;
  std::unique_ptr<MetricsExporter> exporter_ = MetricsExporter::Create("9.8.7");
  StatisticsRecorder recorder_{exporter_.get(), &clock_};
};

TEST_F(ExporterTest, CountsRequestsByModelVersionMethodAndCode) {
  recorder_.Record(Answer("m", absl::StatusCode::kOk));
  recorder_.Record(Answer("m", absl::StatusCode::kOk));
  recorder_.Record(Answer("m", absl::StatusCode::kInvalidArgument));
  const std::string text = exporter_->Serialize();
  EXPECT_THAT(
      text,
      HasSubstr(R"(sigserve_requests_total{code="OK",method="Predict",model="m",version="3"} 2)"));
  EXPECT_THAT(
      text,
      HasSubstr(
          R"(sigserve_requests_total{code="INVALID_ARGUMENT",method="Predict",model="m",version="3"} 1)"));
  // Rows are those of successful answers.
  EXPECT_THAT(text, HasSubstr(R"(sigserve_rows_total{model="m",version="3"} 10)"));
}

TEST_F(ExporterTest, ManyRecordsAtOnceCountLikeSingleOnes) {
  std::vector<RequestRecord> records;
  for (const int us : {5, 10, 11, 20, 50, 999, 1000, 20'000'000}) {  // on and next to bucket bounds
    RequestRecord record = Answer("m", absl::StatusCode::kOk);
    record.total = absl::Microseconds(us);
    record.batch_rows = us % 7 + 1;
    records.insert(records.end(), 2, record);
    if (us == 20) records.push_back(Answer("other", absl::StatusCode::kOk));
    if (us == 50) records.push_back(Answer("m", absl::StatusCode::kCancelled));
  }
  for (const RequestRecord& record : records) recorder_.Record(record);
  const std::unique_ptr<MetricsExporter> at_once = MetricsExporter::Create("9.8.7");
  StatisticsRecorder(at_once.get(), &clock_).RecordAll(records);
  const auto ours = [](const MetricsExporter& exporter) {
    const std::string text = exporter.Serialize();
    std::vector<std::string> lines;
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      // Sums of fractions depend on their order.
      if (absl::StrContains(line, "duration_seconds_sum")) continue;
      if (absl::StartsWith(line, "sigserve_")) lines.emplace_back(line);
    }
    return lines;
  };
  EXPECT_GT(ours(*exporter_).size(), 50U);
  EXPECT_EQ(ours(*at_once), ours(*exporter_));
}

TEST_F(ExporterTest, CountsBatchesByReason) {
  exporter_->RecordBatch("m", "drained");
  exporter_->RecordBatch("m", "drained");
  exporter_->RecordBatch("m", "full");
  exporter_->RecordRefusal("m", "overload");
  exporter_->RecordRefusal("m", "overload");
  const std::string text = exporter_->Serialize();
  EXPECT_THAT(text, HasSubstr(R"(sigserve_batches_total{model="m",reason="drained"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(sigserve_batches_total{model="m",reason="full"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(sigserve_refusals_total{model="m",reason="overload"} 2)"));
}

TEST_F(ExporterTest, TheLatencyHistogramBeginsAtTenMicroseconds) {
  recorder_.Record(Answer("m", absl::StatusCode::kOk));
  const std::string text = exporter_->Serialize();
  const auto bucket = [](const char* le, int count) {
    return std::string(R"(sigserve_request_duration_seconds_bucket{model="m",version="3",le=")") +
           le + "\"} " + std::to_string(count) + "\n";
  };
  EXPECT_THAT(text, HasSubstr(bucket("1e-05", 0)));
  EXPECT_THAT(text, HasSubstr(bucket("5e-05", 1)));
  EXPECT_THAT(text, HasSubstr(bucket("10", 1)));
  EXPECT_THAT(text, HasSubstr(bucket("+Inf", 1)));
}

TEST_F(ExporterTest, ARequestForNoModelHasEmptyLabels) {
  RequestRecord record = Answer("", absl::StatusCode::kNotFound);
  record.version = 0;
  recorder_.Record(record);
  EXPECT_THAT(
      exporter_->Serialize(),
      HasSubstr(
          R"(sigserve_requests_total{code="NOT_FOUND",method="Predict",model="",version=""} 1)"));
}

TEST_F(ExporterTest, ShowsModelsAndTheirVersions) {
  std::vector<ModelVersions> models = {{.model = "m", .ready = 1, .failed = 2},
                                       {.model = "broken", .failed = 1},
                                       {.model = "off", .unloaded = 3},
                                       {.model = "new", .loading = 1}};
  exporter_->ShowModels([&] { return models; });
  std::string text = exporter_->Serialize();
  for (const char* line :
       {"sigserve_model_ready{model=\"m\"} 1\n", "sigserve_model_ready{model=\"broken\"} 0\n",
        "sigserve_model_versions{model=\"m\",state=\"ready\"} 1\n",
        "sigserve_model_versions{model=\"m\",state=\"failed\"} 2\n",
        "sigserve_model_versions{model=\"m\",state=\"loading\"} 0\n",
        "sigserve_model_versions{model=\"off\",state=\"unloaded\"} 3\n",
        "sigserve_model_versions{model=\"new\",state=\"loading\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  // A model that is gone has no series.
  models = {{.model = "m", .ready = 2}};
  text = exporter_->Serialize();
  EXPECT_THAT(text, HasSubstr("sigserve_model_versions{model=\"m\",state=\"ready\"} 2\n"));
  EXPECT_THAT(text, Not(HasSubstr("broken")));
  models.push_back({.model = "broken", .ready = 1});
  EXPECT_THAT(exporter_->Serialize(), HasSubstr("sigserve_model_ready{model=\"broken\"} 1\n"));
}

TEST_F(ExporterTest, CountsLoadFailures) {
  exporter_->CountLoadFailure("m");
  exporter_->CountLoadFailure("m");
  EXPECT_THAT(exporter_->Serialize(),
              HasSubstr("sigserve_model_load_failures_total{model=\"m\"} 2\n"));
}

TEST_F(ExporterTest, ShowsTheCurrentLoad) {
  EXPECT_THAT(exporter_->Serialize(), Not(HasSubstr("in_flight ")));
  ServerLoad load = {.requests_in_flight = 7,
                     .queues = {{"m", 100, absl::Milliseconds(50)},
                                {"other", 1, absl::Milliseconds(1)},
                                {"m", 20, absl::Milliseconds(30)}}};
  exporter_->ShowLoad([&load] { return load; });
  std::string text = exporter_->Serialize();
  EXPECT_THAT(text, HasSubstr("\nsigserve_requests_in_flight 7\n"));
  EXPECT_THAT(text, HasSubstr("\nsigserve_queue_rows{model=\"m\"} 120\n"));
  EXPECT_THAT(text, HasSubstr("\nsigserve_queue_seconds{model=\"m\"} 0.08\n"));
  load = {};
  text = exporter_->Serialize();
  EXPECT_THAT(text, HasSubstr("\nsigserve_requests_in_flight 0\n"));
  EXPECT_THAT(text, HasSubstr("\nsigserve_queue_rows{model=\"m\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\nsigserve_queue_seconds{model=\"other\"} 0\n"));
  exporter_->ShowLoad({});
  exporter_->Serialize();  // no longer calls the function
}

TEST_F(ExporterTest, ShowsTheBuildAndTheProcess) {
  const std::string text = exporter_->Serialize();
  EXPECT_THAT(
      text, testing::ContainsRegex(R"(sigserve_build_info\{compiler="[^"]+",version="9.8.7"\} 1)"));
  EXPECT_THAT(text, HasSubstr("\nprocess_start_time_seconds "));
  EXPECT_THAT(text, HasSubstr("\nprocess_cpu_seconds_total "));
  EXPECT_THAT(text, Not(HasSubstr("\nprocess_resident_memory_bytes 0\n")));
}

TEST_F(ExporterTest, CountsEachRecordOfManyThreadsOnce) {
  constexpr int kThreads = 8;
  constexpr int kEach = 1000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < kEach; ++i) {
        recorder_.Record(Answer(i % 2 == 0 ? "a" : "b", absl::StatusCode::kOk));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = exporter_->Serialize();
  EXPECT_THAT(text, HasSubstr(R"(model="a",version="3"} 4000)"));
  EXPECT_THAT(text, HasSubstr(R"(model="b",version="3"} 4000)"));
}

// Names come from directories and must not be able to forge a line.
TEST_F(ExporterTest, EscapesLabelValues) {
  exporter_->ShowModels(
      [] { return std::vector<ModelVersions>{{.model = "x\"} 1\nforged 1", .ready = 1}}; });
  const std::string text = exporter_->Serialize();
  EXPECT_THAT(text, HasSubstr(R"(sigserve_model_ready{model="x\"} 1\nforged 1"} 1)"));
  EXPECT_THAT(text, Not(HasSubstr("\nforged")));
}

}  // namespace
}  // namespace sigserve
