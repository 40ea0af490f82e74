// The scheduler on a virtual clock, against random arrivals, cancels, deadlines, slow models, new
// versions and leaps of the clock: every task ends once and with its own rows, no worker is idle
// while tasks wait, queues keep their bounds, no request waits for ever, those of one kind run in
// their order, and nothing dead is run. A failing seed is printed; kReplay below replays it alone.
// A million seeds take some minutes:
//   unit_server_batching --gtest_also_run_disabled_tests --gtest_filter='*MillionSeeds'
#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/batching/refusal.h"
#include "server/batching/scheduler.h"
#include "tests/support/fake_batches.h"

namespace sigserve {
namespace {

using testing_support::DoubledRows;
using testing_support::DoublingTarget;

// 0 = all seeds from 1; else this one alone.
constexpr uint64_t kReplay = 0;

class Simulation {
 public:
  explicit Simulation(uint64_t seed)
      : random_(seed), options_(RandomOptions()), scheduler_(options_) {
    const int models = 1 + Below(4);
    for (int m = 0; m < models; ++m) {
      models_.emplace_back().name = absl::StrCat("m", m);
      NewVersion(&models_.back());
    }
  }

  /// Names of all ends and reasons that occurred.
  const std::set<std::string>& seen() const { return seen_; }

  /// What went wrong; empty if nothing did.
  std::string Run() {
    const int tasks = 20 + Below(180);
    const absl::Duration gap = absl::Microseconds(10 << Below(9));
    for (int t = 0; t < tasks && error_.empty(); ++t) {
      RunUntil(now_ + gap * RandomFactor());
      if (Below(50) == 0) RunUntil(now_ + absl::Seconds(Below(20)));  // a quiet time
      if (Below(100) == 0) now_ += absl::Seconds(1 + Below(5));       // the clock leaps
      if (reloads_ && Below(20) == 0)
        NewVersion(&models_[static_cast<size_t>(Below(Count(models_)))]);
      Arrive();
    }
    if (Below(10) == 0) scheduler_.Close();
    EndDropped();
    while (!running_.empty() && error_.empty()) EndFirst();
    if (error_.empty()) CheckEnd();
    return error_;
  }

 private:
  struct Model {
    std::string name;
    std::shared_ptr<BatchTarget> version;
    double batch_us = 0, row_us = 0;  // what it really takes
  };
  struct Client {
    std::shared_ptr<BatchTarget> version;  // as a handle pins it
    Tensor input;
    MonotonicTime arrival, deadline;
    MonotonicTime gone = MonotonicTime::InfiniteFuture();
    int ends = 0;
    bool alone_now = false;  // it found a free worker and empty queues
  };
  struct Running {
    Scheduler::Batch batch;
    MonotonicTime start, end;
  };

