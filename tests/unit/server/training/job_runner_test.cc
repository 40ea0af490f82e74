#include "server/training/job_runner.h"

#include <stdexcept>
#include <utility>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_file_system.h"
#include "tests/support/fake_servable.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using testing_support::FakeServable;
using testing_support::SigmoidSignature;

/// Runs an epoch when the test lets it: every epoch waits for a permit or a cancellation.
class Gate {
 public:
  void Open(int epochs) {
    absl::MutexLock lock(&mutex_);
    permits_ += epochs;
  }
  void WaitUntilEntered() {
    const auto entered = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return entered_; };
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&entered));
  }
  absl::Status Pass(const std::function<bool()>& cancelled) {
    const auto ready = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return permits_ > 0 || cancelled();
    };
    absl::MutexLock lock(&mutex_);
    entered_ = true;
    // A cancellation does not signal this mutex: look again now and then.
    while (!mutex_.AwaitWithTimeout(absl::Condition(&ready), absl::Milliseconds(1))) {
    }
    if (cancelled()) return absl::CancelledError("between batches");
    --permits_;
    return absl::OkStatus();
  }

 private:
  absl::Mutex mutex_;
  int permits_ ABSL_GUARDED_BY(mutex_) = 0;
  bool entered_ ABSL_GUARDED_BY(mutex_) = false;
};

class FakeTrainer final : public Trainer {
 public:
  FakeTrainer(Gate* gate, int64_t rows, int64_t diverge_at)
      : gate_(gate), rows_(rows), diverge_at_(diverge_at) {}
  absl::StatusOr<EpochReport> RunEpoch(const std::function<bool()>& cancelled) override {
    const absl::Status passed = gate_->Pass(cancelled);
    if (!passed.ok()) return passed;
    ++epoch_;
    if (epoch_ == diverge_at_) return absl::FailedPreconditionError("TRAIN_DIVERGED");
    EpochReport report;
    report.epoch = epoch_;
    report.training_loss = 1.0 / static_cast<double>(epoch_);
    return report;
  }
  int64_t training_rows() const override { return rows_; }
  int64_t validation_rows() const override { return 0; }
  NamedWeights Weights() const override { return {}; }
  absl::StatusOr<Graph> Publishable() const override { return Graph(); }

 private:
  Gate* const gate_;
  const int64_t rows_;
  const int64_t diverge_at_;
  int64_t epoch_ = 0;
};

class FakeRegistry final : public ModelRegistry {
 public:
  absl::Status ReloadAll() override { return absl::OkStatus(); }
  absl::Status Reload(absl::string_view model) override {
    if (throws) throw std::runtime_error("no more threads");
    absl::MutexLock lock(&mutex_);
    reloaded_.emplace_back(model);
    return answer_;
  }
  absl::Status Unload(absl::string_view) override { return absl::OkStatus(); }
  bool UnloadedByHand(absl::string_view) const override { return unloaded; }
  // A number asks for what was published; a name alone, for what served before.
  absl::StatusOr<ServableHandle> Find(const ModelQuery& query) const override {
    if (query.version.has_value() ? !serves_new : served == nullptr) {
      return absl::NotFoundError("");
    }
    return query.version.has_value() ? std::make_shared<FakeServable>(SigmoidSignature()) : served;
  }
  std::vector<VersionStatus> List() const override { return {}; }
  std::vector<VersionStatus> Versions(absl::string_view) const override { return {}; }

  void Answer(absl::Status status) {
    absl::MutexLock lock(&mutex_);
    answer_ = std::move(status);
  }
  // Set before a job runs.
  bool unloaded = false;
  bool serves_new = true;
  bool throws = false;
  std::shared_ptr<const FakeServable> served;

