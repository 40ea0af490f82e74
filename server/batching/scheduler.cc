#include "server/batching/scheduler.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/batching/refusal.h"
#include "server/batching/row_views.h"

namespace sigserve {
namespace {

// A batch's time, by estimate: so long that what it costs beside its rows is a twentieth of it,
// within these bounds.
constexpr double kWorthwhile = 21;
constexpr absl::Duration kShortBatch = absl::Milliseconds(1);
constexpr absl::Duration kLongBatch = absl::Milliseconds(20);
// Parts smaller than this are not worth a thread of their own.
constexpr absl::Duration kSmallestPart = absl::Microseconds(200);
constexpr int64_t kMaxBatchBytes = int64_t{4} << 20;
// Until a model's cost is known.
constexpr double kUnknownRowNs = 100'000;
constexpr int64_t kUnknownRows = 32;
// A request without a deadline counts as due so long after it came: none waits for ever.
constexpr absl::Duration kPatience = absl::Seconds(1);
// So many requests may wait whatever the model's cost, but for max_time: clients that keep a few
// calls in flight each are no overload.
constexpr double kAlwaysFine = 64;
// Looking for dead tasks within the queues, not only at their fronts.
constexpr absl::Duration kSweepEvery = absl::Milliseconds(1);
constexpr double kStretchWeight = 1.0 / 16;

absl::Duration FromNs(double ns) { return absl::Nanoseconds(ns); }

double ToNs(absl::Duration duration) { return absl::ToDoubleNanoseconds(duration); }

double EstimateNs(const BatchTarget& target, int64_t rows) {
  const CostCurve cost = target.cost->curve();
  return cost.known() ? cost.Nanoseconds(rows) : kUnknownRowNs * static_cast<double>(rows);
}

/// Rows of a batch that is long enough and not too long.
int64_t GoodRows(const BatchTarget& target) {
  if (!target.batchable) return 1;
  const CostCurve cost = target.cost->curve();
  if (!cost.known()) return kUnknownRows;
  const absl::Duration worthwhile = FromNs(kWorthwhile * cost.batch_ns);
  const absl::Duration time =
      std::min(std::clamp(worthwhile, kShortBatch, kLongBatch), target.queue.latency_target / 2);
  return std::max<int64_t>(1, cost.RowsWithin(time));
}

/// What rows cost on average in good batches.
double QueuedNs(const BatchTarget& target, int64_t rows) {
  const int64_t good = GoodRows(target);
  return EstimateNs(target, good) / static_cast<double>(good) * static_cast<double>(rows);
}

absl::Duration Due(const BatchTarget& target, const Task& task) {
  return std::min({task.deadline, task.arrival + target.queue.max_wait, task.arrival + kPatience});
}

std::string InMs(absl::Duration duration) {
  return absl::StrCat(absl::ToInt64Milliseconds(duration), " ms");
}

}  // namespace

absl::string_view Name(DropReason reason) {
  switch (reason) {
    case DropReason::kCancelled:
      return "cancelled";
    case DropReason::kExpired:
      return "expired";
    case DropReason::kCannotFinish:
      return "cannot_finish";
    case DropReason::kOverload:
      return "overload";
    case DropReason::kQueueFull:
      return "queue_full";
    case DropReason::kWaited:
      return "waited";
    case DropReason::kClosed:
      return "closed";
  }
  return "unknown";
}

bool IsRefusal(DropReason reason) {
  return reason != DropReason::kCancelled && reason != DropReason::kExpired;
}

/// A task that waits, or what has not run of it.
struct Scheduler::Entry {
  Task own;                          // unless split
  std::shared_ptr<SplitTask> split;  // once a part of it runs
  int64_t id = 0;
  absl::Duration due;
  int64_t next_row = 0;
  double row_ns = 0;
  int64_t bytes = 0;

