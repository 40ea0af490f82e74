#include "model/train/dataset.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/train/random.h"
#include "model/train/random_streams.h"

namespace sigserve {
namespace {

absl::Status CheckMatrix(const Tensor& tensor, int64_t columns, absl::string_view what) {
  if (tensor.dtype() == DType::kFloat32 && tensor.shape().rank() == 2 &&
      tensor.shape()[1] == columns) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(what, " are ", Name(tensor.dtype()), " ",
                                                 tensor.shape().ToString(),
                                                 "; expected FLOAT32 [rows,", columns, "]"));
}

template <typename Accepts>
absl::Status CheckElements(const Tensor& tensor, absl::string_view what, absl::string_view expected,
                           Accepts accepts) {
  const absl::Span<const float> values = tensor.values<float>();
  const auto offender = std::find_if_not(values.begin(), values.end(), accepts);
  if (offender == values.end()) {
    return absl::OkStatus();
  }
  const int64_t index = offender - values.begin();
  const int64_t columns = tensor.shape()[1];
  return absl::InvalidArgumentError(absl::StrCat(what, " at row ", index / columns, ", column ",
                                                 index % columns, " is ", *offender, "; expected ",
                                                 expected));
}

Tensor Gather(const Tensor& from, absl::Span<const uint32_t> rows) {
  const int64_t columns = from.shape()[1];
  Tensor to(DType::kFloat32, Shape{static_cast<int64_t>(rows.size()), columns});
  float* out = to.mutable_values<float>().data();
  for (const uint32_t row : rows) {
    out = std::copy_n(from.values<float>().data() + row * columns, columns, out);
  }
  return to;
}

Rows Gather(const Rows& from, absl::Span<const uint32_t> rows) {
  return {Gather(from.features, rows), Gather(from.labels, rows)};
}

size_t AllButOne(size_t count) { return count - std::min<size_t>(count, 1); }

}  // namespace

absl::Status CheckRows(const TrainSpec& spec, const Rows& rows) {
  SIGSERVE_RETURN_IF_ERROR(
      CheckMatrix(rows.features, spec.feature_count, "TRAIN_FEATURE: features"));
  SIGSERVE_RETURN_IF_ERROR(CheckMatrix(rows.labels, spec.label_count, "TRAIN_LABEL: labels"));
  const int64_t feature_rows = rows.features.shape()[0];
  if (feature_rows != rows.count()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "TRAIN_LABEL: ", rows.count(), " rows of labels for ", feature_rows, " rows of features"));
  }
  if (rows.count() == 0) {
    return absl::InvalidArgumentError("TRAIN_LABEL: no rows; expected at least 2");
  }
  if (rows.count() > std::numeric_limits<int32_t>::max()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("TRAIN_LABEL: ", rows.count(), " rows; at most 2147483647"));
  }
  SIGSERVE_RETURN_IF_ERROR(CheckElements(rows.features, "TRAIN_FEATURE: feature", "a finite number",
                                         [](float x) { return std::isfinite(x); }));
  return CheckElements(rows.labels, "TRAIN_LABEL: label", "0 or 1",
                       [](float y) { return y == 0 || y == 1; });
}

absl::Status CheckBothClasses(const Rows& rows) {
  const absl::Span<const float> labels = rows.labels.values<float>();
  const auto columns = static_cast<size_t>(rows.labels.shape()[1]);
  for (size_t column = 0; column < columns; ++column) {
    bool both = false;
    for (size_t i = column; i < labels.size() && !both; i += columns) {
      both = labels[i] != labels[column];
    }
    if (!both) {
      return absl::InvalidArgumentError(
          absl::StrCat("TRAIN_LABEL: column ", column, " of the labels is ", labels[column],
                       " in all ", rows.count(), " training rows; expected rows of both classes"));
    }
  }
  return absl::OkStatus();
}

SplitRows SplitStratified(Rows rows, double fraction, uint64_t seed) {
  const int64_t columns = rows.labels.shape()[1];
  std::vector<uint32_t> by_class[2];
  for (int64_t row = 0; row < rows.count(); ++row) {
    const float label = rows.labels.values<float>()[static_cast<size_t>(row * columns)];
    by_class[label > 0.5f ? 1 : 0].push_back(static_cast<uint32_t>(row));
  }
  const auto share = [fraction](size_t count) {
    return static_cast<size_t>(std::llround(fraction * static_cast<double>(count)));
  };
  const size_t positives = std::min(share(by_class[1].size()), AllButOne(by_class[1].size()));
  const size_t total = share(static_cast<size_t>(rows.count()));
  const size_t negatives =
      std::min(total - std::min(total, positives), AllButOne(by_class[0].size()));
  const size_t held_out[2] = {negatives, positives};
  Random random(seed, kSplitStream);
  std::vector<uint32_t> training;
  std::vector<uint32_t> validation;
  for (size_t label = 0; label < 2; ++label) {
    std::vector<uint32_t>& members = by_class[label];
    random.Shuffle(absl::MakeSpan(members));
    const auto border = members.begin() + static_cast<ptrdiff_t>(held_out[label]);
    validation.insert(validation.end(), members.begin(), border);
    training.insert(training.end(), border, members.end());
  }
  if (validation.empty()) {
    Rows none = Gather(rows, validation);
    return {std::move(rows), std::move(none)};
  }
  std::sort(training.begin(), training.end());
  std::sort(validation.begin(), validation.end());
  return {Gather(rows, training), Gather(rows, validation)};
}

}  // namespace sigserve
