// What tests declare of a graph's inputs.
#pragma once

#include "model/graph/graph.h"

namespace sigserve::testing_support {

/// [-1, width].
inline DeclaredType Rows(int64_t width, DType dtype = DType::kFloat32) {
  return {.dtype = dtype, .any_rank = false, .shape = Shape{-1, width}};
}

}  // namespace sigserve::testing_support
