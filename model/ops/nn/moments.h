// For the normalizations of this folder: mean and variance of a run of elements, in double
// precision and in the order of the elements.
#pragma once

#include <cmath>
#include <cstddef>

#include "model/ops/core/maker.h"

namespace sigserve {

struct Moments {
  double mean = 0;
  double variance = 0;  // divided by the count
};

inline Moments MomentsOf(const float* x, size_t count) {
  Moments m;
  for (size_t i = 0; i < count; ++i) {
    m.mean += x[i];
  }
  m.mean /= static_cast<double>(count);
  for (size_t i = 0; i < count; ++i) {
    const double d = x[i] - m.mean;
    m.variance += d * d;
  }
  m.variance /= static_cast<double>(count);
  return m;
}

/// y = x * factor + offset, rounded once.
inline void Rescale(const float* x, size_t count, double factor, double offset, float* y) {
  for (size_t i = 0; i < count; ++i) {
    y[i] = static_cast<float>(x[i] * factor + offset);
  }
}

/// The attribute "epsilon": finite and not negative, else INVALID_ARGUMENT.
inline absl::StatusOr<float> ReadEpsilon(const Attributes& attributes) {
  SIGSERVE_ASSIGN_OR_RETURN(const float epsilon, attributes.Float("epsilon", 1e-5F));
  if (!(epsilon >= 0) || std::isinf(epsilon)) {
    return absl::InvalidArgumentError(
        absl::StrCat("epsilon is ", epsilon, ", expected a finite number of at least 0"));
  }
  return epsilon;
}

/// INVALID_ARGUMENT unless `operand` is FLOAT32 [count].
inline absl::Status ExpectVector(const Operand& operand, absl::string_view what, int64_t count) {
  SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(operand, what));
  if (operand.type.shape != Shape{count}) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " is ", operand.type.shape.ToString(), ", expected [", count, "]"));
  }
  return absl::OkStatus();
}

/// INVALID_ARGUMENT unless X is FLOAT32 [batch, channels, ...].
inline absl::Status ExpectChannels(const Operand& x) {
  SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(x, "X"));
  if (x.type.shape.rank() < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("X is ", x.type.shape.ToString(), ", expected [batch, channels, ...]"));
  }
  return absl::OkStatus();
}

/// Elements of each [batch, channel] plane.
inline size_t PlaneSize(const Shape& x) {
  size_t size = 1;
  for (int i = 2; i < x.rank(); ++i) {
    size *= static_cast<size_t>(x[i]);
  }
  return size;
}

}  // namespace sigserve
