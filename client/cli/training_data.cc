#include "client/cli/training_data.h"

#include <cmath>
#include <limits>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cli/labels.h"

namespace sigserve::cli {

absl::StatusOr<LabelledRows> ToLabelledRows(const InputData& data) {
  const InputArray& array = data.arrays.front();
  LabelledRows rows{.features = {},
                    .labels = {},
                    .feature_count = array.shape[1],
                    .label_count = static_cast<int64_t>(data.label_names.size())};
  const auto error = [&data](size_t row, const std::string& column, const auto&... what) {
    return absl::InvalidArgumentError(
        absl::StrCat(data.source, ": row ", row + 1, ", column '", column, "': ", what...));
  };
  rows.features.reserve(array.values.size());
  for (size_t i = 0; i < array.values.size(); ++i) {
    const double value = array.values[i];
    if (std::isfinite(value) && std::abs(value) > double{std::numeric_limits<float>::max()}) {
      const size_t column = i % rows.feature_count;
      return error(i / rows.feature_count,
                   data.column_names.empty() ? absl::StrCat(column + 1) : data.column_names[column],
                   value, " does not fit FLOAT32");
    }
    rows.features.push_back(static_cast<float>(value));
  }
  rows.labels.reserve(data.labels.size());
  for (size_t i = 0; i < data.labels.size(); ++i) {
    const std::optional<bool> positive = ParseBinaryLabel(data.labels[i]);
    if (!positive) {
      return error(i / rows.label_count, data.label_names[i % rows.label_count], "label '",
                   data.labels[i].substr(0, 40), "' is not ", kBinaryLabels);
    }
    rows.labels.push_back(*positive ? 1.0F : 0.0F);
  }
  return rows;
}

}  // namespace sigserve::cli
