// ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp, ReduceMax, ReduceMean, ReduceMin, ReduceProd,
// ReduceSum, ReduceSumSquare.
#include "model/ops/math/reduce.h"

#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>
#include <vector>

#include "model/ops/core/visit.h"
#include "model/ops/math/makers.h"

namespace sigserve {
namespace {

// Sums of floats are kept in double precision, those of integers wrap around.
template <typename T>
using Total = std::conditional_t<std::is_floating_point_v<T>, double, uint64_t>;

// Each rule: static T Of<T>(visit, count), where visit(f) calls f(x) for every element. `count` is
// theirs, 0 included.
struct SumRule {
  template <typename T, typename V>
  static T Of(V visit, int64_t) {
    Total<T> total = 0;
    visit([&](T x) { total += static_cast<Total<T>>(x); });
    return static_cast<T>(total);
  }
};
struct MeanRule {
  template <typename T, typename V>
  static T Of(V visit, int64_t count) {
    if constexpr (std::is_integral_v<T>) {
      return count == 0 ? T{0} : static_cast<T>(SumRule::Of<int64_t>(visit, count) / count);
    } else {
      double total = 0;
      visit([&](T x) { total += x; });
      return static_cast<T>(total / static_cast<double>(count));
    }
  }
};
struct L1Rule {
  template <typename T, typename V>
  static T Of(V visit, int64_t) {
    Total<T> total = 0;
    visit([&](T x) {
      const auto wide = static_cast<Total<T>>(x);
      total += x < 0 ? 0 - wide : wide;
    });
    return static_cast<T>(total);
  }
};
struct SumSquareRule {
  template <typename T, typename V>
  static T Of(V visit, int64_t) {
    Total<T> total = 0;
    visit([&](T x) { total += static_cast<Total<T>>(x) * static_cast<Total<T>>(x); });
    return static_cast<T>(total);
  }
};
struct ProdRule {
  template <typename T, typename V>
  static T Of(V visit, int64_t) {
    Total<T> total = 1;
    visit([&](T x) { total *= static_cast<Total<T>>(x); });
    return static_cast<T>(total);
  }
};
struct L2Rule {
  template <typename T, typename V>
  static T Of(V visit, int64_t) {
    double total = 0;
    visit([&](T x) { total += static_cast<double>(x) * static_cast<double>(x); });
    return static_cast<T>(std::sqrt(total));
  }
};
// ONNX takes integers here, too; a logarithm that no integer holds is 0.
template <typename T>
T FromLogarithm(double value) {
  return std::is_integral_v<T> && !std::isfinite(value) ? T{0} : static_cast<T>(value);
}
struct LogSumRule {
  template <typename T, typename V>
  static T Of(V visit, int64_t) {
    double total = 0;
    visit([&](T x) { total += static_cast<double>(x); });
    return FromLogarithm<T>(std::log(total));
  }
};
struct LogSumExpRule {
  template <typename T, typename V>
  static T Of(V visit, int64_t) {
    double largest = -std::numeric_limits<double>::infinity();
    visit([&](T x) {
      const auto wide = static_cast<double>(x);
      largest = wide > largest || wide != wide ? wide : largest;
    });
    if (!std::isfinite(largest)) {
      return FromLogarithm<T>(largest);
    }
    double total = 0;
    visit([&](T x) { total += std::exp(static_cast<double>(x) - largest); });
    return FromLogarithm<T>(largest + std::log(total));
  }
};
// Of nothing at all: the type's own end. A NaN stays.
struct MaxRule {
  template <typename T, typename V>
  static T Of(V visit, int64_t) {
    T largest = std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity()
                                            : std::numeric_limits<T>::lowest();
    visit([&](T x) { largest = x > largest || x != x ? x : largest; });
    return largest;
  }
};
struct MinRule {
  template <typename T, typename V>
  static T Of(V visit, int64_t) {
    T smallest = std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity()
                                             : std::numeric_limits<T>::max();
    visit([&](T x) { smallest = x < smallest || x != x ? x : smallest; });
    return smallest;
  }
};

template <typename Rule>
inline constexpr bool kTakesBools = std::is_same_v<Rule, MaxRule> || std::is_same_v<Rule, MinRule>;

struct ReduceSettings {
  std::optional<std::vector<int64_t>> axes;  // else input 1, if there
  bool keep = true;
  bool nothing_without_axes = false;  // else no axes means all
};

template <typename Rule>
class ReduceOp final : public Op {
 public:
  explicit ReduceOp(ReduceSettings settings) : settings_(std::move(settings)) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const TensorType& x = in[0].type;
    if (x.dtype == DType::kBool && !kTakesBools<Rule>) {
      return absl::InvalidArgumentError("input is BOOL, expected numbers");
    }
    SIGSERVE_ASSIGN_OR_RETURN(const std::optional<Integers> axes,
                              ListOf(settings_.axes, in, 1, "axes"));
    SIGSERVE_ASSIGN_OR_RETURN(const AxisSet reduced, AxesOf(axes, x.shape));
    return SetOutput(x.dtype, ReducedShape(x.shape, reduced, settings_.keep), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    std::optional<Integers> axes;
    if (settings_.axes.has_value()) {
      axes.emplace(settings_.axes->begin(), settings_.axes->end());
    } else if (in.size() > 1 && in[1].present()) {
      axes = *KnownIntegers({true, {in[1].dtype(), in[1].shape()}, in[1]}, "axes");
    }
    const Reduction reduction(in[0].shape(), *AxesOf(axes, in[0].shape()));
    VisitDType(in[0].dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (!std::is_same_v<T, bool> || kTakesBools<Rule>) {
        const auto* x = static_cast<const T*>(in[0].data());
        auto* y = static_cast<T*>(out[0].data());
        reduction.ForEachResult([&](int64_t first, int64_t at) {
          const auto visit = [&](auto f) { reduction.ForEachElement(x + first, f); };
          y[at] = Rule::template Of<T>(visit, reduction.count());
        });
      }
    });
  }

