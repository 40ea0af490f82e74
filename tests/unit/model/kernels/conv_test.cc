// Convolution against the scalar loop over its own definition, on every CPU target: shapes of every
// kind, phases of transposed convolutions, activations; and that an image's bits do not depend on
// its batch.
#include "model/kernels/conv.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/support/conv_axis.h"
#include "tests/support/cpu_targets.h"
#include "tests/support/floats.h"

namespace sigserve::kernels {
namespace {

using testing_support::Axis;
using testing_support::Numbers;
using testing_support::SameBits;

// Every second output, read backwards: as a transposed convolution does.
ConvAxis PhaseAxis(size_t input, size_t taps, ptrdiff_t first, size_t out_first) {
  ConvAxis axis;
  axis.input = input;
  axis.taps = taps;
  axis.first = first;
  axis.tap_step = -1;
  axis.output = 2 * input;
  axis.grid = input;
  axis.out_first = out_first;
  axis.out_step = 2;
  return axis;
}

struct Problem {
  ConvShape shape;
  ConvActivation activation = ConvActivation::kNone;
};

class Convolution {
 public:
  explicit Convolution(const ConvShape& s)
      : s_(s),
        x_(Numbers(s.batch * s.groups * s.in_channels * s.y.input * s.x.input, 1)),
        w_(Numbers(s.groups * s.out_channels * s.depth(), 2)),
        bias_(Numbers(s.groups * s.out_channels, 3)) {}

  std::vector<float>& x() { return x_; }

  std::vector<float> Kernel(ConvEpilogue epilogue) const {
    const size_t size = PackedConvSize(s_.out_channels, s_.depth());
    std::vector<float> packed(s_.groups * size);
    const size_t taps = s_.y.taps * s_.x.taps;
    ConvWeights w{w_.data(), s_.depth(), taps, s_.x.taps, 1};
    for (size_t g = 0; g < s_.groups; ++g) {
      PackConvWeights(w, s_, {packed.data() + g * size, size});
      w.data += s_.out_channels * s_.depth();
    }
    std::vector<float> out = Untouched();
    out.resize(out.size() + 64, kUntouched);
    epilogue.bias = bias_.data();
    Convolve(s_, x_.data(), packed.data(), epilogue, out.data());
    EXPECT_EQ(std::vector<float>(out.end() - 64, out.end()), std::vector<float>(64, kUntouched));
    out.resize(out.size() - 64);
    return out;
  }

  std::vector<float> ScalarLoop(const ConvEpilogue& e, bool fused) const {
    std::vector<float> out = Untouched();
    for (size_t n = 0; n < s_.batch; ++n) {
      for (size_t r = 0; r < s_.groups * s_.out_channels; ++r) {
        for (size_t y = 0; y < s_.y.grid; ++y) {
          for (size_t x = 0; x < s_.x.grid; ++x) {
            const size_t at = ((n * s_.groups * s_.out_channels + r) * s_.y.output +
                               s_.y.out_first + y * s_.y.out_step) *
                                  s_.x.output +
                              s_.x.out_first + x * s_.x.out_step;
            out[at] = Activated(e, Sum(n, r, y, x, fused) + bias_[r]);
          }
        }
      }
    }
    return out;
  }

 private:
  static constexpr float kUntouched = 42;

  std::vector<float> Untouched() const {
    return std::vector<float>(s_.batch * s_.groups * s_.out_channels * s_.y.output * s_.x.output,
                              kUntouched);
  }
  static bool At(const ConvAxis& a, size_t position, size_t tap, size_t& at) {
    const ptrdiff_t i = a.first + static_cast<ptrdiff_t>(position * a.step) +
                        static_cast<ptrdiff_t>(tap) * a.tap_step;
    at = static_cast<size_t>(i);
    return i >= 0 && i < static_cast<ptrdiff_t>(a.input);
  }
  float Sum(size_t n, size_t r, size_t y, size_t x, bool fused) const {
    float sum = 0;
    for (size_t c = 0; c < s_.in_channels; ++c) {
      for (size_t ty = 0; ty < s_.y.taps; ++ty) {
        for (size_t tx = 0; tx < s_.x.taps; ++tx) {
          const float w = w_[((r * s_.in_channels + c) * s_.y.taps + ty) * s_.x.taps + tx];
          size_t at_y = 0;
          size_t at_x = 0;
          float v = 0;
          if (At(s_.y, y, ty, at_y) && At(s_.x, x, tx, at_x)) {
            const size_t channel = (n * s_.groups + r / s_.out_channels) * s_.in_channels + c;
            v = x_[(channel * s_.y.input + at_y) * s_.x.input + at_x];
          }
          sum = fused ? std::fma(w, v, sum) : sum + w * v;
        }
      }
    }
    return sum;
  }
  static float Activated(const ConvEpilogue& e, float v) {
    switch (e.activation) {
      case ConvActivation::kNone:
        return v;
      case ConvActivation::kRelu:
        return v < 0 ? 0 : v;
      case ConvActivation::kGreater:
        return v > e.alpha ? v : e.beta;
      case ConvActivation::kAbove:
        return v <= e.alpha ? e.beta : v;
      case ConvActivation::kClip:
        return v < e.alpha ? e.alpha : v > e.beta ? e.beta : v;
      case ConvActivation::kLeaky:
        return v < 0 ? e.alpha * v : v;
    }
    return v;
  }

