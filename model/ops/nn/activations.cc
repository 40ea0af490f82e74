// Celu, Elu, Gelu, HardSigmoid, HardSwish, LeakyRelu, LogSigmoid (of the fused domain), Mish, Selu,
// Softplus, Softsign, ThresholdedRelu.
#include <algorithm>
#include <cmath>

#include "model/kernels/activation.h"
#include "model/ops/nn/makers.h"
#include "model/ops/nn/parametric_activation.h"

namespace sigserve {
namespace {

using Made = absl::StatusOr<std::unique_ptr<const Op>>;
using Constants = absl::Span<const TensorView>;
using In = absl::Span<const float>;
using Out = absl::Span<float>;

double EluOf(double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x); }
double SoftplusOf(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
double HardSigmoidOf(double x, double alpha, double beta) {
  return std::min(std::max(alpha * x + beta, 0.0), 1.0);
}
double GeluTanhOf(double x) {
  constexpr double kRootOfTwoOverPi = 0.79788456080286535588;
  return x / 2 * (1 + std::tanh(kRootOfTwoOverPi * (x + 0.044715 * x * x * x)));
}

template <typename Scalar>
Made Plain(const NodeSpec& node, void (*kernel)(In, Out), Scalar scalar) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  return ActivationFrom(kernel, scalar);
}

// One attribute, alpha.
template <typename Scalar>
Made WithAlpha(const NodeSpec& node, float otherwise, void (*kernel)(In, float, Out),
               Scalar scalar) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"alpha"}));
  SIGSERVE_ASSIGN_OR_RETURN(const float alpha, node.attributes.Float("alpha", otherwise));
  return ActivationFrom([=](In x, Out y) { kernel(x, alpha, y); },
                        [=](double x) { return scalar(x, double{alpha}); });
}

}  // namespace

Made MakeElu(const NodeSpec& node, Constants) { return WithAlpha(node, 1, kernels::Elu, EluOf); }
Made MakeHardSwish(const NodeSpec& node, Constants) {
  return Plain(node, kernels::HardSwish,
               [](double x) { return x * HardSigmoidOf(x, 1.0 / 6, 0.5); });
}
Made MakeLeakyRelu(const NodeSpec& node, Constants) {
  return WithAlpha(node, 0.01F, kernels::LeakyRelu,
                   [](double x, double alpha) { return x < 0 ? alpha * x : x; });
}
Made MakeLogSigmoid(const NodeSpec& node, Constants) {
  return Plain(node, kernels::LogSigmoid, [](double x) { return -SoftplusOf(-x); });
}
Made MakeMish(const NodeSpec& node, Constants) {
  return Plain(node, kernels::Mish, [](double x) { return x * std::tanh(SoftplusOf(x)); });
}
Made MakeSoftplus(const NodeSpec& node, Constants) {
  return Plain(node, kernels::Softplus, SoftplusOf);
}
Made MakeSoftsign(const NodeSpec& node, Constants) {
  return Plain(node, kernels::Softsign, [](double x) { return x / (1 + std::abs(x)); });
}
Made MakeThresholdedRelu(const NodeSpec& node, Constants) {
  return WithAlpha(node, 1, kernels::ThresholdedRelu,
                   [](double x, double alpha) { return x <= alpha ? 0 : x; });
}

Made MakeCelu(const NodeSpec& node, Constants) {
  SIGSERVE_ASSIGN_OR_RETURN(const float alpha, node.attributes.Float("alpha", 1));
  if (!(alpha > 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'alpha' is ", alpha, ", expected more than 0"));
  }
  return WithAlpha(node, 1, kernels::Celu,
                   [](double x, double by) { return x > 0 ? x : by * std::expm1(x / by); });
}

Made MakeGelu(const NodeSpec& node, Constants) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"approximate"}));
  SIGSERVE_ASSIGN_OR_RETURN(const auto approximate, node.attributes.String("approximate", "none"));
  if (approximate != "none" && approximate != "tanh") {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'approximate' is '", approximate, "', expected none or tanh"));
  }
  if (approximate == "tanh") {
    return ActivationFrom(kernels::GeluTanh, GeluTanhOf);
  }
  constexpr double kRootOfHalf = 0.70710678118654752440;
  return ActivationFrom(kernels::Gelu,
                        [](double x) { return x / 2 * std::erfc(-x * kRootOfHalf); });
}

Made MakeHardSigmoid(const NodeSpec& node, Constants) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"alpha", "beta"}));
  SIGSERVE_ASSIGN_OR_RETURN(const float alpha, node.attributes.Float("alpha", 0.2F));
  SIGSERVE_ASSIGN_OR_RETURN(const float beta, node.attributes.Float("beta", 0.5F));
  return ActivationFrom([=](In x, Out y) { kernels::HardSigmoid(x, alpha, beta, y); },
                        [=](double x) { return HardSigmoidOf(x, alpha, beta); });
}

Made MakeSelu(const NodeSpec& node, Constants) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"alpha", "gamma"}));
  SIGSERVE_ASSIGN_OR_RETURN(const float alpha, node.attributes.Float("alpha", 1.67326319F));
  SIGSERVE_ASSIGN_OR_RETURN(const float gamma, node.attributes.Float("gamma", 1.05070102F));
  return ActivationFrom([=](In x, Out y) { kernels::Selu(x, alpha, gamma, y); },
                        [=](double x) { return gamma * EluOf(x, alpha); });
}

}  // namespace sigserve
