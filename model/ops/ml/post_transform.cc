#include "model/ops/ml/post_transform.h"

#include <algorithm>
#include <cmath>

#include "model/kernels/activation.h"
#include "model/ops/core/softmax_row.h"

namespace sigserve {
namespace {

// Softmax over the elements that are not 0; the others stay near 0 (onnxruntime's arithmetic).
void SoftmaxZeroRow(absl::Span<float> row) {
  constexpr float kZero = 1e-7F;
  const float largest = *std::max_element(row.begin(), row.end());
  float sum = 0;
  for (float& v : row) {
    if (std::abs(v) > kZero) {
      v = std::exp(v - largest);
      sum += v;
    } else {
      v *= std::exp(-largest);
    }
  }
  for (float& v : row) {
    v /= sum;
  }
}

}  // namespace

absl::StatusOr<PostTransform> PostTransformOf(const Attributes& attributes) {
  SIGSERVE_ASSIGN_OR_RETURN(const std::string name, attributes.String("post_transform", "NONE"));
  if (name == "NONE") {
    return PostTransform::kNone;
  }
  if (name == "LOGISTIC") {
    return PostTransform::kLogistic;
  }
  if (name == "SOFTMAX") {
    return PostTransform::kSoftmax;
  }
  if (name == "SOFTMAX_ZERO") {
    return PostTransform::kSoftmaxZero;
  }
  if (name == "PROBIT") {
    return absl::UnimplementedError("attribute 'post_transform' is PROBIT, which is not supported");
  }
  return absl::InvalidArgumentError(
      absl::StrCat("attribute 'post_transform' is '", name,
                   "', expected NONE, LOGISTIC, SOFTMAX, SOFTMAX_ZERO or PROBIT"));
}

void ApplyPostTransform(PostTransform transform, absl::Span<float> scores, size_t columns) {
  if (transform == PostTransform::kNone) {
    return;
  }
  if (transform == PostTransform::kLogistic) {
    kernels::Sigmoid(scores, scores);
    return;
  }
  for (size_t begin = 0; begin < scores.size(); begin += columns) {
    const absl::Span<float> row = scores.subspan(begin, columns);
    if (transform == PostTransform::kSoftmax) {
      SoftmaxRow(row.data(), columns, 1, row.data());
    } else {
      SoftmaxZeroRow(row);
    }
  }
}

absl::StatusOr<std::vector<int64_t>> ClassLabels(const Attributes& attributes,
                                                 absl::string_view ints_name) {
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<int64_t> labels, attributes.Ints(ints_name));
  SIGSERVE_ASSIGN_OR_RETURN(const auto strings, attributes.Strings("classlabels_strings"));
  if (!labels.empty() && !strings.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("has both '", ints_name, "' and 'classlabels_strings', expected one of them"));
  }
  for (size_t i = 0; i < strings.size(); ++i) {
    labels.push_back(static_cast<int64_t>(i));
  }
  return labels;
}

}  // namespace sigserve