  int Below(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  template <typename C>
  static int Count(const C& container) {
    return static_cast<int>(container.size());
  }
  static constexpr int64_t SizeOfRow() { return sizeof(float); }
  double RandomFactor() { return 0.1 + static_cast<double>(Below(1000)) / 500; }

  SchedulerOptions RandomOptions() {
    SchedulerOptions options;
    options.workers = 1 + Below(4);
    options.max_rows = 100 << Below(6);
    options.max_bytes = 4 * (100 << Below(6));
    options.max_time = absl::Milliseconds(5 << Below(8));
    options.delay_target = absl::Milliseconds(1 << Below(5));
    options.delay_interval = 4 * options.delay_target;
    return options;
  }

  void NewVersion(Model* model) {
    model->batch_us = Below(300);
    model->row_us = 0.1 * (1 << Below(14));
    const double told = Below(4) == 0 ? RandomFactor() : 1;  // the estimates may be wrong
    auto version = std::make_shared<BatchTarget>(
        DoublingTarget(model->name, told * model->batch_us, told * model->row_us));
    if (Below(8) == 0) version->cost = std::make_shared<CostModel>();
    if (Below(8) == 0) version->batchable = false;
    if (Below(4) == 0) version->queue.latency_target = absl::Milliseconds(1 << Below(8));
    if (Below(8) == 0) version->queue.max_wait = absl::Milliseconds(1 + Below(50));
    if (Below(8) == 0) version->queue.max_requests = 1 + Below(20);
    version->queue.weight = 0.5 * (1 + Below(8));
    model->version = std::move(version);
    ++versions_;
  }

  void Arrive() {
    const Model& model = models_[static_cast<size_t>(Below(Count(models_)))];
    const auto id = clients_.size();
    Client& client = clients_.emplace_back();
    client.version = model.version;
    client.arrival = now_;
    client.deadline = Below(3) == 0 ? now_ + absl::Microseconds(100 << Below(12))
                                    : MonotonicTime::InfiniteFuture();
    if (Below(6) == 0) client.gone = now_ + absl::Microseconds(100 << Below(10));
    const int64_t rows =
        !model.version->batchable ? 1 : (Below(8) == 0 ? 1 + Below(2000) : 1 + Below(8));
    std::vector<float> x;
    for (int64_t i = 0; i < rows; ++i) x.push_back(static_cast<float>(id) + 0.25F * (i % 4));
    client.input = Tensor::Of<float>(Shape{rows, 1}, x);
    client.alone_now = scheduler_.running() < options_.workers && scheduler_.queued_rows() == 0;

    Task task;
    task.inputs = {client.input.view()};
    task.rows = rows;
    task.arrival = now_;
    task.deadline = client.deadline;
    task.cancelled = [this, &client] { return now_ >= client.gone; };
    task.done = [this, &client](const absl::Status& status, const TaskOutputs* outputs,
                                const TaskTiming& /*timing*/) { Done(&client, status, outputs); };
    scheduler_.Offer(now_, *client.version, std::move(task));
    EndDropped();
    CheckBounds(rows);
    StartBatches();
  }

  void Done(Client* client, const absl::Status& status, const TaskOutputs* outputs) {
    ++client->ends;
    if (RetryAfter(status).has_value() && client->alone_now &&
        client->version->queue.max_wait == absl::InfiniteDuration()) {
      Fail(absl::StrCat("refused though a worker was free: ", std::string(status.message())));
    }
    if (status.ok()) {
      const DoubledRows expected(client->input.view());
      const auto got = outputs->output(0).values<float>();
      const auto want = expected.output(0).values<float>();
      if (!std::equal(got.begin(), got.end(), want.begin(), want.end())) Fail("another's rows");
    }
    client->version.reset();  // with the last one the target goes
  }

  void EndDropped() {
    for (const Scheduler::Dropped& dropped : scheduler_.TakeDropped()) {
      seen_.insert(std::string(Name(dropped.reason)));
      dropped.End();
    }
  }

  void StartBatches() {
    while (true) {
      std::optional<Scheduler::Batch> batch = scheduler_.Next(now_);
      EndDropped();
      if (!batch.has_value()) break;
      double rows = 0;
      for (const Task& task : batch->tasks) {
        rows += static_cast<double>(task.rows);
        if (task.cancelled() || now_ >= task.deadline) Fail("a dead task is run");
      }
      seen_.insert(std::string(Name(batch->reason)));
      if (batch->tasks.empty()) Fail("an empty batch");
      if (!batch->target->batchable && batch->tasks.size() > 1) Fail("stacked what cannot be");
      CheckOrder(*batch);
      const absl::Duration took = Takes(*batch->target, rows);
      running_.push_back({*std::move(batch), now_, now_ + took});
    }
    if (scheduler_.running() != Count(running_)) Fail("workers are counted wrong");
    if (Count(running_) > options_.workers) Fail("more batches than workers");
    if (Count(running_) < options_.workers && scheduler_.queued_rows() > 0) {
      Fail("a worker is idle while tasks wait");
    }
  }

  /// One-row requests of a version that differ in nothing but their arrival: first in, first out.
  void CheckOrder(const Scheduler::Batch& batch) {
    for (const Task& task : batch.tasks) {
      if (task.rows > 1 || task.deadline < MonotonicTime::InfiniteFuture()) continue;
      if (batch.reason == DispatchReason::kSplit) continue;
      MonotonicTime& last = last_started_[batch.target];
      if (task.arrival < last) Fail("a request is run before one that came earlier");
      last = task.arrival;
    }
  }

  absl::Duration Takes(const BatchTarget& target, double rows) {
    double us = 0;
    for (const Model& model : models_) {
      if (model.name == target.model) us = model.batch_us + model.row_us * rows;
    }
    if (Below(20) == 0) us *= 20;  // it happens
    return absl::Microseconds(1 + us * RandomFactor());
  }

  void EndFirst() {
    const auto first =
        std::min_element(running_.begin(), running_.end(),
                         [](const Running& a, const Running& b) { return a.end < b.end; });
    now_ = std::max(now_, first->end);
    const Running ended = std::move(*first);
    running_.erase(first);
    int64_t rows = 0;
    for (const Task& task : ended.batch.tasks) rows += task.rows;
    ended.batch.target->cost->Observe(rows, ended.end - ended.start);
    scheduler_.Ended(now_, ended.batch.id);
    const bool fails = Below(50) == 0;
    for (const Task& task : ended.batch.tasks) {
      const DoubledRows results(task.inputs[0]);
      task.done(fails ? absl::InternalError("it failed") : absl::OkStatus(),
                fails ? nullptr : &results, {});
    }
    StartBatches();
  }

  void RunUntil(MonotonicTime time) {
    while (!running_.empty() && error_.empty()) {
      MonotonicTime next = MonotonicTime::InfiniteFuture();
      for (const Running& running : running_) next = std::min(next, running.end);
      if (next > time) break;
      EndFirst();
    }
    now_ = std::max(now_, time);
  }

  void CheckBounds(int64_t rows) {
    // One request that finds an empty queue is always let in. The bound in rows is each version's.
    largest_ = std::max(largest_, rows);
    if (versions_ == 1 && scheduler_.queued_rows() > std::max(options_.max_rows, largest_)) {
      Fail("too many rows wait");
    }
    // Twice: what has started in part stays, and others have their shares beside it.
    if (scheduler_.queued_bytes() > std::max(2 * options_.max_bytes, largest_ * SizeOfRow())) {
      Fail("too many bytes wait");
    }
  }

  void CheckEnd() {
    if (scheduler_.queued_rows() != 0) Fail("rows are left");
    if (scheduler_.queued_bytes() != 0) Fail("bytes are left");
    if (absl::AbsDuration(scheduler_.queued_time()) > absl::Nanoseconds(1)) Fail("time is left");
    for (size_t id = 0; id < clients_.size(); ++id) {
      if (clients_[id].ends != 1) {
        Fail(absl::StrCat("task ", id, " ended ", clients_[id].ends, " times"));
      }
    }
  }

  void Fail(absl::string_view what) {
    if (error_.empty())
      error_ = absl::StrCat(what, " at ", absl::FormatDuration(now_.since_start()));
  }

  std::mt19937_64 random_;
  MonotonicTime now_ = MonotonicTime::AfterStart(absl::Seconds(100));
  const SchedulerOptions options_;
  Scheduler scheduler_;
  const bool reloads_ = Below(2) == 0;
  int versions_ = 0;
  int64_t largest_ = 0;  // request, in rows
  std::vector<Model> models_;
  std::deque<Client> clients_;  // stay where they are
  std::vector<Running> running_;
  // Arrival of the last plain one-row request that ran. A version that takes a dead one's place in
  // memory only has later ones.
  std::map<const BatchTarget*, MonotonicTime> last_started_;
  std::set<std::string> seen_;
  std::string error_;
};

void HoldsForSeeds(uint64_t seeds) {
  const uint64_t first = kReplay != 0 ? kReplay : 1;
  const uint64_t last = kReplay != 0 ? kReplay : seeds;
  std::set<std::string> seen;
  for (uint64_t seed = first; seed <= last; ++seed) {
    Simulation simulation(seed);
    ASSERT_EQ(simulation.Run(), "") << "replay with kReplay = " << seed;
    seen.insert(simulation.seen().begin(), simulation.seen().end());
  }
  if (kReplay != 0) return;
  EXPECT_THAT(seen, testing::ElementsAre("cancelled", "cannot_finish", "closed", "deadline",
                                         "expired", "full", "overload", "pushed_out", "queue_full",
                                         "split", "waited", "worker_free"));
}

TEST(SimulationTest, HoldsForEverySeed) { HoldsForSeeds(3000); }

TEST(SimulationTest, DISABLED_HoldsForAMillionSeeds) { HoldsForSeeds(1'000'000); }

}  // namespace
}  // namespace sigserve
