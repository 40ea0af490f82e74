// One row gives the same bits alone, in any batch and at any position, on every CPU target; and on
// every target with fused multiply-add the same bits as on the others. 100,000 random rows for the
// net of the tutorials, fewer for costlier ones.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "model/formats/onnx/onnx_reader.h"
#include "model/graph/graph.h"
#include "model/runtime/session.h"
#include "tests/support/cpu_targets.h"
#include "tests/support/floats.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing_support::SameBits;

constexpr int64_t kMaxBatch = 400;

/// Builds nets layer by layer, with random weights.
class Net {
 public:
  explicit Net(Shape input) { at_ = builder_.AddInput("x", {.shape = std::move(input)}); }

  template <typename... Weights>
  Net& Add(const std::string& op, Attributes attributes, Weights... weights) {
    std::vector<ValueId> inputs = {at_};
    (inputs.push_back(builder_.AddConstant(builder_.UniqueName("w"), std::move(weights))), ...);
    at_ = builder_.AddNode(op, std::move(inputs), builder_.UniqueName(op), std::move(attributes));
    return *this;
  }
  Net& Add(const std::string& op) { return Add(op, Attributes()); }
  Net& Gemm(int64_t in, int64_t out) {
    return Add("Gemm", Attributes(), Random(Shape{in, out}), Random(Shape{out}));
  }

  Graph Build() {
    builder_.AddOutput(at_);
    auto graph = std::move(builder_).Build();
    EXPECT_OK(graph);
    return *std::move(graph);
  }

  Tensor Random(Shape shape) {
    Tensor tensor(DType::kFloat32, std::move(shape));
    std::normal_distribution<float> normal(0.0F, 0.2F);
    for (float& value : tensor.mutable_values<float>()) value = normal(random_);
    return tensor;
  }

 private:
  std::mt19937 random_{7};
  GraphBuilder builder_;
  ValueId at_ = kNoValue;
};

Attributes Pads(std::vector<int64_t> pads) {
  Attributes attributes;
  EXPECT_OK(attributes.Add("pads", std::move(pads)));
  return attributes;
}
Attributes Window(std::vector<int64_t> kernel, std::vector<int64_t> strides) {
  Attributes attributes;
  EXPECT_OK(attributes.Add("kernel_shape", std::move(kernel)));
  EXPECT_OK(attributes.Add("strides", std::move(strides)));
  return attributes;
}

Tensor RandomRows(const InputSignature& input, int64_t rows) {
  Shape shape = input.shape;
  shape.set(0, rows);
  Tensor tensor(DType::kFloat32, shape);
  std::mt19937 random(42);
  std::normal_distribution<float> normal(0.0F, 3.0F);
  for (float& value : tensor.mutable_values<float>()) value = normal(random);
  return tensor;
}

/// Runs rows, in this order and in batches of these sizes; the answers in the rows' own order.
std::vector<float> Answers(const std::shared_ptr<const Executable>& executable, const Tensor& rows,
                           const std::vector<int64_t>& order, const std::vector<int64_t>& sizes) {
  Session session(executable);
  const int64_t row = rows.elements() / rows.shape()[0];
  std::vector<float> answers;
  size_t begin = 0;
  for (const int64_t size : sizes) {
    Shape shape = rows.shape();
    shape.set(0, size);
    Tensor batch(DType::kFloat32, shape);
    float* to = batch.mutable_values<float>().data();
    for (int64_t i = 0; i < size; ++i) {
      const float* from = rows.values<float>().data() + order[begin + static_cast<size_t>(i)] * row;
      to = std::copy(from, from + row, to);
    }
    EXPECT_OK(session.Run({batch.view()}));
    const auto output = session.output(0).values<float>();
    const size_t width = output.size() / static_cast<size_t>(size);
    answers.resize(static_cast<size_t>(rows.shape()[0]) * width);
    for (size_t i = 0; i < static_cast<size_t>(size); ++i) {
      std::copy_n(output.begin() + i * width, width,
                  answers.begin() + static_cast<size_t>(order[begin + i]) * width);
    }
    begin += static_cast<size_t>(size);
  }
  return answers;
}

