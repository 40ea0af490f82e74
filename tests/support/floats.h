// Floats for tests: the same ones every time, and whether two results are the same.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace sigserve::testing_support {

/// In [-1, 1), evenly spread.
inline std::vector<float> Numbers(size_t n, uint32_t seed) {
  std::vector<float> v(n);
  for (float& x : v) {
    seed = seed * 1664525 + 1013904223;
    x = static_cast<float>(seed >> 8) / 8388608.0F - 1;
  }
  return v;
}

namespace internal {
template <typename Equal>
testing::AssertionResult Compare(const std::vector<float>& a, const std::vector<float>& b,
                                 Equal equal) {
  if (a.size() != b.size()) return testing::AssertionFailure() << a.size() << " " << b.size();
  for (size_t i = 0; i < a.size(); ++i) {
    if (!equal(a[i], b[i])) {
      return testing::AssertionFailure() << "at " << i << ": " << a[i] << " and " << b[i];
    }
  }
  return testing::AssertionSuccess();
}

inline bool BitsEqual(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}
}  // namespace internal

inline testing::AssertionResult SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return internal::Compare(a, b, internal::BitsEqual);
}

/// Equal bits; a NaN equals any NaN.
inline testing::AssertionResult SameBitsOrNan(const std::vector<float>& a,
                                              const std::vector<float>& b) {
  return internal::Compare(a, b, [](float x, float y) {
    return (std::isnan(x) && std::isnan(y)) || internal::BitsEqual(x, y);
  });
}

}  // namespace sigserve::testing_support
