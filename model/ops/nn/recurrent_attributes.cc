#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "model/ops/nn/recurrent.h"

namespace sigserve {
namespace {

using Kind = RecurrentActivation::Kind;

// Defaults of alpha and beta are those of the operators of the same name.
struct KnownActivation {
  absl::string_view name;
  RecurrentActivation defaults;
  bool takes_alpha = false;
  bool takes_beta = false;
};

constexpr KnownActivation kActivations[] = {
    {"Affine", {Kind::kAffine, 1, 0}, true, true},
    {"Elu", {Kind::kElu, 1, 0}, true},
    {"HardSigmoid", {Kind::kHardSigmoid, 0.2F, 0.5F}, true, true},
    {"LeakyRelu", {Kind::kLeakyRelu, 0.01F, 0}, true},
    {"Relu", {Kind::kRelu}},
    {"ScaledTanh", {Kind::kScaledTanh, 1, 1}, true, true},
    {"Sigmoid", {Kind::kSigmoid}},
    {"Softplus", {Kind::kSoftplus}},
    {"Softsign", {Kind::kSoftsign}},
    {"Tanh", {Kind::kTanh}},
    {"ThresholdedRelu", {Kind::kThresholdedRelu, 1, 0}, true},
};

absl::Status ReadActivations(const Attributes& attributes, RecurrentSettings& settings) {
  SIGSERVE_ASSIGN_OR_RETURN(const auto names, attributes.Strings("activations"));
  SIGSERVE_ASSIGN_OR_RETURN(const auto alphas, attributes.Floats("activation_alpha"));
  SIGSERVE_ASSIGN_OR_RETURN(const auto betas, attributes.Floats("activation_beta"));
  const auto& defaults = settings.kind.activations;
  if (names.empty()) {
    for (int d = 0; d < settings.directions; ++d) {
      settings.activations.insert(settings.activations.end(), defaults.begin(), defaults.end());
    }
  } else if (names.size() != defaults.size() * static_cast<size_t>(settings.directions)) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'activations' has ", names.size(), " names, expected ",
                     defaults.size() * static_cast<size_t>(settings.directions), " for ",
                     settings.directions, settings.directions == 1 ? " direction" : " directions"));
  }
  // Numbers are for the functions that take one, in their order.
  size_t alpha = 0;
  size_t beta = 0;
  for (const std::string& name : names) {
    const auto* known = std::find_if(
        std::begin(kActivations), std::end(kActivations),
        [&](const KnownActivation& a) { return absl::EqualsIgnoreCase(a.name, name); });
    if (known == std::end(kActivations)) {
      return absl::InvalidArgumentError(
          absl::StrCat("attribute 'activations' has '", name, "', which is not known"));
    }
    RecurrentActivation activation = known->defaults;
    if (known->takes_alpha && alpha < alphas.size()) {
      activation.alpha = alphas[alpha++];
    }
    if (known->takes_beta && beta < betas.size()) {
      activation.beta = betas[beta++];
    }
    settings.activations.push_back(activation);
  }
  return absl::OkStatus();
}

absl::Status ReadDirection(const Attributes& attributes, RecurrentSettings& settings) {
  SIGSERVE_ASSIGN_OR_RETURN(const std::string direction, attributes.String("direction", "forward"));
  if (direction == "bidirectional") {
    settings.directions = 2;
  } else if (direction == "reverse") {
    settings.first_reversed = true;
  } else if (direction != "forward") {
    return absl::InvalidArgumentError(absl::StrCat(
        "attribute 'direction' is '", direction, "', expected forward, reverse or bidirectional"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RecurrentSettings> ReadRecurrent(const NodeSpec& node, RecurrentKind kind,
                                                std::initializer_list<absl::string_view> extra) {
  const Attributes& attributes = node.attributes;
  for (const std::string& name : attributes.names()) {
    static constexpr absl::string_view kKnown[] = {
        "activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size"};
    const bool known = std::find(std::begin(kKnown), std::end(kKnown), name) != std::end(kKnown) ||
                       std::find(extra.begin(), extra.end(), name) != extra.end() ||
                       (name == "layout" && node.opset >= 14);
    if (!known) {
      return absl::InvalidArgumentError(absl::StrCat("has no attribute '", name, "'"));
    }
  }
  RecurrentSettings settings;
  settings.kind = std::move(kind);
  SIGSERVE_RETURN_IF_ERROR(ReadDirection(attributes, settings));
  SIGSERVE_RETURN_IF_ERROR(ReadActivations(attributes, settings));
  SIGSERVE_ASSIGN_OR_RETURN(settings.clip, attributes.Float("clip", settings.clip));
  if (std::isnan(settings.clip) || settings.clip < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'clip' is ", settings.clip, ", expected 0 or more"));
  }
  SIGSERVE_ASSIGN_OR_RETURN(settings.hidden_size, attributes.Int("hidden_size", 0));
  if (settings.hidden_size < 0 || (settings.hidden_size == 0 && attributes.has("hidden_size"))) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'hidden_size' is ", settings.hidden_size, ", expected 1 or more"));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t layout, attributes.Int("layout", 0));
  if (layout != 0 && layout != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'layout' is ", layout, ", expected 0 or 1"));
  }
  settings.batch_first = layout == 1;
  return settings;
}

}  // namespace sigserve
