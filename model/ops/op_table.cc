#include "model/ops/op_table.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/ops/makers.h"

namespace sigserve {
namespace {

// The newest opset whose changes to these operators have been read: types only, since 13 or 14.
constexpr int kNewest = 23;
constexpr int kNewestMl = 5;
constexpr absl::string_view kOnnx = "";
constexpr absl::string_view kMl = "ai.onnx.ml";

constexpr OpEntry kOps[] = {
    // domain, type, opsets, inputs, outputs, maker
    {kOnnx, "Add", 7, kNewest, 2, 2, 1, 1, MakeAdd},
    {kOnnx, "Div", 7, kNewest, 2, 2, 1, 1, MakeDiv},
    {kOnnx, "Dropout", 7, kNewest, 1, 3, 1, 2, MakeDropout},
    {kOnnx, "Flatten", 1, kNewest, 1, 1, 1, 1, MakeFlatten},
    {kOnnx, "Gemm", 7, kNewest, 2, 3, 1, 1, MakeGemm},
    {kOnnx, "Identity", 1, kNewest, 1, 1, 1, 1, MakeIdentity},
    {kOnnx, "LogSoftmax", 1, kNewest, 1, 1, 1, 1, MakeLogSoftmax},
    {kOnnx, "MatMul", 1, kNewest, 2, 2, 1, 1, MakeMatMul},
    {kOnnx, "Mul", 7, kNewest, 2, 2, 1, 1, MakeMul},
    {kOnnx, "Relu", 6, kNewest, 1, 1, 1, 1, MakeRelu},
    {kOnnx, "Reshape", 5, kNewest, 2, 2, 1, 1, MakeReshape},
    {kOnnx, "Sigmoid", 6, kNewest, 1, 1, 1, 1, MakeSigmoid},
    {kOnnx, "Softmax", 1, kNewest, 1, 1, 1, 1, MakeSoftmax},
    {kOnnx, "Sub", 7, kNewest, 2, 2, 1, 1, MakeSub},
    {kOnnx, "Tanh", 6, kNewest, 1, 1, 1, 1, MakeTanh},
    {kMl, "LinearClassifier", 1, kNewestMl, 1, 1, 1, 2, MakeLinearClassifier},
    {kMl, "Normalizer", 1, kNewestMl, 1, 1, 1, 1, MakeNormalizer},
    {kMl, "Scaler", 1, kNewestMl, 1, 1, 1, 1, MakeScaler},
};

std::string Range(int low, int high) {
  return low == high ? absl::StrCat(low) : absl::StrCat(low, " to ", high);
}

absl::Status Check(const NodeSpec& node, const OpEntry* entry, int outputs,
                   absl::Span<const bool> inputs_present) {
  if (entry == nullptr) {
    return absl::UnimplementedError(absl::StrCat("no such operator here: domain '",
                                                 node.domain.empty() ? "ai.onnx" : node.domain,
                                                 "', type '", node.op_type, "'"));
  }
  if (node.opset < entry->first_opset || node.opset > entry->last_opset) {
    return absl::UnimplementedError(absl::StrCat("opset ", node.opset,
                                                 " is not supported for this operator: only ",
                                                 Range(entry->first_opset, entry->last_opset)));
  }
  const int inputs = static_cast<int>(inputs_present.size());
  if (inputs < entry->min_inputs || inputs > entry->max_inputs) {
    return absl::InvalidArgumentError(absl::StrCat("has ", inputs, " inputs, expected ",
                                                   Range(entry->min_inputs, entry->max_inputs)));
  }
  for (int i = 0; i < entry->min_inputs; ++i) {
    if (!inputs_present[static_cast<size_t>(i)]) {
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing"));
    }
  }
  if (outputs < entry->min_outputs || outputs > entry->max_outputs) {
    return absl::InvalidArgumentError(absl::StrCat("has ", outputs, " outputs, expected ",
                                                   Range(entry->min_outputs, entry->max_outputs)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Span<const OpEntry> AllOps() { return kOps; }

const OpEntry* FindOp(absl::string_view domain, absl::string_view type, int opset) {
  if (domain == "ai.onnx") {
    domain = kOnnx;
  }
  const OpEntry* newest = nullptr;
  for (const OpEntry& entry : kOps) {
    if (entry.domain != domain || entry.type != type) {
      continue;
    }
    if (opset >= entry.first_opset && opset <= entry.last_opset) {
      return &entry;
    }
    if (newest == nullptr || entry.last_opset > newest->last_opset) {
      newest = &entry;
    }
  }
  return newest;
}

absl::StatusOr<std::unique_ptr<const Op>> MakeOp(const NodeSpec& node, int outputs,
                                                 absl::Span<const TensorView> constants,
                                                 absl::Span<const bool> inputs_present) {
  const OpEntry* entry = FindOp(node.domain, node.op_type, node.opset);
  absl::Status status = Check(node, entry, outputs, inputs_present);
  if (!status.ok()) {
    return Annotate(status, node.DebugName());
  }
  // Makers may index any input that the operator could have.
  absl::InlinedVector<TensorView, 6> padded(constants.begin(), constants.end());
  padded.resize(std::max(padded.size(), static_cast<size_t>(entry->max_inputs)));
  auto op = entry->make(node, padded);
  if (!op.ok()) {
    return Annotate(op.status(), node.DebugName());
  }
  return op;
}

}  // namespace sigserve
