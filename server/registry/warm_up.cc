#include "server/registry/warm_up.h"

#include <algorithm>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "model/tensor/tensor.h"
#include "server/batching/batch_runner.h"

namespace sigserve {
namespace {

constexpr absl::Duration kBudget = absl::Milliseconds(60);
// The fastest of several counts; one that takes so long is measured well enough by itself.
constexpr int kRunsEach = 3;
constexpr absl::Duration kLong = absl::Milliseconds(10);
constexpr int64_t kManyRows = 32;
// Larger inputs tell nothing that smaller ones do not.
constexpr int64_t kMaxElements = int64_t{1} << 22;

/// Runs what it is given at once.
class RunNow final : public TaskSink {
 public:
  explicit RunNow(const Clock* clock) : runner_(clock, clock, {}) {}
  void Add(const BatchTarget& target, Task task) override {
    runner_.Run(target, absl::MakeSpan(&task, 1), DispatchReason::kDrained, [] {});
  }

 private:
  BatchRunner runner_;
};

/// Zeros for every input; empty when they would be too large.
std::vector<Tensor> Zeros(const Signature& signature, int64_t rows) {
  std::vector<Tensor> tensors;
  int64_t total = 0;
  for (const InputSignature& input : signature.inputs) {
    Shape shape = input.shape;
    int64_t elements = 1;
    for (int i = 0; i < shape.rank(); ++i) {
      if (i == 0 && signature.batchable) {
        shape.set(i, rows);
      } else if (shape[i] < 0) {
        shape.set(i, 1);
      }
      elements *= std::max<int64_t>(1, std::min(shape[i], kMaxElements + 1));
      if (elements > kMaxElements) return {};
    }
    total += elements;
    if (total > kMaxElements) return {};
    tensors.emplace_back(input.dtype, std::move(shape));
  }
  return tensors;
}

/// Whether it ran.
bool RunOnce(const Servable& servable, int64_t rows, TaskSink* sink) try {
  const std::vector<Tensor> tensors = Zeros(servable.signature(), rows);
  if (tensors.empty()) return false;
  std::vector<NamedTensor> inputs;
  for (size_t i = 0; i < tensors.size(); ++i) {
    inputs.push_back({servable.signature().inputs[i].name, tensors[i].view()});
  }
  Task task;
  if (!servable.Check(inputs, &task).ok()) return false;
  bool ran = false;
  task.done = [&ran](const absl::Status& status, const TaskOutputs* /*outputs*/,
                     const TaskTiming& /*timing*/) { ran = status.ok(); };
  servable.Submit(std::move(task), sink);
  return ran;
} catch (const std::bad_alloc&) {  // one model must not end the process
  return false;
}

}  // namespace

void WarmUp(const Servable& servable, const Clock* clock) {
  RunNow now(clock);
  const MonotonicTime start = clock->Monotonic();
  // The fastest of these; nothing where one did not run.
  const auto measure = [&](int64_t rows) -> std::optional<absl::Duration> {
    absl::Duration fastest = absl::InfiniteDuration();
    for (int run = 0; run < kRunsEach; ++run) {
      const MonotonicTime before = clock->Monotonic();
      if (!RunOnce(servable, rows, &now)) return std::nullopt;
      const absl::Duration took = clock->Monotonic() - before;
      fastest = std::min(fastest, took);
      if (took >= kLong) break;
    }
    return fastest;
  };
  const std::optional<absl::Duration> one = measure(1);
  if (!one.has_value()) return;
  const absl::Duration left = kBudget - (clock->Monotonic() - start);
  const int runs = *one >= kLong ? 1 : kRunsEach;
  const auto in_time =
      static_cast<int64_t>(absl::FDivDuration(left, runs * std::max(*one, absl::Nanoseconds(1))));
  const int64_t many = std::min({kManyRows, servable.max_batch_size(), in_time});
  if (many > 1) measure(many);
}

}  // namespace sigserve
