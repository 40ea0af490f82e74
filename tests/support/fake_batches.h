// What batching tests need: tasks over values they own, models that double them, and what became of
// each task. Thread-safe where the tests that use it have threads.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/tensor/tensor.h"
#include "server/batching/batch_target.h"

namespace sigserve::testing_support {

/// Holds 2x.
class DoubledRows final : public TaskOutputs {
 public:
  explicit DoubledRows(const TensorView& x) {
    std::vector<float> y;
    for (const float value : x.values<float>()) y.push_back(2 * value);
    tensor_ = Tensor::Of<float>(x.shape(), y);
  }
  TensorView output(int /*i*/) const override { return tensor_.view(); }
  TensorView logits(int i) const override { return output(i); }

 private:
  Tensor tensor_;
};

/// A batchable model y = 2x whose cost is known: batch_us + row_us·rows.
inline BatchTarget DoublingTarget(std::string model, double batch_us, double row_us) {
  BatchTarget target;
  target.model = std::move(model);
  target.batchable = true;
  target.run = [](absl::Span<const TensorView> inputs)
      -> absl::StatusOr<std::unique_ptr<const TaskOutputs>> {
    return std::make_unique<DoubledRows>(inputs[0]);
  };
  for (const int64_t rows : {1, 16, 256}) {
    target.cost->Observe(rows, absl::Microseconds(batch_us + row_us * static_cast<double>(rows)));
  }
  return target;
}

/// One task's input and end.
struct TaskProbe {
  std::atomic<int> ends{0};
  absl::Status status;
  std::vector<float> values;
  TaskTiming timing;
  Tensor input;

  /// A task of `rows` rows of one column: first, first+1, ... Its `done` fills the probe, which
  /// must outlive it.
  Task NewTask(int64_t rows, float first = 1, MonotonicTime arrival = {}) {
    std::vector<float> x;
    for (int64_t i = 0; i < rows; ++i) x.push_back(first + static_cast<float>(i));
    input = Tensor::Of<float>(Shape{rows, 1}, x);
    Task task;
    task.inputs = {input.view()};
    task.rows = rows;
    task.arrival = arrival;
    task.done = [this](const absl::Status& result, const TaskOutputs* outputs,
                       const TaskTiming& when) {
      status = result;
      timing = when;
      if (outputs != nullptr) {
        const auto y = outputs->output(0).values<float>();
        values.assign(y.begin(), y.end());
      }
      ends.fetch_add(1, std::memory_order_release);
    };
    return task;
  }
};

}  // namespace sigserve::testing_support
