#include "model/runtime/session.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "model/tensor/tensor.h"
#include "tests/support/allocations/allocations.h"
#include "tests/support/random_tensor.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::ElementsAre;
using testing::FloatEq;
using testing::HasSubstr;
using testing::StartsWith;
using testing_support::Allocations;
using testing_support::Random;

DeclaredType Typed(std::initializer_list<int64_t> dims, DType dtype = DType::kFloat32) {
  DeclaredType type;
  type.dtype = dtype;
  for (const int64_t d : dims) type.shape.push_back(d);
  return type;
}

std::shared_ptr<const Executable> Compiled(GraphBuilder builder) {
  absl::StatusOr<Graph> graph = std::move(builder).Build();
  EXPECT_OK(graph);
  auto executable = Executable::Compile(*graph);
  EXPECT_OK(executable);
  return *executable;
}

/// x [N,7] -> 7x16 -> Relu -> 16x3 -> Sigmoid
std::shared_ptr<const Executable> Mlp() {
  GraphBuilder b;
  const ValueId x = b.AddInput("x", Typed({-1, 7}));
  const ValueId w0 = b.AddConstant("w0", Random(Shape{7, 16}, 1));
  const ValueId b0 = b.AddConstant("b0", Random(Shape{16}, 2));
  const ValueId w1 = b.AddConstant("w1", Random(Shape{16, 3}, 3));
  const ValueId b1 = b.AddConstant("b1", Random(Shape{3}, 4));
  const ValueId h = b.AddNode("Relu", {b.AddNode("Gemm", {x, w0, b0}, "z0")}, "h");
  b.AddOutput(b.AddNode("Sigmoid", {b.AddNode("Gemm", {h, w1, b1}, "z1")}, "y"));
  return Compiled(std::move(b));
}

std::vector<float> Floats(const TensorView& view) {
  return {view.values<float>().begin(), view.values<float>().end()};
}

TensorView Rows(const Tensor& batch, int64_t first, int64_t count) {
  const int64_t width = batch.shape()[1];
  return {DType::kFloat32, Shape{count, width}, batch.values<float>().data() + first * width};
}

TEST(Executable, DescribesADenseClassifier) {
  const Signature signature = Mlp()->signature();
  ASSERT_EQ(signature.inputs.size(), 1U);
  EXPECT_EQ(signature.inputs[0].name, "x");
  EXPECT_EQ(signature.inputs[0].shape, (Shape{-1, 7}));
  ASSERT_EQ(signature.outputs.size(), 1U);
  EXPECT_EQ(signature.outputs[0].name, "y");
  EXPECT_EQ(signature.outputs[0].shape, (Shape{-1, 3}));
  EXPECT_EQ(signature.outputs[0].link, Link::kSigmoid);
  EXPECT_TRUE(signature.outputs[0].has_logits);
  EXPECT_TRUE(signature.batchable);
}

TEST(Session, LogitsAreTheSigmoidsInputs) {
  Session session(Mlp());
  const Tensor x = Random(Shape{5, 7}, 9);
  ASSERT_OK(session.Run({x.view()}));
  const auto p = Floats(session.output(0));
  const auto z = Floats(session.logits(0));
  ASSERT_EQ(p.size(), z.size());
  for (size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(p[i], 1 / (1 + std::exp(-z[i])), 1e-6);
}

TEST(Session, ARowsBitsDoNotDependOnTheBatch) {
  const auto executable = Mlp();
  const Tensor x = Random(Shape{67, 7}, 10);
  Session batch(executable);
  ASSERT_OK(batch.Run({x.view()}));
  const auto expected = Floats(batch.output(0));
  Session other(executable);
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    const auto count = static_cast<int64_t>(1 + random() % 20);
    const auto first = static_cast<int64_t>(random() % static_cast<uint32_t>(67 - count + 1));
    ASSERT_OK(other.Run({Rows(x, first, count)}));
    const TensorView got = other.output(0);
    ASSERT_EQ(got.shape(), (Shape{count, 3}));
    EXPECT_EQ(std::memcmp(got.data(), expected.data() + first * 3,
                          static_cast<size_t>(count) * 3 * sizeof(float)),
              0)
        << count << " rows from " << first;
  }
}

TEST(Session, APermutedBatchGivesPermutedAnswers) {
  const auto executable = Mlp();
  const Tensor x = Random(Shape{33, 7}, 12);
  Session session(executable);
  ASSERT_OK(session.Run({x.view()}));
  const auto expected = Floats(session.output(0));
  std::vector<int64_t> order(33);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(13));
  Tensor shuffled(DType::kFloat32, Shape{33, 7});
  for (size_t i = 0; i < order.size(); ++i) {
    std::memcpy(&shuffled.mutable_values<float>()[i * 7],
                &x.values<float>()[static_cast<size_t>(order[i]) * 7], 7 * sizeof(float));
  }
  ASSERT_OK(session.Run({shuffled.view()}));
  const auto got = Floats(session.output(0));
  for (size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(std::memcmp(&got[i * 3], &expected[static_cast<size_t>(order[i]) * 3], 12), 0);
  }
}

