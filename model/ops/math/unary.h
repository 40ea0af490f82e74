// For abs.cc and its like: y[i] = f(x[i]), same type, same shape.
#pragma once

#include "model/ops/core/maker.h"
#include "model/ops/core/visit.h"

namespace sigserve {

enum class Elements { kFloats, kNumbers, kBools };

/// `Rule` gives: static constexpr Elements kTakes; static T Apply(T) for each of those; and
/// static void Float(x, out) over spans where a kernel does FLOAT32.
template <typename Rule>
class UnaryOp final : public Op {
 public:
  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const DType dtype = in[0].type.dtype;
    const bool floats = dtype == DType::kFloat32 || dtype == DType::kFloat64;
    const bool fits = Rule::kTakes == Elements::kBools    ? dtype == DType::kBool
                      : Rule::kTakes == Elements::kFloats ? floats
                                                          : dtype != DType::kBool;
    if (!fits) {
      return absl::InvalidArgumentError(absl::StrCat("input is ", Name(dtype), ", expected ",
                                                     Rule::kTakes == Elements::kBools ? "BOOL"
                                                     : Rule::kTakes == Elements::kFloats
                                                         ? "FLOAT32 or FLOAT64"
                                                         : "numbers"));
    }
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    VisitDType(in[0].dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      constexpr bool kFits = Rule::kTakes == Elements::kBools    ? std::is_same_v<T, bool>
                             : Rule::kTakes == Elements::kFloats ? std::is_floating_point_v<T>
                                                                 : !std::is_same_v<T, bool>;
      if constexpr (kFits) {
        Run(static_cast<const T*>(in[0].data()), static_cast<T*>(out[0].data()),
            static_cast<size_t>(out[0].elements()));
      }
    });
  }

  MemoryUse memory_use() const override { return MemoryUse::kInPlace; }

  static absl::StatusOr<std::unique_ptr<const Op>> Make(const NodeSpec& node) {
    SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
    return std::make_unique<UnaryOp>();
  }

 private:
  template <typename T>
  static void Run(const T* x, T* y, size_t n) {
    if constexpr (requires { Rule::Float(absl::Span<const T>(), absl::Span<T>()); }) {
      Rule::Float(absl::Span<const T>(x, n), absl::Span<T>(y, n));
    } else {
      for (size_t i = 0; i < n; ++i) {
        y[i] = Rule::Apply(x[i]);
      }
    }
  }
};

}  // namespace sigserve
