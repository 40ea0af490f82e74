// For the sources of this folder: the makers that op_table.cc lists, one per operator (two where an
// opset changed the meaning), and the checks that most operators share. Each maker lives in the
// file named after its operator or, for small families, in the file whose first line lists them.
#pragma once

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/ops/op.h"

namespace sigserve {

using OpMaker = absl::StatusOr<std::unique_ptr<const Op>>(const NodeSpec& node,
                                                          absl::Span<const TensorView> constants);

OpMaker MakeAbs;
OpMaker MakeAdd;
OpMaker MakeAnd;
OpMaker MakeArgMax;
OpMaker MakeArgMin;
OpMaker MakeArrayFeatureExtractor;
OpMaker MakeAveragePool;
OpMaker MakeBatchNormalization;
OpMaker MakeBinarizer;
OpMaker MakeCast;
OpMaker MakeCeil;
OpMaker MakeCelu;
OpMaker MakeClip;
OpMaker MakeConcat;
OpMaker MakeConstantOfShape;
OpMaker MakeConv;
OpMaker MakeConvTranspose;
OpMaker MakeCumSum;
OpMaker MakeDiv;
OpMaker MakeDropout;
OpMaker MakeElu;
OpMaker MakeEmbeddingBag;
OpMaker MakeEqual;
OpMaker MakeErf;
OpMaker MakeExp;
OpMaker MakeExpand;
OpMaker MakeFastSigmoid;
OpMaker MakeFeatureVectorizer;
OpMaker MakeFlatten;
OpMaker MakeFloor;
OpMaker MakeGather;
OpMaker MakeGatherElements;
OpMaker MakeGelu;
OpMaker MakeGemm;
OpMaker MakeGlobalAveragePool;
OpMaker MakeGlobalMaxPool;
OpMaker MakeGreater;
OpMaker MakeGreaterOrEqual;
OpMaker MakeGroupNormalization;
OpMaker MakeGru;
OpMaker MakeHardSigmoid;
OpMaker MakeHardSwish;
OpMaker MakeIdentity;
OpMaker MakeImputer;
OpMaker MakeInstanceNormalization;
OpMaker MakeIsNaN;
OpMaker MakeLabelEncoder;
OpMaker MakeLayerNormalization;
OpMaker MakeLeakyRelu;
OpMaker MakeLess;
OpMaker MakeLessOrEqual;
OpMaker MakeLinearClassifier;
OpMaker MakeLinearRegressor;
OpMaker MakeLog;
OpMaker MakeLogSigmoid;
OpMaker MakeLogSoftmax;
OpMaker MakeLrn;
OpMaker MakeLstm;
OpMaker MakeMatMul;
OpMaker MakeMax;
OpMaker MakeMaxPool;
OpMaker MakeMean;
OpMaker MakeMeanVarianceNormalization;
OpMaker MakeMin;
OpMaker MakeMish;
OpMaker MakeMul;
OpMaker MakeNeg;
OpMaker MakeNormalizer;
OpMaker MakeNot;
OpMaker MakeOneHot;
OpMaker MakeOneHotEncoder;
OpMaker MakeOr;
OpMaker MakePRelu;
OpMaker MakePad;
OpMaker MakePow;
OpMaker MakeRange;
OpMaker MakeReciprocal;
OpMaker MakeReduceL1;
OpMaker MakeReduceL2;
OpMaker MakeReduceLogSum;
OpMaker MakeReduceLogSumExp;
OpMaker MakeReduceMax;
OpMaker MakeReduceMean;
OpMaker MakeReduceMin;
OpMaker MakeReduceProd;
OpMaker MakeReduceSum;
OpMaker MakeReduceSumSquare;
OpMaker MakeRelu;
OpMaker MakeReshape;
OpMaker MakeRnn;
OpMaker MakeRound;
OpMaker MakeSVMClassifier;
OpMaker MakeSVMRegressor;
OpMaker MakeScaler;
OpMaker MakeSelu;
OpMaker MakeShape;
OpMaker MakeSigmoid;
OpMaker MakeSign;
OpMaker MakeSize;
OpMaker MakeSlice;
OpMaker MakeSoftmax;
OpMaker MakeSoftplus;
OpMaker MakeSoftsign;
OpMaker MakeSplit;
OpMaker MakeSqrt;
OpMaker MakeSqueeze;
OpMaker MakeSub;
OpMaker MakeSum;
OpMaker MakeTanh;
OpMaker MakeThresholdedRelu;
OpMaker MakeTile;
OpMaker MakeTopK;
OpMaker MakeTranspose;
OpMaker MakeTreeEnsembleClassifier;
OpMaker MakeTreeEnsembleRegressor;
OpMaker MakeUnsqueeze;
OpMaker MakeWhere;
OpMaker MakeXor;

/// Sets an output's type. INVALID_ARGUMENT when the shape is too large to have a size in bytes.
inline absl::Status SetOutput(DType dtype, Shape shape, TensorType& out) {
  SIGSERVE_RETURN_IF_ERROR(CheckedBytes(shape, SizeOf(dtype)).status());
  out = {dtype, std::move(shape)};
  return absl::OkStatus();
}

/// INVALID_ARGUMENT "X is INT64, expected FLOAT32" unless `operand` is FLOAT32.
inline absl::Status ExpectFloat32(const Operand& operand, absl::string_view what) {
  if (operand.type.dtype == DType::kFloat32) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(what, " is ", Name(operand.type.dtype), ", expected FLOAT32"));
}

}  // namespace sigserve
