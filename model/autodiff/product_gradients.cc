#include <utility>
#include <vector>

#include "model/autodiff/gradients.h"
#include "model/base/status_macros.h"
#include "model/kernels/gemm.h"
#include "model/ops/core/broadcast.h"
#include "model/ops/core/weights.h"
#include "model/ops/math/matmul_shapes.h"

namespace sigserve {
namespace {

constexpr kernels::GemmEpilogue kAccumulate{nullptr, kernels::Activation::kNone, true};

// sum += alpha * a * b, or its transpose.
void AddProduct(const kernels::MatrixView& a, const kernels::MatrixView& b, float alpha,
                bool transposed, const MutableTensorView& sum) {
  const auto multiply = [&](bool accumulate, float* out) {
    const kernels::GemmEpilogue epilogue{nullptr, kernels::Activation::kNone, accumulate};
    if (transposed) {
      kernels::Gemm(b.Transposed(), a.Transposed(), epilogue, out);
    } else {
      kernels::Gemm(a, b, epilogue, out);
    }
  };
  const absl::Span<float> to = sum.values<float>();
  if (alpha == 1) {
    multiply(true, to.data());
    return;
  }
  std::vector<float> product(to.size());
  multiply(false, product.data());
  for (size_t i = 0; i < to.size(); ++i) {
    to[i] += alpha * product[i];
  }
}

// sum[i] += scale * from[j] over all j that broadcasting `sum`'s shape to `from`'s maps to i; in
// the order of `from`.
void AddReduced(const TensorView& from, float scale, const MutableTensorView& sum) {
  const BroadcastRuns runs(from.shape(), sum.shape());
  const float* f = from.values<float>().data();
  float* s = sum.values<float>().data();
  runs.ForEach([&](int64_t a, int64_t b, int64_t) {
    if (runs.b_repeats()) {
      float total = 0;
      for (int64_t i = 0; i < runs.length(); ++i) {
        total += f[a + i];
      }
      s[b] += scale * total;
    } else {
      for (int64_t i = 0; i < runs.length(); ++i) {
        s[b + i] += scale * f[a + i];
      }
    }
  });
}

kernels::MatrixView Matrix(const float* data, int64_t rows, int64_t columns) {
  return kernels::MatrixView::RowMajor(data, static_cast<size_t>(rows),
                                       static_cast<size_t>(columns));
}

}  // namespace

// y = alpha * A' * B' + beta * C, where ' is an optional transposition.
absl::StatusOr<BackwardRule> GemmBackward(const NodeSpec& node) {
  SIGSERVE_ASSIGN_OR_RETURN(const float alpha, node.attributes.Float("alpha", 1));
  SIGSERVE_ASSIGN_OR_RETURN(const float beta, node.attributes.Float("beta", 1));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t transpose_a, node.attributes.Int("transA", 0));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t transpose_b, node.attributes.Int("transB", 0));
  const bool a_is_transposed = transpose_a != 0;
  const bool b_is_transposed = transpose_b != 0;
  return BackwardRule([=](const BackwardPass& pass) {
    const kernels::MatrixView dy = MatrixOf(pass.grad_out[0], false);
    const kernels::MatrixView a = MatrixOf(pass.in[0], a_is_transposed);
    const kernels::MatrixView b = MatrixOf(pass.in[1], b_is_transposed);
    if (pass.grad_in[0].present()) {  // dA' = alpha dY B'^T
      AddProduct(dy, b.Transposed(), alpha, a_is_transposed, pass.grad_in[0]);
    }
    if (pass.grad_in[1].present()) {  // dB' = alpha A'^T dY
      AddProduct(a.Transposed(), dy, alpha, b_is_transposed, pass.grad_in[1]);
    }
    if (pass.grad_in.size() > 2 && pass.grad_in[2].present()) {
      AddReduced(pass.grad_out[0], beta, pass.grad_in[2]);
    }
  });
}

absl::StatusOr<BackwardRule> MatMulBackward(const NodeSpec&) {
  return BackwardRule([](const BackwardPass& pass) {
    const MatMulShapes s(pass.in[0].shape(), pass.in[1].shape());
    const float* a = pass.in[0].values<float>().data();
    const float* b = pass.in[1].values<float>().data();
    const float* dy = pass.grad_out[0].values<float>().data();
    s.ForEachProduct([&](int64_t a_at, int64_t b_at, int64_t y_at) {
      const auto y = Matrix(dy + y_at, s.m, s.n);
      if (pass.grad_in[0].present()) {
        kernels::Gemm(y, Matrix(b + b_at, s.k, s.n).Transposed(), kAccumulate,
                      pass.grad_in[0].values<float>().data() + a_at);
      }
      if (pass.grad_in[1].present()) {
        kernels::Gemm(Matrix(a + a_at, s.m, s.k).Transposed(), y, kAccumulate,
                      pass.grad_in[1].values<float>().data() + b_at);
      }
    });
  });
}

}  // namespace sigserve
