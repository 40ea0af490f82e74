// A caller goes at a chosen point of its request's way, from the message to the reply, in both
// lanes: whichever point it is, the request is answered, recorded and released once, and the one
// beside it gets its answer. Messages free themselves with their reply, as the transport's do, so
// that AddressSanitizer reports any later access. Ten thousand runs of each point:
//   unit_server_predict --gtest_also_run_disabled_tests --gtest_filter='*TenThousandTimes'
#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/batching/compute_pool.h"
#include "server/predict/prediction_frontend.h"
#include "tests/support/fake_servable.h"
#include "tests/support/prediction_methods.h"

namespace sigserve {
namespace {

using testing_support::FakeOutputs;
using testing_support::FakeServable;
using testing_support::PredictionMethod;
using testing_support::PredictionMethods;
using testing_support::SigmoidSignature;

/// Where the caller goes: while ...
enum class Point {
  kArriving,      // the message has come and nothing has looked at it
  kFinding,       // its model is looked up
  kChecking,      // its inputs are checked
  kSubmitting,    // its task is handed to the batcher
  kGathering,     // the turn's other messages are read
  kBesideOthers,  // another model's batch of the turn runs
  kRunning,       // its batch runs
  kRetrying,      // its batch has failed; its tasks are run one by one
  kRecording,     // its end is recorded
  kReplying,      // its answer is written
  // On its way through a compute thread:
  kHandingOver,   // its task passes on
  kWaiting,       // the thread is busy
  kComputing,     // its batch runs
  kBetweenParts,  // the first of its parts runs
};

struct Case {
  Point point;
  const char* name;
  bool heavy;
  bool runs;  // it was too late: the answer is there
};
constexpr Case kCases[] = {
    {Point::kArriving, "Arriving", false, false},
    {Point::kFinding, "Finding", false, false},
    {Point::kChecking, "Checking", false, false},
    {Point::kSubmitting, "Submitting", false, false},
    {Point::kGathering, "Gathering", false, false},
    {Point::kBesideOthers, "BesideOthers", false, false},
    {Point::kRunning, "Running", false, true},
    {Point::kRetrying, "Retrying", false, false},
    {Point::kRecording, "Recording", false, true},
    {Point::kReplying, "Replying", false, true},
    {Point::kHandingOver, "HandingOver", true, false},
    {Point::kWaiting, "Waiting", true, false},
    {Point::kComputing, "Computing", true, true},
    {Point::kBetweenParts, "BetweenParts", true, false},
};

/// The values of the one whose caller goes.
constexpr float kMark = 1;

/// What has become of a run's messages.
class Ledger {
 public:
  void Came() { Change(&alive_, 1); }
  void Freed() { Change(&alive_, -1); }
  void Replied() { Change(&replies_, 1); }
  void Recorded(absl::StatusCode code) {
    absl::MutexLock lock(&mutex_);
    ++records_[code];
  }
  /// Waits for that many replies; how the requests ended. Nothing may be left.
  std::map<absl::StatusCode, int> Await(int replies) {
    absl::MutexLock lock(&mutex_);
    const auto all_came = [this, replies]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return replies_ >= replies && alive_ == 0;
    };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&all_came), absl::Seconds(60)));
    EXPECT_EQ(std::exchange(replies_, 0), replies);
    return std::exchange(records_, {});
  }

 private:
  void Change(int* count, int by) {
    absl::MutexLock lock(&mutex_);
    *count += by;
  }
  absl::Mutex mutex_;
  int alive_ ABSL_GUARDED_BY(mutex_) = 0;
  int replies_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<absl::StatusCode, int> records_ ABSL_GUARDED_BY(mutex_);
};

/// Owns itself until its reply.
class Message final : public InboundMessage {
 public:
  Message(std::string bytes, std::shared_ptr<std::atomic<bool>> gone, Ledger* ledger,
          std::function<void()> replying)
      : bytes_(std::move(bytes)),
        piece_(bytes_.data(), bytes_.size()),
        gone_(std::move(gone)),
        ledger_(ledger),
        replying_(std::move(replying)) {
    ledger_->Came();
  }
  absl::Span<const absl::string_view> request() const override { return {&piece_, 1}; }
  MonotonicTime deadline() const override { return MonotonicTime::InfiniteFuture(); }
  bool cancelled() const override { return *gone_; }
  uint8_t* AllocateReply(size_t size) override {
    replying_();
    reply_.resize(size);
    return reinterpret_cast<uint8_t*>(reply_.data());
  }
  void Reply(const absl::Status& /*status*/) override { delete this; }
  void Refuse(const absl::Status& status, absl::Duration /*delay*/) override { Reply(status); }

 private:
  ~Message() {
    ledger_->Replied();
    ledger_->Freed();
  }
  const std::string bytes_;
  const absl::string_view piece_;
  const std::shared_ptr<std::atomic<bool>> gone_;
  Ledger* const ledger_;
  const std::function<void()> replying_;
  std::string reply_;
};

