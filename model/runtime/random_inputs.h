// Made-up inputs, for checks at load: the same every time.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "model/runtime/signature.h"
#include "model/tensor/tensor.h"

namespace sigserve {

/// A declared shape with `rows` for a free dimension 0 and `other` for other free sizes.
Shape FilledIn(const Shape& declared, int64_t rows, int64_t other);

/// One tensor per input, its shape as above. FLOAT32 and FLOAT64: normally distributed around 0,
/// as wide as `scale`; integers: 0 or 1.
std::vector<Tensor> RandomInputs(const Signature& signature, int64_t rows, int64_t other,
                                 float scale, std::mt19937& random);

}  // namespace sigserve
