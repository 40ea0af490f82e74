#include "server/batching/scheduler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/batching/row_views.h"

namespace sigserve {
namespace {

// Parts smaller than this are not worth a thread of their own.
constexpr absl::Duration kSmallestPart = absl::Microseconds(200);
constexpr int64_t kMaxBatchBytes = int64_t{4} << 20;
// Where priorities wait behind each other, the dead among the last would stay for long.
constexpr absl::Duration kSweepMixedEvery = absl::Milliseconds(10);

absl::Duration FromNs(double ns) { return absl::Nanoseconds(ns); }

double ToNs(absl::Duration duration) { return absl::ToDoubleNanoseconds(duration); }

std::string InMs(absl::Duration duration) {
  return absl::StrCat(absl::ToInt64Milliseconds(duration), " ms");
}

}  // namespace

void Scheduler::Dropped::End() const {
  if (split != nullptr) {
    split->Drop(rows, status);
  } else {
    task.done(status, nullptr, {});
  }
}

Scheduler::Scheduler(SchedulerOptions options) : options_(options) {}

int64_t Scheduler::queued_rows() const {
  int64_t rows = 0;
  for (const auto& model : models_) rows += model->rows;
  return rows;
}

absl::Duration Scheduler::queued_time() const {
  double ns = 0;
  for (const auto& model : models_) ns += model->waiting_ns();
  return FromNs(ns);
}

std::vector<Scheduler::Queue> Scheduler::queues() const {
  std::vector<Queue> all;
  for (const auto& model : models_) {
    all.push_back({model->target->model, model->rows, FromNs(model->waiting_ns())});
  }
  return all;
}

ModelQueue* Scheduler::Find(const BatchTarget& target) const {
  for (const auto& model : models_) {
    if (model->target == &target) return model.get();
  }
  return nullptr;
}

std::vector<ModelQueue*> Scheduler::AllModels() const {
  std::vector<ModelQueue*> all;
  for (const auto& model : models_) all.push_back(model.get());
  return all;
}

void Scheduler::RemoveIfIdle(const ModelQueue* model) {
  if (model->waiting() || model->running > 0) return;
  models_.erase(std::find_if(models_.begin(), models_.end(),
                             [model](const auto& other) { return other.get() == model; }));
}

// Coming in.

void Scheduler::Offer(MonotonicTime now, const BatchTarget& target, Task task) {
  if (std::optional<Dropped> refused = Refuse(now, target, task)) {
    refused->target = &target;
    refused->task = std::move(task);
    dropped_.push_back(*std::move(refused));
    return;
  }
  ModelQueue* model = Find(target);
  if (model == nullptr) {
    model = models_.emplace_back(std::make_unique<ModelQueue>()).get();
    model->target = &target;
  }
  // Weighted fair queueing: a model that was idle starts at the current virtual time, so it saves
  // up no turns.
  if (!model->waiting()) model->turn = std::max(model->turn, turn_);
  Lane& lane = model->LaneOf(task);
  if (lane.empty()) lane.used_ns = std::max(lane.used_ns, model->OtherLane(task).used_ns);
  auto queued = std::make_unique<QueuedTask>();
  queued->due = DueTime(target, task);
  queued->priority = task.priority;
  queued->row_ns = QueuedNs(target, 1);
  queued->bytes = InputBytes(task);
  queued->own = std::move(task);
  bytes_ += queued->bytes;
  model->bytes += queued->bytes;
  model->rows += queued->rows();
  lane.Insert(std::move(queued));
  if (bytes_ > options_.max_bytes) MakeRoomFor(model);
}

// Going out unrun.

std::unique_ptr<QueuedTask> Scheduler::Remove(ModelQueue* model, Lane* lane, size_t at) {
  std::unique_ptr<QueuedTask> task = lane->Remove(at);
  bytes_ -= task->bytes;
  model->bytes -= task->bytes;
  model->rows -= task->rows();
  return task;
}

void Scheduler::Drop(ModelQueue* model, Lane* lane, size_t at, DropReason reason,
                     absl::Status status) {
  std::unique_ptr<QueuedTask> task = Remove(model, lane, at);
  Dropped dropped;
  dropped.target = model->target;
  dropped.reason = reason;
  dropped.status = std::move(status);
  dropped.rows = task->rows();
  dropped.split = std::move(task->split);
  dropped.task = std::move(task->own);
  dropped_.push_back(std::move(dropped));
}

bool Scheduler::DropIfDead(MonotonicTime now, ModelQueue* model, Lane* lane, size_t at) {
  const QueuedTask& queued = lane->at(at);
  const absl::Duration waited = now - queued.task().arrival;
  const QueuePolicy& policy = model->target->queue;
  absl::Status status = CheckAlive(queued.task(), now);
  DropReason reason = DropReason::kCancelled;
  if (absl::IsDeadlineExceeded(status)) {
    reason = DropReason::kExpired;
  } else if (status.ok() && queued.split != nullptr && queued.split->failed()) {
    status = absl::CancelledError("another part has failed");
  } else if (status.ok() && queued.split == nullptr && waited > policy.max_wait) {
    reason = DropReason::kWaited;
    status = Refusal(
        absl::StrCat("model '", model->target->model, "': not run within ", InMs(policy.max_wait)),
        waited);
  }
  if (status.ok()) return false;
  Drop(model, lane, at, reason, std::move(status));
  return true;
}

void Scheduler::Sweep(MonotonicTime now) {
  for (ModelQueue* model : AllModels()) {
    for (Lane* lane : {&model->small, &model->large}) {
      for (size_t at = lane->size(); at-- > 0;) DropIfDead(now, model, lane, at);
    }
    RemoveIfIdle(model);
  }
}

void Scheduler::Close() {
  closed_ = true;
  for (ModelQueue* model : AllModels()) {
    for (Lane* lane : {&model->small, &model->large}) {
      while (!lane->empty()) {
        Drop(model, lane, 0, DropReason::kClosed,
             absl::UnavailableError("the server is shutting down"));
      }
    }
    RemoveIfIdle(model);
  }
}

std::vector<Scheduler::Dropped> Scheduler::TakeDropped() { return std::exchange(dropped_, {}); }

// Going out to be run.

ModelQueue* Scheduler::NextModel() const {
  ModelQueue* next = nullptr;
  for (const auto& model : models_) {
    if (model->waiting() && (next == nullptr || model->turn < next->turn)) next = model.get();
  }
  return next;
}

std::optional<Scheduler::Batch> Scheduler::Next(MonotonicTime now) {
  if (running() >= options_.workers) return std::nullopt;
  if (now - swept_ >= kSweepMixedEvery &&
      std::any_of(models_.begin(), models_.end(),
                  [](const auto& model) { return model->small.mixed() || model->large.mixed(); })) {
    swept_ = now;
    Sweep(now);
  }
  while (ModelQueue* model = NextModel()) {
    Lane& lane = model->NextLane();
    while (!lane.empty() && DropIfDead(now, model, &lane, 0)) {
    }
    if (!lane.empty()) return Form(now, model, &lane);
    RemoveIfIdle(model);
  }
  return std::nullopt;
}

int64_t Scheduler::RowLimit(MonotonicTime now, const ModelQueue& model, const QueuedTask& first,
                            bool* by_deadline) const {
  const BatchTarget& target = *model.target;
  const CostCurve cost = target.cost->curve();
  int64_t limit = GoodRows(target);
  if (!target.batchable || !cost.known()) return limit;
  // All idle workers have a part of what waits.
  const int64_t idle = options_.workers - running();
  const int64_t share = (model.rows + idle - 1) / idle;
  limit = std::min(limit, std::max(share, cost.RowsWithin(kSmallestPart)));
  limit = std::max<int64_t>(1, limit);
  const int64_t in_time = cost.RowsWithin((first.task().deadline - now) / target.cost->stretch());
  if (in_time < limit && first.rows() < limit) {
    *by_deadline = true;
    limit = std::max(in_time, first.rows());
  }
  return limit;
}

Scheduler::Batch Scheduler::Form(MonotonicTime now, ModelQueue* model, Lane* lane) {
  const BatchTarget& target = *model->target;
  QueuedTask& first = lane->at(0);
  bool by_deadline = false;
  const int64_t limit = RowLimit(now, *model, first, &by_deadline);
  // Higher priorities do not wait: how long the last one does is what tells.
  if (first.split == nullptr && !lane->mixed()) {
    lane->NoteDelay(now, now - first.task().arrival, DelayTarget(target), options_.delay_interval);
  }
  Batch batch;
  batch.id = next_id_++;
  batch.target = &target;
  int64_t rows = std::min(limit, first.rows());
  if (first.split == nullptr && first.rows() > limit && target.batchable) {
    first.split = SplitTask::Create(std::move(first.own), target.outputs);
  }
  if (first.split != nullptr) {
    batch.reason = DispatchReason::kSplit;
    batch.tasks.push_back(first.split->Part(first.next_row, rows));
    if (rows < first.rows()) {
      lane->TakeRows(rows);
      model->rows -= rows;
    } else {
      Remove(model, lane, 0);
    }
  } else {
    rows = Gather(now, model, lane, limit, &batch);
    if (batch.reason == DispatchReason::kFull && by_deadline) {
      batch.reason = DispatchReason::kDeadline;
    }
  }

  const double ns = EstimateNs(target, rows);
  lane->used_ns += ns;
  turn_ = std::max(turn_, model->turn);
  model->turn += ns / target.queue.weight;
  ++model->running;
  running_.push_back({batch.id, &target, now, ns, target.cost->curve().known()});
  return batch;
}

int64_t Scheduler::Gather(MonotonicTime now, ModelQueue* model, Lane* lane, int64_t limit,
                          Batch* batch) {
  int64_t rows = 0;
  int64_t bytes = 0;
  while (!lane->empty()) {
    const QueuedTask& next = lane->at(0);
    if (!batch->tasks.empty()) {
      if (DropIfDead(now, model, lane, 0)) continue;
      if (!batch->target->batchable || next.split != nullptr ||
          !CanStack(batch->tasks[0], next.task())) {
        break;
      }
      if (rows + next.rows() > limit || bytes + next.bytes > kMaxBatchBytes) {
        batch->reason = DispatchReason::kFull;
        break;
      }
    }
    const std::unique_ptr<QueuedTask> taken = Remove(model, lane, 0);
    rows += taken->rows();
    bytes += taken->bytes;
    batch->tasks.push_back(std::move(taken->own));
  }
  return rows;
}

void Scheduler::Ended(MonotonicTime now, int64_t batch) {
  const auto found = std::find_if(running_.begin(), running_.end(),
                                  [batch](const Running& other) { return other.id == batch; });
  if (found == running_.end()) return;
  const Running ended = *found;
  running_.erase(found);
  const double took_ns = ToNs(now - ended.start);
  if (ended.known) ended.target->cost->ObserveStretch(took_ns / ended.ns);
  ModelQueue* model = Find(*ended.target);
  if (model == nullptr) return;
  // What it took is what counts, not what was thought.
  model->turn += (took_ns - ended.ns) / ended.target->queue.weight;
  --model->running;
  RemoveIfIdle(model);
}

}  // namespace sigserve
