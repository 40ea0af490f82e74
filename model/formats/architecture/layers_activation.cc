#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/formats/architecture/layers.h"

namespace sigserve {
namespace {

/// Modules that are one operator without arguments.
absl::string_view PlainOperator(absl::string_view type) {
  constexpr std::pair<absl::string_view, absl::string_view> kPlain[] = {
      {"ReLU", "Relu"},           {"Sigmoid", "Sigmoid"},   {"Tanh", "Tanh"},
      {"SELU", "Selu"},           {"Softsign", "Softsign"}, {"Identity", "Identity"},
      {"Hardswish", "HardSwish"},
  };
  for (const auto& [module, op] : kPlain) {
    if (module == type) return op;
  }
  return "";
}

absl::StatusOr<float> Number(double value, absl::string_view argument) {
  if (std::isfinite(value) && std::abs(value) <= std::numeric_limits<float>::max()) {
    return static_cast<float>(value);
  }
  return BadArgument(absl::StrCat(argument, " is ", value, ", expected a FLOAT32 number"));
}

absl::Status AddClip(double low, double high, NetBuilder& net) {
  SIGSERVE_ASSIGN_OR_RETURN(const float min, Number(low, "min_val"));
  SIGSERVE_ASSIGN_OR_RETURN(const float max, Number(high, "max_val"));
  if (min > max) return BadArgument("min_val is above max_val");
  net.Then("Clip", {net.Scalar(min), net.Scalar(max)});
  return absl::OkStatus();
}

/// An operator whose one attribute is alpha.
absl::Status AddAlpha(absl::string_view op, absl::string_view argument, double value,
                      const model::Layer& layer, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {argument}));
  SIGSERVE_ASSIGN_OR_RETURN(const float alpha, Number(value, argument));
  net.Then(op, {}, With({{"alpha", alpha}}));
  return absl::OkStatus();
}

absl::Status AddPRelu(const model::Layer& layer, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"num_parameters"}));
  const int64_t count = layer.has_num_parameters() ? layer.num_parameters() : 1;
  SIGSERVE_RETURN_IF_ERROR(Size(true, count, "num_parameters").status());
  const Tensor* slope = net.Weight("weight", Shape{count});
  if (slope == nullptr) return absl::OkStatus();
  Shape shape{count};
  for (int i = 2; i < net.rank() && count > 1; ++i) shape.push_back(1);
  net.Then("PRelu", {net.Constant(Tensor::Of<float>(shape, slope->values<float>()))});
  return absl::OkStatus();
}

absl::Status AddGelu(const model::Layer& layer, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"approximate"}));
  const std::string x = net.current();
  const std::string& approximate = layer.approximate();
  if (approximate == "tanh") {
    // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
    const std::string square = net.Node("Mul", {x, x});
    const std::string cube = net.Node("Mul", {square, x});
    const std::string scaled = net.Node("Mul", {cube, net.Scalar(0.044715F)});
    const std::string sum = net.Node("Add", {x, scaled});
    net.set_current(net.Node("Mul", {sum, net.Scalar(0.7978845608028654F)}));
    net.Then("Tanh");
  } else if (approximate.empty() || approximate == "none") {
    // 0.5 x (1 + erf(x / sqrt(2)))
    net.Then("Div", {net.Scalar(1.4142135623730951F)});
    net.Then("Erf");
  } else {
    return BadArgument("approximate must be none or tanh");
  }
  net.Then("Add", {net.Scalar(1)});
  net.Then("Mul", {x});
  net.Then("Mul", {net.Scalar(0.5F)});
  return absl::OkStatus();
}

absl::Status AddSoftplus(const model::Layer& layer, NetBuilder& net) {
  // Above `threshold` PyTorch answers x itself, which ours is within rounding there.
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"beta", "threshold"}));
  SIGSERVE_ASSIGN_OR_RETURN(const float beta, Number(layer.has_beta() ? layer.beta() : 1, "beta"));
  if (beta <= 0) return BadArgument("beta must be above 0");
  if (layer.has_threshold() && layer.threshold() < 20) {
    return BadArgument("threshold below 20 is not supported");
  }
  if (beta != 1) net.Then("Mul", {net.Scalar(beta)});
  net.Then("Softplus");
  if (beta != 1) net.Then("Div", {net.Scalar(beta)});
  return absl::OkStatus();
}

