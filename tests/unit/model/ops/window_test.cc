// Conv, ConvTranspose, the pools and Pad: a table of inputs and results, then what they refuse.
#include <algorithm>

#include "tests/support/status_matchers.h"
#include "tests/unit/model/ops/op_runner.h"

namespace sigserve {
namespace {

using absl::StatusCode;
using testing::ElementsAreArray;
using testing::HasSubstr;
using Ints = std::vector<int64_t>;

Tensor F(const Shape& shape, const std::vector<float>& values) {
  Tensor t(DType::kFloat32, shape);
  std::copy(values.begin(), values.end(), t.mutable_values<float>().begin());
  return t;
}
Tensor I(const std::vector<int64_t>& values) {
  Tensor t(DType::kInt64, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), t.mutable_values<int64_t>().begin());
  return t;
}
// 1, 2, 3, ...
Tensor Count(const Shape& shape) {
  Tensor t(DType::kFloat32, shape);
  float next = 1;
  for (float& value : t.mutable_values<float>()) value = next++;
  return t;
}
Tensor Ones(const Shape& shape) {
  return F(shape, std::vector<float>(static_cast<size_t>(shape.elements()), 1));
}

template <typename... T>
std::vector<Tensor> In(T... tensors) {
  std::vector<Tensor> result;
  (result.push_back(std::move(tensors)), ...);
  return result;
}
std::vector<TensorView> Views(const std::vector<Tensor>& tensors) {
  std::vector<TensorView> views;
  for (const Tensor& t : tensors) views.push_back(t.view());
  return views;
}

struct Case {
  const char* name;
  OpRunner op;
  std::vector<Tensor> in;
  Tensor expected;
};

std::vector<Case> ConvCases() {
  std::vector<Case> c;
  const auto add = [&](const char* name, OpRunner op, std::vector<Tensor> in, Tensor expected) {
    c.push_back({name, std::move(op), std::move(in), std::move(expected)});
  };
  const OpRunner conv("Conv", 11);
  const OpRunner transpose("ConvTranspose", 11);
  const OpRunner fused("Conv", 13, kFusedDomain);
  const auto x = [] { return Count({1, 1, 5}); };
  const auto sum = [] { return Ones({1, 1, 3}); };
  add("1-d", conv, In(x(), sum()), F({1, 1, 3}, {6, 9, 12}));
  add("bias", conv, In(x(), sum(), F({1}, {10})), F({1, 1, 3}, {16, 19, 22}));
  add("correlates, does not flip", conv, In(x(), F({1, 1, 2}, {1, 10})),
      F({1, 1, 4}, {21, 32, 43, 54}));
  add("pads of two sizes", OpRunner(conv).With("pads", Ints{1, 2}), In(x(), sum()),
      F({1, 1, 6}, {3, 6, 9, 12, 9, 5}));
  add("stride", OpRunner(conv).With("strides", Ints{2}), In(x(), sum()), F({1, 1, 2}, {6, 12}));
  add("dilation", OpRunner(conv).With("dilations", Ints{2}), In(x(), sum()), F({1, 1, 1}, {9}));
  add("SAME_UPPER", OpRunner(conv).With("auto_pad", "SAME_UPPER"), In(x(), Ones({1, 1, 2})),
      F({1, 1, 5}, {3, 5, 7, 9, 5}));
  add("SAME_LOWER", OpRunner(conv).With("auto_pad", "SAME_LOWER"), In(x(), Ones({1, 1, 2})),
      F({1, 1, 5}, {1, 3, 5, 7, 9}));
  add("SAME with stride", OpRunner(conv).With("auto_pad", "SAME_UPPER").With("strides", Ints{2}),
      In(x(), sum()), F({1, 1, 3}, {3, 9, 9}));
  add("VALID", OpRunner(conv).With("auto_pad", "VALID"), In(x(), sum()), F({1, 1, 3}, {6, 9, 12}));
  add("2-d", OpRunner(conv).With("kernel_shape", Ints{2, 2}),
      In(Count({1, 1, 3, 3}), F({1, 1, 2, 2}, {1, 0, 0, 10})), F({1, 1, 2, 2}, {51, 62, 84, 95}));
  add("channels", conv, In(Count({1, 2, 2}), F({2, 2, 1}, {1, 10, 100, 1000})),
      F({1, 2, 2}, {31, 42, 3100, 4200}));
  add("groups", OpRunner(conv).With("group", int64_t{2}),
      In(Count({1, 2, 2}), F({4, 1, 1}, {1, 10, 100, 1000})),
      F({1, 4, 2}, {1, 2, 10, 20, 300, 400, 3000, 4000}));
  add("no images", conv, In(Count({0, 1, 5}), sum()), F({0, 1, 3}, {}));
  add("fused", OpRunner(fused).With("activation", "Greater").With("alpha", 8.0F).With("beta", 0.5F),
      In(x(), sum()), F({1, 1, 3}, {0.5, 9, 12}));
  // Each input adds itself times the kernel, at its place.
  add("transpose 1-d", transpose, In(F({1, 1, 3}, {1, 2, 3}), F({1, 1, 2}, {1, 10})),
      F({1, 1, 4}, {1, 12, 23, 30}));
  add("transpose stride", OpRunner(transpose).With("strides", Ints{2}),
      In(F({1, 1, 2}, {1, 2}), F({1, 1, 3}, {1, 10, 100})), F({1, 1, 5}, {1, 10, 102, 20, 200}));
  add("transpose stride over taps", OpRunner(transpose).With("strides", Ints{3}),
      In(F({1, 1, 2}, {1, 2}), F({1, 1, 1}, {7}), F({1}, {1})), F({1, 1, 4}, {8, 1, 1, 15}));
  add("transpose pads", OpRunner(transpose).With("strides", Ints{2}).With("pads", Ints{1, 0}),
      In(F({1, 1, 2}, {1, 2}), F({1, 1, 3}, {1, 10, 100})), F({1, 1, 4}, {10, 102, 20, 200}));
  add("transpose output_padding",
      OpRunner(transpose).With("strides", Ints{2}).With("output_padding", Ints{1}),
      In(F({1, 1, 2}, {1, 2}), F({1, 1, 3}, {1, 10, 100})), F({1, 1, 6}, {1, 10, 102, 20, 200, 0}));
  add("transpose dilation", OpRunner(transpose).With("dilations", Ints{2}),
      In(F({1, 1, 2}, {1, 2}), F({1, 1, 2}, {1, 10})), F({1, 1, 4}, {1, 2, 10, 20}));
  add("transpose stride and dilation",
      OpRunner(transpose).With("strides", Ints{2}).With("dilations", Ints{3}),
      In(F({1, 1, 2}, {1, 2}), F({1, 1, 3}, {1, 10, 100})),
      F({1, 1, 9}, {1, 0, 2, 10, 0, 20, 100, 0, 200}));
  add("transpose output_shape",
      OpRunner(transpose).With("strides", Ints{2}).With("output_shape", Ints{4}),
      In(F({1, 1, 2}, {1, 2}), F({1, 1, 3}, {1, 10, 100})), F({1, 1, 4}, {10, 102, 20, 200}));
  add("transpose SAME_UPPER",
      OpRunner(transpose).With("strides", Ints{2}).With("auto_pad", "SAME_UPPER"),
      In(F({1, 1, 2}, {1, 2}), F({1, 1, 3}, {1, 10, 100})), F({1, 1, 4}, {1, 10, 102, 20}));
  add("transpose channels", transpose, In(Count({1, 2, 1}), F({2, 2, 1}, {1, 10, 100, 1000})),
      F({1, 2, 1}, {201, 2010}));
  add("transpose groups", OpRunner(transpose).With("group", int64_t{2}),
      In(Count({1, 2, 1}), F({2, 2, 1}, {1, 10, 100, 1000})), F({1, 4, 1}, {1, 10, 200, 2000}));
  add("transpose 2-d", OpRunner(transpose).With("strides", Ints{2, 1}),
      In(F({1, 1, 1, 2}, {1, 2}), F({1, 1, 2, 2}, {1, 10, 100, 1000})),
      F({1, 1, 2, 3}, {1, 12, 20, 100, 1200, 2000}));
  return c;
}

std::vector<Case> PoolCases() {
  std::vector<Case> c;
  const auto add = [&](const char* name, OpRunner op, std::vector<Tensor> in, Tensor expected) {
    c.push_back({name, std::move(op), std::move(in), std::move(expected)});
  };
  const auto max = [](Ints kernel) { return OpRunner("MaxPool", 12).With("kernel_shape", kernel); };
  const auto mean = [](Ints kernel) {
    return OpRunner("AveragePool", 19).With("kernel_shape", kernel);
  };
  const auto x = [] { return F({1, 1, 5}, {1, 5, 3, -4, 2}); };
  add("max", max({2}), In(x()), F({1, 1, 4}, {5, 5, 3, 2}));
  add("max stride", max({2}).With("strides", Ints{2}), In(x()), F({1, 1, 2}, {5, 3}));
  add("max ceil", max({2}).With("strides", Ints{2}).With("ceil_mode", int64_t{1}), In(x()),
      F({1, 1, 3}, {5, 3, 2}));
  add("max ceil, last window all padding",
      max({1}).With("strides", Ints{2}).With("ceil_mode", int64_t{1}), In(Count({1, 1, 4})),
      F({1, 1, 2}, {1, 3}));
  add("max pads are not zeros", max({2}).With("pads", Ints{1, 0}), In(F({1, 1, 2}, {-3, -4})),
      F({1, 1, 2}, {-3, -3}));
  add("max dilation", max({2}).With("dilations", Ints{3}), In(x()), F({1, 1, 2}, {1, 5}));
  add("max SAME_UPPER", max({2}).With("auto_pad", "SAME_UPPER"), In(x()),
      F({1, 1, 5}, {5, 5, 3, 2, 2}));
  add("max 2-d", max({2, 2}), In(Count({1, 2, 2, 3})), F({1, 2, 1, 2}, {5, 6, 11, 12}));
  add("max 3-d", max({2, 1, 1}), In(Count({1, 1, 2, 1, 2})), F({1, 1, 1, 1, 2}, {3, 4}));
  add("mean", mean({2}), In(x()), F({1, 1, 4}, {3, 4, -0.5, -1}));
  add("mean pads", mean({2}).With("pads", Ints{1, 1}), In(Count({1, 1, 2})),
      F({1, 1, 3}, {1, 1.5, 2}));
  add("mean counts pads", mean({2}).With("pads", Ints{1, 1}).With("count_include_pad", int64_t{1}),
      In(Count({1, 1, 2})), F({1, 1, 3}, {0.5, 1.5, 1}));
  add("mean ceil counts no more than pads",
      mean({3})
          .With("strides", Ints{3})
          .With("ceil_mode", int64_t{1})
          .With("pads", Ints{0, 1})
          .With("count_include_pad", int64_t{1}),
      In(Count({1, 1, 4})), F({1, 1, 2}, {2, 2}));
  add("mean dilation", mean({2}).With("dilations", Ints{3}), In(x()), F({1, 1, 2}, {-1.5, 3.5}));
  add("global mean", OpRunner("GlobalAveragePool", 1), In(Count({1, 2, 2, 2})),
      F({1, 2, 1, 1}, {2.5, 6.5}));
  add("global max", OpRunner("GlobalMaxPool", 1), In(Count({2, 1, 3})), F({2, 1, 1}, {3, 6}));
  return c;
}

std::vector<Case> PadCases() {
  std::vector<Case> c;
  const auto add = [&](const char* name, OpRunner op, std::vector<Tensor> in, Tensor expected) {
    c.push_back({name, std::move(op), std::move(in), std::move(expected)});
  };
  const auto pad = [](const char* mode) { return OpRunner("Pad", 18).With("mode", mode); };
  const auto x = [] { return F({3}, {1, 2, 3}); };
  add("by attribute", OpRunner("Pad", 2).With("pads", Ints{1, 2}).With("value", 9.0F), In(x()),
      F({6}, {9, 1, 2, 3, 9, 9}));
  add("constant", pad("constant"), In(x(), I({1, 2}), F({}, {9})), F({6}, {9, 1, 2, 3, 9, 9}));
  add("zeros", OpRunner("Pad", 11), In(x(), I({1, 0})), F({4}, {0, 1, 2, 3}));
  add("reflect", pad("reflect"), In(x(), I({2, 1})), F({6}, {3, 2, 1, 2, 3, 2}));
  add("edge", pad("edge"), In(x(), I({2, 1})), F({6}, {1, 1, 1, 2, 3, 3}));
  add("wrap", pad("wrap"), In(x(), I({2, 1})), F({6}, {2, 3, 1, 2, 3, 1}));
  add("negative", pad("constant"), In(x(), I({-1, 1})), F({3}, {2, 3, 0}));
  add("2-d", pad("constant"), In(F({1, 2}, {1, 2}), I({1, 0, 0, 1}), F({}, {9})),
      F({2, 3}, {9, 9, 9, 1, 2, 9}));
  add("2-d edge", pad("edge"), In(F({2, 1}, {1, 2}), I({1, 1, 0, 0})),
      F({3, 2}, {1, 1, 1, 1, 2, 2}));
  add("axes", pad("constant"), In(F({1, 2}, {1, 2}), I({0, 1}), F({}, {9}), I({-1})),
      F({1, 3}, {1, 2, 9}));
  return c;
}

void Check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    // Weights that are packed beforehand, and weights that come late; pads are always constant.
    for (const bool constant : {true, false}) {
      SCOPED_TRACE(testing::Message() << c.name << (constant ? ", constant" : ""));
      OpRunner op = c.op;
      op.Constant({false, constant, constant, constant});
      ASSERT_OK_AND_ASSIGN(const Tensor got, op.Run(Views(c.in)));
      ASSERT_EQ(got.shape(), c.expected.shape());
      EXPECT_THAT(got.values<float>(), ElementsAreArray(c.expected.values<float>()));
    }
  }
}

