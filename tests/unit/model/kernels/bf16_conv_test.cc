// The bfloat16 convolution: what it computes, against a loop written from its description; and that
// tiles, vectors and the reference give the same bits, on every CPU target.
#include "model/kernels/bf16_conv.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/kernels/bf16_tiles.h"
#include "tests/support/conv_axis.h"
#include "tests/support/cpu_targets.h"
#include "tests/support/floats.h"

namespace sigserve::kernels {
namespace {

using testing_support::Axis;
using testing_support::Numbers;
using testing_support::SameBitsOrNan;

constexpr float kUntouched = 42;

class Convolution {
 public:
  explicit Convolution(const ConvShape& s)
      : s_(s),
        x_(Numbers(s.batch * s.groups * s.in_channels * s.y.input * s.x.input, 1)),
        w_(Numbers(s.groups * s.out_channels * s.depth(), 2)),
        bias_(Numbers(s.groups * s.out_channels, 3)) {}

  std::vector<float>& x() { return x_; }
  std::vector<float>& w() { return w_; }

  std::vector<float> By(Bf16Unit unit, ConvEpilogue epilogue = {}) const {
    const size_t size = PackedBf16ConvSize(s_);
    std::vector<uint16_t> packed(s_.groups * size);
    ConvWeights w{w_.data(), s_.depth(), s_.y.taps * s_.x.taps, s_.x.taps, 1};
    for (size_t g = 0; g < s_.groups; ++g) {
      PackBf16ConvWeights(w, s_, {packed.data() + g * size, size});
      w.data += s_.out_channels * s_.depth();
    }
    std::vector<float> out(OutputSize() + 64, kUntouched);
    epilogue.bias = bias_.data();
    Bf16ConvolveBy(unit, s_, x_.data(), packed.data(), epilogue, out.data());
    EXPECT_EQ(std::vector<float>(out.end() - 64, out.end()), std::vector<float>(64, kUntouched));
    out.resize(out.size() - 64);
    return out;
  }

  // The header's description, one output after the other.
  std::vector<float> Described() const {
    std::vector<float> out;
    for (size_t n = 0; n < s_.batch; ++n) {
      for (size_t r = 0; r < s_.groups * s_.out_channels; ++r) {
        for (size_t y = 0; y < s_.y.grid; ++y) {
          for (size_t x = 0; x < s_.x.grid; ++x) out.push_back(Sum(n, r, y, x) + bias_[r]);
        }
      }
    }
    return out;
  }

 private:
  size_t OutputSize() const {
    return s_.batch * s_.groups * s_.out_channels * s_.y.output * s_.x.output;
  }
  float Sum(size_t n, size_t r, size_t y, size_t x) const {
    const size_t taps = s_.y.taps * s_.x.taps;
    const size_t unit = taps > 192 ? taps : 192 / std::max<size_t>(1, taps) * taps;
    float sum = 0;
    size_t in_block = 0;
    size_t in_unit = 0;
    float chains[2] = {};
    const auto close = [&] {
      sum += chains[0] + chains[1];
      chains[0] = chains[1] = 0;
    };
    for (size_t k = 0; k < s_.depth(); ++k) {
      const float w = FromBf16(RoundToBf16(w_[r * s_.depth() + k]));
      const float v = FromBf16(RoundToBf16(Input(n, r, y, x, k)));
      chains[in_block % 2] = std::fma(w, v, chains[in_block % 2]);
      ++in_block;
      ++in_unit;
      const bool block_ends = in_block == 192 || in_unit == unit || k + 1 == s_.depth();
      if (block_ends || in_block % 32 == 0) close();
      if (block_ends) in_block = 0;
      if (in_unit == unit) in_unit = 0;
    }
    return sum;
  }
  float Input(size_t n, size_t r, size_t y, size_t x, size_t k) const {
    const size_t tap = k % (s_.y.taps * s_.x.taps);
    const size_t c = k / (s_.y.taps * s_.x.taps);
    const ptrdiff_t at_y = s_.y.first + static_cast<ptrdiff_t>(y * s_.y.step) +
                           static_cast<ptrdiff_t>(tap / s_.x.taps) * s_.y.tap_step;
    const ptrdiff_t at_x = s_.x.first + static_cast<ptrdiff_t>(x * s_.x.step) +
                           static_cast<ptrdiff_t>(tap % s_.x.taps) * s_.x.tap_step;
    if (at_y < 0 || at_x < 0 || at_y >= static_cast<ptrdiff_t>(s_.y.input) ||
        at_x >= static_cast<ptrdiff_t>(s_.x.input)) {
      return 0;
    }
    const size_t channel = (n * s_.groups + r / s_.out_channels) * s_.in_channels + c;
    return x_[(channel * s_.y.input + static_cast<size_t>(at_y)) * s_.x.input +
              static_cast<size_t>(at_x)];
  }

