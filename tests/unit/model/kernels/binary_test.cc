// Arithmetic against the scalar loop, on every CPU target and tail length.
#include "model/kernels/binary.h"

#include <cmath>
#include <limits>

#include "tests/support/cpu_targets.h"

namespace sigserve::kernels {
namespace {

struct Kernel {
  const char* name;
  void (*run)(absl::Span<const float>, absl::Span<const float>, absl::Span<float>);
  float (*reference)(float, float);
};

constexpr Kernel kKernels[] = {
    {"add", Add, [](float a, float b) { return a + b; }},
    {"sub", Sub, [](float a, float b) { return a - b; }},
    {"mul", Mul, [](float a, float b) { return a * b; }},
    {"div", Div, [](float a, float b) { return a / b; }},
};

constexpr size_t kLongest = 70;

std::vector<float> Numbers(float scale) {
  std::vector<float> v(kLongest);
  for (size_t i = 0; i < v.size(); ++i) {
    v[i] = scale * static_cast<float>(i * i % 37) - 9.1F;
  }
  // A few that round or vanish in interesting ways.
  v[3] = std::numeric_limits<float>::infinity();
  v[5] = 0;
  v[7] = std::numeric_limits<float>::denorm_min();
  v[11] = std::numeric_limits<float>::max();
  return v;
}

TEST(Binary, MatchesTheScalarLoop) {
  const std::vector<float> a = Numbers(0.7F);
  const std::vector<float> b = Numbers(-1.3F);
  for (const Kernel& kernel : kKernels) {
    SCOPED_TRACE(kernel.name);
    ForEachTarget([&](int64_t) {
      for (size_t n = 0; n <= kLongest; ++n) {
        for (const bool a_repeats : {false, true}) {
          for (const bool b_repeats : {false, true}) {
            std::vector<float> out(kLongest + 1, 42);
            kernel.run({a.data(), a_repeats ? 1 : n}, {b.data(), b_repeats ? 1 : n},
                       {out.data(), n});
            for (size_t i = 0; i < out.size(); ++i) {
              const float expected =
                  i < n ? kernel.reference(a[a_repeats ? 0 : i], b[b_repeats ? 0 : i]) : 42;
              ASSERT_TRUE(out[i] == expected || (std::isnan(out[i]) && std::isnan(expected)))
                  << "length " << n << ", element " << i << ": " << out[i] << ", not " << expected;
            }
          }
        }
      }
    });
  }
}

TEST(Binary, ResultMayReplaceAnOperand) {
  for (const Kernel& kernel : kKernels) {
    SCOPED_TRACE(kernel.name);
    std::vector<float> a(kLongest, 6);
    std::vector<float> b(kLongest, 4);
    kernel.run(a, b, absl::MakeSpan(a));
    EXPECT_EQ(a, std::vector<float>(kLongest, kernel.reference(6, 4)));
    kernel.run(b, b, absl::MakeSpan(b));
    EXPECT_EQ(b, std::vector<float>(kLongest, kernel.reference(4, 4)));
  }
}

}  // namespace
}  // namespace sigserve::kernels