void ExpectSameBits(const Graph& graph, int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  const std::vector<int64_t> alone(static_cast<size_t>(count), 1);
  std::mt19937 random(3);
  std::vector<int64_t> shuffled = order;
  std::shuffle(shuffled.begin(), shuffled.end(), random);
  std::vector<int64_t> sizes;
  for (int64_t left = count; left > 0; left -= sizes.back()) {
    sizes.push_back(std::min(left, std::uniform_int_distribution<int64_t>(1, kMaxBatch)(random)));
  }
  std::vector<float> fused;
  ForEachTarget([&](int64_t target) {
    // Weights are packed for the target.
    ASSERT_OK_AND_ASSIGN(const auto executable, Executable::Compile(graph));
    ASSERT_TRUE(executable->signature().batchable);
    const Tensor rows = RandomRows(executable->signature().inputs[0], count);
    const std::vector<float> single = Answers(executable, rows, order, alone);
    EXPECT_TRUE(SameBits(single, Answers(executable, rows, shuffled, sizes)));
    if (!Fuses(target)) return;
    if (fused.empty()) fused = single;
    EXPECT_TRUE(SameBits(single, fused)) << "another target with fused multiply-add differs";
  });
}

TEST(SameBits, TutorialNet) {
  const Graph graph =
      Net(Shape{-1, 64}).Gemm(64, 128).Add("Relu").Gemm(128, 2).Add("Sigmoid").Build();
  ExpectSameBits(graph, 100'000);
}

TEST(SameBits, OddSizesAndOtherActivations) {
  const Graph graph = Net(Shape{-1, 33})
                          .Gemm(33, 17)
                          .Add("Tanh")
                          .Gemm(17, 131)
                          .Add("Softplus")
                          .Gemm(131, 5)
                          .Add("Softmax")
                          .Build();
  ExpectSameBits(graph, 20'000);
}

TEST(SameBits, Convolutions) {
  Net net(Shape{-1, 3, 9, 9});
  net.Add("Conv", Pads({1, 1, 1, 1}), net.Random({6, 3, 3, 3}), net.Random({6}))
      .Add("Relu")
      .Add("MaxPool", Window({2, 2}, {2, 2}))
      .Add("Conv", Attributes(), net.Random({20, 6, 1, 4}))
      .Add("Flatten")
      .Gemm(80, 3)
      .Add("Sigmoid");
  ExpectSameBits(net.Build(), 4'000);
}

TEST(SameBits, TransposedConvolution) {
  Net net(Shape{-1, 5, 4, 4});
  net.Add("ConvTranspose", Window({4, 4}, {2, 2}), net.Random({5, 7, 4, 4}), net.Random({7}))
      .Add("Relu")
      .Add("ConvTranspose", Attributes(), net.Random({7, 1, 3, 3}))
      .Add("Sigmoid");
  ExpectSameBits(net.Build(), 1'000);
}

TEST(SameBits, ModelsOfScikitLearn) {
  for (const std::string name : {"parity/sk_bc_mlp", "parity/sk_digits_softmax_onnxml",
                                 "parity/sk_bc_lr_gemm", "svm/rbf_binary_probability"}) {
    SCOPED_TRACE(name);
    std::ifstream file(SIGSERVE_SOURCE_DIR "/tests/golden/" + name + "/model.onnx",
                       std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    ASSERT_OK_AND_ASSIGN(const Graph graph, ReadOnnx(bytes));
    ASSERT_OK_AND_ASSIGN(const auto executable, Executable::Compile(graph));
    // The last output holds the scores.
    GraphBuilder scores(graph);
    const auto outputs = graph.outputs();
    scores.ReplaceOutput(0, outputs[outputs.size() - 1]);
    ASSERT_OK_AND_ASSIGN(const Graph first, std::move(scores).Build());
    ExpectSameBits(first, 5'000);
  }
}

}  // namespace
}  // namespace sigserve