TEST(Window, Convolutions) { Check(ConvCases()); }
TEST(Window, Pools) { Check(PoolCases()); }
TEST(Window, Pads) { Check(PadCases()); }

// A transposed convolution by its definition: each input adds itself times the kernel.
TEST(Window, TransposedConvolutionsScatter) {
  uint32_t seed = 7;
  const auto pick = [&](uint32_t low, uint32_t high) {
    seed = seed * 1664525 + 1013904223;
    return static_cast<int64_t>(low + (seed >> 16) % (high - low + 1));
  };
  const auto random = [&](const Shape& shape) {
    Tensor t(DType::kFloat32, shape);
    for (float& value : t.mutable_values<float>()) value = static_cast<float>(pick(0, 8)) - 4;
    return t;
  };
  int done = 0;
  for (int i = 0; i < 500; ++i) {
    const int64_t n = pick(1, 2), groups = pick(1, 3), in = pick(1, 3), out = pick(1, 3);
    const Ints size{pick(1, 6), pick(1, 6)}, kernel{pick(1, 5), pick(1, 5)};
    const Ints stride{pick(1, 4), pick(1, 4)}, dilation{pick(1, 3), pick(1, 3)};
    const Ints pads{pick(0, 2), pick(0, 2), pick(0, 2), pick(0, 2)};
    const Ints extra{pick(0, static_cast<uint32_t>(stride[0]) - 1),
                     pick(0, static_cast<uint32_t>(stride[1]) - 1)};
    Ints y(2);
    for (size_t d = 0; d < 2; ++d) {
      y[d] = (size[d] - 1) * stride[d] + (kernel[d] - 1) * dilation[d] + 1 + extra[d] - pads[d] -
             pads[d + 2];
    }
    if (y[0] < 1 || y[1] < 1) continue;
    SCOPED_TRACE(testing::Message() << "case " << i);
    const Tensor x = random({n, groups * in, size[0], size[1]});
    const Tensor w = random({groups * in, out, kernel[0], kernel[1]});
    const int64_t channels = groups * out;
    std::vector<float> expected(static_cast<size_t>(n * channels * y[0] * y[1]));
    size_t from = 0;
    for (int64_t b = 0; b < n; ++b) {
      for (int64_t c = 0; c < groups * in; ++c) {
        for (int64_t h = 0; h < size[0]; ++h) {
          for (int64_t v = 0; v < size[1]; ++v, ++from) {
            for (int64_t t = 0; t < out * kernel[0] * kernel[1]; ++t) {
              const int64_t oc = c / in * out + t / kernel[1] / kernel[0];
              const int64_t oh = h * stride[0] + t / kernel[1] % kernel[0] * dilation[0] - pads[0];
              const int64_t ow = v * stride[1] + t % kernel[1] * dilation[1] - pads[1];
              if (oh < 0 || oh >= y[0] || ow < 0 || ow >= y[1]) continue;
              expected[static_cast<size_t>(((b * channels + oc) * y[0] + oh) * y[1] + ow)] +=
                  x.values<float>()[from] *
                  w.values<float>()[static_cast<size_t>(c * out * kernel[0] * kernel[1] + t)];
            }
          }
        }
      }
    }
    OpRunner op("ConvTranspose", 11);
    op.With("strides", stride).With("dilations", dilation).With("pads", pads);
    op.With("output_padding", extra).With("group", groups).Constant({false, true});
    ASSERT_OK_AND_ASSIGN(const Tensor got, op.Run({x.view(), w.view()}));
    ASSERT_EQ(got.shape(), (Shape{n, channels, y[0], y[1]}));
    EXPECT_THAT(got.values<float>(), ElementsAreArray(expected));  // small integers: exact
    ++done;
  }
  EXPECT_GT(done, 300);
}

