// One loaded version of one model: its signature, its settings and the way to run it. Immutable
// from outside and shared: a ServableHandle pins the version, so that it is unloaded only after its
// last answer is out. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model/runtime/executable.h"
#include "model/tensor/tensor_view.h"
#include "server/batching/batch_target.h"
#include "server/config/model_options.h"

namespace sigserve {

/// One input of a request by name; an empty name means the model's only input.
struct NamedTensor {
  absl::string_view name;
  TensorView tensor;
};

class Servable {
 public:
  /// INVALID_ARGUMENT when the options do not fit the model (names the
  /// field).
  static absl::StatusOr<std::shared_ptr<Servable>> Create(
      std::string name, int64_t version, const ModelOptions& options,
      std::shared_ptr<const Executable> executable);
  virtual ~Servable() = default;

  virtual const std::string& name() const = 0;
  virtual int64_t version() const = 0;
  virtual const Signature& signature() const = 0;
  /// What clients may rely on when they size requests: 0 = not batchable; the config's
  /// max_batch_size, which is enforced; else kDefaultMaxBatchSize, which is not (more rows are fine
  /// up to the message limit).
  virtual int64_t max_batch_size() const = 0;
  static constexpr int64_t kDefaultMaxBatchSize = 65536;
  /// The config's default_model_filename, else "model.onnx".
  virtual const std::string& model_filename() const = 0;
  /// Label names of output i's last dimension: the config's, else the model's, else empty.
  virtual absl::Span<const std::string> labels(int output) const = 0;
  /// Thresholds of output i: one for all entries, or one for each; never empty.
  virtual absl::Span<const float> thresholds(int output) const = 0;

  /// Matches a request's inputs to the signature: the views in the signature's order, and the rows
  /// they have. INVALID_ARGUMENT names the input and says what was sent and what is expected
  /// (missing, unknown or duplicate name, dtype, rank, size, no rows, NaN where the config forbids
  /// it).
  virtual absl::Status Check(absl::Span<const NamedTensor> inputs, Task* task) const = 0;

  /// Hands a checked task to `sink`, which runs it; its `done` is called exactly once. The servable
  /// must stay until then. The task's priority is what the request asked for, 0 if nothing; the
  /// model's config says what becomes of it.
  virtual void Submit(Task task, TaskSink* sink) const = 0;
};

using ServableHandle = std::shared_ptr<const Servable>;

}  // namespace sigserve
