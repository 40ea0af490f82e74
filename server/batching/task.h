// What batching is handed: one request's checked inputs, and where its answer goes. Batching knows
// no models and no wire: it is given a function that runs a batch, and calls every task's `done`
// exactly once.
#pragma once

#include <functional>
#include <memory>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "model/base/monotonic_time.h"
#include "model/tensor/tensor_view.h"

namespace sigserve {

/// Where a task's time went.
struct TaskTiming {
  absl::Duration queued;
  absl::Duration computed;
  int64_t batch_rows = 0;
};

/// A task's outputs, already cut to its own rows. Valid only during the call of `done`.
class TaskOutputs {
 public:
  virtual ~TaskOutputs() = default;
  /// The owner's last use of them. Lenders take them back here.
  virtual void Release() const { delete this; }
  /// Output i of the model's signature.
  virtual TensorView output(int i) const = 0;
  /// Its logits; not present() where the signature has none.
  virtual TensorView logits(int i) const = 0;
};

/// A batch's results, lent until the pointer goes.
struct ReleaseOutputs {
  ReleaseOutputs() = default;
  template <typename T>
  ReleaseOutputs(const std::default_delete<T>&) {}  // NOLINT(google-explicit-constructor)
  void operator()(const TaskOutputs* outputs) const { outputs->Release(); }
};
using BatchOutputs = std::unique_ptr<const TaskOutputs, ReleaseOutputs>;

struct Task {
  /// In the signature's order, checked against it. The memory behind them stays until `done` was
  /// called; it need not be aligned.
  absl::InlinedVector<TensorView, 1> inputs;
  /// Rows in dimension 0; 1 for a model that is not batchable.
  int64_t rows = 1;
  /// When it arrived, on the server's monotonic clock.
  MonotonicTime arrival;
  /// Of its model's waiting tasks those with the lowest number run first.
  int priority = 0;
  /// On the same clock. A task that is late before it runs is not run:
  /// DEADLINE_EXCEEDED.
  MonotonicTime deadline = MonotonicTime::InfiniteFuture();
  /// True once the caller has gone; may be empty. Asked before running: CANCELLED.
  std::function<bool()> cancelled;
  /// Called exactly once, from any thread. `outputs` is null unless the status is OK.
  std::function<void(const absl::Status& status, const TaskOutputs* outputs,
                     const TaskTiming& timing)>
      done;
};

/// OK while it should still run; CANCELLED when its caller has gone, DEADLINE_EXCEEDED when it is
/// late.
absl::Status CheckAlive(const Task& task, MonotonicTime now);

}  // namespace sigserve