TEST(Session, DataNeedNotBeAligned) {
  const auto executable = Mlp();
  const Tensor x = Random(Shape{2, 7}, 14);
  Session session(executable);
  ASSERT_OK(session.Run({x.view()}));
  const auto expected = Floats(session.output(0));
  std::vector<char> bytes(x.bytes() + 1);
  std::memcpy(bytes.data() + 1, x.data(), x.bytes());
  ASSERT_OK(session.Run({TensorView(DType::kFloat32, x.shape(), bytes.data() + 1)}));
  EXPECT_EQ(Floats(session.output(0)), expected);
}

TEST(Session, MemoryStaysAtTheLargestBatch) {
  Session session(Mlp());
  const Tensor x = Random(Shape{64, 7}, 15);
  ASSERT_OK(session.Run({x.view()}));
  const size_t bytes = session.memory_bytes();
  for (const int64_t rows : {1, 3, 64, 17, 2}) ASSERT_OK(session.Run({Rows(x, 0, rows)}));
  EXPECT_EQ(session.memory_bytes(), bytes);
}

TEST(Session, AllocatesNothingOnceItHasSeenABatch) {
  Session session(Mlp());
  const Tensor x = Random(Shape{64, 7}, 24);
  std::vector<TensorView> batches;
  for (const int64_t rows : {64, 1, 3, 17, 2}) batches.push_back(Rows(x, 0, rows));
  for (const TensorView& batch : batches) ASSERT_OK(session.Run({batch}));
  const int64_t before = Allocations();
  bool ok = true;
  for (const TensorView& batch : batches) {
    ok = ok && session.Run({batch}).ok() && session.output(0).present();
  }
  EXPECT_EQ(Allocations() - before, 0);
  EXPECT_TRUE(ok);
}

TEST(Session, NoRowsGiveNoAnswers) {
  Session session(Mlp());
  ASSERT_OK(session.Run({TensorView(DType::kFloat32, Shape{0, 7}, nullptr)}));
  EXPECT_EQ(session.output(0).shape(), (Shape{0, 3}));
  const Tensor x = Random(Shape{2, 7}, 16);
  ASSERT_OK(session.Run({x.view()}));
  EXPECT_EQ(session.output(0).shape(), (Shape{2, 3}));
}