  const Task& task() const { return split != nullptr ? split->whole() : own; }
  int64_t rows() const { return task().rows - next_row; }
  double ns() const { return row_ns * static_cast<double>(rows()); }
};

/// Small or large requests of a model, those due first in front.
struct Scheduler::Lane {
  std::deque<std::unique_ptr<Entry>> entries;
  double used_ns = 0;  // compute time it has had
  absl::Duration above_since = absl::InfiniteDuration();
  bool overloaded = false;

  double waiting_ns() const { return ns_; }
  void Insert(std::unique_ptr<Entry> entry) {
    const auto at = After(*entry);
    ns_ += entry->ns();
    entries.insert(at, std::move(entry));
  }
  std::unique_ptr<Entry> Remove(size_t at) {
    const auto found = entries.begin() + static_cast<std::ptrdiff_t>(at);
    std::unique_ptr<Entry> entry = std::move(*found);
    entries.erase(found);
    ns_ = entries.empty() ? 0 : ns_ - entry->ns();
    return entry;
  }
  void TakeRows(Entry* entry, int64_t rows) {
    ns_ -= entry->row_ns * static_cast<double>(rows);
    entry->next_row += rows;
  }
  /// Work that is due no later. Looks at what is due later: mostly nothing.
  double NsBefore(absl::Duration due) const {
    double before = ns_;
    for (auto it = entries.rbegin(); it != entries.rend() && (*it)->due > due; ++it) {
      before -= (*it)->ns();
    }
    return before;
  }

 private:
  std::deque<std::unique_ptr<Entry>>::iterator After(const Entry& entry) {
    auto at = entries.end();
    while (at != entries.begin() && (*std::prev(at))->due > entry.due) --at;
    return at;
  }
  double ns_ = 0;
};

struct Scheduler::Model {
  const BatchTarget* target = nullptr;
  Lane small, large;
  double turn = 0;  // compute time it has had, by weight
  int running = 0;

