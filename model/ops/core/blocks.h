// For concat.cc, split.cc and gather.cc: a tensor as `outer` rows, each of `count` blocks of
// `bytes` bytes, the blocks lying along one axis.
#pragma once

#include <cstddef>

#include "model/tensor/tensor_view.h"

namespace sigserve {

struct Blocks {
  size_t outer = 1;
  size_t count = 1;
  size_t bytes = 1;

  Blocks(DType dtype, const Shape& shape, int axis)
      : count(static_cast<size_t>(shape[axis])), bytes(SizeOf(dtype)) {
    for (int i = 0; i < shape.rank(); ++i) {
      if (i != axis) {
        (i < axis ? outer : bytes) *= static_cast<size_t>(shape[i]);
      }
    }
  }
};

}  // namespace sigserve