  ConvShape s_;
  std::vector<float> x_;
  std::vector<float> w_;
  std::vector<float> bias_;
};

std::vector<ConvShape> Shapes() {
  std::vector<ConvShape> shapes;
  for (size_t width = 0; width <= 40; ++width) {  // every tail of columns, in one row and in many
    shapes.push_back({2, 1, 3, 5, Axis(1, 1), Axis(width + 2, 3)});
    shapes.push_back({1, 1, 2, 13, Axis(5, 3, 1, 1), Axis(width + 1, 3, 1, 1)});
  }
  for (size_t rows = 1; rows <= 30; ++rows) {  // every tail of output channels
    shapes.push_back({1, 1, 4, rows, Axis(1, 1), Axis(35, 2)});
  }
  for (ptrdiff_t pad = 0; pad <= 5; ++pad) {
    for (const size_t stride : {1, 2, 3, 5}) {
      for (const ptrdiff_t dilation : {1, 2, 7}) {
        shapes.push_back(
            {2, 1, 2, 3, Axis(9, 2, stride, pad, dilation), Axis(23, 3, stride, pad, dilation)});
      }
    }
  }
  shapes.push_back({3, 4, 2, 3, Axis(6, 3, 1, 1), Axis(7, 3, 1, 1)});    // groups
  shapes.push_back({2, 7, 1, 1, Axis(9, 3, 2, 1), Axis(9, 3, 2, 1)});    // depthwise
  shapes.push_back({5, 1, 300, 200, Axis(1, 1), Axis(50, 2)});           // blocks of everything
  shapes.push_back({2, 1, 2, 500, Axis(1, 1), Axis(50, 2)});             // blocks of outputs
  shapes.push_back({1, 1, 2, 5, Axis(18, 17), Axis(18, 17)});            // blocks of taps
  shapes.push_back({9, 1, 5, 5, Axis(2, 3, 1, 1), Axis(2, 3, 1, 1)});    // many copies in a panel
  shapes.push_back({9, 1, 17, 20, Axis(4, 3, 1, 1), Axis(4, 3, 1, 1)});  // panels span images
  shapes.push_back({0, 1, 3, 5, Axis(4, 3, 1, 1), Axis(4, 3, 1, 1)});    // no images
  shapes.push_back({2, 1, 3, 5, Axis(3, 2, 1, 9), Axis(3, 2, 1, 9)});    // mostly padding
  shapes.push_back({2, 1, 0, 5, Axis(3, 2), Axis(3, 2)});                // bias alone
  shapes.push_back({2, 2, 5, 7, PhaseAxis(6, 2, 0, 1), PhaseAxis(9, 2, 1, 0)});
  shapes.push_back({2, 1, 5, 7, PhaseAxis(3, 1, 0, 0), PhaseAxis(40, 2, 0, 1)});
  shapes.push_back({2, 1, 5, 7, PhaseAxis(3, 0, 0, 0), PhaseAxis(4, 2, 0, 1)});  // no taps
  return shapes;
}

TEST(Conv, IsTheScalarLoopBitForBit) {
  for (const ConvShape& s : Shapes()) {
    SCOPED_TRACE(testing::Message()
                 << s.batch << " images, " << s.groups << " x (" << s.in_channels << " -> "
                 << s.out_channels << "), " << s.y.input << "x" << s.x.input << ", taps "
                 << s.y.taps << "x" << s.x.taps << ", step " << s.x.step << ", first " << s.x.first
                 << ", tap step " << s.x.tap_step);
    const Convolution conv(s);
    const std::vector<float> fused = conv.ScalarLoop({}, true);
    const std::vector<float> separate = conv.ScalarLoop({}, false);
    ForEachTarget([&](int64_t target) {
      EXPECT_TRUE(SameBits(conv.Kernel({}), Fuses(target) ? fused : separate));
    });
  }
}

TEST(Conv, Activations) {
  const ConvEpilogue kEpilogues[] = {{nullptr, ConvActivation::kRelu, 0, 0},
                                     {nullptr, ConvActivation::kGreater, 0.25F, 1e-6F},
                                     {nullptr, ConvActivation::kAbove, 0.25F, -3},
                                     {nullptr, ConvActivation::kClip, -0.5F, 0.75F},
                                     {nullptr, ConvActivation::kLeaky, 0.1F, 0}};
  Convolution conv({2, 1, 3, 14, Axis(3, 2), Axis(20, 2)});
  for (const ConvEpilogue& e : kEpilogues) {
    SCOPED_TRACE(static_cast<int>(e.activation));
    const std::vector<float> fused = conv.ScalarLoop(e, true);
    const std::vector<float> separate = conv.ScalarLoop(e, false);
    ForEachTarget([&](int64_t target) {
      EXPECT_TRUE(SameBits(conv.Kernel(e), Fuses(target) ? fused : separate));
    });
  }
}

TEST(Conv, PoolsNeighbours) {
  for (const size_t pool : {2, 4}) {
    for (size_t pooled = 1; pooled <= 20; ++pooled) {
      SCOPED_TRACE(testing::Message() << pool << " x " << pooled);
      ConvShape s{3, 2, 3, 14, Axis(3, 2), Axis(pool * pooled + 1, 2)};
      Convolution whole(s);
      whole.x()[5] = std::numeric_limits<float>::quiet_NaN();
      s.x.output = pooled;
      Convolution conv(s);
      conv.x() = whole.x();
      ForEachTarget([&](int64_t) {
        const std::vector<float> all = whole.Kernel({nullptr, ConvActivation::kLeaky, -0.5F, 0});
        std::vector<float> expected;
        for (auto at = all.begin(); at != all.end(); at += static_cast<ptrdiff_t>(pool)) {
          expected.push_back(
              std::accumulate(at, at + static_cast<ptrdiff_t>(pool), *at,
                              [](float m, float v) { return std::isnan(v) || v > m ? v : m; }));
        }
        ASSERT_TRUE(
            SameBits(conv.Kernel({nullptr, ConvActivation::kLeaky, -0.5F, 0, pool}), expected));
      });
    }
  }
}

// As transposed convolutions of stride 2 have them, with pads of 0 and of 1.
TEST(Conv, PhasesTogetherAreThePhasesOneByOne) {
  for (const size_t taps : {1, 2, 3, 7}) {
    for (const size_t width : {1, 3, 4, 16, 33}) {
      for (const bool swapped : {false, true}) {
        SCOPED_TRACE(testing::Message() << taps << " taps, " << width << ", " << swapped);
        std::vector<ConvShape> phases;
        for (const size_t y : {0, 1}) {
          for (const size_t x : {0, 1}) {
            const size_t out_x = swapped ? 1 - x : x;
            phases.push_back({2, 2, 25, 14, PhaseAxis(5, taps, static_cast<ptrdiff_t>(y), y),
                              PhaseAxis(width, taps, static_cast<ptrdiff_t>(x), out_x)});
          }
        }
        const ConvShape& s = phases[0];
        const std::vector<float> x = Numbers(s.batch * s.groups * s.in_channels * 5 * width, 1);
        const size_t size = s.groups * PackedConvSize(s.out_channels, s.depth());
        const std::vector<float> packed = Numbers(phases.size() * size, 2);
        const std::vector<float> bias = Numbers(s.groups * s.out_channels, 3);
        const ConvEpilogue epilogue{bias.data(), ConvActivation::kRelu};
        ForEachTarget([&](int64_t) {
          std::vector<float> one_by_one(s.batch * s.groups * s.out_channels * 10 * 2 * width);
          std::vector<float> together = one_by_one;
          for (size_t i = 0; i < phases.size(); ++i) {
            Convolve(phases[i], x.data(), packed.data() + i * size, epilogue, one_by_one.data());
          }
          Convolve(phases, x.data(), packed.data(), epilogue, together.data());
          ASSERT_TRUE(SameBits(together, one_by_one));
        });
      }
    }
  }
}

// Kept by all but kGreater, which replaces what is not greater; and never leaks beyond its window.
TEST(Conv, NotANumber) {
  Convolution conv({2, 1, 1, 1, Axis(1, 1), Axis(40, 2)});
  conv.x()[10] = std::numeric_limits<float>::quiet_NaN();
  for (const auto activation :
       {ConvActivation::kNone, ConvActivation::kRelu, ConvActivation::kGreater,
        ConvActivation::kAbove, ConvActivation::kClip, ConvActivation::kLeaky}) {
    ForEachTarget([&](int64_t) {
      const std::vector<float> out = conv.Kernel({nullptr, activation, 0, 0.5F});
      for (size_t i = 0; i < out.size(); ++i) {
        const bool reached = i == 9 || i == 10;
        ASSERT_EQ(std::isnan(out[i]), reached && activation != ConvActivation::kGreater) << i;
      }
    });
  }
}

TEST(Conv, AnImageIsTheSameAloneAndAtAnyPlaceOfABatch) {
  ConvShape s{7, 1, 20, 30, Axis(5, 3, 1, 1), Axis(5, 3, 1, 1)};
  ForEachTarget([&](int64_t) {
    Convolution batch(s);
    const std::vector<float> all = batch.Kernel({});
    const size_t in_size = batch.x().size() / s.batch;
    const size_t out_size = all.size() / s.batch;
    ConvShape single = s;
    single.batch = 1;
    for (size_t n = 0; n < s.batch; ++n) {
      Convolution alone(single);
      std::copy_n(batch.x().data() + n * in_size, in_size, alone.x().data());
      const std::vector<float> expected(all.data() + n * out_size, all.data() + (n + 1) * out_size);
      EXPECT_TRUE(SameBits(alone.Kernel({}), expected)) << n;
    }
  });
}

}  // namespace
}  // namespace sigserve::kernels