  bool waiting() const { return !small.entries.empty() || !large.entries.empty(); }
  double ns() const { return small.waiting_ns() + large.waiting_ns(); }
  int64_t requests() const {
    return static_cast<int64_t>(small.entries.size() + large.entries.size());
  }
  int64_t rows = 0;
};

void Scheduler::Dropped::End() const {
  if (split != nullptr) {
    split->Drop(rows, status);
  } else {
    task.done(status, nullptr, {});
  }
}

Scheduler::Scheduler(SchedulerOptions options) : options_(options) {}
Scheduler::~Scheduler() = default;

int64_t Scheduler::queued_rows() const {
  int64_t rows = 0;
  for (const auto& model : models_) rows += model->rows;
  return rows;
}

absl::Duration Scheduler::queued_time() const {
  double ns = 0;
  for (const auto& model : models_) ns += model->ns();
  return FromNs(ns);
}

Scheduler::Model* Scheduler::Find(const BatchTarget& target) const {
  for (const auto& model : models_) {
    if (model->target == &target) return model.get();
  }
  return nullptr;
}

void Scheduler::RemoveIfIdle(const Model* model) {
  if (model->waiting() || model->running > 0) return;
  models_.erase(std::find_if(models_.begin(), models_.end(),
                             [model](const auto& other) { return other.get() == model; }));
}

void Scheduler::Offer(absl::Duration now, const BatchTarget& target, Task task) {
  if (std::optional<Dropped> refused = Refuse(now, target, task)) {
    refused->target = &target;
    refused->task = std::move(task);
    dropped_.push_back(*std::move(refused));
    return;
  }
  Model* model = Find(target);
  if (model == nullptr) {
    model = models_.emplace_back(std::make_unique<Model>()).get();
    model->target = &target;
  }
  // Who was idle starts where the others are: nobody saves up turns.
  if (!model->waiting()) model->turn = std::max(model->turn, turn_);
  const bool is_large = task.rows > GoodRows(target);
  Lane& lane = is_large ? model->large : model->small;
  const Lane& other = is_large ? model->small : model->large;
  if (lane.entries.empty()) lane.used_ns = std::max(lane.used_ns, other.used_ns);
  auto entry = std::make_unique<Entry>();
  entry->id = next_id_++;
  entry->due = Due(target, task);
  entry->row_ns = QueuedNs(target, 1);
  entry->bytes = InputBytes(task);
  bytes_ += entry->bytes;
  model->rows += task.rows;
  entry->own = std::move(task);
  lane.Insert(std::move(entry));
}

bool Scheduler::Full(const BatchTarget& target, const Task& task) const {
  if (bytes_ > 0 && bytes_ + InputBytes(task) > options_.max_bytes) return true;
  const Model* model = Find(target);
  if (model == nullptr || !model->waiting()) return false;
  if (model->rows + task.rows > options_.max_rows) return true;
  if (target.queue.max_requests > 0 && model->requests() >= target.queue.max_requests) return true;
  return FromNs(model->ns() + QueuedNs(target, task.rows)) > options_.workers * options_.max_time;
}

std::optional<Scheduler::Dropped> Scheduler::Refuse(absl::Duration now, const BatchTarget& target,
                                                    const Task& task) {
  Dropped refused;
  if (closed_) {
    refused.reason = DropReason::kClosed;
    refused.status = absl::UnavailableError("the server is shutting down");
    return refused;
  }
  bool full = Full(target, task);
  if (full && now - swept_ >= kSweepEvery) {
    swept_ = now;
    Sweep(now);
    full = Full(target, task);
  }
  const bool is_large = task.rows > GoodRows(target);
  const Model* model = Find(target);
  double ahead_ns = 0;
  if (model != nullptr) {
    const Lane& own = is_large ? model->large : model->small;
    const Lane& other = is_large ? model->small : model->large;
    ahead_ns = own.NsBefore(Due(target, task));
    ahead_ns += std::min(ahead_ns, other.waiting_ns());
  }
  const absl::Duration wait = Wait(now, target, ahead_ns);
  if (full) {
    refused.reason = DropReason::kQueueFull;
    refused.status = Refusal(absl::StrCat("model '", target.model, "': the queue is full (",
                                          model ? model->rows : 0, " rows of this model wait)"),
                             std::max(wait, options_.delay_target));
    return refused;
  }
  if (running() < options_.workers && NextModel() == nullptr) return std::nullopt;
  const double parts =
      std::min(static_cast<double>(options_.workers),
               std::ceil(static_cast<double>(task.rows) / static_cast<double>(GoodRows(target))));
  const absl::Duration run = FromNs(EstimateNs(target, task.rows) * stretch_ / parts);
  if (now + wait + run > task.deadline) {
    refused.reason = DropReason::kCannotFinish;
    refused.status = Refusal(
        absl::StrCat("model '", target.model, "': not run, for it would be late: it would wait ",
                     InMs(wait), " and run ", InMs(run), "; its deadline is in ",
                     InMs(task.deadline - now)),
        wait);
    return refused;
  }
  const bool overloaded = model != nullptr && (is_large ? model->large : model->small).overloaded;
  if (overloaded && wait > DelayTarget(target)) {
    refused.reason = DropReason::kOverload;
    refused.status = Refusal(
        absl::StrCat("model '", target.model, "': overloaded: it would wait ", InMs(wait)), wait);
    return refused;
  }
  return std::nullopt;
}

absl::Duration Scheduler::DelayTarget(const BatchTarget& target) const {
  if (target.queue.latency_target < absl::InfiniteDuration()) {
    return target.queue.latency_target / 2;
  }
  const absl::Duration always_fine =
      FromNs(kAlwaysFine * QueuedNs(target, 1) / static_cast<double>(options_.workers));
  return std::max(options_.delay_target, std::min(always_fine, options_.max_time / 2));
}

absl::Duration Scheduler::Wait(absl::Duration now, const BatchTarget& target,
                               double ahead_ns) const {
  double ns = 0;
  for (const Running& batch : running_) {
    ns += std::max(0.0, batch.ns * stretch_ - ToNs(now - batch.start));
  }
  if (running() < options_.workers) ns = 0;
  double others_ns = 0;
  double others_weight = 0;
  for (const auto& other : models_) {
    if (other->target == &target || !other->waiting()) continue;
    others_ns += other->ns();
    others_weight += other->target->queue.weight;
  }
  // The others have their turns meanwhile.
  ns += stretch_ * (ahead_ns + std::min(others_ns, ahead_ns * others_weight / target.queue.weight));
  return FromNs(ns / options_.workers);
}

void Scheduler::Drop(Model* model, Lane* lane, size_t at, DropReason reason, absl::Status status) {
  std::unique_ptr<Entry> entry = lane->Remove(at);
  bytes_ -= entry->bytes;
  model->rows -= entry->rows();
  Dropped dropped;
  dropped.target = model->target;
  dropped.reason = reason;
  dropped.status = std::move(status);
  dropped.rows = entry->rows();
  dropped.split = std::move(entry->split);
  dropped.task = std::move(entry->own);
  dropped_.push_back(std::move(dropped));
}

bool Scheduler::DropIfDead(absl::Duration now, Model* model, Lane* lane, size_t at) {
  const Entry& entry = *lane->entries[at];
  absl::Status status = CheckAlive(entry.task(), now);
  if (absl::IsDeadlineExceeded(status)) {
    Drop(model, lane, at, DropReason::kExpired, std::move(status));
  } else if (!status.ok()) {
    Drop(model, lane, at, DropReason::kCancelled, std::move(status));
  } else if (entry.split != nullptr && entry.split->failed()) {
    Drop(model, lane, at, DropReason::kCancelled, absl::CancelledError("another part has failed"));
  } else if (entry.split == nullptr && now - entry.task().arrival > model->target->queue.max_wait) {
    const absl::Duration waited = now - entry.task().arrival;
    Drop(model, lane, at, DropReason::kWaited,
         Refusal(absl::StrCat("model '", model->target->model, "': not run within ",
                              InMs(model->target->queue.max_wait)),
                 waited));
  } else {
    return false;
  }
  return true;
}

void Scheduler::Sweep(absl::Duration now) {
  for (Model* model : AllModels()) {
    for (Lane* lane : {&model->small, &model->large}) {
      for (size_t at = lane->entries.size(); at-- > 0;) DropIfDead(now, model, lane, at);
    }
    RemoveIfIdle(model);
  }
}

std::vector<Scheduler::Model*> Scheduler::AllModels() const {
  std::vector<Model*> all;
  for (const auto& model : models_) all.push_back(model.get());
  return all;
}

void Scheduler::Close() {
  closed_ = true;
  for (Model* model : AllModels()) {
    for (Lane* lane : {&model->small, &model->large}) {
      while (!lane->entries.empty()) {
        Drop(model, lane, 0, DropReason::kClosed,
             absl::UnavailableError("the server is shutting down"));
      }
    }
    RemoveIfIdle(model);
  }
}

std::vector<Scheduler::Dropped> Scheduler::TakeDropped() { return std::exchange(dropped_, {}); }

Scheduler::Model* Scheduler::NextModel() const {
  Model* next = nullptr;
  for (const auto& model : models_) {
    if (model->waiting() && (next == nullptr || model->turn < next->turn)) next = model.get();
  }
  return next;
}

std::optional<Scheduler::Batch> Scheduler::Next(absl::Duration now) {
  if (running() >= options_.workers) return std::nullopt;
  while (Model* model = NextModel()) {
    std::optional<Batch> batch = Form(now, model);
    RemoveIfIdle(model);
    if (batch.has_value()) return batch;
  }
  return std::nullopt;
}

int64_t Scheduler::RowLimit(absl::Duration now, const Model& model, const Entry& first,
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
  const int64_t in_time = cost.RowsWithin((first.task().deadline - now) / stretch_);
  if (in_time < limit && first.rows() < limit) {
    *by_deadline = true;
    limit = std::max(in_time, first.rows());
  }
  return limit;
}

std::optional<Scheduler::Batch> Scheduler::Form(absl::Duration now, Model* model) {
  Lane* lane = &model->small;
  if (lane->entries.empty() ||
      (!model->large.entries.empty() && model->large.used_ns < lane->used_ns)) {
    lane = &model->large;
  }
  while (!lane->entries.empty() && DropIfDead(now, model, lane, 0)) {
  }
  if (lane->entries.empty()) return std::nullopt;

  const BatchTarget& target = *model->target;
  bool by_deadline = false;
  const int64_t limit = RowLimit(now, *model, *lane->entries[0], &by_deadline);
  if (lane->entries[0]->split == nullptr) {
    NoteDelay(now, now - lane->entries[0]->task().arrival, target, lane);
  }
  Batch batch;
  batch.id = next_id_++;
  batch.target = &target;
  int64_t rows = 0;
  int64_t bytes = 0;
  while (!lane->entries.empty()) {
    if (!batch.tasks.empty() && DropIfDead(now, model, lane, 0)) continue;
    Entry* entry = lane->entries[0].get();
    if (!batch.tasks.empty() && (!target.batchable || entry->split != nullptr ||
                                 !CanStack(batch.tasks[0], entry->task()))) {
      break;
    }
    if (batch.tasks.empty() && entry->rows() > limit && target.batchable) {
      if (entry->split == nullptr) {
        entry->split = SplitTask::Create(std::move(entry->own), target.outputs);
      }
      batch.tasks.push_back(entry->split->Part(entry->next_row, limit));
      batch.reason = DispatchReason::kSplit;
      rows = limit;
      lane->TakeRows(entry, limit);
      break;
    }
    if (!batch.tasks.empty() &&
        (rows + entry->rows() > limit || bytes + entry->bytes > kMaxBatchBytes)) {
      batch.reason = by_deadline ? DispatchReason::kDeadline : DispatchReason::kFull;
      break;
    }
    const std::unique_ptr<Entry> taken = lane->Remove(0);
    rows += taken->rows();
    bytes += taken->bytes;
    bytes_ -= taken->bytes;
    if (taken->split != nullptr) {
      batch.tasks.push_back(taken->split->Part(taken->next_row, taken->rows()));
      batch.reason = DispatchReason::kSplit;
      break;
    }
    batch.tasks.push_back(std::move(taken->own));
  }
  model->rows -= rows;

  const bool known = target.cost->curve().known();
  const double ns = EstimateNs(target, rows);
  lane->used_ns += ns;
  turn_ = std::max(turn_, model->turn);
  model->turn += ns / target.queue.weight;
  ++model->running;
  running_.push_back({batch.id, &target, now, ns, known});
  return batch;
}

void Scheduler::NoteDelay(absl::Duration now, absl::Duration waited, const BatchTarget& target,
                          Lane* lane) const {
  const absl::Duration allowed = DelayTarget(target);
  if (waited < allowed / 2) {
    lane->above_since = absl::InfiniteDuration();
    lane->overloaded = false;
  } else if (waited >= allowed) {
    lane->above_since = std::min(lane->above_since, now);
    if (now - lane->above_since >= options_.delay_interval) lane->overloaded = true;
  }
}

void Scheduler::Ended(absl::Duration now, int64_t batch) {
  const auto found = std::find_if(running_.begin(), running_.end(),
                                  [batch](const Running& other) { return other.id == batch; });
  if (found == running_.end()) return;
  const Running ended = *found;
  running_.erase(found);
  const double took_ns = ToNs(now - ended.start);
  if (ended.known) {
    constexpr double kLeast = 0.5;
    constexpr double kMost = 8;
    const double ratio = std::clamp(took_ns / ended.ns, kLeast, kMost);
    stretch_ += kStretchWeight * (ratio - stretch_);
  }
  Model* model = Find(*ended.target);
  if (model == nullptr) return;
  // What it took is what counts, not what was thought.
  model->turn += (took_ns - ended.ns) / ended.target->queue.weight;
  --model->running;
  RemoveIfIdle(model);
}

}  // namespace sigserve
