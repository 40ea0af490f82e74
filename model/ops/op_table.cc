#include "model/ops/op_table.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/ops/math/makers.h"
#include "model/ops/ml/makers.h"
#include "model/ops/nn/makers.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

// The newest opsets whose changes have been read: from 22 on, the operators here gained element
// types and nothing else. A node of a newer opset is refused.
constexpr int kNewest = 23;
constexpr int kNewestMl = 5;
constexpr int kAnyNumber = std::numeric_limits<int>::max();
constexpr absl::string_view kOnnx = "";
constexpr absl::string_view kMl = "ai.onnx.ml";

constexpr OpEntry kOps[] = {
    // domain, type, opsets, inputs, outputs, maker
    {kOnnx, "Abs", 6, kNewest, 1, 1, 1, 1, MakeAbs},
    {kOnnx, "Add", 7, kNewest, 2, 2, 1, 1, MakeAdd},
    {kOnnx, "And", 7, kNewest, 2, 2, 1, 1, MakeAnd},
    {kOnnx, "ArgMax", 1, kNewest, 1, 1, 1, 1, MakeArgMax},
    {kOnnx, "ArgMin", 1, kNewest, 1, 1, 1, 1, MakeArgMin},
    {kOnnx, "AveragePool", 7, kNewest, 1, 1, 1, 1, MakeAveragePool},
    {kOnnx, "BatchNormalization", 7, kNewest, 5, 5, 1, 5, MakeBatchNormalization},
    {kOnnx, "Cast", 6, kNewest, 1, 1, 1, 1, MakeCast},
    {kOnnx, "Ceil", 6, kNewest, 1, 1, 1, 1, MakeCeil},
    {kOnnx, "Celu", 12, kNewest, 1, 1, 1, 1, MakeCelu},
    {kOnnx, "Clip", 6, 10, 1, 1, 1, 1, MakeClip},
    {kOnnx, "Clip", 11, kNewest, 1, 3, 1, 1, MakeClip},
    {kOnnx, "Concat", 4, kNewest, 1, kAnyNumber, 1, 1, MakeConcat},
    {kOnnx, "ConstantOfShape", 9, kNewest, 1, 1, 1, 1, MakeConstantOfShape},
    {kOnnx, "Conv", 1, kNewest, 2, 3, 1, 1, MakeConv},
    {kOnnx, "ConvTranspose", 1, kNewest, 2, 3, 1, 1, MakeConvTranspose},
    {kOnnx, "CumSum", 11, kNewest, 2, 2, 1, 1, MakeCumSum},
    {kOnnx, "Div", 7, kNewest, 2, 2, 1, 1, MakeDiv},
    {kOnnx, "Dropout", 7, kNewest, 1, 3, 1, 2, MakeDropout},
    {kOnnx, "Elu", 6, kNewest, 1, 1, 1, 1, MakeElu},
    {kOnnx, "Equal", 7, kNewest, 2, 2, 1, 1, MakeEqual},
    {kOnnx, "Erf", 9, kNewest, 1, 1, 1, 1, MakeErf},
    {kOnnx, "Exp", 6, kNewest, 1, 1, 1, 1, MakeExp},
    {kOnnx, "Expand", 8, kNewest, 2, 2, 1, 1, MakeExpand},
    {kOnnx, "Flatten", 1, kNewest, 1, 1, 1, 1, MakeFlatten},
    {kOnnx, "Floor", 6, kNewest, 1, 1, 1, 1, MakeFloor},
    {kOnnx, "GRU", 7, kNewest, 3, 6, 1, 2, MakeGru},
    {kOnnx, "Gather", 1, kNewest, 2, 2, 1, 1, MakeGather},
    {kOnnx, "GatherElements", 11, kNewest, 2, 2, 1, 1, MakeGatherElements},
    {kOnnx, "Gelu", 20, kNewest, 1, 1, 1, 1, MakeGelu},
    {kOnnx, "Gemm", 7, kNewest, 2, 3, 1, 1, MakeGemm},
    {kOnnx, "GlobalAveragePool", 1, kNewest, 1, 1, 1, 1, MakeGlobalAveragePool},
    {kOnnx, "GlobalMaxPool", 1, kNewest, 1, 1, 1, 1, MakeGlobalMaxPool},
    {kOnnx, "Greater", 7, kNewest, 2, 2, 1, 1, MakeGreater},
    {kOnnx, "GreaterOrEqual", 12, kNewest, 2, 2, 1, 1, MakeGreaterOrEqual},
    {kOnnx, "GroupNormalization", 18, kNewest, 3, 3, 1, 1, MakeGroupNormalization},
    {kOnnx, "HardSigmoid", 6, kNewest, 1, 1, 1, 1, MakeHardSigmoid},
    {kOnnx, "HardSwish", 14, kNewest, 1, 1, 1, 1, MakeHardSwish},
    {kOnnx, "Identity", 1, kNewest, 1, 1, 1, 1, MakeIdentity},
    {kOnnx, "InstanceNormalization", 6, kNewest, 3, 3, 1, 1, MakeInstanceNormalization},
    {kOnnx, "IsNaN", 9, kNewest, 1, 1, 1, 1, MakeIsNaN},
    {kOnnx, "LRN", 1, kNewest, 1, 1, 1, 1, MakeLrn},
    {kOnnx, "LSTM", 7, kNewest, 3, 8, 1, 3, MakeLstm},
    {kOnnx, "LayerNormalization", 17, kNewest, 2, 3, 1, 3, MakeLayerNormalization},
    {kOnnx, "LeakyRelu", 6, kNewest, 1, 1, 1, 1, MakeLeakyRelu},
    {kOnnx, "Less", 7, kNewest, 2, 2, 1, 1, MakeLess},
    {kOnnx, "LessOrEqual", 12, kNewest, 2, 2, 1, 1, MakeLessOrEqual},
    {kOnnx, "Log", 6, kNewest, 1, 1, 1, 1, MakeLog},
    {kOnnx, "LogSoftmax", 1, kNewest, 1, 1, 1, 1, MakeLogSoftmax},
    {kOnnx, "MatMul", 1, kNewest, 2, 2, 1, 1, MakeMatMul},
    {kOnnx, "Max", 6, kNewest, 1, kAnyNumber, 1, 1, MakeMax},
    {kOnnx, "MaxPool", 7, kNewest, 1, 1, 1, 2, MakeMaxPool},
    {kOnnx, "Mean", 6, kNewest, 1, kAnyNumber, 1, 1, MakeMean},
    {kOnnx, "MeanVarianceNormalization", 9, kNewest, 1, 1, 1, 1, MakeMeanVarianceNormalization},
    {kOnnx, "Min", 6, kNewest, 1, kAnyNumber, 1, 1, MakeMin},
    {kOnnx, "Mish", 18, kNewest, 1, 1, 1, 1, MakeMish},
    {kOnnx, "Mul", 7, kNewest, 2, 2, 1, 1, MakeMul},
    {kOnnx, "Neg", 6, kNewest, 1, 1, 1, 1, MakeNeg},
    {kOnnx, "Not", 1, kNewest, 1, 1, 1, 1, MakeNot},
    {kOnnx, "OneHot", 9, kNewest, 3, 3, 1, 1, MakeOneHot},
    {kOnnx, "Or", 7, kNewest, 2, 2, 1, 1, MakeOr},
    {kOnnx, "PRelu", 7, kNewest, 2, 2, 1, 1, MakePRelu},
    {kOnnx, "Pad", 2, 10, 1, 1, 1, 1, MakePad},
    {kOnnx, "Pad", 11, kNewest, 2, 4, 1, 1, MakePad},
    {kOnnx, "Pow", 7, kNewest, 2, 2, 1, 1, MakePow},
    {kOnnx, "RNN", 7, kNewest, 3, 6, 1, 2, MakeRnn},
    {kOnnx, "Range", 11, kNewest, 3, 3, 1, 1, MakeRange},
    {kOnnx, "Reciprocal", 6, kNewest, 1, 1, 1, 1, MakeReciprocal},
    {kOnnx, "ReduceL1", 1, 17, 1, 1, 1, 1, MakeReduceL1},
    {kOnnx, "ReduceL1", 18, kNewest, 1, 2, 1, 1, MakeReduceL1},
    {kOnnx, "ReduceL2", 1, 17, 1, 1, 1, 1, MakeReduceL2},
    {kOnnx, "ReduceL2", 18, kNewest, 1, 2, 1, 1, MakeReduceL2},
    {kOnnx, "ReduceLogSum", 1, 17, 1, 1, 1, 1, MakeReduceLogSum},
    {kOnnx, "ReduceLogSum", 18, kNewest, 1, 2, 1, 1, MakeReduceLogSum},
    {kOnnx, "ReduceLogSumExp", 1, 17, 1, 1, 1, 1, MakeReduceLogSumExp},
    {kOnnx, "ReduceLogSumExp", 18, kNewest, 1, 2, 1, 1, MakeReduceLogSumExp},
    {kOnnx, "ReduceMax", 1, 17, 1, 1, 1, 1, MakeReduceMax},
    {kOnnx, "ReduceMax", 18, kNewest, 1, 2, 1, 1, MakeReduceMax},
    {kOnnx, "ReduceMean", 1, 17, 1, 1, 1, 1, MakeReduceMean},
    {kOnnx, "ReduceMean", 18, kNewest, 1, 2, 1, 1, MakeReduceMean},
    {kOnnx, "ReduceMin", 1, 17, 1, 1, 1, 1, MakeReduceMin},
    {kOnnx, "ReduceMin", 18, kNewest, 1, 2, 1, 1, MakeReduceMin},
    {kOnnx, "ReduceProd", 1, 17, 1, 1, 1, 1, MakeReduceProd},
    {kOnnx, "ReduceProd", 18, kNewest, 1, 2, 1, 1, MakeReduceProd},
    {kOnnx, "ReduceSum", 1, 12, 1, 1, 1, 1, MakeReduceSum},
    {kOnnx, "ReduceSum", 13, kNewest, 1, 2, 1, 1, MakeReduceSum},
    {kOnnx, "ReduceSumSquare", 1, 17, 1, 1, 1, 1, MakeReduceSumSquare},
    {kOnnx, "ReduceSumSquare", 18, kNewest, 1, 2, 1, 1, MakeReduceSumSquare},
    {kOnnx, "Relu", 6, kNewest, 1, 1, 1, 1, MakeRelu},
    {kOnnx, "Reshape", 5, kNewest, 2, 2, 1, 1, MakeReshape},
    {kOnnx, "Round", 11, kNewest, 1, 1, 1, 1, MakeRound},
    {kOnnx, "Selu", 6, kNewest, 1, 1, 1, 1, MakeSelu},
    {kOnnx, "Shape", 1, kNewest, 1, 1, 1, 1, MakeShape},
    {kOnnx, "Sigmoid", 6, kNewest, 1, 1, 1, 1, MakeSigmoid},
    {kOnnx, "Sign", 9, kNewest, 1, 1, 1, 1, MakeSign},
    {kOnnx, "Size", 1, kNewest, 1, 1, 1, 1, MakeSize},
    {kOnnx, "Slice", 1, 9, 1, 1, 1, 1, MakeSlice},
    {kOnnx, "Slice", 10, kNewest, 3, 5, 1, 1, MakeSlice},
    {kOnnx, "Softmax", 1, kNewest, 1, 1, 1, 1, MakeSoftmax},
    {kOnnx, "Softplus", 1, kNewest, 1, 1, 1, 1, MakeSoftplus},
    {kOnnx, "Softsign", 1, kNewest, 1, 1, 1, 1, MakeSoftsign},
    {kOnnx, "Split", 2, 12, 1, 1, 1, kAnyNumber, MakeSplit},
    {kOnnx, "Split", 13, kNewest, 1, 2, 1, kAnyNumber, MakeSplit},
    {kOnnx, "Sqrt", 6, kNewest, 1, 1, 1, 1, MakeSqrt},
    {kOnnx, "Squeeze", 1, 12, 1, 1, 1, 1, MakeSqueeze},
    {kOnnx, "Squeeze", 13, kNewest, 1, 2, 1, 1, MakeSqueeze},
    {kOnnx, "Sub", 7, kNewest, 2, 2, 1, 1, MakeSub},
    {kOnnx, "Sum", 6, kNewest, 1, kAnyNumber, 1, 1, MakeSum},
    {kOnnx, "Tanh", 6, kNewest, 1, 1, 1, 1, MakeTanh},
    {kOnnx, "ThresholdedRelu", 10, kNewest, 1, 1, 1, 1, MakeThresholdedRelu},
    {kOnnx, "Tile", 6, kNewest, 2, 2, 1, 1, MakeTile},
    {kOnnx, "TopK", 1, 9, 1, 1, 2, 2, MakeTopK},
    {kOnnx, "TopK", 10, kNewest, 2, 2, 2, 2, MakeTopK},
    {kOnnx, "Transpose", 1, kNewest, 1, 1, 1, 1, MakeTranspose},
    {kOnnx, "Unsqueeze", 1, 12, 1, 1, 1, 1, MakeUnsqueeze},
    {kOnnx, "Unsqueeze", 13, kNewest, 2, 2, 1, 1, MakeUnsqueeze},
    {kOnnx, "Where", 9, kNewest, 3, 3, 1, 1, MakeWhere},
    {kOnnx, "Xor", 7, kNewest, 2, 2, 1, 1, MakeXor},
    {kMl, "ArrayFeatureExtractor", 1, kNewestMl, 2, 2, 1, 1, MakeArrayFeatureExtractor},
    {kMl, "Binarizer", 1, kNewestMl, 1, 1, 1, 1, MakeBinarizer},
    {kMl, "FeatureVectorizer", 1, kNewestMl, 1, kAnyNumber, 1, 1, MakeFeatureVectorizer},
    {kMl, "Imputer", 1, kNewestMl, 1, 1, 1, 1, MakeImputer},
    {kMl, "LabelEncoder", 2, 3, 1, 1, 1, 1, MakeLabelEncoder},
    {kMl, "LinearClassifier", 1, kNewestMl, 1, 1, 1, 2, MakeLinearClassifier},
    {kMl, "LinearRegressor", 1, kNewestMl, 1, 1, 1, 1, MakeLinearRegressor},
    {kMl, "Normalizer", 1, kNewestMl, 1, 1, 1, 1, MakeNormalizer},
    {kMl, "OneHotEncoder", 1, kNewestMl, 1, 1, 1, 1, MakeOneHotEncoder},
    {kMl, "SVMClassifier", 1, kNewestMl, 1, 1, 1, 2, MakeSVMClassifier},
    {kMl, "SVMRegressor", 1, kNewestMl, 1, 1, 1, 1, MakeSVMRegressor},
    {kMl, "Scaler", 1, kNewestMl, 1, 1, 1, 1, MakeScaler},
    {kMl, "TreeEnsembleClassifier", 1, kNewestMl, 1, 1, 1, 2, MakeTreeEnsembleClassifier},
    {kMl, "TreeEnsembleRegressor", 1, kNewestMl, 1, 1, 1, 1, MakeTreeEnsembleRegressor},
    {kFusedDomain, "Conv", 1, kNewest, 2, 3, 1, 1, MakeConv},
    {kFusedDomain, "ConvTranspose", 1, kNewest, 2, 3, 1, 1, MakeConvTranspose},
    {kFusedDomain, "EmbeddingBag", 1, kNewest, 5, 6, 1, 1, MakeEmbeddingBag},
    {kFusedDomain, "FastSigmoid", 1, kNewest, 1, 1, 1, 1, MakeFastSigmoid},
    {kFusedDomain, "Gemm", 1, kNewest, 2, 3, 1, 1, MakeGemm},
    {kFusedDomain, "LogSigmoid", 1, kNewest, 1, 1, 1, 1, MakeLogSigmoid},
    {kFusedDomain, "MatMul", 1, kNewest, 2, 3, 1, 1, MakeMatMul},
};

std::string Range(int low, int high) {
  if (high == kAnyNumber) {
    return absl::StrCat("at least ", low);
  }
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
  if (entry->max_inputs != kAnyNumber) {
    padded.resize(std::max(padded.size(), static_cast<size_t>(entry->max_inputs)));
  }
  auto op = entry->make(node, padded);
  if (!op.ok()) {
    return Annotate(op.status(), node.DebugName());
  }
  return op;
}

}  // namespace sigserve