  std::vector<std::string> reloaded() const {
    absl::MutexLock lock(&mutex_);
    return reloaded_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::string> reloaded_ ABSL_GUARDED_BY(mutex_);
  absl::Status answer_ ABSL_GUARDED_BY(mutex_);
};

JobRequest Request(int64_t epochs, const std::string& model = "m") {
  JobRequest request;
  request.model = model;
  request.spec.feature_count = 2;
  request.spec.schedule.epochs = epochs;
  request.rows = {Tensor::Of<float>({2, 2}, {1, 2, 3, 4}), Tensor::Of<float>({2, 1}, {0, 1})};
  return request;
}

class JobRunnerTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(files_.MakeDirectories("/models"));
    Restart();
  }

  void Restart() {
    runner_.reset();
    JobRunnerParts parts;
    parts.repository = &repository_;
    parts.registry = &registry_;
    parts.files = &files_;
    parts.clock = &clock_;
    parts.create_trainer = [this](const TrainSpec&, Tensor features, Tensor,
                                  NamedWeights) -> absl::StatusOr<std::unique_ptr<Trainer>> {
      return std::make_unique<FakeTrainer>(&gate_, features.shape()[0], diverge_at_);
    };
    parts.write_model = [](const Graph&) { return std::string("weights"); };
    TrainingOptions options;
    options.max_queued_jobs = 2;
    options.max_data_bytes = 1000;
    ASSERT_OK_AND_ASSIGN(runner_, JobRunner::Create(options, std::move(parts)));
  }

  std::string Submit(JobRequest request) {
    absl::StatusOr<JobStatus> job = runner_->Submit(std::move(request), DataBudget::Share());
    EXPECT_OK(job);
    return job.ok() ? job->id : "";
  }

  /// Waits for the job's last event and returns them all as text.
  std::vector<std::string> Watch(const std::string& id) {
    absl::StatusOr<std::shared_ptr<EventLog>> log = runner_->Events(id);
    if (!log.ok()) return {log.status().ToString()};
    absl::Notification ended;
    const auto is_over = [&] { return (*log)->After((*log)->last_number()).ended; };
    absl::Mutex once;
    const auto notify = [&] {
      absl::MutexLock lock(&once);
      if (is_over() && !ended.HasBeenNotified()) ended.Notify();
    };
    const int64_t subscription = (*log)->Subscribe(notify);
    notify();
    ended.WaitForNotification();
    (*log)->Unsubscribe(subscription);
    // The listener may still be inside: it leaves before this lock is had.
    absl::MutexLock lock(&once);
    return Describe(**log);
  }

  static std::vector<std::string> Describe(const EventLog& log) {
    static constexpr const char* kStates[] = {"QUEUED", "RUNNING", "SUCCEEDED", "FAILED",
                                              "CANCELLED"};
    std::vector<std::string> events;
    int64_t seen = 0;
    for (EventLog::Next next = log.After(seen); next.event.has_value(); next = log.After(seen)) {
      seen = next.event->number;
      const auto* status = std::get_if<JobStatus>(&next.event->what);
      events.push_back(absl::StrCat(
          seen, " ",
          status != nullptr
              ? absl::StrCat(kStates[static_cast<int>(status->state)],
                             status->message.empty() ? "" : ": ", status->message)
              : absl::StrCat("epoch ", std::get<EpochMetrics>(next.event->what).epoch)));
    }
    return events;
  }

  testing_support::FakeFileSystem files_;
  Repository repository_{&files_, "/models"};
  FakeRegistry registry_;
  FakeClock clock_;
  Gate gate_;
  int64_t diverge_at_ = 0;
  std::unique_ptr<JobRunner> runner_;
};

TEST_F(JobRunnerTest, TrainsPublishesAndReloads) {
  gate_.Open(3);
  JobRequest request = Request(3);
  request.spec.schedule.seed = 5;
  request.label_names = {"ill"};
  const std::string id = Submit(std::move(request));
  EXPECT_THAT(Watch(id), ElementsAre("1 QUEUED", "2 RUNNING", "3 epoch 1", "4 epoch 2", "5 epoch 3",
                                     "6 SUCCEEDED"));
  ASSERT_OK_AND_ASSIGN(const JobStatus job, runner_->Get(id));
  EXPECT_EQ(job.published_version, 1);
  EXPECT_EQ(job.epochs_done, 3);
  EXPECT_EQ(job.training_rows, 2);
  EXPECT_EQ(job.seed, 5u);
  EXPECT_EQ(job.last_epoch->training_loss, 1.0 / 3);
  EXPECT_THAT(registry_.reloaded(), ElementsAre("m"));
  auto tree = files_.Tree();
  EXPECT_EQ(tree["/models/m/1/model.onnx"], "weights");
  EXPECT_THAT(tree["/models/m/1/training.json"],
              AllOf(HasSubstr("\"job\": \"job-000001\""), HasSubstr("\"seed\": 5")));
  EXPECT_THAT(tree["/models/m/config.pbtxt"],
              AllOf(HasSubstr("num_versions: 2"), HasSubstr("labels: \"ill\"")));
}

TEST_F(JobRunnerTest, IsOnDiskBeforeSubmitReturns) {
  const std::string id = Submit(Request(1));
  EXPECT_THAT(files_.Tree(), Contains(Key("/models/.sigserve/jobs/" + id + ".json")));
}

