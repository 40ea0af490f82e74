// A model without a graph: a signature to answer for, and outputs given by hand. Needs
// server_registry.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "model/tensor/tensor.h"
#include "server/registry/servable.h"
#include "server/registry/signature_check.h"

namespace sigserve::testing_support {

class FakeOutputs final : public TaskOutputs {
 public:
  std::vector<Tensor> outputs;
  std::vector<Tensor> logit_tensors;  // may be shorter than outputs

  TensorView output(int i) const override { return outputs[static_cast<size_t>(i)].view(); }
  TensorView logits(int i) const override {
    const auto at = static_cast<size_t>(i);
    return at < logit_tensors.size() ? logit_tensors[at].view() : TensorView();
  }
};

/// Checks as the real one does; answers every task at once with `status` and `outputs`.
class FakeServable final : public Servable {
 public:
  explicit FakeServable(Signature signature, std::string name = "m", int64_t version = 3)
      : signature_(std::move(signature)), name_(std::move(name)), version_(version) {}

  const std::string& name() const override { return name_; }
  int64_t version() const override { return version_; }
  const Signature& signature() const override { return signature_; }
  int64_t max_batch_size() const override { return signature_.batchable ? max_rows : 0; }
  const std::string& model_filename() const override { return filename; }
  absl::Span<const std::string> labels(int) const override { return label_names; }
  absl::Span<const float> thresholds(int) const override { return threshold_values; }
  absl::Status Check(absl::Span<const NamedTensor> inputs, Task* task) const override {
    absl::StatusOr<CheckedInputs> checked = CheckInputs(name_, signature_, {}, inputs);
    if (!checked.ok()) return checked.status();
    task->inputs = std::move(checked->inputs);
    task->rows = checked->rows;
    return absl::OkStatus();
  }
  void Submit(Task task, TaskSink* /*sink*/) const override {
    last_deadline = task.deadline;
    if (on_submit) on_submit(task);
    TaskTiming timing;
    timing.queued = absl::Microseconds(5);
    timing.computed = absl::Microseconds(7);
    timing.batch_rows = task.rows;
    absl::Status result = status;
    if (task.cancelled && task.cancelled()) result = absl::CancelledError("the caller has gone");
    task.done(result, result.ok() ? &outputs : nullptr, timing);
  }

  int64_t max_rows = 16;
  std::string filename = "net.onnx";
  std::vector<std::string> label_names;
  std::vector<float> threshold_values = {0.5F};
  FakeOutputs outputs;
  absl::Status status;
  std::function<void(const Task& task)> on_submit;
  mutable MonotonicTime last_deadline;  // of the last task; not for tests with threads

 private:
  const Signature signature_;
  const std::string name_;
  const int64_t version_;
};

inline InputSignature FloatInput(std::string name, std::initializer_list<int64_t> dims) {
  InputSignature input;
  input.name = std::move(name);
  for (const int64_t d : dims) input.shape.push_back(d);
  return input;
}

inline OutputSignature Output(std::string name, Link link, DType dtype = DType::kFloat32) {
  OutputSignature output;
  output.name = std::move(name);
  output.dtype = dtype;
  output.link = link;
  output.has_logits = link == Link::kSigmoid || link == Link::kSoftmax;
  output.shape.push_back(-1);
  output.shape.push_back(2);
  return output;
}

/// Input x FLOAT32[-1,3]; output y: two sigmoids.
inline Signature SigmoidSignature() {
  Signature signature;
  signature.inputs = {FloatInput("x", {-1, 3})};
  signature.outputs = {Output("y", Link::kSigmoid)};
  signature.batchable = true;
  return signature;
}

}  // namespace sigserve::testing_support
