#include "server/training/job_store.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/training/job_json.h"
#include "tests/support/fake_file_system.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixMillis(1'700'000'000'000);

JobRecord FullRecord() {
  JobRecord record;
  JobStatus& status = record.status;
  status.id = "job-000007";
  status.model = "m";
  status.state = JobState::kSucceeded;
  status.message = "said \"so\"";
  status.created = kNow;
  status.started = kNow + absl::Milliseconds(5);
  status.ended = kNow + absl::Seconds(9);
  status.epochs_done = 3;
  status.epochs_total = 4;
  status.published_version = 12;
  status.training_rows = 100;
  status.validation_rows = 25;
  status.last_epoch = EpochMetrics{3, 0.25, 0.5, 0.75, std::nullopt, absl::Seconds(2)};
  status.seed = 18'446'744'073'709'551'615U;
  record.last_event = 6;
  return record;
}

class JobStoreTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(files_.MakeDirectories("/models")); }

  std::unique_ptr<JobStore> Open() {
    absl::StatusOr<std::unique_ptr<JobStore>> store = JobStore::Open(&files_, "/models", kNow);
    EXPECT_OK(store);
    return store.ok() ? *std::move(store) : nullptr;
  }

  testing_support::FakeFileSystem files_;
};

TEST(JobNumberTest, OneWayToWriteEach) {
  const struct {
    const char* id;
    int64_t number;  // 0 = none
  } kCases[] = {{"job-000042", 42}, {"job-1000000", 1000000}, {"job-42", 0},    {"job-0000042", 0},
                {"job-000000", 0},  {"job--00001", 0},        {"000042", 0},    {"", 0},
                {"job-", 0},        {"job-00004x", 0},        {"job- 00042", 0}};
  for (const auto& test : kCases) EXPECT_EQ(JobNumber(test.id).value_or(0), test.number) << test.id;
}

TEST_F(JobStoreTest, ARecordComesBackWhole) {
  ASSERT_OK(Open()->Save(FullRecord()));
  const std::unique_ptr<JobStore> store = Open();
  ASSERT_EQ(store->found().size(), 1u);
  EXPECT_EQ(EncodeRecord(store->found()[0]), EncodeRecord(FullRecord()));
  EXPECT_EQ(store->found()[0].status.seed, FullRecord().status.seed);
  EXPECT_EQ(store->found()[0].status.last_epoch->validation_roc_auc, std::nullopt);
  EXPECT_EQ(store->found()[0].last_event, 6);
}

TEST_F(JobStoreTest, IdsGoUpAcrossRestarts) {
  EXPECT_EQ(Open()->NextId(), "job-000001");
  ASSERT_OK(Open()->Save(FullRecord()));
  const std::unique_ptr<JobStore> store = Open();
  EXPECT_EQ(store->NextId(), "job-000008");
  EXPECT_EQ(store->NextId(), "job-000009");
}

TEST_F(JobStoreTest, JobsThatHadNotEndedFailed) {
  for (const JobState state : {JobState::kQueued, JobState::kRunning}) {
    JobRecord record = FullRecord();
    record.status.state = state;
    record.status.ended = absl::Time();
    ASSERT_OK(Open()->Save(record));
    for (int restart = 0; restart < 2; ++restart) {  // once, not again at the next restart
      const std::unique_ptr<JobStore> store = Open();
      const JobRecord& found = store->found().at(0);
      EXPECT_EQ(found.status.state, JobState::kFailed);
      EXPECT_EQ(found.status.message, "the server stopped before it finished");
      EXPECT_EQ(found.status.ended, kNow);
      EXPECT_EQ(found.last_event, 7);
    }
  }
}

