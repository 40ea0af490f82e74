// For identity.cc, reshape.cc and flatten.cc: operators that move no element; only the shape
// changes.
#pragma once

#include <cstring>

#include "model/ops/core/maker.h"

namespace sigserve {

class CopyOp : public Op {
 public:
  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    if (out[0].data() == in[0].data()) {
      return;
    }
    const size_t bytes = static_cast<size_t>(out[0].elements()) * SizeOf(out[0].dtype());
    if (bytes > 0) {
      std::memcpy(out[0].data(), in[0].data(), bytes);
    }
  }

  MemoryUse memory_use() const override { return MemoryUse::kSame; }
};

}  // namespace sigserve