TEST(Window, IndicesOfMaxima) {
  const std::vector<Tensor> in = In(F({1, 2, 2, 2}, {1, 2, 4, 3, 7, 7, 7, 7}));
  for (const int64_t column_major : {0, 1}) {
    OpRunner op = OpRunner("MaxPool", 12).With("kernel_shape", Ints{2, 2});
    op.With("storage_order", column_major).Outputs(2);
    ASSERT_OK_AND_ASSIGN(const std::vector<Tensor> out, op.RunAll(Views(in)));
    EXPECT_THAT(out[0].values<float>(), ElementsAreArray({4, 7}));
    EXPECT_THAT(out[1].values<int64_t>(), ElementsAreArray({column_major ? 1 : 2, 4}));
  }
}

TEST(Window, RefusesWhatDoesNotFit) {
  struct Refusal {
    const char* name;
    OpRunner op;
    std::vector<Tensor> in;
    const char* message;
    StatusCode code = StatusCode::kInvalidArgument;
  };
  std::vector<Refusal> cases;
  const auto add = [&](const char* name, OpRunner op, std::vector<Tensor> in, const char* message,
                       StatusCode code = StatusCode::kInvalidArgument) {
    cases.push_back({name, std::move(op), std::move(in), message, code});
  };
  const OpRunner conv("Conv", 11);
  const OpRunner transpose("ConvTranspose", 11);
  const OpRunner pool = OpRunner("MaxPool", 12).With("kernel_shape", Ints{2});
  const auto x = [] { return Ones({1, 2, 5}); };
  const auto w = [] { return Ones({4, 2, 3}); };
  for (const char* name : {"strides", "dilations", "kernel_shape", "pads"}) {
    for (const int64_t value : {int64_t{-1}, int64_t{0}, int64_t{1} << 31}) {
      if (value == 0 && std::string(name) == "pads") continue;
      const Ints values(std::string(name) == "pads" ? 2 : 1, value);
      for (const OpRunner& op : {conv, transpose}) {
        add(name, OpRunner(op).With(name, values), In(x(), w()), "is not in [");
      }
    }
    add(name, OpRunner(conv).With(name, Ints{1, 1, 1, 1}), In(x(), w()), name);
  }
  add("group 0", OpRunner(conv).With("group", int64_t{0}), In(x(), w()), "group [0]");
  add("group negative", OpRunner(transpose).With("group", int64_t{-2}), In(x(), w()), "group [-2]");
  add("auto_pad", OpRunner(conv).With("auto_pad", "SAME"), In(x(), w()), "auto_pad is 'SAME'");
  add("pads and auto_pad", OpRunner(conv).With("auto_pad", "VALID").With("pads", Ints{1, 1}),
      In(x(), w()), "both given");
  add("unknown", OpRunner(conv).With("padding", int64_t{1}), In(x(), w()), "padding");
  add("activation outside", OpRunner(conv).With("activation", "Relu"), In(x(), w()), "activation");
  add("fused unknown", OpRunner("Conv", 13, kFusedDomain).With("axis", int64_t{1}), In(x(), w()),
      "axis");
  add("fused activation", OpRunner("Conv", 13, kFusedDomain).With("activation", "Gelu"),
      In(x(), w()), "'Gelu'");
  add("channels", conv, In(Ones({1, 3, 5}), w()), "X has 3 channels, W [4,2,3] and group 1 need 2");
  add("output channels", OpRunner(conv).With("group", int64_t{2}),
      In(Ones({1, 4, 5}), Ones({3, 2, 3})), "3 output channels, which group 2 does not divide");
  add("rank", conv, In(Ones({1, 2}), Ones({4, 2})), "expected [batch, channels, size, ...]");
  add("ranks", conv, In(x(), Ones({4, 2, 3, 3})), "they must have one rank");
  add("3-d", conv, In(Ones({1, 1, 2, 2, 2}), Ones({1, 1, 2, 2, 2})), "3 spatial dimensions",
      StatusCode::kUnimplemented);
  add("window too large", conv, In(Ones({1, 2, 2}), w()), "a window of 3 does not fit size 2");
  add("window empty", conv, In(x(), Ones({4, 2, 0})), "0 is not in [1");
  add("kernel_shape", OpRunner(conv).With("kernel_shape", Ints{2}), In(x(), w()),
      "kernel_shape is [2], W is [4,2,3]");
  add("bias", conv, In(x(), w(), Ones({3})), "B is [3], expected one per output channel: [4]");
  add("integers", conv, In(I({1}), w()), "W is [4,2,3]");
  add("transpose channels", transpose, In(x(), w()), "X has 2 channels, W [4,2,3] needs 4");
  add("transpose group", OpRunner(transpose).With("group", int64_t{3}), In(Ones({1, 4, 5}), w()),
      "which group 3 does not divide");
  add("transpose output_padding", OpRunner(transpose).With("output_padding", Ints{1}),
      In(Ones({1, 4, 5}), w()), "output_padding 1 is not below stride 1");
  add("transpose output_padding entries", OpRunner(transpose).With("output_padding", Ints{0, 0}),
      In(Ones({1, 4, 5}), w()), "output_padding has 2 entries, expected 1");
  add("transpose output_shape", OpRunner(transpose).With("output_shape", Ints{0}),
      In(Ones({1, 4, 5}), w()), "output_shape [0]");
  add("transpose pads", OpRunner(transpose).With("pads", Ints{4, 4}), In(Ones({1, 4, 5}), w()),
      "gives an output of -1");
  add("transpose stride", OpRunner(transpose).With("strides", Ints{65}), In(Ones({1, 4, 5}), w()),
      "supported are up to 64", StatusCode::kUnimplemented);
  add("pool window", pool, In(Ones({1, 1, 1})), "a window of 2 does not fit size 1");
  add("pool pads", OpRunner(pool).With("pads", Ints{2, 0}), In(x()),
      "not smaller than the window of 2");
  add("pool without kernel", OpRunner("AveragePool", 11), In(x()), "'kernel_shape' is missing");
  add("pool ceil_mode", OpRunner(pool).With("ceil_mode", int64_t{2}), In(x()), "ceil_mode is 2");
  add("pool of nothing", OpRunner("GlobalMaxPool", 1), In(Ones({1, 1, 0})), "no elements");
  add("pool rank", OpRunner("GlobalAveragePool", 1), In(Ones({3})), "expected [batch");
  const OpRunner pad("Pad", 13);
  add("pads count", pad, In(x(), I({1, 1})), "pads has 2 entries, expected 6");
  add("pads type", pad, In(x(), Ones({6})), "pads is FLOAT32 [6]");
  add("pads negative", pad, In(F({2}, {1, 2}), I({-2, -1})), "negative");
  add("pads huge", pad, In(F({2}, {1, 2}), I({INT64_MAX, INT64_MAX})), "pads has 9223");
  add("pad value", pad, In(F({2}, {1, 2}), I({0, 1}), I({7})), "constant_value is INT64 [1]");
  add("pad mode", OpRunner(pad).With("mode", "mirror"), In(x(), I({0, 0})), "mode is 'mirror'");
  add("reflect too far", OpRunner(pad).With("mode", "reflect"), In(F({2}, {1, 2}), I({2, 0})),
      "reflects more");
  add("edge of nothing", OpRunner(pad).With("mode", "edge"), In(F({0}, {}), I({2, 0})),
      "nothing to repeat");
  add("pad axis", OpRunner("Pad", 18), In(F({2}, {1, 2}), I({0, 1}), F({}, {9}), I({1})),
      "axis 1 is out of range");
  for (const Refusal& c : cases) {
    SCOPED_TRACE(c.name);
    OpRunner op = c.op;
    op.Constant({false, true, true, true});
    EXPECT_THAT(op.Run(Views(c.in)), StatusIs(c.code, HasSubstr(c.message)));
  }
}

}  // namespace
}  // namespace sigserve
