// The bfloat16 product: what it computes, against a loop written from its description; and that
// tiles, vectors and the reference give the same bits, on every CPU target.
#include "model/kernels/bf16_gemm.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "model/kernels/bf16_tiles.h"
#include "tests/support/cpu_targets.h"
#include "tests/support/floats.h"

namespace sigserve::kernels {
namespace {

using testing_support::SameBitsOrNan;

enum class Numbers { kUsual, kTiny, kHuge, kSpecial };

std::vector<float> Draw(size_t n, Numbers kind, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& x : values) {
    x = normal(random);
    const int exponent = static_cast<int>(random() % 16);
    if (kind == Numbers::kTiny) x = std::ldexp(x, -56 - exponent);  // products near 2^-126
    if (kind == Numbers::kHuge) x = std::ldexp(x, 56 + exponent);
    if (kind == Numbers::kSpecial && random() % 64 == 0) {
      constexpr float kInfinity = std::numeric_limits<float>::infinity();
      const float specials[] = {kInfinity, -kInfinity, std::nanf(""), 0.0F, -0.0F, 1e-40F, -1e-40F};
      x = specials[random() % 7];
    }
  }
  return values;
}

struct Problem {
  size_t m;
  size_t k;
  size_t n;
  Numbers numbers = Numbers::kUsual;
  bool bias = true;
  Activation activation = Activation::kNone;
};

class Product {
 public:
  explicit Product(const Problem& p)
      : p_(p),
        x_(Draw(p.m * p.k, p.numbers, 1)),
        w_(Draw(p.k * p.n, p.numbers, 2)),
        bias_(Draw(p.n, Numbers::kUsual, 3)),
        packed_(PackedBf16Size(p.k, p.n)) {
    PackBf16Weights(MatrixView::RowMajor(w_.data(), p.k, p.n), absl::MakeSpan(packed_));
  }

  std::vector<float> By(Bf16Unit unit) const {
    return By(unit, MatrixView::RowMajor(x_.data(), p_.m, p_.k));
  }
  std::vector<float> RowAlone(Bf16Unit unit, size_t row) const {
    return By(unit, MatrixView::RowMajor(x_.data() + row * p_.k, 1, p_.k));
  }
  // Both operands stored the other way round.
  std::vector<float> Transposed(Bf16Unit unit) const {
    std::vector<float> xt(x_.size());
    for (size_t i = 0; i < x_.size(); ++i) xt[i % p_.k * p_.m + i / p_.k] = x_[i];
    std::vector<float> wt(w_.size());
    for (size_t i = 0; i < w_.size(); ++i) wt[i % p_.n * p_.k + i / p_.n] = w_[i];
    std::vector<uint16_t> packed(packed_.size());
    PackBf16Weights(MatrixView::RowMajor(wt.data(), p_.n, p_.k).Transposed(),
                    absl::MakeSpan(packed));
    EXPECT_EQ(packed, packed_);
    return By(unit, MatrixView::RowMajor(xt.data(), p_.k, p_.m).Transposed());
  }
  // The header's description, one output after the other.
  std::vector<float> Described() const {
    std::vector<float> out(p_.m * p_.n);
    for (size_t i = 0; i < out.size(); ++i) {
      float sum = 0;
      for (size_t k0 = 0; k0 < p_.k; k0 += 32) {
        float chains[2] = {};
        for (size_t k = k0; k < std::min(k0 + 32, p_.k); ++k) {
          const float a = FromBf16(RoundToBf16(x_[i / p_.n * p_.k + k]));
          const float b = FromBf16(RoundToBf16(w_[k * p_.n + i % p_.n]));
          chains[k % 2] = std::fma(a, b, chains[k % 2]);
        }
        sum += chains[0] + chains[1];
      }
      if (p_.bias) sum += bias_[i % p_.n];
      out[i] = p_.activation == Activation::kRelu && sum < 0 ? 0 : sum;
    }
    return out;
  }

