// Makers of this folder's operators, listed in op_table.cc: arithmetic, comparisons, reductions and
// matrix products.
#pragma once

#include "model/ops/core/maker.h"

namespace sigserve {

OpMaker MakeAbs;
OpMaker MakeAdd;
OpMaker MakeAnd;
OpMaker MakeArgMax;
OpMaker MakeArgMin;
OpMaker MakeCast;
OpMaker MakeCeil;
OpMaker MakeClip;
OpMaker MakeCumSum;
OpMaker MakeDiv;
OpMaker MakeEqual;
OpMaker MakeErf;
OpMaker MakeExp;
OpMaker MakeFloor;
OpMaker MakeGemm;
OpMaker MakeGreater;
OpMaker MakeGreaterOrEqual;
OpMaker MakeIsNaN;
OpMaker MakeLess;
OpMaker MakeLessOrEqual;
OpMaker MakeLog;
OpMaker MakeMatMul;
OpMaker MakeMax;
OpMaker MakeMean;
OpMaker MakeMin;
OpMaker MakeMul;
OpMaker MakeNeg;
OpMaker MakeNot;
OpMaker MakeOr;
OpMaker MakePow;
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
OpMaker MakeRound;
OpMaker MakeSign;
OpMaker MakeSqrt;
OpMaker MakeSub;
OpMaker MakeSum;
OpMaker MakeTopK;
OpMaker MakeWhere;
OpMaker MakeXor;

}  // namespace sigserve
