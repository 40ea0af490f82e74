// Makers of this folder's operators, listed in op_table.cc: operators that move, select or generate
// elements and compute with shapes.
#pragma once

#include "model/ops/core/maker.h"

namespace sigserve {

OpMaker MakeConcat;
OpMaker MakeConstantOfShape;
OpMaker MakeExpand;
OpMaker MakeFlatten;
OpMaker MakeGather;
OpMaker MakeGatherElements;
OpMaker MakeIdentity;
OpMaker MakeOneHot;
OpMaker MakePad;
OpMaker MakeRange;
OpMaker MakeReshape;
OpMaker MakeShape;
OpMaker MakeSize;
OpMaker MakeSlice;
OpMaker MakeSplit;
OpMaker MakeSqueeze;
OpMaker MakeTile;
OpMaker MakeTranspose;
OpMaker MakeUnsqueeze;

}  // namespace sigserve
