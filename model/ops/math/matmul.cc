#include "model/ops/core/floats.h"
#include "model/ops/core/weights.h"
#include "model/ops/math/double_product.h"
#include "model/ops/math/makers.h"
#include "model/ops/math/matmul_shapes.h"

namespace sigserve {
namespace {

// numpy.matmul. In the fused domain, a third input is a bias: one number per column of a matrix on
// the right. All FLOAT32, or FLOAT64 without a bias.
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

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
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
    s.ForEachProduct([&](int64_t a_at, int64_t b_at, int64_t y_at) {
      kernels::Gemm(Matrix(a + a_at, s.m, s.k), Matrix(b + b_at, s.k, s.n), epilogue, y + y_at);
    });
  }

 private:
  void ForwardDoubles(const MatMulShapes& s, absl::Span<const TensorView> in,
                      const MutableTensorView& out) const {
    const double* a = in[0].values<double>().data();
    const double* b = in[1].values<double>().data();
    double* y = out.values<double>().data();
    s.ForEachProduct([&](int64_t a_at, int64_t b_at, int64_t y_at) {
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
