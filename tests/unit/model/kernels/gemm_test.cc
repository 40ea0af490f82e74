// Matrix product against the scalar loop, on every CPU target; and the promise that a row's bits do
// not depend on what it is computed with.
#include "model/kernels/gemm.h"

#include <cmath>
#include <limits>

#include "tests/support/cpu_targets.h"
#include "tests/support/floats.h"

namespace sigserve::kernels {
namespace {

using testing_support::Numbers;
using testing_support::SameBits;

struct Problem {
  size_t m;
  size_t k;
  size_t n;
  bool bias = true;
  Activation activation = Activation::kNone;
};

class Product {
 public:
  explicit Product(const Problem& p)
      : p_(p), x_(Numbers(p.m * p.k, 1)), w_(Numbers(p.k * p.n, 2)), bias_(Numbers(p.n, 3)) {}

  std::vector<float> Packed() const {
    std::vector<float> panels(PackedSize(p_.k, p_.n));
    PackWeights(w(), absl::MakeSpan(panels));
    return Run([&](float* out) { GemmPacked(x(), panels.data(), p_.n, epilogue(), out); });
  }
  std::vector<float> Unpacked() const {
    return Run([&](float* out) { Gemm(x(), w(), epilogue(), out); });
  }
  // Both operands stored the other way round.
  std::vector<float> Transposed() const {
    const std::vector<float> xt = Transpose(x_, p_.m, p_.k);
    const std::vector<float> wt = Transpose(w_, p_.k, p_.n);
    return Run([&](float* out) {
      Gemm(MatrixView::RowMajor(xt.data(), p_.k, p_.m).Transposed(),
           MatrixView::RowMajor(wt.data(), p_.n, p_.k).Transposed(), epilogue(), out);
    });
  }
  std::vector<float> PackedFromColumns() const {
    std::vector<float> panels(PackedSize(p_.k, p_.n));
    PackWeights(w(), absl::MakeSpan(panels));
    const std::vector<float> xt = Transpose(x_, p_.m, p_.k);
    return Run([&](float* out) {
      GemmPacked(MatrixView::RowMajor(xt.data(), p_.k, p_.m).Transposed(), panels.data(), p_.n,
                 epilogue(), out);
    });
  }
  // With 1 chain per output, or 16.
  std::vector<float> ScalarLoop(bool fused, size_t chains) const {
    std::vector<float> out(p_.m * p_.n);
    for (size_t i = 0; i < out.size(); ++i) {
      std::vector<float> sums(chains);
      for (size_t k = 0; k < p_.k; ++k) {
        const float a = x_[i / p_.n * p_.k + k];
        const float b = w_[k * p_.n + i % p_.n];
        float& sum = sums[k % chains];
        sum = fused ? std::fma(a, b, sum) : sum + a * b;
      }
      for (size_t apart = chains / 2; apart > 0; apart /= 2) {
        for (size_t c = 0; c < apart; ++c) {
          sums[c] += sums[c + apart];
        }
      }
      float sum = sums[0];
      sum += p_.bias ? bias_[i % p_.n] : 0;
      out[i] = p_.activation == Activation::kRelu && sum < 0 ? 0 : sum;
    }
    return out;
  }

 private:
  MatrixView x() const { return MatrixView::RowMajor(x_.data(), p_.m, p_.k); }
  MatrixView w() const { return MatrixView::RowMajor(w_.data(), p_.k, p_.n); }
  GemmEpilogue epilogue() const { return {p_.bias ? bias_.data() : nullptr, p_.activation}; }

  // Fails when anything beyond the output is written.
  template <typename F>
  std::vector<float> Run(F f) const {
    std::vector<float> out(p_.m * p_.n + 64, 42);
    f(out.data());
    EXPECT_EQ(std::vector<float>(out.end() - 64, out.end()), std::vector<float>(64, 42));
    out.resize(p_.m * p_.n);
    return out;
  }
  static std::vector<float> Transpose(const std::vector<float>& from, size_t rows, size_t columns) {
    std::vector<float> to(from.size());
    for (size_t i = 0; i < from.size(); ++i) {
      to[i % columns * rows + i / columns] = from[i];
    }
    return to;
  }

