#include <algorithm>

#include "model/ops/core/broadcast.h"
#include "model/ops/core/floats.h"
#include "model/ops/core/weights.h"
#include "model/ops/math/double_product.h"
#include "model/ops/math/makers.h"

namespace sigserve {
namespace {

// numpy.matmul: the last two dimensions are matrices, the others broadcast; a 1-D operand is a row
// on the left, a column on the right, and that dimension is then dropped from the result. In the
// fused domain, a third input is a bias: one number per column of a matrix on the right. All
// FLOAT32, or FLOAT64 without a bias.
struct MatMulShapes {
  Shape a_batch;
  Shape b_batch;
  int64_t m = 1;
  int64_t k = 1;  // of the left
  int64_t right_rows = 1;
  int64_t n = 1;

  MatMulShapes(const Shape& a, const Shape& b)
      : a_batch(a.dims().subspan(0, static_cast<size_t>(std::max(a.rank() - 2, 0)))),
        b_batch(b.dims().subspan(0, static_cast<size_t>(std::max(b.rank() - 2, 0)))),
        m(a.rank() > 1 ? a[a.rank() - 2] : 1),
        k(a[a.rank() - 1]),
        right_rows(b.rank() > 1 ? b[b.rank() - 2] : b[0]),
        n(b.rank() > 1 ? b[b.rank() - 1] : 1) {}
};

class MatMulOp final : public Op {
 public:
  MatMulOp(const TensorView& b, kernels::Activation activation, Precision precision)
      : weights_(b, false, precision), activation_(activation) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat(in[0], "left"));
    SIGSERVE_RETURN_IF_ERROR(ExpectSameType(in[0], "left", in[1], "right"));
    const Shape& a = in[0].type.shape;
    const Shape& b = in[1].type.shape;
    if (a.rank() == 0 || b.rank() == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(a.rank() == 0 ? "left" : "right", " is a scalar, expected a matrix"));
    }
    const MatMulShapes s(a, b);
    if (s.k != s.right_rows) {
      return absl::InvalidArgumentError(
          absl::StrCat("left has ", s.k, " columns, right has ", s.right_rows, " rows"));
    }
    if (in.size() > 2 && in[2].present) {
      SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[0], "left"));
      SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[2], "bias"));
      if (b.rank() != 2 || in[2].type.shape != Shape{s.n}) {
        return absl::InvalidArgumentError(absl::StrCat("bias is ", in[2].type.shape.ToString(),
                                                       ", right is ", b.ToString(),
                                                       ": expected one number per column"));
      }
    }
    SIGSERVE_ASSIGN_OR_RETURN(Shape shape, BroadcastShape(s.a_batch, s.b_batch));
    if (a.rank() > 1) {
      shape.push_back(s.m);
    }
    if (b.rank() > 1) {
      shape.push_back(s.n);
    }
    return SetOutput(in[0].type.dtype, std::move(shape), out[0]);
  }

  void Forward(absl::Span<const TensorView> in,
               absl::Span<const MutableTensorView> out) const override {
    const MatMulShapes s(in[0].shape(), in[1].shape());
    if (out[0].dtype() == DType::kFloat64) {
      return ForwardDoubles(s, in, out[0]);
    }
    const float* a = in[0].values<float>().data();
    const float* b = in[1].values<float>().data();
    float* y = out[0].values<float>().data();
    kernels::GemmEpilogue epilogue;
    epilogue.activation = activation_;
    if (in[1].shape().rank() == 2) {  // one matrix on the right: all rows on the left are one batch
      epilogue.bias = in.size() > 2 && in[2].present() ? in[2].values<float>().data() : nullptr;
      weights_.Multiply(Matrix(a, s.m * s.a_batch.elements(), s.k), in[1], epilogue, y);
      return;
    }
    ForEachProduct(s, [&](int64_t a_at, int64_t b_at, int64_t y_at) {
      kernels::Gemm(Matrix(a + a_at, s.m, s.k), Matrix(b + b_at, s.k, s.n), epilogue, y + y_at);
    });
  }

  bool differentiable() const override { return true; }

  void Backward(absl::Span<const TensorView> in, absl::Span<const TensorView>,
                absl::Span<const TensorView> grad_out,
                absl::Span<const MutableTensorView> grad_in) const override {
    const MatMulShapes s(in[0].shape(), in[1].shape());
    const float* a = in[0].values<float>().data();
    const float* b = in[1].values<float>().data();
    const float* dy = grad_out[0].values<float>().data();
    const kernels::GemmEpilogue add{nullptr, kernels::Activation::kNone, true};
    ForEachProduct(s, [&](int64_t a_at, int64_t b_at, int64_t y_at) {
      const auto y = Matrix(dy + y_at, s.m, s.n);
      if (grad_in[0].present()) {
        kernels::Gemm(y, Matrix(b + b_at, s.k, s.n).Transposed(), add,
                      grad_in[0].values<float>().data() + a_at);
      }
      if (grad_in[1].present()) {
        kernels::Gemm(Matrix(a + a_at, s.m, s.k).Transposed(), y, add,
                      grad_in[1].values<float>().data() + b_at);
      }
    });
  }

 private:
  void ForwardDoubles(const MatMulShapes& s, absl::Span<const TensorView> in,
                      const MutableTensorView& out) const {
    const double* a = in[0].values<double>().data();
    const double* b = in[1].values<double>().data();
    double* y = out.values<double>().data();
    ForEachProduct(s, [&](int64_t a_at, int64_t b_at, int64_t y_at) {
      Multiply(DoubleMatrix::RowMajor(a + a_at, s.m, s.k),
               DoubleMatrix::RowMajor(b + b_at, s.k, s.n), y + y_at);
    });
    for (double& value : out.values<double>()) {
      value = activation_ == kernels::Activation::kRelu && value < 0 ? 0 : value;
    }
  }

  static kernels::MatrixView Matrix(const float* data, int64_t rows, int64_t columns) {
    return kernels::MatrixView::RowMajor(data, static_cast<size_t>(rows),
                                         static_cast<size_t>(columns));
  }

  // Calls f(offset in a, offset in b, offset in the product) for each pair of matrices.
  template <typename F>
  static void ForEachProduct(const MatMulShapes& s, F f) {
    const BroadcastRuns runs(s.a_batch, s.b_batch);
    runs.ForEach([&](int64_t ia, int64_t ib, int64_t iy) {
      for (int64_t i = 0; i < runs.length(); ++i) {
        f((ia + (runs.a_repeats() ? 0 : i)) * s.m * s.k,
          (ib + (runs.b_repeats() ? 0 : i)) * s.k * s.n, (iy + i) * s.m * s.n);
      }
    });
  }

  const Weights weights_;
  const kernels::Activation activation_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeMatMul(const NodeSpec& node,
                                                     absl::Span<const TensorView> constants) {
  SIGSERVE_ASSIGN_OR_RETURN(const kernels::Activation activation, ReadDenseActivation(node, {}));
  SIGSERVE_ASSIGN_OR_RETURN(const Precision precision, ReadPrecision(node));
  return std::make_unique<MatMulOp>(constants[1], activation, precision);
}

}  // namespace sigserve
