#include "model/autodiff/gradient_table.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "model/autodiff/gradients.h"

namespace sigserve {
namespace {

struct GradientEntry {
  absl::string_view type;  // of ONNX's default domain, any opset that op_table.cc has
  BackwardMaker* make;
};

constexpr GradientEntry kGradients[] = {
    {"Add", AddBackward},        {"Div", DivBackward},         {"Flatten", CopyBackward},
    {"Gemm", GemmBackward},      {"Identity", CopyBackward},   {"LogSoftmax", LogSoftmaxBackward},
    {"MatMul", MatMulBackward},  {"Mul", MulBackward},         {"Relu", ReluBackward},
    {"Reshape", CopyBackward},   {"Sigmoid", SigmoidBackward}, {"Softmax", SoftmaxBackward},
    {"Squeeze", CopyBackward},   {"Sub", SubBackward},         {"Tanh", TanhBackward},
    {"Unsqueeze", CopyBackward},
};

}  // namespace

absl::StatusOr<BackwardRule> MakeBackwardRule(const NodeSpec& node) {
  if (node.domain.empty() || node.domain == "ai.onnx") {
    for (const GradientEntry& entry : kGradients) {
      if (entry.type == node.op_type) return entry.make(node);
    }
  }
  const auto append_type = [](std::string* out, const GradientEntry& entry) {
    absl::StrAppend(out, entry.type);
  };
  return absl::UnimplementedError(absl::StrCat(
      node.DebugName(), " cannot be trained through: ", node.op_type,
      " has no gradient here; expected one of ", absl::StrJoin(kGradients, ", ", append_type)));
}

}  // namespace sigserve