 private:
  std::vector<float> By(Bf16Unit unit, const MatrixView& x) const {
    GemmEpilogue epilogue;
    epilogue.bias = p_.bias ? bias_.data() : nullptr;
    epilogue.activation = p_.activation;
    std::vector<float> out(x.rows * p_.n + 1, 77.0F);
    Bf16GemmPackedBy(unit, x, packed_.data(), p_.n, epilogue, out.data());
    EXPECT_EQ(out.back(), 77.0F);  // nothing beyond the output is touched
    out.pop_back();
    return out;
  }

  const Problem p_;
  const std::vector<float> x_;
  const std::vector<float> w_;
  const std::vector<float> bias_;
  std::vector<uint16_t> packed_;
};

std::vector<Problem> Problems() {
  std::vector<Problem> problems;
  for (const Numbers numbers :
       {Numbers::kUsual, Numbers::kTiny, Numbers::kHuge, Numbers::kSpecial}) {
    problems.push_back({3, 70, 37, numbers, false});
    problems.push_back({17, 33, 5, numbers, false, Activation::kRelu});
    problems.push_back({14, 128, 64, numbers, false});
  }
  for (size_t m = 1; m <= 14; ++m) problems.push_back({m, 32 + m, 20 * m});
  for (size_t n = 1; n <= 50; n += 7) problems.push_back({2, 40, n, Numbers::kUsual, n % 2 == 0});
  for (size_t k = 1; k <= 66; k += 5) problems.push_back({2, k, 16});
  problems.push_back({33, 600, 49, Numbers::kUsual, true, Activation::kRelu});
  problems.push_back({150, 520, 18});
  problems.push_back({1, 40000, 3});  // several blocks of k
  return problems;
}

TEST(Bf16GemmTest, VectorsGiveTheReferencesBits) {
  for (const Problem& problem : Problems()) {
    SCOPED_TRACE(::testing::Message() << problem.m << "x" << problem.k << "x" << problem.n);
    const Product product(problem);
    const std::vector<float> expected = product.By(Bf16Unit::kReference);
    ForEachTarget([&](int64_t target) {
      if (!Fuses(target)) return;
      EXPECT_TRUE(SameBitsOrNan(product.By(Bf16Unit::kVectors), expected));
    });
  }
}

TEST(Bf16GemmTest, TilesGiveTheReferencesBits) {
  if (BestBf16Unit() != Bf16Unit::kTiles) {
    GTEST_SKIP() << "no AMX tiles here, or none that are trusted (then the log says so)";
  }
  for (const Problem& problem : Problems()) {
    SCOPED_TRACE(::testing::Message() << problem.m << "x" << problem.k << "x" << problem.n);
    const Product product(problem);
    EXPECT_TRUE(SameBitsOrNan(product.By(Bf16Unit::kTiles), product.By(Bf16Unit::kReference)));
  }
}

TEST(Bf16GemmTest, WithoutFusedMultiplyAddTheReferenceIsUsed) {
  if (HasBf16Tiles()) GTEST_SKIP() << "this CPU has AMX tiles, which need no such targets";
  ForEachTarget([](int64_t target) {
    EXPECT_EQ(BestBf16Unit(), Fuses(target) ? Bf16Unit::kVectors : Bf16Unit::kReference);
  });
}

TEST(Bf16GemmTest, IsWhatItsDescriptionSays) {
  for (const Problem& problem : Problems()) {
    if (problem.numbers != Numbers::kUsual && problem.numbers != Numbers::kHuge) continue;
    SCOPED_TRACE(::testing::Message() << problem.m << "x" << problem.k << "x" << problem.n);
    const Product product(problem);
    EXPECT_TRUE(SameBitsOrNan(product.By(Bf16Unit::kReference), product.Described()));
  }
}

TEST(Bf16GemmTest, ARowAloneHasTheSameBits) {
  for (const Problem& problem : {Problem{150, 600, 33}, Problem{13, 70, 100}}) {
    const Product product(problem);
    for (const Bf16Unit unit : {BestBf16Unit(), Bf16Unit::kReference}) {
      const std::vector<float> all = product.By(unit);
      for (size_t row = 0; row < problem.m; row += 4) {
        const auto begin = all.begin() + static_cast<ptrdiff_t>(row * problem.n);
        EXPECT_TRUE(SameBitsOrNan(product.RowAlone(unit, row),
                                  {begin, begin + static_cast<ptrdiff_t>(problem.n)}));
      }
    }
  }
}

TEST(Bf16GemmTest, TakesAnyStrides) {
  for (const Problem& problem : {Problem{5, 70, 37}, Problem{40, 33, 17}}) {
    const Product product(problem);
    for (const Bf16Unit unit : {BestBf16Unit(), Bf16Unit::kReference}) {
      EXPECT_TRUE(SameBitsOrNan(product.Transposed(unit), product.By(Bf16Unit::kReference)));
    }
  }
}

TEST(Bf16GemmTest, OfNothingIsTheBias) {
  for (const Bf16Unit unit : {BestBf16Unit(), Bf16Unit::kReference}) {
    const float bias[] = {1, -2};
    float out[4] = {9, 9, 9, 9};
    const GemmEpilogue epilogue{bias, Activation::kRelu, false};
    Bf16GemmPackedBy(unit, MatrixView::RowMajor(nullptr, 2, 0), nullptr, 2, epilogue, out);
    EXPECT_TRUE(SameBitsOrNan({out, out + 4}, {1, 0, 1, 0}));
    Bf16GemmPackedBy(unit, MatrixView::RowMajor(nullptr, 0, 3), nullptr, 2, epilogue, out);
    Bf16GemmPackedBy(unit, MatrixView::RowMajor(nullptr, 3, 0), nullptr, 0, {}, out);
  }
}

TEST(Bf16Test, RoundsToTheNearestTiesToEven) {
  const struct {
    float x;
    float y;
  } kCases[] = {{1, 1},
                {0x1.01p0F, 0x1p0F},     // halfway: down to even
                {0x1.03p0F, 0x1.04p0F},  // halfway: up to even
                {0x1.010002p0F, 0x1.02p0F},
                {-0x1.03p0F, -0x1.04p0F},
                {0x1.FFp0F, 0x1p1F},
                {0x1.FFFFFEp127F, std::numeric_limits<float>::infinity()}};
  for (const auto& c : kCases) EXPECT_EQ(FromBf16(RoundToBf16(c.x)), c.y) << c.x;
  float nan = 0;
  const uint32_t bits = 0x7F800001;  // its upper half alone would be an infinity
  std::memcpy(&nan, &bits, sizeof(nan));
  EXPECT_TRUE(std::isnan(FromBf16(RoundToBf16(nan))));
}

TEST(Bf16Test, MultipliesAndAddsWithOneRoundingAndNoSubnormals) {
  std::mt19937 random(5);
  for (int i = 0; i < 200000; ++i) {
    float v[3];
    for (float& x : v) {
      const auto bits = static_cast<uint32_t>(random());
      std::memcpy(&x, &bits, sizeof(x));
    }
    if (i % 2 == 0) {  // near the smallest numbers
      int exponent = 0;
      v[0] = std::ldexp(std::frexp(v[0], &exponent), -60);
    }
    const float expected = std::fma(v[0], v[1], v[2]);
    const bool normal = std::isnormal(v[0]) && std::isnormal(v[1]) && std::isnormal(v[2]);
    if (!normal || !std::isfinite(expected) || std::abs(expected) < 0x1p-125F) continue;
    EXPECT_EQ(FlushedMultiplyAdd(v[0], v[1], v[2]), expected) << v[0] << " " << v[1] << " " << v[2];
  }
  EXPECT_EQ(FlushedMultiplyAdd(1e-40F, 1, 0), 0);
  EXPECT_TRUE(std::signbit(FlushedMultiplyAdd(-0x1p-100F, 0x1p-40F, 0)));
  EXPECT_EQ(FlushedMultiplyAdd(-0x1p-100F, 0x1p-40F, 0), 0);
  EXPECT_EQ(FlushedMultiplyAdd(0x1.8p-126F, 1, -0x1p-126F), 0);
}

}  // namespace
}  // namespace sigserve::kernels
