// log(p) from logits: finite and accurate where p itself underflows or rounds to 1. NaN in, NaN
// out. `out` has the size of `logits`; they may be the same memory.
#pragma once

#include "absl/types/span.h"

namespace sigserve {

/// log(sigmoid(x)) of each element.
void LogSigmoid(absl::Span<const float> logits, absl::Span<float> out);

/// log(softmax(x)) along rows of `columns` elements; logits.size() is a multiple of it.
void LogSoftmax(absl::Span<const float> logits, size_t columns, absl::Span<float> out);

}  // namespace sigserve
