#include "model/ops/nn/conv_weights.h"

#include <iterator>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "model/ops/core/precision.h"

namespace sigserve {

absl::Status CheckConvOperands(absl::Span<const Operand> in, int64_t outputs) {
  static constexpr absl::string_view kNames[] = {"X", "W", "B"};
  for (size_t i = 0; i < in.size(); ++i) {
    if (in[i].present) {
      SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[i], kNames[i]));
    }
  }
  if (in.size() > 2 && in[2].present && in[2].type.shape != Shape{outputs}) {
    return absl::InvalidArgumentError(absl::StrCat("B is ", in[2].type.shape.ToString(),
                                                   ", expected one per output channel: [", outputs,
                                                   "]"));
  }
  return absl::OkStatus();
}

absl::StatusOr<kernels::ConvEpilogue> ReadConvEpilogue(
    const NodeSpec& node, std::initializer_list<absl::string_view> known) {
  using kernels::ConvActivation;
  static constexpr std::pair<absl::string_view, ConvActivation> kActivations[] = {
      {"None", ConvActivation::kNone},       {"Relu", ConvActivation::kRelu},
      {"Greater", ConvActivation::kGreater}, {"Above", ConvActivation::kAbove},
      {"Clip", ConvActivation::kClip},       {"Leaky", ConvActivation::kLeaky}};
  kernels::ConvEpilogue epilogue;
  if (node.domain != kFusedDomain) {
    SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown(known));
    return epilogue;
  }
  const Attributes& ours = node.attributes;
  for (const std::string& attribute : ours.names()) {
    static constexpr absl::string_view kOurs[] = {"activation", "alpha", "beta", "pool",
                                                  kPrecisionAttribute};
    if (absl::c_find(kOurs, attribute) == std::end(kOurs) &&
        absl::c_find(known, attribute) == known.end()) {
      return absl::InvalidArgumentError(absl::StrCat("unknown attribute '", attribute, "'"));
    }
  }
  SIGSERVE_ASSIGN_OR_RETURN(const std::string name, ours.String("activation", "None"));
  SIGSERVE_ASSIGN_OR_RETURN(epilogue.alpha, ours.Float("alpha", 0));
  SIGSERVE_ASSIGN_OR_RETURN(epilogue.beta, ours.Float("beta", 0));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t pool, ours.Int("pool", 1));
  if ((pool != 1 && pool != 2 && pool != 4) || (pool > 1 && node.op_type != "Conv")) {
    return absl::InvalidArgumentError(absl::StrCat("pool is ", pool, ", expected 1, 2 or 4"));
  }
  epilogue.pool = static_cast<size_t>(pool);
  for (const auto& [text, activation] : kActivations) {
    if (name == text) {
      epilogue.activation = activation;
      return epilogue;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("activation is '", name, "'"));
}

}  // namespace sigserve
