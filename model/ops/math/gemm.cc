#include "model/kernels/activation.h"
#include "model/ops/core/broadcast.h"
#include "model/ops/core/floats.h"
#include "model/ops/core/weights.h"
#include "model/ops/math/double_product.h"
#include "model/ops/math/makers.h"

namespace sigserve {
namespace {

// y = alpha * A' * B' + beta * C, where ' is an optional transposition. All FLOAT32 or all FLOAT64.
struct GemmSettings {
  float alpha = 1;
  float beta = 1;
  bool transpose_a = false;
  bool transpose_b = false;
  kernels::Activation activation = kernels::Activation::kNone;
  Precision precision = Precision::kFloat32;
};

class GemmOp final : public Op {
 public:
  GemmOp(const GemmSettings& settings, const TensorView& b)
      : settings_(settings), weights_(b, settings.transpose_b, settings.precision) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    static constexpr absl::string_view kNames[] = {"A", "B", "C"};
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat(in[0], kNames[0]));
    for (size_t i = 0; i < in.size(); ++i) {
      if (in[i].present) {
        SIGSERVE_RETURN_IF_ERROR(ExpectSameType(in[0], kNames[0], in[i], kNames[i]));
      }
      if (i < 2 && in[i].type.shape.rank() != 2) {
        return absl::InvalidArgumentError(absl::StrCat(
            kNames[i], " is ", in[i].type.shape.ToString(), ", expected two dimensions"));
      }
    }
    const Shape& a = in[0].type.shape;
    const Shape& b = in[1].type.shape;
    const int64_t left_columns = a[settings_.transpose_a ? 0 : 1];
    const int64_t right_rows = b[settings_.transpose_b ? 1 : 0];
    if (left_columns != right_rows) {
      return absl::InvalidArgumentError(
          absl::StrCat("left has ", left_columns, " columns, right has ", right_rows, " rows"));
    }
    Shape y{a[settings_.transpose_a ? 1 : 0], b[settings_.transpose_b ? 0 : 1]};
    if (HasC(in)) {
      const Shape& c = in[2].type.shape;
      const auto both = BroadcastShape(c, y);
      if (!both.ok() || *both != y) {
        return absl::InvalidArgumentError(
            absl::StrCat("C is ", c.ToString(), ", which does not broadcast to ", y.ToString()));
      }
    }
    return SetOutput(in[0].type.dtype, std::move(y), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    if (out[0].dtype() == DType::kFloat64) {
      return ForwardDoubles(in, out[0]);
    }
    const kernels::MatrixView a = MatrixOf(in[0], settings_.transpose_a);
    float* y = out[0].values<float>().data();
    const bool has_c = in.size() > 2 && in[2].present() && settings_.beta != 0;
    kernels::GemmEpilogue epilogue;
    // A bias per column rides along with the product.
    const bool fused = has_c && settings_.alpha == 1 && settings_.beta == 1 &&
                       in[2].elements() == out[0].shape()[1] && IsRow(in[2].shape());
    if (fused) {
      epilogue.bias = in[2].values<float>().data();
    }
    const bool finished = settings_.alpha == 1 && (fused || !has_c);
    if (finished) {
      epilogue.activation = settings_.activation;
    }
    weights_.Multiply(a, in[1], epilogue, y);
    if (settings_.alpha != 1) {
      for (float& value : out[0].values<float>()) {
        value *= settings_.alpha;
      }
    }
    if (has_c && !fused) {
      AddC<float>(in[2], out[0]);
    }
    if (!finished && settings_.activation == kernels::Activation::kRelu) {
      kernels::Relu(out[0].values<float>(), out[0].values<float>());
    }
  }

 private:
  static bool HasC(absl::Span<const Operand> in) { return in.size() > 2 && in[2].present; }
  static bool IsRow(const Shape& c) { return c.rank() == 1 || (c.rank() == 2 && c[0] == 1); }

  void ForwardDoubles(absl::Span<const TensorView> in, const MutableTensorView& out) const {
    Multiply(DoubleMatrix::Of(in[0], settings_.transpose_a),
             DoubleMatrix::Of(in[1], settings_.transpose_b), out.values<double>().data());
    for (double& value : out.values<double>()) {
      value *= settings_.alpha;
    }
    if (in.size() > 2 && in[2].present() && settings_.beta != 0) {
      AddC<double>(in[2], out);
    }
    for (double& value : out.values<double>()) {
      value = settings_.activation == kernels::Activation::kRelu && value < 0 ? 0 : value;
    }
  }

  template <typename T>
  void AddC(const TensorView& c, const MutableTensorView& out) const {
    const BroadcastRuns runs(c.shape(), out.shape());
    const T* from = c.values<T>().data();
    T* to = out.values<T>().data();
    runs.ForEach([&](int64_t ic, int64_t, int64_t io) {
      for (int64_t i = 0; i < runs.length(); ++i) {
        to[io + i] += settings_.beta * from[ic + (runs.a_repeats() ? 0 : i)];
      }
    });
  }

  const GemmSettings settings_;
  const Weights weights_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeGemm(const NodeSpec& node,
                                                   absl::Span<const TensorView> constants) {
  const Attributes& attributes = node.attributes;
  GemmSettings settings;
  SIGSERVE_ASSIGN_OR_RETURN(settings.activation,
                            ReadDenseActivation(node, {"alpha", "beta", "transA", "transB"}));
  SIGSERVE_ASSIGN_OR_RETURN(settings.precision, ReadPrecision(node));
  SIGSERVE_ASSIGN_OR_RETURN(settings.alpha, attributes.Float("alpha", 1));
  SIGSERVE_ASSIGN_OR_RETURN(settings.beta, attributes.Float("beta", 1));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t transpose_a, attributes.Int("transA", 0));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t transpose_b, attributes.Int("transB", 0));
  settings.transpose_a = transpose_a != 0;
  settings.transpose_b = transpose_b != 0;
  return std::make_unique<GemmOp>(settings, constants[1]);
}

}  // namespace sigserve
