// For gemm.cc and matmul.cc: a right-hand matrix that is packed once if it is a constant and as it
// goes if it is not. With up to 8 columns the two add up in different orders (kernels/gemm.h).
#pragma once

#include <cstddef>
#include <initializer_list>

#include "absl/strings/string_view.h"
#include "model/base/aligned_buffer.h"
#include "model/kernels/gemm.h"
#include "model/ops/core/maker.h"
#include "model/ops/core/precision.h"
#include "model/tensor/tensor_view.h"

namespace sigserve {

/// A rank-2 FLOAT32 tensor as the kernels see it.
kernels::MatrixView MatrixOf(const TensorView& tensor, bool transposed);

/// CheckKnown() of `known`. A node of kFusedDomain may have "activation", too: None or Relu; and
/// "precision" (precision.h).
absl::StatusOr<kernels::Activation> ReadDenseActivation(
    const NodeSpec& node, std::initializer_list<absl::string_view> known);

class Weights {
 public:
  /// Packs `constant` if it is a FLOAT32 matrix; anything else is left for Multiply(), which then
  /// computes in FLOAT32.
  Weights(const TensorView& constant, bool transposed, Precision precision = Precision::kFloat32);

  /// out = epilogue(x * w); `w` is the operand that `constant` was, or its value for this call.
  void Multiply(const kernels::MatrixView& x, const TensorView& w,
                const kernels::GemmEpilogue& epilogue, float* out) const;
  /// The same when it was packed: no operand is needed.
  void Multiply(const kernels::MatrixView& x, const kernels::GemmEpilogue& epilogue,
                float* out) const;

 private:
  const bool transposed_;
  const Precision precision_;
  size_t columns_ = 0;
  bool packed_ = false;
  AlignedBuffer panels_;  // floats, or bfloat16
};

}  // namespace sigserve
