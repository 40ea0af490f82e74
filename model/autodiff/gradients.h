// For the sources of this folder: makers of backward rules, which read what they need of a node's
// attributes. gradient_table.cc lists them.
#pragma once

#include "model/autodiff/gradient_table.h"

namespace sigserve {

using BackwardMaker = absl::StatusOr<BackwardRule>(const NodeSpec& node);

// elementwise_gradients.cc; CopyBackward: operators that only change the shape.
BackwardMaker CopyBackward;
BackwardMaker AddBackward, SubBackward, MulBackward, DivBackward;
BackwardMaker ReluBackward, SigmoidBackward, TanhBackward;
// product_gradients.cc
BackwardMaker GemmBackward, MatMulBackward;
// softmax_gradient.cc
BackwardMaker SoftmaxBackward, LogSoftmaxBackward;

}  // namespace sigserve
