// GroupNormalization, InstanceNormalization and MeanVarianceNormalization.
#include <vector>

#include "model/ops/core/attribute_error.h"
#include "model/ops/nn/makers.h"
#include "model/ops/nn/moments.h"

namespace sigserve {
namespace {

// Channels in `groups` groups, each of them normalized; no groups: every channel is one.
class GroupNormalizationOp final : public Op {
 public:
  GroupNormalizationOp(int64_t groups, bool per_group, float epsilon)
      : groups_(groups), per_group_(per_group), epsilon_(epsilon) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(ExpectChannels(in[0]));
    const int64_t channels = in[0].type.shape[1];
    if (groups_ > 0 && channels % groups_ != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("num_groups ", groups_, " does not divide ", channels, " channels"));
    }
    const int64_t parameters = per_group_ ? groups_ : channels;
    SIGSERVE_RETURN_IF_ERROR(ExpectVector(in[1], "scale", parameters));
    SIGSERVE_RETURN_IF_ERROR(ExpectVector(in[2], "bias", parameters));
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = in[0].shape();
    const float* x = in[0].values<float>().data();
    const float* scale = in[1].values<float>().data();
    const float* bias = in[2].values<float>().data();
    float* y = out[0].values<float>().data();
    const size_t size = PlaneSize(shape);
    const int64_t groups = groups_ > 0 ? groups_ : shape[1];
    const int64_t channels = groups == 0 ? 0 : shape[1] / groups;
    for (int64_t row = 0; row < shape[0] && size > 0; ++row) {
      for (int64_t group = 0; group < groups; ++group) {
        const Moments m = MomentsOf(x, size * static_cast<size_t>(channels));
        const double inverse = 1 / std::sqrt(m.variance + epsilon_);
        for (int64_t c = 0; c < channels; ++c) {
          const int64_t parameter = per_group_ ? group : group * channels + c;
          const double factor = inverse * scale[parameter];
          Rescale(x, size, factor, bias[parameter] - m.mean * factor, y);
          x += size;
          y += size;
        }
      }
    }
  }

  MemoryUse memory_use() const override { return MemoryUse::kInPlace; }

 private:
  const int64_t groups_;
  const bool per_group_;
  const float epsilon_;
};

// (x - mean) / (deviation + 1e-9) over the dimensions `axes`.
class MeanVarianceNormalizationOp final : public Op {
 public:
  explicit MeanVarianceNormalizationOp(std::vector<int64_t> axes) : axes_(std::move(axes)) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[0], "X"));
    const int rank = in[0].type.shape.rank();
    for (const int64_t axis : axes_) {
      if (axis < -rank || axis >= rank) {
        return AttributeError(
            absl::StrCat("axis ", axis, " is out of range for X ", in[0].type.shape.ToString()));
      }
    }
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = in[0].shape();
    const float* x = in[0].values<float>().data();
    float* y = out[0].values<float>().data();
    if (shape.elements() == 0) {
      return;
    }
    Shape kept = shape;
    Shape reduced = shape;
    for (int i = 0; i < shape.rank(); ++i) {
      (IsReduced(i, shape.rank()) ? kept : reduced).set(i, 1);
    }
    const auto count = static_cast<double>(reduced.elements());
    ForEachOffset(shape, kept, [&](int64_t begin) {
      double mean = 0;
      ForEachOffset(shape, reduced, [&](int64_t i) { mean += x[begin + i]; });
      mean /= count;
      double variance = 0;
      ForEachOffset(shape, reduced,
                    [&](int64_t i) { variance += (x[begin + i] - mean) * (x[begin + i] - mean); });
      const double deviation = std::sqrt(variance / count) + 1e-9;
      ForEachOffset(shape, reduced, [&](int64_t i) {
        y[begin + i] = static_cast<float>((x[begin + i] - mean) / deviation);
      });
    });
  }

 private:
  bool IsReduced(int dim, int rank) const {
    for (const int64_t axis : axes_) {
      if (axis == dim || axis + rank == dim) {
        return true;
      }
    }
    return false;
  }

  // f(offset) for each index of `part`, which is `shape` with some dimensions set to 1.
  template <typename F>
  static void ForEachOffset(const Shape& shape, const Shape& part, F f) {
    for (int64_t n = 0; n < part.elements(); ++n) {
      int64_t rest = n;
      int64_t offset = 0;
      int64_t stride = 1;
      for (int i = shape.rank() - 1; i >= 0; --i) {
        offset += rest % part[i] * stride;
        rest /= part[i];
        stride *= shape[i];
      }
      f(offset);
    }
  }

  const std::vector<int64_t> axes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeGroupNormalization(const NodeSpec& node,
                                                                 absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"epsilon", "num_groups", "stash_type"}));
  SIGSERVE_ASSIGN_OR_RETURN(const float epsilon, ReadEpsilon(attributes));
  SIGSERVE_RETURN_IF_ERROR(attributes.Int("stash_type", 1).status());
  if (!attributes.has("num_groups")) {
    return absl::InvalidArgumentError("attribute 'num_groups' is missing");
  }
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t groups, attributes.Int("num_groups", 0));
  if (groups < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_groups is ", groups, ", expected at least 1"));
  }
  // Until opset 20 scale and bias are per group.
  return std::make_unique<GroupNormalizationOp>(groups, node.opset < 21, epsilon);
}

absl::StatusOr<std::unique_ptr<const Op>> MakeInstanceNormalization(const NodeSpec& node,
                                                                    absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"epsilon"}));
  SIGSERVE_ASSIGN_OR_RETURN(const float epsilon, ReadEpsilon(node.attributes));
  return std::make_unique<GroupNormalizationOp>(0, false, epsilon);
}

absl::StatusOr<std::unique_ptr<const Op>> MakeMeanVarianceNormalization(
    const NodeSpec& node, absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"axes"}));
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<int64_t> axes, node.attributes.Ints("axes", {0, 2, 3}));
  return std::make_unique<MeanVarianceNormalizationOp>(std::move(axes));
}

}  // namespace sigserve
