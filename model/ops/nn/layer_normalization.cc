#include "model/ops/core/attribute_error.h"
#include "model/ops/core/broadcast.h"
#include "model/ops/nn/makers.h"
#include "model/ops/nn/moments.h"

namespace sigserve {
namespace {

// All dimensions from `axis` on are one row.
class LayerNormalizationOp final : public Op {
 public:
  LayerNormalizationOp(int64_t axis, float epsilon) : axis_(axis), epsilon_(epsilon) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[0], "X"));
    const Shape& x = in[0].type.shape;
    if (axis_ < -x.rank() || axis_ >= x.rank()) {
      return AttributeError(absl::StrCat("axis ", axis_, " is out of range for X ", x.ToString()));
    }
    const int axis = AxisIn(x);
    const Shape row(x.dims().subspan(static_cast<size_t>(axis)));
    for (size_t i = 1; i < in.size(); ++i) {
      if (!in[i].present) {
        continue;
      }
      const absl::string_view name = i == 1 ? "Scale" : "B";
      SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[i], name));
      const auto both = BroadcastShape(in[i].type.shape, row);
      if (!both.ok() || *both != row) {
        return absl::InvalidArgumentError(absl::StrCat(name, " is ", in[i].type.shape.ToString(),
                                                       ", which does not broadcast to ",
                                                       row.ToString()));
      }
    }
    Shape moments = x;
    for (int i = axis; i < x.rank(); ++i) {
      moments.set(i, 1);
    }
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = {DType::kFloat32, i == 0 ? x : moments};
    }
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = in[0].shape();
    const Shape row(shape.dims().subspan(static_cast<size_t>(AxisIn(shape))));
    const auto count = static_cast<size_t>(row.elements());
    const float* x = in[0].values<float>().data();
    float* y = out[0].values<float>().data();
    const size_t rows = count == 0 ? 0 : static_cast<size_t>(shape.elements()) / count;
    const bool has_bias = in.size() > 2 && in[2].present();
    for (size_t r = 0; r < rows; ++r, x += count, y += count) {
      const Moments m = MomentsOf(x, count);
      const double factor = 1 / std::sqrt(m.variance + epsilon_);
      ForEachPair(in[1], row, [&](int64_t i, double scale) {
        y[i] = static_cast<float>((x[i] - m.mean) * factor * scale);
      });
      if (has_bias) {
        ForEachPair(in[2], row,
                    [&](int64_t i, double bias) { y[i] = static_cast<float>(y[i] + bias); });
      }
      if (out.size() > 1) {
        out[1].values<float>()[r] = static_cast<float>(m.mean);
      }
      if (out.size() > 2) {
        out[2].values<float>()[r] = static_cast<float>(factor);
      }
    }
  }

 private:
  int AxisIn(const Shape& x) const {
    return static_cast<int>(axis_ < 0 ? axis_ + x.rank() : axis_);
  }

  // f(i, parameter) for each element of a row.
  template <typename F>
  static void ForEachPair(const TensorView& parameter, const Shape& row, F f) {
    const BroadcastRuns runs(parameter.shape(), row);
    const float* p = parameter.values<float>().data();
    runs.ForEach([&](int64_t ip, int64_t, int64_t i) {
      for (int64_t j = 0; j < runs.length(); ++j) {
        f(i + j, p[ip + (runs.a_repeats() ? 0 : j)]);
      }
    });
  }

  const int64_t axis_;
  const float epsilon_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeLayerNormalization(const NodeSpec& node,
                                                                 absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"axis", "epsilon", "stash_type"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t axis, node.attributes.Int("axis", -1));
  SIGSERVE_ASSIGN_OR_RETURN(const float epsilon, ReadEpsilon(node.attributes));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t stash_type, node.attributes.Int("stash_type", 1));
  if (stash_type != 1) {
    return absl::UnimplementedError(absl::StrCat("stash_type is ", stash_type, ", supported is 1"));
  }
  return std::make_unique<LayerNormalizationOp>(axis, epsilon);
}

}  // namespace sigserve
