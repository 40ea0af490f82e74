#include "model/train/standardization.h"

#include <cmath>
#include <cstddef>
#include <limits>

namespace sigserve {
namespace {

// scikit-learn's _is_constant_feature: a variance that rounding alone explains.
bool IsConstant(double mean, double variance, double rows) {
  const double epsilon = std::numeric_limits<double>::epsilon();
  const double error = rows * mean * epsilon;
  return variance <= rows * epsilon * variance + error * error;
}

}  // namespace

Standardization LearnStandardization(const Tensor& features) {
  // A pointer, because Debian's absl::Span checks every index; the same below.
  const float* const values = features.values<float>().data();
  const auto count = static_cast<size_t>(features.elements());
  const auto columns = static_cast<size_t>(features.shape()[1]);
  const auto rows = static_cast<double>(features.shape()[0]);
  std::vector<double> mean(columns);
  std::vector<double> variance(columns);
  for (size_t i = 0; i < count; i += columns) {
    for (size_t j = 0; j < columns; ++j) {
      mean[j] += values[i + j];
    }
  }
  for (double& m : mean) {
    m /= rows;
  }
  for (size_t i = 0; i < count; i += columns) {
    for (size_t j = 0; j < columns; ++j) {
      const double off = values[i + j] - mean[j];
      variance[j] += off * off;
    }
  }
  Standardization result;
  for (size_t j = 0; j < columns; ++j) {
    variance[j] /= rows;
    const auto stddev = static_cast<float>(std::sqrt(variance[j]));
    result.mean.push_back(static_cast<float>(mean[j]));
    result.stddev.push_back(IsConstant(mean[j], variance[j], rows) || stddev == 0 ? 1.0f : stddev);
  }
  return result;
}

void Standardize(const Standardization& standardization, Tensor& features) {
  float* const values = features.mutable_values<float>().data();
  const auto count = static_cast<size_t>(features.elements());
  const size_t columns = standardization.mean.size();
  for (size_t i = 0; i < count; i += columns) {
    for (size_t j = 0; j < columns; ++j) {
      values[i + j] = (values[i + j] - standardization.mean[j]) / standardization.stddev[j];
    }
  }
}

}  // namespace sigserve
