// Runs a graph forward keeping every value, then backward: the gradients of a scalar loss by the
// graph's trained inputs. Owns all memory it works in; after the first pass over inputs of the
// largest shapes it allocates nothing. Not thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/autodiff/gradient_table.h"
#include "model/base/aligned_buffer.h"
#include "model/graph/graph.h"
#include "model/ops/core/op.h"

namespace sigserve {

class Backprop {
 public:
  /// `trained`: indices into graph.inputs(). INVALID_ARGUMENT unless the graph has one output;
  /// UNIMPLEMENTED names the first node between a trained input and the output whose operator has
  /// no gradient (gradient_table.h).
  static absl::StatusOr<std::unique_ptr<Backprop>> Create(Graph graph, std::vector<int> trained);

  /// The output for one view per graph input; inputs and output hold until the next Forward().
  /// INVALID_ARGUMENT when shapes do not fit: names the node. Shapes may change from call to call,
  /// those of trained inputs may not.
  absl::StatusOr<TensorView> Forward(absl::Span<const TensorView> inputs);

  /// Adds to the gradients of the trained inputs, given the loss's gradient by the output of the
  /// last Forward(), of its shape. Requires a Forward() before it.
  void Backward(const TensorView& output_gradient);

  void ClearGradients();
  /// One per trained input, in the order of Create(). The views stay the same once Forward() ran.
  absl::Span<const TensorView> gradients() const { return gradients_; }

 private:
  // What is known of one value of the graph, by ValueId.
  struct ValueState {
    bool wanted = false;  // a gradient flows through it
    TensorType type;
    TensorView view;
    MutableTensorView gradient;
    AlignedBuffer buffer;
    AlignedBuffer gradient_buffer;
  };
  struct Step {
    const Node* node;
    std::unique_ptr<const Op> op;
    BackwardRule backward;  // empty unless wanted
    bool wanted = false;    // on the way from a trained input to the output
  };

  Backprop(Graph graph, std::vector<int> trained);
  absl::Status BuildSteps();
  absl::Status Prepare(absl::Span<const TensorView> inputs);
  absl::Status InferStep(const Step& step);
  ValueState& state(ValueId id) { return states_[static_cast<size_t>(id)]; }
  ValueState& input_state(int index) {
    return state(graph_.inputs()[static_cast<size_t>(index)].value);
  }

  const Graph graph_;
  const std::vector<int> trained_;
  std::vector<ValueState> states_;
  std::vector<Step> steps_;
  std::vector<TensorView> gradients_;
  AlignedBuffer workspace_;  // of whichever step runs
  bool prepared_ = false;    // types and buffers are those of the last inputs
  // Arguments of one op, kept to be refilled.
  std::vector<Operand> operands_;
  std::vector<TensorType> in_types_;
  std::vector<TensorType> types_;
  std::vector<TensorView> in_;
  std::vector<TensorView> out_;
  std::vector<TensorView> grad_out_;
  std::vector<MutableTensorView> mutable_out_;
  std::vector<MutableTensorView> grad_in_;
};

}  // namespace sigserve