TEST_F(JobStoreTest, OldestFirstAndRemoved) {
  const std::unique_ptr<JobStore> store = Open();
  for (const char* id : {"job-1000000", "job-000009", "job-000010"}) {
    JobRecord record = FullRecord();
    record.status.id = id;
    ASSERT_OK(store->Save(record));
  }
  ASSERT_OK(store->Remove("job-000010"));
  std::vector<std::string> ids;
  const std::unique_ptr<JobStore> again = Open();
  for (const JobRecord& record : again->found()) ids.push_back(record.status.id);
  EXPECT_THAT(ids, ElementsAre("job-000009", "job-1000000"));
}

TEST_F(JobStoreTest, BadRecordsAreLeftAloneAndTheirIdsTaken) {
  const std::string json = EncodeRecord(FullRecord());
  ASSERT_OK(files_.MakeDirectories("/models/.sigserve/jobs"));
  const std::pair<const char*, std::string> kBad[] = {
      {"job-000001", ""},
      {"job-000002", "[1, 2]"},
      {"job-000003", json.substr(0, json.size() / 2)},
      {"job-000004", R"({"id": "job-000004", "model": "m", "state": "LOST"})"},
      {"job-000005", R"({"id": "job-000005", "model": 3, "state": "FAILED"})"},
      {"job-000006", json}};  // another job's
  for (const auto& [id, text] : kBad) {
    ASSERT_OK(files_.WriteFile(absl::StrCat("/models/.sigserve/jobs/", id, ".json"), text));
  }
  ASSERT_OK(files_.WriteFile("/models/.sigserve/jobs/job-000009.json.new", "half"));
  const std::unique_ptr<JobStore> store = Open();
  EXPECT_TRUE(store->found().empty());
  EXPECT_EQ(store->NextId(), "job-000007");
  const auto tree = files_.Tree();
  EXPECT_TRUE(tree.contains("/models/.sigserve/jobs/job-000003.json"));
  EXPECT_FALSE(tree.contains("/models/.sigserve/jobs/job-000009.json.new"));
}

TEST_F(JobStoreTest, NoTrainingWithoutAWritableRepository) {
  EXPECT_THAT(JobStore::Open(&files_, "/elsewhere", kNow),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("/elsewhere")));
  ASSERT_NE(Open(), nullptr);
  files_.FailAt(1, absl::PermissionDeniedError("read-only"),
                testing_support::FakeFileSystem::Fault::kFromThenOn);
  EXPECT_THAT(JobStore::Open(&files_, "/models", kNow),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("read-only")));
}

TEST_F(JobStoreTest, AFailedSaveKeepsTheOldRecord) {
  const std::unique_ptr<JobStore> store = Open();
  JobRecord record = FullRecord();
  ASSERT_OK(store->Save(record));
  record.status.message = "new";
  for (int n = 1; n <= 3; ++n) {
    files_.FailAt(n, absl::ResourceExhaustedError("full"));
    EXPECT_THAT(store->Save(record), StatusIs(absl::StatusCode::kResourceExhausted, "full"));
    const std::string text = files_.Tree()["/models/.sigserve/jobs/job-000007.json"];
    EXPECT_OK(DecodeRecord(text)) << "change " << n;
  }
}

TEST(ModelConfigTextTest, QuotesNames) {
  EXPECT_EQ(ModelConfigText({}, false), "");
  EXPECT_EQ(ModelConfigText({}, true), "version_policy { latest { num_versions: 2 } }\n");
  EXPECT_EQ(ModelConfigText({"a\"b", "c\n"}, false),
            "sigserve {\n  output {\n    labels: \"a\\\"b\"\n    labels: \"c\\n\"\n  }\n}\n");
}

TEST(DescribeTrainingTest, IsJsonWithSpecAndMetrics) {
  TrainSpec spec;
  spec.feature_count = 30;
  spec.optimizer = SgdSpec{};
  const std::string text = DescribeTraining(FullRecord().status, spec);
  EXPECT_THAT(text, HasSubstr("\"kind\": \"sgd\""));
  EXPECT_THAT(text, HasSubstr("\"seed\": 18446744073709551615"));
  EXPECT_THAT(text, HasSubstr("\"training_loss\": 0.25"));
}

}  // namespace
}  // namespace sigserve
