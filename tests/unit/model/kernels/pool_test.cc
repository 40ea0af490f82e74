// Maxima and means over windows against a loop over every tap, on every CPU target.
#include "model/kernels/pool.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/cpu_targets.h"
#include "tests/support/floats.h"

namespace sigserve::kernels {
namespace {

using testing_support::Numbers;

PoolAxis Axis(size_t input, size_t kernel, size_t stride, size_t pad, size_t dilation) {
  PoolAxis a{input, 0, kernel, stride, dilation, pad, pad};
  const size_t extent = (kernel - 1) * dilation + 1;
  a.output = input + 2 * pad < extent ? 0 : (input + 2 * pad - extent) / stride + 1;
  return a;
}

size_t Size(const PoolShape& s) { return s.axis[0].input * s.axis[1].input * s.axis[2].input; }

// f(plane, z, y, x) of every output, in order.
template <typename F>
void ForEachOutput(const PoolShape& s, F f) {
  for (size_t plane = 0; plane < s.planes; ++plane) {
    for (size_t z = 0; z < s.axis[0].output; ++z) {
      for (size_t y = 0; y < s.axis[1].output; ++y) {
        for (size_t x = 0; x < s.axis[2].output; ++x) f(plane, z, y, x);
      }
    }
  }
}

bool At(const PoolAxis& a, size_t output, size_t tap, size_t& at) {
  at = output * a.stride + tap * a.dilation - a.pad_begin;
  return at < a.input;  // before the first, it is huge
}

struct Result {
  float max = -std::numeric_limits<float>::infinity();
  double sum = 0;
  size_t inside = 0;
  size_t best = 0;
};

Result Window(const PoolShape& s, const float* x, size_t oz, size_t oy, size_t ox) {
  Result r;
  size_t z = 0;
  size_t y = 0;
  size_t i = 0;
  for (size_t tz = 0; tz < s.axis[0].kernel; ++tz) {
    for (size_t ty = 0; ty < s.axis[1].kernel; ++ty) {
      for (size_t tx = 0; tx < s.axis[2].kernel; ++tx) {
        if (!At(s.axis[0], oz, tz, z) || !At(s.axis[1], oy, ty, y) || !At(s.axis[2], ox, tx, i)) {
          continue;
        }
        const size_t offset = (z * s.axis[1].input + y) * s.axis[2].input + i;
        r.best = x[offset] > r.max ? offset : r.best;
        r.max = std::max(r.max, x[offset]);
        r.sum += x[offset];
        ++r.inside;
      }
    }
  }
  return r;
}

std::vector<PoolShape> Shapes() {
  std::vector<PoolShape> shapes;
  for (size_t width = 1; width <= 100; ++width) {  // every tail
    for (const size_t stride : {1, 2, 3, 4}) {
      shapes.push_back({2, {{}, {}, Axis(width, stride, stride, 0, 1)}});
      shapes.push_back({1, {{}, Axis(4, 3, stride, 1, 1), Axis(width, 3, stride, 1, 1)}});
      shapes.push_back({1, {{}, Axis(5, 2, 1, 1, 2), Axis(width, 5, stride, 3, 2)}});
    }
  }
  shapes.push_back({3, {Axis(4, 2, 1, 0, 2), Axis(5, 3, 2, 1, 1), Axis(50, 7, 2, 3, 1)}});
  shapes.push_back({0, {{}, {}, Axis(5, 2, 1, 0, 1)}});
  return shapes;
}

TEST(Pool, IsTheLoopOverEveryTap) {
  for (const PoolShape& s : Shapes()) {
    const PoolAxis& a = s.axis[2];
    SCOPED_TRACE(testing::Message() << a.input << ", kernel " << a.kernel << ", stride " << a.stride
                                    << ", pad " << a.pad_begin << ", dilation " << a.dilation);
    const std::vector<float> x = Numbers(s.planes * Size(s), 1);
    std::vector<float> max;
    std::vector<float> mean;
    std::vector<int64_t> indices;
    ForEachOutput(s, [&](size_t plane, size_t oz, size_t oy, size_t ox) {
      const Result r = Window(s, x.data() + plane * Size(s), oz, oy, ox);
      max.push_back(r.max);
      mean.push_back(static_cast<float>(r.sum / static_cast<double>(r.inside)));
      indices.push_back(static_cast<int64_t>(plane * Size(s) + r.best));
    });
    std::vector<float> out(max.size());
    ForEachTarget([&](int64_t) {
      MaxPool(s, x.data(), out.data());
      EXPECT_EQ(out, max);
    });
    std::vector<int64_t> got(max.size());
    const size_t strides[] = {s.axis[1].input * a.input, a.input, 1};
    MaxPoolIndices(s, strides, x.data(), out.data(), got.data());
    EXPECT_EQ(out, max);
    EXPECT_EQ(got, indices);
    AveragePool(s, false, x.data(), out.data());
    EXPECT_EQ(out, mean);
  }
}

TEST(Pool, NotANumberIsKept) {
  const PoolShape s{1, {{}, {}, Axis(80, 4, 1, 0, 1)}};
  std::vector<float> x(80, 1);
  x[40] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> out(s.axis[2].output);
  ForEachTarget([&](int64_t) {
    MaxPool(s, x.data(), out.data());
    for (size_t i = 0; i < out.size(); ++i) {
      ASSERT_EQ(std::isnan(out[i]), i + 4 > 40 && i <= 40) << i;
    }
  });
}

}  // namespace
}  // namespace sigserve::kernels