TEST_F(JobRunnerTest, BadRequestsAreRefused) {
  JobRequest label = Request(1);
  label.rows.labels = Tensor::Of<float>({2, 1}, {0, 2});
  EXPECT_THAT(runner_->Submit(std::move(label), {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("TRAIN_LABEL"), HasSubstr("row 1, column 0"))));
  JobRequest one_class = Request(1);
  one_class.rows.labels = Tensor::Of<float>({2, 1}, {1, 1});
  EXPECT_THAT(runner_->Submit(std::move(one_class), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("TRAIN_LABEL")));
  JobRequest weights = Request(1);
  weights.initial_weights.emplace_back("0.weight", Tensor::Of<float>({1, 3}, {1, 2, 3}));
  EXPECT_THAT(runner_->Submit(std::move(weights), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("initial_weights")));
  EXPECT_THAT(runner_->Submit(Request(1, "../m"), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("NAME")));
  EXPECT_THAT(runner_->Submit(Request(-1), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("epochs")));
  EXPECT_TRUE(runner_->List().empty());
}

TEST_F(JobRunnerTest, TheQueueIsBounded) {
  Submit(Request(1));
  gate_.WaitUntilEntered();  // the first one runs and does not count
  Submit(Request(1));
  Submit(Request(1));
  EXPECT_THAT(runner_->Submit(Request(1), {}),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("max_queued_jobs is 2")));
  std::vector<std::string> ids;
  for (const JobStatus& job : runner_->List()) ids.push_back(job.id);
  EXPECT_THAT(ids, ElementsAre("job-000003", "job-000002", "job-000001"));
}

TEST_F(JobRunnerTest, CancelStopsARunningJob) {
  gate_.Open(1);
  const std::string id = Submit(Request(1000));
  gate_.WaitUntilEntered();
  ASSERT_OK(runner_->Cancel(id));
  EXPECT_THAT(Watch(id).back(), HasSubstr("CANCELLED: cancelled while it ran"));
  EXPECT_FALSE(files_.Tree().contains("/models/m/"));
  ASSERT_OK_AND_ASSIGN(const JobStatus again, runner_->Cancel(id));  // left as it is
  EXPECT_EQ(again.state, JobState::kCancelled);
}

TEST_F(JobRunnerTest, CancelTakesAQueuedJobOut) {
  const std::string running = Submit(Request(1));
  gate_.WaitUntilEntered();
  DataBudget::Share share(runner_->data_budget());
  ASSERT_OK(share.Grow(400));
  ASSERT_OK_AND_ASSIGN(const JobStatus queued, runner_->Submit(Request(1), std::move(share)));
  EXPECT_EQ(runner_->data_budget()->used(), 400);
  ASSERT_OK_AND_ASSIGN(const JobStatus job, runner_->Cancel(queued.id));
  EXPECT_EQ(job.state, JobState::kCancelled);
  EXPECT_EQ(runner_->data_budget()->used(), 0);
  EXPECT_THAT(Watch(queued.id), ElementsAre("1 QUEUED", "2 CANCELLED: cancelled before it ran"));
  gate_.Open(1);
  EXPECT_THAT(Watch(running).back(), HasSubstr("SUCCEEDED"));
}

TEST_F(JobRunnerTest, AJobThatFailsHarmsNoOther) {
  diverge_at_ = 2;
  gate_.Open(10);
  EXPECT_THAT(Watch(Submit(Request(5))),
              ElementsAre("1 QUEUED", "2 RUNNING", "3 epoch 1", "4 FAILED: TRAIN_DIVERGED"));
  diverge_at_ = 0;
  EXPECT_THAT(Watch(Submit(Request(1))).back(), HasSubstr("SUCCEEDED"));
}

TEST_F(JobRunnerTest, AVersionThatDoesNotLoadIsAFailure) {
  registry_.Answer(absl::InvalidArgumentError("no such operator"));
  gate_.Open(1);
  const std::string id = Submit(Request(1));
  EXPECT_THAT(Watch(id).back(),
              HasSubstr("FAILED: version 1 is published, but does not serve: no such operator"));
}

TEST_F(JobRunnerTest, AnExceptionWhilePublishingFailsTheJobAndHarmsNoOther) {
  registry_.throws = true;
  gate_.Open(2);
  EXPECT_THAT(Watch(Submit(Request(1))).back(), HasSubstr("FAILED: no more threads"));
  registry_.throws = false;
  EXPECT_THAT(Watch(Submit(Request(1))).back(), HasSubstr("SUCCEEDED"));
}

TEST_F(JobRunnerTest, AVersionThatThePolicyLeavesOutIsAFailure) {
  registry_.serves_new = false;
  gate_.Open(1);
  const std::string id = Submit(Request(1));
  EXPECT_THAT(Watch(id).back(),
              HasSubstr("FAILED: version 1 is published, but config.pbtxt's version_policy does "
                        "not serve it"));
  EXPECT_EQ(runner_->Get(id)->published_version, 1);
}