  Problem p_;
  std::vector<float> x_;
  std::vector<float> w_;
  std::vector<float> bias_;
};

std::vector<Problem> Problems() {
  std::vector<Problem> problems;
  for (size_t n = 0; n <= 70; ++n) {  // every tail of columns, with few and many rows
    problems.push_back({1, 7, n});
    problems.push_back({3, 5, n, false});
    problems.push_back({13, 5, n, true, Activation::kRelu});
  }
  for (size_t m = 0; m <= 70; ++m) {  // every tail of rows
    problems.push_back({m, 5, 33});
  }
  for (size_t k = 0; k <= 70; ++k) {  // every depth
    problems.push_back({2, k, 5, true, Activation::kRelu});
  }
  // Across the blocks of k (256) and rows (480), and groups of panels.
  for (const size_t m : {1, 2, 5, 12, 13}) {
    problems.push_back({m, 255, 161});
    problems.push_back({m, 257, 161, false});
    problems.push_back({m, 600, 290, true, Activation::kRelu});
  }
  problems.push_back({485, 300, 35});
  for (size_t n = 1; n <= 8; ++n) {
    problems.push_back({7, 600, n, true, Activation::kRelu});
  }
  return problems;
}

TEST(Gemm, IsTheScalarLoopBitForBit) {
  for (const Problem& p : Problems()) {
    SCOPED_TRACE(testing::Message() << p.m << "x" << p.k << "x" << p.n);
    const Product product(p);
    const std::vector<float> fused = product.ScalarLoop(true, 1);
    const std::vector<float> separate = product.ScalarLoop(false, 1);
    const size_t chains = p.n <= 8 ? 16 : 1;
    const std::vector<float> packed_fused = product.ScalarLoop(true, chains);
    const std::vector<float> packed_separate = product.ScalarLoop(false, chains);
    ForEachTarget([&](int64_t target) {
      const std::vector<float>& packed = Fuses(target) ? packed_fused : packed_separate;
      EXPECT_TRUE(SameBits(product.Packed(), packed)) << "packed";
      EXPECT_TRUE(SameBits(product.PackedFromColumns(), packed)) << "packed, from columns";
      const std::vector<float>& expected = Fuses(target) ? fused : separate;
      EXPECT_TRUE(SameBits(product.Unpacked(), expected)) << "unpacked";
      EXPECT_TRUE(SameBits(product.Transposed(), expected)) << "transposed";
    });
  }
}

class GemmOfColumns : public testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(Widths, GemmOfColumns, testing::Values(2, 7, 77));

TEST_P(GemmOfColumns, ARowIsTheSameAloneAndAtAnyPlaceOfABatch) {
  constexpr size_t kRows = 29;
  constexpr size_t kDepth = 300;
  const size_t columns = GetParam();
  const std::vector<float> x = Numbers(kRows * kDepth, 4);
  const std::vector<float> w = Numbers(kDepth * columns, 5);
  std::vector<float> panels(PackedSize(kDepth, columns));
  PackWeights(MatrixView::RowMajor(w.data(), kDepth, columns), absl::MakeSpan(panels));
  const auto rows = [&](size_t first, size_t count) {
    std::vector<float> out(count * columns);
    GemmPacked(MatrixView::RowMajor(x.data() + first * kDepth, count, kDepth), panels.data(),
               columns, {}, out.data());
    return out;
  };
  ForEachTarget([&](int64_t) {
    const std::vector<float> all = rows(0, kRows);
    for (size_t first = 0; first < kRows; ++first) {
      for (size_t count = 1; first + count <= kRows; ++count) {
        const auto begin = all.begin() + static_cast<ptrdiff_t>(first * columns);
        const auto end = begin + static_cast<ptrdiff_t>(count * columns);
        ASSERT_TRUE(SameBits(rows(first, count), {begin, end})) << first << " + " << count;
      }
    }
  });
}

TEST(Gemm, CanAddToTheOutput) {
  const std::vector<float> x = Numbers(5 * 300, 6);
  const std::vector<float> w = Numbers(300 * 34, 7);
  ForEachTarget([&](int64_t) {
    // The second half of k on top of the first is the whole.
    std::vector<float> whole(5 * 34);
    std::vector<float> halves(5 * 34);
    const GemmEpilogue add{nullptr, Activation::kNone, true};
    Gemm({x.data(), 5, 300, 300, 1}, {w.data(), 300, 34, 34, 1}, {}, whole.data());
    Gemm({x.data(), 5, 150, 300, 1}, {w.data(), 150, 34, 34, 1}, {}, halves.data());
    Gemm({x.data() + 150, 5, 150, 300, 1}, {w.data() + 150 * 34, 150, 34, 34, 1}, add,
         halves.data());
    EXPECT_TRUE(SameBits(whole, halves));
  });
}

// A bad row must not leak into its neighbours, nor be hidden.
TEST(Gemm, NotANumberStaysInItsRow) {
  constexpr size_t kRows = 14;
  ForEachTarget([](int64_t) {
    std::vector<float> x(kRows * 3, 1);
    x[5 * 3 + 1] = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> w(3 * 40, 2);
    std::vector<float> out(kRows * 40);
    Gemm(MatrixView::RowMajor(x.data(), kRows, 3), MatrixView::RowMajor(w.data(), 3, 40),
         {nullptr, Activation::kRelu}, out.data());
    for (size_t i = 0; i < out.size(); ++i) {
      ASSERT_EQ(std::isnan(out[i]), i / 40 == 5) << i;
    }
  });
}

}  // namespace
}  // namespace sigserve::kernels
