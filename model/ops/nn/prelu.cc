#include "model/kernels/activation.h"
#include "model/ops/core/broadcast.h"
#include "model/ops/nn/makers.h"

namespace sigserve {
namespace {

// x where x >= 0, else slope * x; the slope broadcasts to x's shape.
class PReluOp final : public Op {
 public:
  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[0], "input"));
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[1], "slope"));
    const Shape& x = in[0].type.shape;
    const auto both = BroadcastShape(x, in[1].type.shape);
    if (!both.ok() || *both != x) {
      return absl::InvalidArgumentError(absl::StrCat("slope is ", in[1].type.shape.ToString(),
                                                     ", which does not broadcast to ",
                                                     x.ToString()));
    }
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const BroadcastRuns runs(in[0].shape(), in[1].shape());
    const auto n = static_cast<size_t>(runs.length());
    const auto* x = static_cast<const float*>(in[0].data());
    const auto* slope = static_cast<const float*>(in[1].data());
    auto* y = static_cast<float*>(out[0].data());
    runs.ForEach([&](int64_t ix, int64_t is, int64_t) {
      if (runs.b_repeats()) {
        kernels::LeakyRelu({x + ix, n}, slope[is], {y + ix, n});
        return;
      }
      for (size_t i = 0; i < n; ++i) {
        const float v = x[ix + static_cast<int64_t>(i)];
        y[ix + static_cast<int64_t>(i)] = v < 0 ? slope[is + static_cast<int64_t>(i)] * v : v;
      }
    });
  }

  MemoryUse memory_use() const override { return MemoryUse::kInPlace; }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakePRelu(const NodeSpec& node,
                                                    absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  return std::make_unique<PReluOp>();
}

}  // namespace sigserve
