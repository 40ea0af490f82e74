#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "model/ops/core/attribute_error.h"
#include "model/ops/core/visit.h"
#include "model/ops/math/makers.h"

namespace sigserve {
namespace {

// min(max(x, low), high), so that high wins where the bounds cross. A NaN stays. Bounds are
// attributes (opset 6) or scalar inputs (from 11 on).
class ClipOp final : public Op {
 public:
  ClipOp(float low, float high) : low_(low), high_(high) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const DType dtype = in[0].type.dtype;
    if (dtype == DType::kBool) {
      return absl::InvalidArgumentError("input is BOOL, expected numbers");
    }
    static constexpr absl::string_view kNames[] = {"input", "min", "max"};
    for (size_t i = 1; i < in.size(); ++i) {
      if (in[i].present && (in[i].type.dtype != dtype || in[i].type.shape.elements() != 1)) {
        return absl::InvalidArgumentError(absl::StrCat(kNames[i], " is ", Name(in[i].type.dtype),
                                                       " ", in[i].type.shape.ToString(),
                                                       ", expected one ", Name(dtype)));
      }
    }
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    VisitDType(in[0].dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (!std::is_same_v<T, bool>) {
        T low = std::numeric_limits<T>::lowest();
        T high = std::numeric_limits<T>::max();
        if constexpr (std::is_floating_point_v<T>) {
          low = low_;
          high = high_;
        }
        if (in.size() > 1 && in[1].present()) {
          low = *static_cast<const T*>(in[1].data());
        }
        if (in.size() > 2 && in[2].present()) {
          high = *static_cast<const T*>(in[2].data());
        }
        const auto* x = static_cast<const T*>(in[0].data());
        auto* y = static_cast<T*>(out[0].data());
        const int64_t n = out[0].elements();
        for (int64_t i = 0; i < n; ++i) {
          const T raised = x[i] < low ? low : x[i];
          y[i] = raised > high ? high : raised;
        }
      }
    });
  }

  MemoryUse memory_use() const override { return MemoryUse::kInPlace; }

 private:
  const float low_;
  const float high_;
};

template <typename T>
absl::Status Crossed(T low, T high) {
  return AttributeError(absl::StrCat("min is ", low, ", max is ", high, ": nothing is between"));
}

/// Bounds that a file has are meant; what a request sends may cross.
absl::Status CheckOrder(const TensorView& low, const TensorView& high) {
  if (!low.present() || !high.present() || low.dtype() != high.dtype() || low.elements() != 1 ||
      high.elements() != 1) {
    return absl::OkStatus();
  }
  absl::Status status;
  VisitDType(low.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T from = *static_cast<const T*>(low.data());
    const T to = *static_cast<const T*>(high.data());
    if (!(from <= to)) status = Crossed(from, to);
  });
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeClip(const NodeSpec& node,
                                                   absl::Span<const TensorView> constants) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (node.opset >= 11) {
    SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
    SIGSERVE_RETURN_IF_ERROR(CheckOrder(constants[1], constants[2]));
    return std::make_unique<ClipOp>(-kInfinity, kInfinity);
  }
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"max", "min"}));
  SIGSERVE_ASSIGN_OR_RETURN(const float low, node.attributes.Float("min", -kInfinity));
  SIGSERVE_ASSIGN_OR_RETURN(const float high, node.attributes.Float("max", kInfinity));
  if (!(low <= high)) return Crossed(low, high);
  return std::make_unique<ClipOp>(low, high);
}

}  // namespace sigserve
