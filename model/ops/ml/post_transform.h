// For the operators of ai.onnx.ml that answer scores: their attribute post_transform, and class
// labels.
#pragma once

#include <string>
#include <vector>

#include "model/ops/core/maker.h"

namespace sigserve {

enum class PostTransform { kNone, kLogistic, kSoftmax, kSoftmaxZero };

/// From the node's attribute. UNIMPLEMENTED for PROBIT, INVALID_ARGUMENT for unknown names.
absl::StatusOr<PostTransform> PostTransformOf(const Attributes& attributes);

/// Transforms rows of `columns` scores in place.
void ApplyPostTransform(PostTransform transform, absl::Span<float> scores, size_t columns);

/// A classifier's labels. Strings become their index: output 0 then holds indices, and the graph
/// makes sure that no other operator reads it. INVALID_ARGUMENT when there are both numbers and
/// strings.
absl::StatusOr<std::vector<int64_t>> ClassLabels(const Attributes& attributes,
                                                 absl::string_view ints_name);

}  // namespace sigserve