 private:
  absl::StatusOr<AxisSet> AxesOf(const std::optional<Integers>& axes, const Shape& shape) const {
    if (!axes.has_value() || axes->empty()) {
      return AxisSet(static_cast<size_t>(shape.rank()), !settings_.nothing_without_axes);
    }
    return ResolveAxes(*axes, shape.rank());
  }

  const ReduceSettings settings_;
};

// `inputs_from`: the opset from which on axes are an input.
template <typename Rule>
absl::StatusOr<std::unique_ptr<const Op>> Make(const NodeSpec& node, int inputs_from = 18) {
  const Attributes& attributes = node.attributes;
  ReduceSettings settings;
  if (node.opset < inputs_from) {
    SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"axes", "keepdims"}));
    SIGSERVE_ASSIGN_OR_RETURN(settings.axes, OptionalInts(attributes, "axes"));
  } else {
    SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"keepdims", "noop_with_empty_axes"}));
    SIGSERVE_ASSIGN_OR_RETURN(const int64_t noop, attributes.Int("noop_with_empty_axes", 0));
    settings.nothing_without_axes = noop != 0;
  }
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t keep, attributes.Int("keepdims", 1));
  settings.keep = keep != 0;
  return std::make_unique<ReduceOp<Rule>>(std::move(settings));
}

}  // namespace

using Made = absl::StatusOr<std::unique_ptr<const Op>>;
using Constants = absl::Span<const TensorView>;

Made MakeReduceL1(const NodeSpec& node, Constants) { return Make<L1Rule>(node); }
Made MakeReduceL2(const NodeSpec& node, Constants) { return Make<L2Rule>(node); }
Made MakeReduceLogSum(const NodeSpec& node, Constants) { return Make<LogSumRule>(node); }
Made MakeReduceLogSumExp(const NodeSpec& node, Constants) { return Make<LogSumExpRule>(node); }
Made MakeReduceMax(const NodeSpec& node, Constants) { return Make<MaxRule>(node); }
Made MakeReduceMean(const NodeSpec& node, Constants) { return Make<MeanRule>(node); }
Made MakeReduceMin(const NodeSpec& node, Constants) { return Make<MinRule>(node); }
Made MakeReduceProd(const NodeSpec& node, Constants) { return Make<ProdRule>(node); }
Made MakeReduceSum(const NodeSpec& node, Constants) { return Make<SumRule>(node, 13); }
Made MakeReduceSumSquare(const NodeSpec& node, Constants) { return Make<SumSquareRule>(node); }

}  // namespace sigserve
