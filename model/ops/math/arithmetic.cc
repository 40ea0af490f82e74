// Add, Sub, Mul and Div. Two operands of one type, FLOAT32, FLOAT64, INT32 or INT64, broadcast;
// integers wrap around.
#include <type_traits>

#include "model/kernels/binary.h"
#include "model/ops/core/broadcast.h"
#include "model/ops/math/makers.h"
#include "model/ops/math/wrapping.h"

namespace sigserve {
namespace {

/// `Rule` gives: static void Float(a, b, out) over spans; static T Apply(T, T) for the other
/// dtypes.
template <typename Rule>
class ArithmeticOp final : public Op {
 public:
  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const DType dtype = in[0].type.dtype;
    if (in[1].type.dtype != dtype) {
      return absl::InvalidArgumentError(absl::StrCat("left is ", Name(dtype), ", right is ",
                                                     Name(in[1].type.dtype),
                                                     ": they must be of one type"));
    }
    if (dtype == DType::kBool) {
      return absl::InvalidArgumentError("operands are BOOL, expected numbers");
    }
    SIGSERVE_ASSIGN_OR_RETURN(Shape shape, BroadcastShape(in[0].type.shape, in[1].type.shape));
    return SetOutput(dtype, std::move(shape), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    switch (out[0].dtype()) {
      case DType::kFloat32:
        return Run<float>(in[0], in[1], out[0]);
      case DType::kFloat64:
        return Run<double>(in[0], in[1], out[0]);
      case DType::kInt32:
        return Run<int32_t>(in[0], in[1], out[0]);
      case DType::kInt64:
        return Run<int64_t>(in[0], in[1], out[0]);
      case DType::kBool:
        return;
    }
  }

  static absl::StatusOr<std::unique_ptr<const Op>> Make(const NodeSpec& node) {
    SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
    return std::make_unique<ArithmeticOp>();
  }

 private:
  template <typename T>
  static void Run(const TensorView& left, const TensorView& right, const MutableTensorView& out) {
    const BroadcastRuns runs(left.shape(), right.shape());
    const T* a = left.values<T>().data();
    const T* b = right.values<T>().data();
    T* o = out.values<T>().data();
    const auto n = static_cast<size_t>(runs.length());
    const size_t a_count = runs.a_repeats() ? 1 : n;
    const size_t b_count = runs.b_repeats() ? 1 : n;
    runs.ForEach([&](int64_t ia, int64_t ib, int64_t io) {
      if constexpr (std::is_same_v<T, float>) {
        Rule::Float({a + ia, a_count}, {b + ib, b_count}, {o + io, n});
      } else {
        for (size_t i = 0; i < n; ++i) {
          o[io + static_cast<int64_t>(i)] =
              Rule::Apply(a[ia + static_cast<int64_t>(a_count == 1 ? 0 : i)],
                          b[ib + static_cast<int64_t>(b_count == 1 ? 0 : i)]);
        }
      }
    });
  }
};

struct AddRule {
  static constexpr auto Float = kernels::Add;
  template <typename T>
  static T Apply(T a, T b) {
    return Wrapping(a, b, [](auto x, auto y) { return x + y; });
  }
};

struct SubRule {
  static constexpr auto Float = kernels::Sub;
  template <typename T>
  static T Apply(T a, T b) {
    return Wrapping(a, b, [](auto x, auto y) { return x - y; });
  }
};

struct MulRule {
  static constexpr auto Float = kernels::Mul;
  template <typename T>
  static T Apply(T a, T b) {
    return Wrapping(a, b, [](auto x, auto y) { return x * y; });
  }
};

struct DivRule {
  static constexpr auto Float = kernels::Div;
  template <typename T>
  static T Apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      if (b == 0) {
        return 0;  // undefined by ONNX; must not trap
      }
      if (b == -1) {
        return Wrapping(T{0}, a, [](auto x, auto y) { return x - y; });  // min / -1 traps
      }
    }
    return a / b;
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeAdd(const NodeSpec& node,
                                                  absl::Span<const TensorView>) {
  return ArithmeticOp<AddRule>::Make(node);
}

absl::StatusOr<std::unique_ptr<const Op>> MakeSub(const NodeSpec& node,
                                                  absl::Span<const TensorView>) {
  return ArithmeticOp<SubRule>::Make(node);
}

absl::StatusOr<std::unique_ptr<const Op>> MakeMul(const NodeSpec& node,
                                                  absl::Span<const TensorView>) {
  return ArithmeticOp<MulRule>::Make(node);
}

absl::StatusOr<std::unique_ptr<const Op>> MakeDiv(const NodeSpec& node,
                                                  absl::Span<const TensorView>) {
  return ArithmeticOp<DivRule>::Make(node);
}

}  // namespace sigserve