TEST_F(JobRunnerTest, AModelUnloadedByHandStaysSo) {
  registry_.unloaded = true;
  gate_.Open(1);
  EXPECT_THAT(Watch(Submit(Request(1))).back(),
              HasSubstr("SUCCEEDED: version 1 is published; model 'm' was unloaded by hand"));
  EXPECT_TRUE(registry_.reloaded().empty());
}

TEST_F(JobRunnerTest, AServedModelIsNotReplacedByOneOfAnotherSignature) {
  registry_.served = std::make_shared<FakeServable>(SigmoidSignature());  // 3 features, 2 labels
  EXPECT_THAT(runner_->Submit(Request(1), {}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("serves 3 features and 2 labels"),
                             HasSubstr("publish one of 2 features and 1 labels"))));
  EXPECT_TRUE(runner_->List().empty());
  // A size that the model leaves open fits.
  Signature open = SigmoidSignature();
  open.inputs[0].shape.set(1, 2);
  open.outputs[0].shape.set(1, -1);
  registry_.served = std::make_shared<FakeServable>(open);
  EXPECT_OK(runner_->Submit(Request(1), {}));
}

TEST_F(JobRunnerTest, AJobThatCannotBeRecorded) {
  struct Case {
    absl::Status disk;
    absl::StatusCode expected;
  };
  for (const Case& c :
       {Case{absl::NotFoundError("gone"), absl::StatusCode::kUnavailable},
        Case{absl::PermissionDeniedError("no"), absl::StatusCode::kUnavailable},
        Case{absl::ResourceExhaustedError("full"), absl::StatusCode::kResourceExhausted}}) {
    files_.FailAt(1, c.disk);
    EXPECT_THAT(runner_->Submit(Request(1), {}),
                StatusIs(c.expected, AllOf(HasSubstr("the job cannot be recorded"),
                                           HasSubstr(std::string(c.disk.message())))));
  }
}

TEST_F(JobRunnerTest, AFullDiskFailsTheJobAndLeavesNothing) {
  const std::string id = Submit(Request(1));
  gate_.WaitUntilEntered();
  files_.FailAt(1, absl::ResourceExhaustedError("no space"),
                testing_support::FakeFileSystem::Fault::kOnce);
  gate_.Open(1);
  EXPECT_THAT(Watch(id).back(), AllOf(HasSubstr("FAILED"), HasSubstr("DISK_FULL")));
  EXPECT_FALSE(files_.Tree().contains("/models/m/"));
}

TEST_F(JobRunnerTest, StopCancelsEverythingAndSaysSo) {
  const std::string running = Submit(Request(1000));
  gate_.WaitUntilEntered();
  const std::string queued = Submit(Request(1));
  runner_->Stop();
  EXPECT_THAT(Watch(running).back(), HasSubstr("CANCELLED: the server is shutting down"));
  EXPECT_THAT(Watch(queued).back(), HasSubstr("CANCELLED: the server is shutting down"));
  EXPECT_THAT(runner_->Submit(Request(1), {}),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("shutting down")));
  runner_->Stop();
}

TEST_F(JobRunnerTest, ARestartRemembersJobs) {
  gate_.Open(1);
  const std::string id = Submit(Request(1));
  Watch(id);
  Restart();
  ASSERT_OK_AND_ASSIGN(const JobStatus job, runner_->Get(id));
  EXPECT_EQ(job.state, JobState::kSucceeded);
  EXPECT_THAT(Watch(id), ElementsAre("4 SUCCEEDED"));  // the number it had
  gate_.Open(1);
  EXPECT_EQ(Submit(Request(1)), "job-000002");
}

TEST_F(JobRunnerTest, OldJobsKeepTheirLastEvent) {
  gate_.Open(100);
  const std::string first = Submit(Request(1));
  Watch(first);
  for (size_t i = 0; i < JobRunner::kMaxEventLogs + 1; ++i) Watch(Submit(Request(1)));
  EXPECT_THAT(Watch(first), ElementsAre("4 SUCCEEDED"));
}

TEST_F(JobRunnerTest, UnknownJobs) {
  for (const char* id : {"", "job-000001", "job-1", "../x"}) {
    EXPECT_THAT(runner_->Get(id),
                StatusIs(absl::StatusCode::kNotFound, HasSubstr("no training job")));
    EXPECT_THAT(runner_->Cancel(id), StatusIs(absl::StatusCode::kNotFound, HasSubstr(id)));
    EXPECT_THAT(runner_->Events(id), StatusIs(absl::StatusCode::kNotFound, HasSubstr(id)));
  }
}

}  // namespace
}  // namespace sigserve
