// How good scores are, given the truth. Pure functions; labels are 0 or 1, scores finite.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/types/span.h"

namespace sigserve {

/// Area under the ROC curve: the share of (positive, negative) pairs in which the positive scores
/// higher, ties counting half (Mann-Whitney). Any monotone score will do: logits or probabilities.
/// Nothing when a class is missing.
std::optional<double> RocAuc(absl::Span<const float> scores, absl::Span<const float> labels);

/// RocAuc of each of the `columns` of row-major scores and labels, averaged over those that have
/// both classes; nothing when none has.
std::optional<double> MeanRocAuc(absl::Span<const float> scores, absl::Span<const float> labels,
                                 int64_t columns);

/// Mean of -log of the probability given to the truth, probabilities clipped to
/// [1e-15, 1 - 1e-15] as scikit-learn 1.2 does. Requires at least one element.
double LogLoss(absl::Span<const float> probabilities, absl::Span<const float> labels);

/// Share of logits on their label's side; a logit of 0 (probability 0.5) counts as positive.
/// Requires at least one element.
double Accuracy(absl::Span<const float> logits, absl::Span<const float> labels);

}  // namespace sigserve
