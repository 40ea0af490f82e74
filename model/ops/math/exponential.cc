// Erf, Exp, Log.
#include <cmath>

#include "model/kernels/activation.h"
#include "model/ops/math/makers.h"
#include "model/ops/math/unary.h"

namespace sigserve {
namespace {

struct ErfRule {
  static constexpr Elements kTakes = Elements::kFloats;
  static constexpr auto Float = kernels::Erf;
  static double Apply(double x) { return std::erf(x); }
};
struct ExpRule {
  static constexpr Elements kTakes = Elements::kFloats;
  static constexpr auto Float = kernels::Exp;
  static double Apply(double x) { return std::exp(x); }
};
struct LogRule {
  static constexpr Elements kTakes = Elements::kFloats;
  static constexpr auto Float = kernels::Log;
  static double Apply(double x) { return std::log(x); }
};

}  // namespace

using Made = absl::StatusOr<std::unique_ptr<const Op>>;
using Constants = absl::Span<const TensorView>;

Made MakeErf(const NodeSpec& node, Constants) { return UnaryOp<ErfRule>::Make(node); }
Made MakeExp(const NodeSpec& node, Constants) { return UnaryOp<ExpRule>::Make(node); }
Made MakeLog(const NodeSpec& node, Constants) { return UnaryOp<LogRule>::Make(node); }

}  // namespace sigserve
