// Makers of this folder's operators, listed in op_table.cc: activations, normalizations,
// convolutions, pools, recurrent nets and embeddings.
#pragma once

#include "model/ops/core/maker.h"

namespace sigserve {

OpMaker MakeAveragePool;
OpMaker MakeBatchNormalization;
OpMaker MakeCelu;
OpMaker MakeConv;
OpMaker MakeConvTranspose;
OpMaker MakeDropout;
OpMaker MakeElu;
OpMaker MakeEmbeddingBag;
OpMaker MakeFastSigmoid;
OpMaker MakeGelu;
OpMaker MakeGlobalAveragePool;
OpMaker MakeGlobalMaxPool;
OpMaker MakeGroupNormalization;
OpMaker MakeGru;
OpMaker MakeHardSigmoid;
OpMaker MakeHardSwish;
OpMaker MakeInstanceNormalization;
OpMaker MakeLayerNormalization;
OpMaker MakeLeakyRelu;
OpMaker MakeLogSigmoid;
OpMaker MakeLogSoftmax;
OpMaker MakeLrn;
OpMaker MakeLstm;
OpMaker MakeMaxPool;
OpMaker MakeMeanVarianceNormalization;
OpMaker MakeMish;
OpMaker MakePRelu;
OpMaker MakeRelu;
OpMaker MakeRnn;
OpMaker MakeSelu;
OpMaker MakeSigmoid;
OpMaker MakeSoftmax;
OpMaker MakeSoftplus;
OpMaker MakeSoftsign;
OpMaker MakeTanh;
OpMaker MakeThresholdedRelu;

}  // namespace sigserve