  ConvShape s_;
  std::vector<float> x_;
  std::vector<float> w_;
  std::vector<float> bias_;
};

std::vector<ConvShape> Shapes() {
  std::vector<ConvShape> shapes;
  for (size_t width = 0; width <= 40; width += 3) {  // tails of columns, in one row and in many
    shapes.push_back({2, 1, 3, 5, Axis(1, 1), Axis(width + 2, 3)});
    shapes.push_back({1, 1, 2, 13, Axis(5, 3, 1, 1), Axis(width + 1, 3, 1, 1)});
  }
  for (size_t rows = 1; rows <= 35; rows += 2) {  // tails of output channels
    shapes.push_back({1, 1, 4, rows, Axis(1, 1), Axis(35, 2)});
  }
  for (size_t channels = 1; channels <= 40; channels += 3) {  // tails of depth
    shapes.push_back({1, 1, channels, 3, Axis(4, 3), Axis(4, 3)});
  }
  for (const ptrdiff_t pad : {0, 1, 5}) {
    for (const size_t stride : {1, 2, 5}) {
      shapes.push_back({2, 1, 2, 3, Axis(9, 2, stride, pad, 2), Axis(23, 3, stride, pad, 2)});
    }
  }
  shapes.push_back({3, 4, 2, 3, Axis(6, 3, 1, 1), Axis(7, 3, 1, 1)});    // groups
  shapes.push_back({2, 7, 1, 1, Axis(9, 3, 2, 1), Axis(9, 3, 2, 1)});    // depthwise
  shapes.push_back({2, 1, 120, 270, Axis(1, 1), Axis(140, 2)});          // blocks of everything
  shapes.push_back({1, 1, 2, 5, Axis(18, 17), Axis(18, 17)});            // blocks of taps
  shapes.push_back({9, 1, 17, 20, Axis(4, 3, 1, 1), Axis(4, 3, 1, 1)});  // panels span images
  shapes.push_back({0, 1, 3, 5, Axis(4, 3, 1, 1), Axis(4, 3, 1, 1)});    // no images
  shapes.push_back({2, 1, 0, 5, Axis(3, 2), Axis(3, 2)});                // bias alone
  return shapes;
}

class Trace {
 public:
  explicit Trace(const ConvShape& s)
      : text_(testing::Message() << s.batch << " images, " << s.groups << " x (" << s.in_channels
                                 << " -> " << s.out_channels << "), " << s.y.input << "x"
                                 << s.x.input << ", taps " << s.y.taps << "x" << s.x.taps) {}
  const testing::Message& text() const { return text_; }

 private:
  testing::Message text_;
};

TEST(Bf16Conv, VectorsAndReferenceAreWhatTheDescriptionSays) {
  for (const ConvShape& s : Shapes()) {
    SCOPED_TRACE(Trace(s).text());
    const Convolution conv(s);
    const std::vector<float> expected = conv.Described();
    ForEachTarget([&](int64_t target) {
      EXPECT_TRUE(SameBitsOrNan(conv.By(Bf16Unit::kReference), expected));
      if (!Fuses(target)) return;
      EXPECT_TRUE(SameBitsOrNan(conv.By(Bf16Unit::kVectors), expected));
    });
  }
}

TEST(Bf16Conv, TilesGiveTheReferencesBits) {
  if (BestBf16Unit() != Bf16Unit::kTiles) {
    GTEST_SKIP() << "no AMX tiles here, or none that are trusted (then the log says so)";
  }
  for (const ConvShape& s : Shapes()) {
    SCOPED_TRACE(Trace(s).text());
    const Convolution conv(s);
    EXPECT_TRUE(SameBitsOrNan(conv.By(Bf16Unit::kTiles), conv.By(Bf16Unit::kReference)));
  }
}

TEST(Bf16Conv, NumbersOfAllSizesGiveTheSameBits) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float special : {1e-40F, 1e38F, kInfinity, std::nanf("")}) {
    for (const float scale : {0x1p-63F, 0x1p60F}) {
      Convolution conv({2, 1, 5, 9, Axis(5, 3, 1, 1), Axis(9, 3, 1, 1)});
      for (float& x : conv.x()) x *= scale;
      for (float& w : conv.w()) w *= scale;
      for (size_t i = 0; i < conv.x().size(); i += 41) conv.x()[i] = special;
      const std::vector<float> expected = conv.By(Bf16Unit::kReference);
      ForEachTarget([&](int64_t target) {
        if (!Fuses(target)) return;
        EXPECT_TRUE(SameBitsOrNan(conv.By(Bf16Unit::kVectors), expected));
      });
    }
  }
}

TEST(Bf16Conv, FinishesInFloat) {
  const ConvShape s{3, 2, 3, 14, Axis(3, 2), Axis(13, 2)};
  const Convolution whole(s);
  ConvShape pooled = s;
  pooled.x.output /= 4;
  const std::vector<float> all = whole.By(Bf16Unit::kReference);
  std::vector<float> expected;
  for (size_t i = 0; i < all.size(); i += 4) {
    float most = -std::numeric_limits<float>::infinity();
    for (size_t j = i; j < i + 4; ++j) most = std::max(most, all[j] < 0 ? -0.5F * all[j] : all[j]);
    expected.push_back(most);
  }
  const ConvEpilogue epilogue{nullptr, ConvActivation::kLeaky, -0.5F, 0, 4};
  for (const Bf16Unit unit : {BestBf16Unit(), Bf16Unit::kReference}) {
    EXPECT_TRUE(SameBitsOrNan(Convolution(pooled).By(unit, epilogue), expected));
  }
}

TEST(Bf16Conv, AnImageIsTheSameAloneAndAtAnyPlaceOfABatch) {
  const ConvShape s{7, 1, 20, 30, Axis(5, 3, 1, 1), Axis(5, 3, 1, 1)};
  Convolution batch(s);
  const std::vector<float> all = batch.By(BestBf16Unit());
  const size_t in_size = batch.x().size() / s.batch;
  const size_t out_size = all.size() / s.batch;
  ConvShape single = s;
  single.batch = 1;
  for (size_t n = 0; n < s.batch; ++n) {
    Convolution alone(single);
    std::copy_n(batch.x().data() + n * in_size, in_size, alone.x().data());
    const std::vector<float> expected(all.data() + n * out_size, all.data() + (n + 1) * out_size);
    EXPECT_TRUE(SameBitsOrNan(alone.By(BestBf16Unit()), expected)) << n;
  }
}

}  // namespace
}  // namespace sigserve::kernels
