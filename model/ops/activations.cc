// Celu, Elu, Gelu, HardSigmoid, HardSwish, LeakyRelu, LogSigmoid (of the fused domain), Mish, Selu,
// Softplus, Softsign, ThresholdedRelu.
#include "model/kernels/activation.h"
#include "model/ops/parametric_activation.h"

namespace sigserve {
namespace {

using Made = absl::StatusOr<std::unique_ptr<const Op>>;
using Constants = absl::Span<const TensorView>;
using In = absl::Span<const float>;
using Out = absl::Span<float>;

Made Plain(const NodeSpec& node, void (*kernel)(In, Out)) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  return ActivationFrom(kernel);
}

// One attribute, alpha.
Made WithAlpha(const NodeSpec& node, float otherwise, void (*kernel)(In, float, Out)) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"alpha"}));
  SIGSERVE_ASSIGN_OR_RETURN(const float alpha, node.attributes.Float("alpha", otherwise));
  return ActivationFrom([=](In x, Out y) { kernel(x, alpha, y); });
}

}  // namespace

Made MakeElu(const NodeSpec& node, Constants) { return WithAlpha(node, 1, kernels::Elu); }
Made MakeHardSwish(const NodeSpec& node, Constants) { return Plain(node, kernels::HardSwish); }
Made MakeLeakyRelu(const NodeSpec& node, Constants) {
  return WithAlpha(node, 0.01F, kernels::LeakyRelu);
}
Made MakeLogSigmoid(const NodeSpec& node, Constants) { return Plain(node, kernels::LogSigmoid); }
Made MakeMish(const NodeSpec& node, Constants) { return Plain(node, kernels::Mish); }
Made MakeSoftplus(const NodeSpec& node, Constants) { return Plain(node, kernels::Softplus); }
Made MakeSoftsign(const NodeSpec& node, Constants) { return Plain(node, kernels::Softsign); }
Made MakeThresholdedRelu(const NodeSpec& node, Constants) {
  return WithAlpha(node, 1, kernels::ThresholdedRelu);
}

Made MakeCelu(const NodeSpec& node, Constants) {
  SIGSERVE_ASSIGN_OR_RETURN(const float alpha, node.attributes.Float("alpha", 1));
  if (!(alpha > 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'alpha' is ", alpha, ", expected more than 0"));
  }
  return WithAlpha(node, 1, kernels::Celu);
}

Made MakeGelu(const NodeSpec& node, Constants) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"approximate"}));
  SIGSERVE_ASSIGN_OR_RETURN(const auto approximate, node.attributes.String("approximate", "none"));
  if (approximate != "none" && approximate != "tanh") {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'approximate' is '", approximate, "', expected none or tanh"));
  }
  return ActivationFrom(approximate == "tanh" ? kernels::GeluTanh : kernels::Gelu);
}

Made MakeHardSigmoid(const NodeSpec& node, Constants) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"alpha", "beta"}));
  SIGSERVE_ASSIGN_OR_RETURN(const float alpha, node.attributes.Float("alpha", 0.2F));
  SIGSERVE_ASSIGN_OR_RETURN(const float beta, node.attributes.Float("beta", 0.5F));
  return ActivationFrom([=](In x, Out y) { kernels::HardSigmoid(x, alpha, beta, y); });
}

Made MakeSelu(const NodeSpec& node, Constants) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"alpha", "gamma"}));
  SIGSERVE_ASSIGN_OR_RETURN(const float alpha, node.attributes.Float("alpha", 1.67326319F));
  SIGSERVE_ASSIGN_OR_RETURN(const float gamma, node.attributes.Float("gamma", 1.05070102F));
  return ActivationFrom([=](In x, Out y) { kernels::Selu(x, alpha, gamma, y); });
}

}  // namespace sigserve
