// The scheduler's door: which requests it lets in, and who makes room for whom.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/batching/row_views.h"
#include "server/batching/scheduler.h"

namespace sigserve {
namespace {

// The time of this many requests is an acceptable delay for any model, within max_time: a few
// clients that each keep some calls in flight are not an overload.
constexpr double kAlwaysFine = 64;
// How many times the model's delay target a burst may make requests wait.
constexpr double kBurst = 4;
// Looking for dead tasks within the queues, not only at their fronts.
constexpr absl::Duration kSweepEvery = absl::Milliseconds(1);

absl::Duration FromNs(double ns) { return absl::Nanoseconds(ns); }

std::string InMs(absl::Duration duration) {
  return absl::StrCat(absl::ToInt64Milliseconds(duration), " ms");
}

}  // namespace

int64_t Scheduler::ShareOfBytes(const BatchTarget& target) const {
  double weights = target.queue.weight;
  for (const auto& model : models_) {
    if (model->target != &target && model->bytes > 0) weights += model->target->queue.weight;
  }
  return static_cast<int64_t>(static_cast<double>(options_.max_bytes) * target.queue.weight /
                              weights);
}

void Scheduler::MakeRoomFor(const ModelQueue* model) {
  for (ModelQueue* other : AllModels()) {
    // Last in, first out; what has run in part goes on.
    for (Lane* lane : {&other->large, &other->small}) {
      while (other != model && bytes_ > options_.max_bytes && lane->LastUnsplit() >= 0 &&
             other->bytes > ShareOfBytes(*other->target)) {
        Drop(other, lane, static_cast<size_t>(lane->LastUnsplit()), DropReason::kPushedOut,
             Refusal(
                 absl::StrCat("model '", other->target->model,
                              "': the queues are full, and this model holds more than its share"),
                 options_.delay_target));
      }
    }
    RemoveIfIdle(other);
  }
}

Lane* Scheduler::LaneBelow(ModelQueue* model, int priority) {
  if (model == nullptr) return nullptr;
  for (Lane* lane : {&model->large, &model->small}) {
    const int last = lane->LastUnsplit();
    if (last >= 0 && lane->at(static_cast<size_t>(last)).priority > priority) return lane;
  }
  return nullptr;
}

bool Scheduler::PushOutBelow(const BatchTarget& target, const Task& task) {
  ModelQueue* const model = Find(target);
  while (Full(target, task)) {
    Lane* const lane = LaneBelow(model, task.priority);
    if (lane == nullptr) return false;
    Drop(model, lane, static_cast<size_t>(lane->LastUnsplit()), DropReason::kPushedOut,
         Refusal(
             absl::StrCat("model '", target.model,
                          "': the queue is full, and a request of higher priority took the place"),
             options_.delay_target));
  }
  return true;
}

bool Scheduler::Full(const BatchTarget& target, const Task& task) const {
  const ModelQueue* model = Find(target);
  const int64_t bytes = InputBytes(task);
  const int64_t of_model = bytes + (model == nullptr ? 0 : model->bytes);
  if (bytes_ > 0 && bytes_ + bytes > options_.max_bytes &&
      (of_model > ShareOfBytes(target) || bytes_ + bytes > 2 * options_.max_bytes)) {
    return true;
  }
  if (model == nullptr || !model->waiting()) return false;
  if (model->rows + task.rows > options_.max_rows) return true;
  if (target.queue.max_requests > 0 && model->requests() >= target.queue.max_requests) return true;
  return FromNs(model->waiting_ns() + QueuedNs(target, task.rows)) >
         options_.workers * std::min(options_.max_time, kBurst * target.queue.latency_target);
}

std::optional<Scheduler::Dropped> Scheduler::Refuse(MonotonicTime now, const BatchTarget& target,
                                                    const Task& task) {
  const auto dropped = [](DropReason reason, absl::Status status) {
    Dropped refused;
    refused.reason = reason;
    refused.status = std::move(status);
    return refused;
  };
  if (closed_) {
    return dropped(DropReason::kClosed, absl::UnavailableError("the server is shutting down"));
  }
  bool full = Full(target, task);
  if (full && now - swept_ >= kSweepEvery) {
    swept_ = now;
    Sweep(now);
    full = Full(target, task);
  }
  if (!full && running() < options_.workers && NextModel() == nullptr) return std::nullopt;

  ModelQueue* model = Find(target);
  const bool can_push_out = full && LaneBelow(model, task.priority) != nullptr;
  double ahead_ns = 0;
  if (model != nullptr) {
    ahead_ns = model->LaneOf(task).NsBefore(task.priority, DueTime(target, task));
    ahead_ns += std::min(
        ahead_ns, model->OtherLane(task).NsBefore(task.priority, MonotonicTime::InfiniteFuture()));
  }
  const absl::Duration wait = Wait(now, target, ahead_ns);
  const std::string name = absl::StrCat("model '", target.model, "': ");
  const auto queue_full = [&] {
    return dropped(DropReason::kQueueFull,
                   Refusal(absl::StrCat(name, "the queue is full: ", queued_rows(), " rows wait"),
                           std::max(wait, options_.delay_target)));
  };
  if (full && !can_push_out) return queue_full();
  const double parts =
      std::min(static_cast<double>(options_.workers),
               std::ceil(static_cast<double>(task.rows) / static_cast<double>(GoodRows(target))));
  const absl::Duration run = FromNs(EstimateNs(target, task.rows) * target.cost->stretch() / parts);
  // A guess refuses no request: without a run, nothing would ever correct it.
  const bool known = target.cost->curve().known();
  if (now + wait + (known ? run : absl::ZeroDuration()) > task.deadline) {
    return dropped(DropReason::kCannotFinish,
                   Refusal(absl::StrCat(name, "rejected: estimated ", InMs(wait), " queueing + ",
                                        InMs(run), " compute exceeds the ",
                                        InMs(task.deadline - now), " left before the deadline"),
                           wait));
  }
  // With nothing of its kind before it, it is not what the overload is made of.
  if (ahead_ns > 0 && model->LaneOf(task).overloaded() && wait > DelayTarget(target)) {
    return dropped(
        DropReason::kOverload,
        Refusal(absl::StrCat(name, "overloaded: the estimated queueing delay is ", InMs(wait)),
                wait));
  }
  if (full && !PushOutBelow(target, task)) return queue_full();
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

absl::Duration Scheduler::Wait(MonotonicTime now, const BatchTarget& target,
                               double ahead_ns) const {
  double ns = 0;
  for (const Running& batch : running_) {
    ns += std::max(0.0, batch.ns * batch.target->cost->stretch() -
                            absl::ToDoubleNanoseconds(now - batch.start));
  }
  if (running() < options_.workers) ns = 0;
  double others_ns = 0;
  double others_weight = 0;
  for (const auto& other : models_) {
    if (other->target == &target || !other->waiting()) continue;
    others_ns += other->waiting_ns() * other->target->cost->stretch();
    others_weight += other->target->queue.weight;
  }
  // The others have their turns meanwhile.
  ahead_ns *= target.cost->stretch();
  ns += ahead_ns + std::min(others_ns, ahead_ns * others_weight / target.queue.weight);
  return FromNs(ns / options_.workers);
}

}  // namespace sigserve