absl::Status AddSoftmax(const model::Layer& layer, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"dim"}));
  if (!layer.has_dim() || layer.dim() >= net.rank() || layer.dim() < -net.rank()) {
    return BadArgument(absl::StrCat("dim must be a dimension of ", net.rank()));
  }
  net.Then(layer.type() == "Softmax" ? "Softmax" : "LogSoftmax", {}, With({{"axis", layer.dim()}}));
  return absl::OkStatus();
}

absl::Status AddThreshold(const model::Layer& layer, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"threshold", "value"}));
  if (!layer.has_threshold() || !layer.has_value()) {
    return BadArgument("threshold and value are both needed");
  }
  SIGSERVE_ASSIGN_OR_RETURN(const float threshold, Number(layer.threshold(), "threshold"));
  SIGSERVE_ASSIGN_OR_RETURN(const float value, Number(layer.value(), "value"));
  const std::string x = net.current();
  // NaN stays NaN, as in PyTorch.
  const std::string below = net.Node("LessOrEqual", {x, net.Scalar(threshold)});
  net.set_current(net.Node("Where", {below, net.Scalar(value), x}));
  return absl::OkStatus();
}

absl::Status AddComposed(const model::Layer& layer, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {}));
  const std::string x = net.current();
  if (layer.type() == "SiLU") {
    net.Then("Sigmoid");
    net.set_current(net.Node("Mul", {x, net.current()}));
  } else if (layer.type() == "Mish") {
    net.Then("Softplus");
    net.Then("Tanh");
    net.set_current(net.Node("Mul", {x, net.current()}));
  } else {  // LogSigmoid: log(sigmoid(x)) would be -inf below -88
    net.Then("Neg");
    net.Then("Softplus");
    net.Then("Neg");
  }
  return absl::OkStatus();
}

absl::Status Add(const model::Layer& layer, NetBuilder& net, bool& known) {
  const std::string& type = layer.type();
  if (const absl::string_view op = PlainOperator(type); !op.empty()) {
    SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {}));
    if (op != "Identity") net.Then(op);
    return absl::OkStatus();
  }
  if (type == "Dropout") return CheckArguments(layer, {"p"});
  if (type == "LeakyReLU") {
    return AddAlpha("LeakyRelu", "negative_slope",
                    layer.has_negative_slope() ? layer.negative_slope() : 0.01, layer, net);
  }
  if (type == "ELU" || type == "CELU") {
    return AddAlpha(type == "ELU" ? "Elu" : "Celu", "alpha", layer.has_alpha() ? layer.alpha() : 1,
                    layer, net);
  }
  if (type == "ReLU6") {
    SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {}));
    return AddClip(0, 6, net);
  }
  if (type == "Hardtanh") {
    SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"min_val", "max_val"}));
    return AddClip(layer.has_min_val() ? layer.min_val() : -1,
                   layer.has_max_val() ? layer.max_val() : 1, net);
  }
  if (type == "Hardsigmoid") {
    SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {}));
    net.Then("HardSigmoid", {}, With({{"alpha", 1.0F / 6}, {"beta", 0.5F}}));
    return absl::OkStatus();
  }
  if (type == "PReLU") return AddPRelu(layer, net);
  if (type == "GELU") return AddGelu(layer, net);
  if (type == "Softplus") return AddSoftplus(layer, net);
  if (type == "Softmax" || type == "LogSoftmax") return AddSoftmax(layer, net);
  if (type == "Threshold") return AddThreshold(layer, net);
  if (type == "SiLU" || type == "Mish" || type == "LogSigmoid") return AddComposed(layer, net);
  known = false;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> AddActivation(const model::Layer& layer, NetBuilder& net) {
  bool known = true;
  SIGSERVE_RETURN_IF_ERROR(Add(layer, net, known));
  return known;
}

}  // namespace sigserve
