// For the sources of this folder: what an Executable keeps for its sessions.
#pragma once

#include <vector>

#include "model/graph/program.h"
#include "model/runtime/affine_shapes.h"
#include "model/runtime/aliases.h"
#include "model/runtime/executable.h"

namespace sigserve {

struct Executable::Impl {
  Program program;
  /// Valid when dimension 0 of every input is the only free size and all sizes follow it.
  AffineShapes affine;
  /// By output: the value that holds its logits, or kNoValue.
  std::vector<ValueId> logits;
  Aliases aliases;
};

}  // namespace sigserve
