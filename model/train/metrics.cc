#include "model/train/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace sigserve {

std::optional<double> RocAuc(absl::Span<const float> scores, absl::Span<const float> labels) {
  std::vector<std::pair<float, bool>> sorted;
  sorted.reserve(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    sorted.emplace_back(scores[i], labels[i] > 0.5f);
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  // Twice the number of pairs won, so that ties stay whole numbers.
  int64_t doubled_wins = 0;
  int64_t positives = 0;
  int64_t negatives = 0;
  for (size_t i = 0; i < sorted.size();) {
    int64_t tied_positives = 0;
    int64_t tied_negatives = 0;
    const float score = sorted[i].first;
    for (; i < sorted.size() && sorted[i].first == score; ++i) {
      ++(sorted[i].second ? tied_positives : tied_negatives);
    }
    doubled_wins += tied_positives * (2 * negatives + tied_negatives);
    positives += tied_positives;
    negatives += tied_negatives;
  }
  if (positives == 0 || negatives == 0) {
    return std::nullopt;
  }
  return static_cast<double>(doubled_wins) /
         (2 * static_cast<double>(positives) * static_cast<double>(negatives));
}

std::optional<double> MeanRocAuc(absl::Span<const float> scores, absl::Span<const float> labels,
                                 int64_t columns) {
  const auto stride = static_cast<size_t>(columns);
  std::vector<float> column_scores;
  std::vector<float> column_labels;
  double sum = 0;
  int64_t defined = 0;
  for (size_t column = 0; column < stride; ++column) {
    column_scores.clear();
    column_labels.clear();
    for (size_t i = column; i < scores.size(); i += stride) {
      column_scores.push_back(scores[i]);
      column_labels.push_back(labels[i]);
    }
    if (const std::optional<double> auc = RocAuc(column_scores, column_labels)) {
      sum += *auc;
      ++defined;
    }
  }
  if (defined == 0) {
    return std::nullopt;
  }
  return sum / static_cast<double>(defined);
}

double LogLoss(absl::Span<const float> probabilities, absl::Span<const float> labels) {
  constexpr double kClip = 1e-15;
  double sum = 0;
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const double p = std::clamp(static_cast<double>(probabilities[i]), kClip, 1 - kClip);
    sum -= labels[i] > 0.5f ? std::log(p) : std::log1p(-p);
  }
  return sum / static_cast<double>(probabilities.size());
}

double Accuracy(absl::Span<const float> logits, absl::Span<const float> labels) {
  int64_t right = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    right += static_cast<int64_t>((logits[i] >= 0) == (labels[i] > 0.5f));
  }
  return static_cast<double>(right) / static_cast<double>(logits.size());
}

}  // namespace sigserve
