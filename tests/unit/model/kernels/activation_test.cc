// Activations against double precision, on every CPU target.
#include "model/kernels/activation.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "tests/support/cpu_targets.h"

namespace sigserve::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

using testing::NanSensitiveFloatEq;

using In = absl::Span<const float>;
using Out = absl::Span<float>;

double SigmoidOf(double x) { return 1 / (1 + std::exp(-x)); }
double TanhOf(double x) { return std::tanh(x); }
double ReluOf(double x) { return x < 0 ? 0 : x; }
double ExpOf(double x) { return std::exp(x); }
double LogOf(double x) { return std::log(x); }
double SoftplusOf(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
double LogSigmoidOf(double x) { return -SoftplusOf(-x); }
double ErfOf(double x) { return std::erf(x); }
double EluOf(double x) { return x < 0 ? 0.75 * std::expm1(x) : x; }
double SeluOf(double x) { return 1.25 * EluOf(x); }
double CeluOf(double x) { return x < 0 ? 2 * std::expm1(x / 2) : x; }
// Those that are x times what vanishes give NaN at -infinity, as PyTorch does.
double GeluOf(double x) { return x / 2 * std::erfc(-x / std::sqrt(2.0)); }
double GeluTanhOf(double x) {
  constexpr double kPi = 3.14159265358979323846;
  return x * SigmoidOf(2 * std::sqrt(2 / kPi) * (x + 0.044715 * x * x * x));
}
double MishOf(double x) { return x * std::tanh(SoftplusOf(x)); }
double SoftsignOf(double x) { return x / (1 + std::abs(x)); }
double LeakyReluOf(double x) { return x < 0 ? 0.125 * x : x; }
double ThresholdedReluOf(double x) { return x <= 1.5 ? 0 : x; }
double HardSigmoidOf(double x) { return std::clamp(0.25 * x + 0.5, 0.0, 1.0); }
double HardSwishOf(double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }

struct Kernel {
  const char* name;
  void (*run)(In, Out);
  double (*reference)(double);
  float at_minus_infinity;
  float at_infinity;
  double ulps;  // how far from the reference it may be
  bool rises = true;
};

constexpr Kernel kKernels[] = {
    {"sigmoid", Sigmoid, SigmoidOf, 0, 1, 1},
    {"fast-sigmoid", FastSigmoid, SigmoidOf, 0, 1, 4, false},
    {"tanh", Tanh, TanhOf, -1, 1, 1},
    {"relu", Relu, ReluOf, 0, kInfinity, 0},
    {"exp", Exp, ExpOf, 0, kInfinity, 1.5},
    {"log", Log, LogOf, kNaN, kInfinity, 1.5},
    {"softplus", Softplus, SoftplusOf, 0, kInfinity, 1.5, false},
    {"log-sigmoid", LogSigmoid, LogSigmoidOf, -kInfinity, 0, 1.5, false},
    {"erf", Erf, ErfOf, -1, 1, 2},
    {"elu", [](In x, Out y) { Elu(x, 0.75F, y); }, EluOf, -0.75F, kInfinity, 3},
    {"selu", [](In x, Out y) { Selu(x, 0.75F, 1.25F, y); }, SeluOf, -0.9375F, kInfinity, 4},
    {"celu", [](In x, Out y) { Celu(x, 2, y); }, CeluOf, -2, kInfinity, 3},
    {"gelu", Gelu, GeluOf, kNaN, kInfinity, 6, false},
    // Its exponent is rounded, which counts for much where the result is tiny.
    {"gelu-tanh", GeluTanh, GeluTanhOf, kNaN, kInfinity, 300, false},
    {"mish", Mish, MishOf, kNaN, kInfinity, 4, false},
    {"softsign", Softsign, SoftsignOf, kNaN, kNaN, 2, false},
    {"leaky-relu", [](In x, Out y) { LeakyRelu(x, 0.125F, y); }, LeakyReluOf, -kInfinity, kInfinity,
     1},
    {"thresholded-relu", [](In x, Out y) { ThresholdedRelu(x, 1.5F, y); }, ThresholdedReluOf, 0,
     kInfinity, 0},
    {"hard-sigmoid", [](In x, Out y) { HardSigmoid(x, 0.25F, 0.5F, y); }, HardSigmoidOf, 0, 1,
     kInfinity},
    {"hard-swish", HardSwish, HardSwishOf, kNaN, kInfinity, kInfinity, false},
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
  if (got == static_cast<float>(expected) || (std::isnan(got) && std::isnan(expected))) {
    return 0;
  }
  int exponent = 0;
  std::frexp(expected, &exponent);
  return std::abs(got - expected) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

TEST(Activation, IsAsExactAsPromisedAndNeverDecreases) {
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
        drops += i > 0 && y[i] < y[i - 1];
      }
      RecordProperty(kernel.name, std::to_string(worst));
      EXPECT_LE(worst, kernel.ulps) << "at " << worst_at;
      EXPECT_TRUE(drops == 0 || !kernel.rises) << drops << " drops";
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
      EXPECT_THAT(y[0], NanSensitiveFloatEq(kernel.at_minus_infinity));
      EXPECT_THAT(y[1], NanSensitiveFloatEq(kernel.at_infinity));
      EXPECT_THAT(y[4], NanSensitiveFloatEq(static_cast<float>(kernel.reference(-kMax))));
      EXPECT_TRUE(std::isnan(y[2]));
      EXPECT_TRUE(std::isnan(y[3]));
      EXPECT_EQ(y[5], static_cast<float>(kernel.reference(0)));
      EXPECT_EQ(y[6], static_cast<float>(kernel.reference(0)));
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
            const float expected = inside ? single[i] : x[i];
            ASSERT_TRUE(y[i] == expected || std::isnan(expected))
                << "length " << count << ", element " << i;
          }
        }
      }
    });
  }
}

}  // namespace
}  // namespace sigserve::kernels