/// Tells of each point that a request passes.
using Hook = std::function<void(Point)>;

class HookedServable final : public Servable {
 public:
  HookedServable(std::string name, RunBatch run, const Hook* hook)
      : checks_(SigmoidSignature(), std::move(name)), hook_(hook) {
    target_.model = checks_.name();
    target_.batchable = true;
    target_.run = std::move(run);
  }
  /// A millisecond a row, whatever was measured: too much for an I/O thread. Between runs.
  void ForgetCost() {
    target_.cost = std::make_shared<CostModel>();
    for (int times = 0; times < 20; ++times) {  // so that one fast batch changes little
      for (const int64_t rows : {1, 64}) target_.cost->Observe(rows, absl::Milliseconds(rows));
    }
  }
  const std::string& name() const override { return checks_.name(); }
  int64_t version() const override { return checks_.version(); }
  const Signature& signature() const override { return checks_.signature(); }
  int64_t max_batch_size() const override { return 0; }
  const std::string& model_filename() const override { return checks_.model_filename(); }
  absl::Span<const std::string> labels(int i) const override { return checks_.labels(i); }
  absl::Span<const float> thresholds(int i) const override { return checks_.thresholds(i); }
  absl::Status Check(absl::Span<const NamedTensor> inputs, Task* task) const override {
    (*hook_)(Point::kChecking);
    return checks_.Check(inputs, task);
  }
  void Submit(Task task, TaskSink* sink) const override {
    (*hook_)(Point::kSubmitting);
    sink->Add(target_, std::move(task));
  }

 private:
  const FakeServable checks_;
  const Hook* const hook_;
  BatchTarget target_;
};

/// The first two columns are the results.
std::unique_ptr<const TaskOutputs> FirstColumns(const TensorView& x) {
  std::vector<float> y;
  const auto values = x.values<float>();
  for (size_t i = 0; i < values.size(); i += 3) y.insert(y.end(), {values[i], values[i + 1]});
  auto outputs = std::make_unique<FakeOutputs>();
  outputs->outputs.push_back(Tensor::Of<float>({x.shape()[0], 2}, y));
  return outputs;
}

class HookedRegistry final : public ModelRegistry {
 public:
  explicit HookedRegistry(const Hook* hook) : hook_(hook) {}
  std::map<std::string, ServableHandle> models;

  absl::StatusOr<ServableHandle> Find(const ModelQuery& query) const override {
    (*hook_)(Point::kFinding);
    return models.at(std::string(query.model));
  }
  absl::Status ReloadAll() override { return absl::OkStatus(); }
  absl::Status Reload(absl::string_view) override { return absl::OkStatus(); }
  bool UnloadedByHand(absl::string_view) const override { return false; }
  absl::Status Unload(absl::string_view) override { return absl::OkStatus(); }
  std::vector<VersionStatus> List() const override { return {}; }
  std::vector<VersionStatus> Versions(absl::string_view) const override { return {}; }

 private:
  const Hook* const hook_;
};

