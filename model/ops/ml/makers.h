// Makers of this folder's operators, listed in op_table.cc: the operators of the domain ai.onnx.ml.
#pragma once

#include "model/ops/core/maker.h"

namespace sigserve {

OpMaker MakeArrayFeatureExtractor;
OpMaker MakeBinarizer;
OpMaker MakeFeatureVectorizer;
OpMaker MakeImputer;
OpMaker MakeLabelEncoder;
OpMaker MakeLinearClassifier;
OpMaker MakeLinearRegressor;
OpMaker MakeNormalizer;
OpMaker MakeOneHotEncoder;
OpMaker MakeSVMClassifier;
OpMaker MakeSVMRegressor;
OpMaker MakeScaler;
OpMaker MakeTreeEnsembleClassifier;
OpMaker MakeTreeEnsembleRegressor;

}  // namespace sigserve
