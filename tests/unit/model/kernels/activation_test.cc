// Activations against double precision, on every CPU target.
#include "model/kernels/activation.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "tests/unit/model/kernels/cpu_targets.h"

namespace sigserve::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

double SigmoidOf(double x) { return 1 / (1 + std::exp(-x)); }
double TanhOf(double x) { return std::tanh(x); }
double ReluOf(double x) { return x < 0 ? 0 : x; }

struct Kernel {
  const char* name;
  void (*run)(absl::Span<const float>, absl::Span<float>);
  double (*reference)(double);
  float at_minus_infinity;
  float at_infinity;
};

constexpr Kernel kKernels[] = {
    {"sigmoid", Sigmoid, SigmoidOf, 0, 1},
    {"tanh", Tanh, TanhOf, -1, 1},
    {"relu", Relu, ReluOf, 0, kInfinity},
};

std::vector<float> Apply(const Kernel& kernel, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  kernel.run(x, absl::MakeSpan(y));
  return y;
}

// All floats from -infinity to +infinity in order, every `step`-th.
std::vector<float> Sweep(uint32_t step) {
  constexpr uint32_t kInfinityBits = 0x7F800000;
  std::vector<float> x;
  const auto push = [&x](uint32_t bits) { std::memcpy(&x.emplace_back(), &bits, 4); };
  for (uint32_t i = 0; i <= kInfinityBits / step; ++i) {
    push(0x80000000U | (kInfinityBits - i * step));
  }
  for (uint32_t i = 0; i <= kInfinityBits / step; ++i) {
    push(i * step);
  }
  return x;
}

// Error in units of the result's last place; subnormal results have the smallest subnormal's.
double Ulps(float got, double expected) {
  if (got == expected) {
    return 0;
  }
  int exponent = 0;
  std::frexp(expected, &exponent);
  return std::abs(got - expected) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

TEST(Activation, IsWithinOneUlpAndNeverDecreases) {
  const std::vector<float> x = Sweep(4099);
  for (const Kernel& kernel : kKernels) {
    SCOPED_TRACE(kernel.name);
    ForEachTarget([&](int64_t) {
      const std::vector<float> y = Apply(kernel, x);
      double worst = 0;
      float worst_at = 0;
      size_t drops = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double error = Ulps(y[i], kernel.reference(x[i]));
        if (!(error <= worst)) {
          worst = error;
          worst_at = x[i];
        }
        drops += i > 0 && !(y[i] >= y[i - 1]);
      }
      EXPECT_LE(worst, 1.0) << "at " << worst_at;
      EXPECT_EQ(drops, 0U);
    });
  }
}

TEST(Activation, HasTheSameBitsOnEveryFusingTarget) {
  const std::vector<float> x = Sweep(9973);
  for (const Kernel& kernel : kKernels) {
    SCOPED_TRACE(kernel.name);
    std::vector<float> first;
    ForEachTarget([&](int64_t target) {
      if (!Fuses(target)) {
        return;
      }
      const std::vector<float> y = Apply(kernel, x);
      if (first.empty()) {
        first = y;
      }
      EXPECT_EQ(std::memcmp(first.data(), y.data(), y.size() * sizeof(float)), 0);
    });
  }
}

TEST(Activation, KnowsTheSpecialValues) {
  constexpr float kMax = std::numeric_limits<float>::max();
  for (const Kernel& kernel : kKernels) {
    SCOPED_TRACE(kernel.name);
    ForEachTarget([&](int64_t) {
      const std::vector<float> y =
          Apply(kernel, {-kInfinity, kInfinity, kNaN, -kNaN, -kMax, 0.0F, -0.0F});
      EXPECT_EQ(y[0], kernel.at_minus_infinity);
      EXPECT_EQ(y[1], kernel.at_infinity);
      EXPECT_TRUE(std::isnan(y[2]));
      EXPECT_TRUE(std::isnan(y[3]));
      EXPECT_EQ(y[4], kernel.at_minus_infinity);
      EXPECT_EQ(y[5], kernel.reference(0));
      EXPECT_EQ(y[6], kernel.reference(0));
    });
  }
}

TEST(Activation, SigmoidReachesIntoTheSubnormals) {
  ForEachTarget([](int64_t) {
    const std::vector<float> y = Apply(kKernels[0], {-88.0F, -95.0F, -103.9F, -104.1F, -1e30F});
    EXPECT_GT(y[0], 0);
    EXPECT_LT(y[0], std::numeric_limits<float>::min());
    EXPECT_GT(y[1], 0);
    EXPECT_EQ(y[2], std::numeric_limits<float>::denorm_min());
    EXPECT_EQ(y[3], 0);
    EXPECT_EQ(y[4], 0);
  });
}

// Position, length and alignment change no bit, nothing beyond the span is written, and the result
// may replace its argument.
TEST(Activation, IsTheSameForEveryLength) {
  constexpr size_t kLongest = 70;
  std::vector<float> x(kLongest + 1);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = 0.37F * static_cast<float>(i) - 12;
  }
  for (const Kernel& kernel : kKernels) {
    SCOPED_TRACE(kernel.name);
    ForEachTarget([&](int64_t) {
      std::vector<float> single;
      for (const float v : x) {
        single.push_back(Apply(kernel, {v})[0]);
      }
      for (size_t n = 0; n <= kLongest; ++n) {
        for (const size_t begin : {size_t{0}, size_t{1}}) {
          const size_t count = std::min(n, x.size() - begin);
          std::vector<float> y(x.begin(), x.end());
          const absl::Span<float> part(y.data() + begin, count);
          kernel.run(part, part);
          for (size_t i = 0; i < y.size(); ++i) {
            const bool inside = i >= begin && i < begin + count;
            ASSERT_EQ(y[i], inside ? single[i] : x[i]) << "length " << count << ", element " << i;
          }
        }
      }
    });
  }
}

}  // namespace
}  // namespace sigserve::kernels