class CancelPoints : public testing::TestWithParam<Case>,
                     private RequestRecorder,
                     private TaskSink {
 protected:
  void Run(int runs) {
    const Case& c = GetParam();
    MakeModels();
    pool_.emplace(SchedulerOptions{.workers = 1}, &clock_, BatchObserver(), DropObserver());
    RequestRecorder* const recorder = this;
    TaskSink* const heavy = c.heavy ? this : nullptr;
    frontend_.emplace(&registry_, recorder, &clock_, 1 << 20, heavy);
    methods_.emplace(&*frontend_);
    for (int run = 0; run < runs && !HasFailure(); ++run)
      RunOnce(static_cast<PredictionMethod>(run % 4));
    // Nothing of any request is left.
    pool_.reset();
    frontend_.reset();
    for (const auto& [name, model] : registry_.models) EXPECT_EQ(model.use_count(), 1) << name;
  }

 private:
  void RunOnce(PredictionMethod method) {
    const Case& c = GetParam();
    for (HookedServable* model : models_) model->ForgetCost();
    gone_ = std::make_shared<std::atomic<bool>>(false);
    int others = 1;
    if (c.point == Point::kBesideOthers) {
      ++others;
      Send("first", method, 1, Never());
    }
    if (c.point == Point::kWaiting) {
      ++others;
      held_.emplace();
      go_on_.emplace();
      Send("held", method, 1, Never());
      frontend_->OnDrained();
      held_->WaitForNotification();
    }
    Send("m", method, 1, Never());
    if (c.point == Point::kArriving) *gone_ = true;
    armed_ = true;
    Send("m", method, c.point == Point::kBetweenParts ? 3 : 1, gone_);
    armed_ = false;
    if (c.point == Point::kGathering) *gone_ = true;
    armed_after_ = true;
    frontend_->OnDrained();
    if (c.point == Point::kWaiting) {
      *gone_ = true;
      go_on_->Notify();
    }
    const auto ends = ledger_.Await(others + 1);
    armed_after_ = false;
    ASSERT_TRUE(*gone_) << "it never came to this point";
    std::map<absl::StatusCode, int> expected = {{absl::StatusCode::kOk, others}};
    ++expected[c.runs ? absl::StatusCode::kOk : absl::StatusCode::kCancelled];
    ASSERT_EQ(ends, expected);
    ASSERT_EQ(frontend_->requests_in_flight(), 0);
  }

  static std::shared_ptr<std::atomic<bool>> Never() {
    return std::make_shared<std::atomic<bool>>(false);
  }

  void Send(const std::string& model, PredictionMethod method, int64_t rows,
            std::shared_ptr<std::atomic<bool>> gone) {
    const bool goes = gone == gone_;
    const std::vector<float> values(static_cast<size_t>(rows) * 3, goes ? kMark : 0);
    const std::string x_bytes(reinterpret_cast<const char*>(values.data()),
                              values.size() * sizeof(float));
    std::string bytes;
    if (method == testing_support::kModelInfer || method == testing_support::kModelStreamInfer) {
      inference::ModelInferRequest request;
      request.set_model_name(model);
      auto* x = request.add_inputs();
      x->set_name("x");
      x->set_datatype("FP32");
      x->add_shape(rows);
      x->add_shape(3);
      request.add_raw_input_contents(x_bytes);
      bytes = request.SerializeAsString();
    } else {
      v1::PredictStreamRequest request;
      request.mutable_request()->mutable_model()->set_name(model);
      request.mutable_request()->set_matrix(x_bytes);
      bytes = method == testing_support::kPredict ? request.request().SerializeAsString()
                                                  : request.SerializeAsString();
    }
    auto* message = new Message(std::move(bytes), std::move(gone), &ledger_, [this, goes] {
      if (goes) After(Point::kReplying);
    });
    methods_->Send(method, message);
  }

  void MakeModels() {
    const auto add = [this](const std::string& name, RunBatch run) {
      auto model = std::make_shared<HookedServable>(name, std::move(run), &hook_);
      models_.push_back(model.get());
      registry_.models[name] = std::move(model);
    };
    add("m",
        [this](absl::Span<const TensorView> inputs)
            -> absl::StatusOr<std::unique_ptr<const TaskOutputs>> {
          const auto values = inputs[0].values<float>();
          const bool goes = std::count(values.begin(), values.end(), kMark) > 0;
          for (const Point point : {Point::kRunning, Point::kComputing, Point::kBetweenParts}) {
            if (goes) After(point);
          }
          if (GetParam().point == Point::kRetrying && inputs[0].shape()[0] > 1) {
            After(Point::kRetrying);
            return absl::InternalError("run them one by one");
          }
          return FirstColumns(inputs[0]);
        });
    add("first",
        [this](absl::Span<const TensorView> inputs)
            -> absl::StatusOr<std::unique_ptr<const TaskOutputs>> {
          After(Point::kBesideOthers);
          return FirstColumns(inputs[0]);
        });
    add("held",
        [this](absl::Span<const TensorView> inputs)
            -> absl::StatusOr<std::unique_ptr<const TaskOutputs>> {
          held_->Notify();
          go_on_->WaitForNotification();
          return FirstColumns(inputs[0]);
        });
  }

  // The points. Those before the turn's end count for the message that is being handed up.
  void Before(Point point) {
    if (armed_ && point == GetParam().point) *gone_ = true;
  }
  void After(Point point) {
    if (armed_after_ && point == GetParam().point) *gone_ = true;
  }
  void RecordAll(absl::Span<const RequestRecord> records) override {
    After(Point::kRecording);
    for (const RequestRecord& record : records) ledger_.Recorded(record.code);
  }
  void RecordBatch(absl::string_view, absl::string_view) override {}
  /// The heavy lane's door.
  void Add(const BatchTarget& target, Task task) override {
    After(Point::kHandingOver);
    pool_->Add(target, std::move(task));
  }

  RealClock clock_;
  const Hook hook_ = [this](Point point) { Before(point); };
  HookedRegistry registry_{&hook_};
  std::vector<HookedServable*> models_;
  Ledger ledger_;
  std::shared_ptr<std::atomic<bool>> gone_;  // the caller who goes
  bool armed_ = false;
  std::atomic<bool> armed_after_{false};
  std::optional<absl::Notification> held_, go_on_;
  std::optional<ComputePool> pool_;
  std::optional<PredictionFrontend> frontend_;
  std::optional<PredictionMethods> methods_;
};

TEST_P(CancelPoints, ReleaseEachRequestOnce) { Run(10'000); }

INSTANTIATE_TEST_SUITE_P(All, CancelPoints, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace sigserve