TEST(Session, ManyThreadsOneExecutable) {
  const auto executable = Mlp();
  const Tensor x = Random(Shape{16, 7}, 17);
  Session session(executable);
  ASSERT_OK(session.Run({x.view()}));
  const auto expected = Floats(session.output(0));
  std::vector<int> same(4, 0);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < same.size(); ++t) {
    threads.emplace_back([&, t] {
      Session own(executable);
      for (int i = 0; i < 50; ++i) {
        if (own.Run({x.view()}).ok() && Floats(own.output(0)) == expected) ++same[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(same, ElementsAre(50, 50, 50, 50));
}

TEST(Session, SigmoidOfAnyShape) {
  for (const Shape& shape : {Shape{}, Shape{4}, Shape{2, 2}, Shape{1, 2, 2}, Shape{2, 1, 2, 1}}) {
    GraphBuilder b;
    DeclaredType any;
    any.any_rank = true;
    b.AddOutput(b.AddNode("Sigmoid", {b.AddInput("x", any)}, "y"));
    const auto executable = Compiled(std::move(b));
    EXPECT_TRUE(executable->signature().outputs[0].any_rank);
    EXPECT_FALSE(executable->signature().batchable);
    Session session(executable);
    Tensor x(DType::kFloat32, shape);
    x.mutable_values<float>()[0] = 1;
    ASSERT_OK(session.Run({x.view()}));
    EXPECT_EQ(session.output(0).shape(), shape);
    EXPECT_NEAR(session.output(0).values<float>()[0], 0.7310586, 1e-6);
    EXPECT_THAT(session.logits(0).values<float>()[0], FloatEq(1));
  }
}

TEST(Session, ResultsThatAreAnInputAreTheCallersData) {
  GraphBuilder b;
  const ValueId x = b.AddInput("x", Typed({-1, 2}));
  b.AddOutput(x);
  b.AddOutput(b.AddNode("Sigmoid", {x}, "y"));
  Session session(Compiled(std::move(b)));
  for (const float first : {3.0F, 5.0F}) {
    const Tensor data = Tensor::Of<float>(Shape{1, 2}, {first, 4});
    ASSERT_OK(session.Run({data.view()}));
    EXPECT_EQ(session.output(0).data(), data.view().data());
    EXPECT_EQ(session.logits(1).data(), data.view().data());
    EXPECT_THAT(Floats(session.logits(1)), ElementsAre(first, 4));
  }
}

TEST(Session, ResultsThatAreUnalignedInputAreAligned) {
  GraphBuilder b;
  b.AddOutput(b.AddNode("Sigmoid", {b.AddInput("x", Typed({-1, 2}))}, "y"));
  Session session(Compiled(std::move(b)));
  char bytes[9];
  const float values[] = {3, 4};
  std::memcpy(bytes + 1, values, 8);
  ASSERT_OK(session.Run({TensorView(DType::kFloat32, Shape{1, 2}, bytes + 1)}));
  EXPECT_THAT(Floats(session.logits(0)), ElementsAre(3, 4));
}

TEST(Executable, LogitsKeepTheOutputsShape) {
  GraphBuilder b;
  const ValueId p = b.AddNode("Sigmoid", {b.AddInput("x", Typed({-1, 2, 3}))}, "p");
  b.AddOutput(b.AddNode("Flatten", {p}, "y"));
  const auto executable = Compiled(std::move(b));
  EXPECT_EQ(executable->signature().outputs[0].link, Link::kSigmoid);
  EXPECT_EQ(executable->signature().outputs[0].shape, (Shape{-1, 6}));
  Session session(executable);
  const Tensor x = Random(Shape{2, 2, 3}, 18);
  ASSERT_OK(session.Run({x.view()}));
  EXPECT_EQ(session.logits(0).shape(), (Shape{2, 6}));
}

// Which models are batched.

TEST(Executable, FixedShapesAreNotBatched) {
  GraphBuilder b;
  b.AddOutput(b.AddNode("Sigmoid", {b.AddInput("x", Typed({3, 5}))}, "y"));
  EXPECT_FALSE(Compiled(std::move(b))->signature().batchable);
}

TEST(Executable, RowsThatMixAreNotBatched) {
  GraphBuilder b;  // [N,2] x [2,N] x [N,2]: the answer's dimension 0 is N, but every row reads all
  const ValueId x = b.AddInput("x", Typed({-1, 2}));
  Attributes transposed;
  ASSERT_OK(transposed.Add("transB", int64_t{1}));
  const ValueId gram = b.AddNode("Gemm", {x, x}, "gram", transposed);
  b.AddOutput(b.AddNode("MatMul", {gram, x}, "y"));
  const auto executable = Compiled(std::move(b));
  EXPECT_EQ(executable->signature().outputs[0].shape, (Shape{-1, 2}));
  EXPECT_FALSE(executable->signature().batchable);
}

// A tiny file must not make its load take gigabytes: the check runs rows of all inputs at once.
TEST(Executable, RowsThatAreLargeTogetherAreNotBatched) {
  GraphBuilder b;
  for (int i = 0; i < 3; ++i) b.AddInput(absl::StrCat("unused", i), Typed({-1, 8 << 20}));
  b.AddOutput(b.AddNode("Sigmoid", {b.AddInput("x", Typed({-1, 1}))}, "y"));
  EXPECT_FALSE(Compiled(std::move(b))->signature().batchable);
}

TEST(Executable, AnOutputWithoutTheBatchIsNotBatched) {
  GraphBuilder b;
  const ValueId x = b.AddInput("x", Typed({-1, 2}));
  const ValueId target = b.AddConstant("target", Tensor::Of<int64_t>(Shape{1}, {-1}));
  b.AddOutput(b.AddNode("Reshape", {x, target}, "y"));
  const auto executable = Compiled(std::move(b));
  EXPECT_FALSE(executable->signature().batchable);
  Session session(executable);
  const Tensor rows = Random(Shape{4, 2}, 19);
  ASSERT_OK(session.Run({rows.view()}));
  EXPECT_EQ(session.output(0).shape(), (Shape{8}));
}

// What is refused.

// [N,T,6] -> sums along the last dimension; T may differ from call to call.
TEST(Executable, SequencesAreBatchedWhereRowsDoNotMix) {
  GraphBuilder b;
  const ValueId x = b.AddInput("x", Typed({-1, -1, 6}));
  const ValueId w = b.AddConstant("w", Random(Shape{6, 2}, 31));
  b.AddOutput(b.AddNode("Sigmoid", {b.AddNode("MatMul", {x, w}, "z")}, "y"));
  const auto executable = Compiled(std::move(b));
  EXPECT_EQ(executable->signature().outputs[0].shape, (Shape{-1, -1, 2}));
  EXPECT_TRUE(executable->signature().batchable);
  Session session(executable);
  for (const int64_t length : {9, 1, 4, 9}) {
    const Tensor two = Random(Shape{2, length, 6}, 32);
    ASSERT_OK(session.Run({two.view()}));
    EXPECT_EQ(session.output(0).shape(), (Shape{2, length, 2}));
  }
}

TEST(Executable, SequencesThatMixRowsAreNotBatched) {
  GraphBuilder b;
  Attributes all;
  ASSERT_OK(all.Add("axis", int64_t{0}));
  b.AddOutput(b.AddNode("Softmax", {b.AddInput("x", Typed({-1, -1}))}, "y", all));
  EXPECT_FALSE(Compiled(std::move(b))->signature().batchable);
}

TEST(Executable, NamesTheNodeThatCannotFit) {
  GraphBuilder b;
  const ValueId x = b.AddInput("x", Typed({-1, 30}));
  const ValueId w = b.AddConstant("w", Random(Shape{64, 2}, 20));
  b.AddOutput(b.AddNode("MatMul", {x, w}, "fc1"));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(b).Build());
  EXPECT_THAT(Executable::Compile(graph),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::AllOf(StartsWith("ONNX_SHAPE: MatMul 'fc1'"), HasSubstr("30"),
                                      HasSubstr("64"))));
}

TEST(Executable, NamesTheNodeOfABadAttribute) {
  GraphBuilder b;
  Attributes unknown;
  ASSERT_OK(unknown.Add("slope", 0.5F));
  b.AddOutput(b.AddNode("Relu", {b.AddInput("x", Typed({-1, 30}))}, "y", unknown));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(b).Build());
  EXPECT_THAT(Executable::Compile(graph),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::AllOf(StartsWith("ONNX_ATTR: Relu 'y'"), HasSubstr("slope"))));
}

