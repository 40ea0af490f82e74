// Runs one operator the way the runtime does: make, infer, forward.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/base/status_macros.h"
#include "model/ops/op_table.h"
#include "model/tensor/tensor.h"

namespace sigserve {

struct OpRunner {
  NodeSpec node;
  int outputs = 1;
  /// Inputs that are known when the operator is made, as constants are.
  std::vector<bool> constant;

  OpRunner(absl::string_view type, int opset, absl::string_view domain = "") {
    node.name = std::string(1, 'n');
    node.domain = std::string(domain);
    node.op_type = std::string(type);
    node.opset = opset;
  }
  OpRunner& With(absl::string_view name, AttributeValue value) {
    status.Update(node.attributes.Add(name, std::move(value)));
    return *this;
  }
  OpRunner& Constant(std::vector<bool> which) {
    constant = std::move(which);
    return *this;
  }
  OpRunner& Outputs(int count) {
    outputs = count;
    return *this;
  }

  absl::StatusOr<std::unique_ptr<const Op>> Make(const std::vector<TensorView>& in) const {
    SIGSERVE_RETURN_IF_ERROR(status);
    std::vector<TensorView> constants;
    absl::InlinedVector<bool, 6> present;
    for (size_t i = 0; i < in.size(); ++i) {
      constants.push_back(i < constant.size() && constant[i] ? in[i] : TensorView());
      present.push_back(in[i].present());
    }
    return MakeOp(node, outputs, constants, present);
  }

  static std::vector<Operand> Operands(const std::vector<TensorView>& in) {
    std::vector<Operand> operands;
    for (const TensorView& t : in) {
      operands.push_back({t.present(), {t.dtype(), t.shape()}, t});
    }
    return operands;
  }

  absl::StatusOr<std::vector<Tensor>> RunAll(const std::vector<TensorView>& in) const {
    SIGSERVE_ASSIGN_OR_RETURN(const std::unique_ptr<const Op> op, Make(in));
    std::vector<TensorType> types(static_cast<size_t>(outputs));
    SIGSERVE_RETURN_IF_ERROR(op->Infer(Operands(in), absl::MakeSpan(types)));
    std::vector<Tensor> out;
    std::vector<MutableTensorView> views;
    for (const TensorType& type : types) {
      out.emplace_back(type.dtype, type.shape);
    }
    for (Tensor& t : out) {
      views.push_back(t.mutable_view());
    }
    ForwardOnce(*op, in, views);
    return out;
  }

  absl::StatusOr<Tensor> Run(const std::vector<TensorView>& in) const {
    SIGSERVE_ASSIGN_OR_RETURN(std::vector<Tensor> out, RunAll(in));
    return std::move(out[0]);
  }

 private:
  absl::Status status;
};

}  // namespace sigserve
