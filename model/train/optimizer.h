// One step of gradient descent on a list of weight tensors, with the arithmetic of
// torch.optim.SGD and torch.optim.Adam 1.13: state and weights are float32, what is the same for
// all weights is computed in double. Owns its state (momentum, moments); not thread-safe.
#pragma once

#include <memory>

#include "absl/types/span.h"
#include "model/tensor/tensor_view.h"
#include "model/train/train_spec.h"

namespace sigserve {

class Optimizer {
 public:
  /// `spec` as Validate() accepts it. `element_counts`: of each weight tensor.
  static std::unique_ptr<Optimizer> Create(const OptimizerSpec& spec,
                                           absl::Span<const int64_t> element_counts);
  virtual ~Optimizer() = default;

  /// Moves `weights` against `gradients`; both in the order and with the counts of Create(),
  /// FLOAT32. Allocates nothing.
  virtual void Step(absl::Span<const MutableTensorView> weights,
                    absl::Span<const TensorView> gradients) = 0;
};

}  // namespace sigserve