TEST(Executable, RefusesTensorsOverTheLimit) {
  GraphBuilder b;
  const ValueId x = b.AddInput("x", Typed({-1, 1 << 20, 1}));
  const ValueId w = b.AddConstant("w", Random(Shape{1, 1024}, 21));
  b.AddOutput(b.AddNode("Mul", {x, w}, "huge"));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(b).Build());
  EXPECT_THAT(Executable::Compile(graph), StatusIs(absl::StatusCode::kResourceExhausted,
                                                   StartsWith("ONNX_TENSOR_LIMIT: Mul 'huge'")));
}

struct BadRun {
  const char* name;
  std::vector<TensorView> inputs;
  std::vector<std::string> says;
};

TEST(Session, SaysWhichInputDoesNotFit) {
  Session session(Mlp());
  const Tensor x = Random(Shape{4, 8}, 22);
  const auto of = [&](Shape shape, DType dtype = DType::kFloat32) {
    return TensorView(dtype, std::move(shape), x.data());
  };
  const BadRun runs[] = {
      {"none", {}, {"got 0 inputs", "has 1"}},
      {"two", {of(Shape{1, 7}), of(Shape{1, 7})}, {"got 2 inputs", "has 1"}},
      {"width", {of(Shape{4, 8})}, {"input 'x'", "[4,8]", "[-1,7]"}},
      {"rank", {of(Shape{7})}, {"input 'x'", "[7]", "[-1,7]"}},
      {"negative", {of(Shape{-4, 7})}, {"input 'x'", "[-4,7]"}},
      {"dtype", {of(Shape{1, 7}, DType::kInt32)}, {"input 'x'", "INT32", "FLOAT32"}},
      {"no data", {TensorView(DType::kFloat32, Shape{1, 7}, nullptr)}, {"input 'x'", "no data"}},
  };
  for (const BadRun& run : runs) {
    SCOPED_TRACE(run.name);
    const absl::Status status = session.Run(run.inputs);
    for (const std::string& part : run.says) {
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(part)));
    }
  }
  EXPECT_OK(session.Run({of(Shape{4, 7})}));
}

TEST(Session, NamesTheNodeWhereInputsDoNotMeet) {
  GraphBuilder b;
  b.AddOutput(
      b.AddNode("Add", {b.AddInput("a", Typed({-1, 2})), b.AddInput("b", Typed({-1, 2}))}, "sum"));
  Session session(Compiled(std::move(b)));
  const Tensor x = Random(Shape{3, 2}, 23);
  EXPECT_THAT(session.Run({x.view(), Rows(x, 0, 2)}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("Add 'sum'")));
  ASSERT_OK(session.Run({x.view(), x.view()}));
  EXPECT_EQ(session.output(0).shape(), (Shape{3, 2}));
}

TEST(Session, RefusesMoreRowsThanMemory) {
  GraphBuilder b;
  b.AddOutput(b.AddNode("Relu", {b.AddInput("x", Typed({-1, 1024}))}, "y"));
  Session session(Compiled(std::move(b)));
  const float x = 0;
  EXPECT_THAT(session.Run({TensorView(DType::kFloat32, Shape{int64_t{1} << 40, 1024}, &x)}),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("'x'")));
}

}  // namespace
}  // namespace sigserve
