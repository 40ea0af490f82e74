#include "model/ops/core/softmax_row.h"

#include <algorithm>
#include <cmath>

#include "model/base/status_macros.h"

namespace sigserve {
namespace {

// sum(exp(x - largest)), in double precision and in the order of the elements.
template <typename T>
double ExponentialSum(const T* x, size_t count, size_t stride, T largest) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) {
    sum += std::exp(static_cast<double>(x[i * stride]) - largest);
  }
  return sum;
}

template <typename T>
T Largest(const T* x, size_t count, size_t stride) {
  T largest = x[0];
  for (size_t i = 1; i < count; ++i) {
    largest = std::max(largest, x[i * stride]);
  }
  return largest;
}

}  // namespace

template <typename T>
void SoftmaxRow(const T* x, size_t count, size_t stride, T* y) {
  const T largest = Largest(x, count, stride);
  const double sum = ExponentialSum(x, count, stride, largest);
  for (size_t i = 0; i < count; ++i) {
    y[i * stride] = static_cast<T>(std::exp(static_cast<double>(x[i * stride]) - largest) / sum);
  }
}

template <typename T>
void LogSoftmaxRow(const T* x, size_t count, size_t stride, T* y) {
  const T largest = Largest(x, count, stride);
  const double logarithm = std::log(ExponentialSum(x, count, stride, largest));
  for (size_t i = 0; i < count; ++i) {
    y[i * stride] = static_cast<T>(static_cast<double>(x[i * stride]) - largest - logarithm);
  }
}

absl::StatusOr<SoftmaxAxis> ReadSoftmaxAxis(const NodeSpec& node) {
  SoftmaxAxis result;
  result.flattens = node.opset < 13;
  SIGSERVE_ASSIGN_OR_RETURN(result.axis, node.attributes.Int("axis", result.flattens ? 1 : -1));
  return result;
}

template void SoftmaxRow(const float* x, size_t count, size_t stride, float* y);
template void SoftmaxRow(const double* x, size_t count, size_t stride, double* y);
template void LogSoftmaxRow(const float* x, size_t count, size_t stride, float* y);
template void LogSoftmaxRow(const double* x, size_t count, size_t stride, double* y);

}  // namespace sigserve
