#include "model/autodiff/backprop.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "model/train/architecture.h"
#include "model/train/loss.h"
#include "model/train/random.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const DeclaredType kAnyShape = {.dtype = DType::kFloat32, .any_rank = true, .shape = {}};

// y = (x w) + (x w): w is reached twice, and so is x w.
Graph TwiceTheProduct() {
  GraphBuilder builder;
  const ValueId x = builder.AddInput("x", kAnyShape);
  const ValueId w = builder.AddInput("w", kAnyShape);
  const ValueId product = builder.AddNode("Mul", {x, w}, "product");
  builder.AddOutput(builder.AddNode("Add", {product, product}, "y"));
  auto graph = std::move(builder).Build();
  EXPECT_OK(graph);
  return *std::move(graph);
}

TEST(Backprop, AddsUpOverPathsAndOverCalls) {
  ASSERT_OK_AND_ASSIGN(const auto backprop, Backprop::Create(TwiceTheProduct(), {1}));
  const Tensor x = Tensor::Of<float>({2}, {3, 5});
  const Tensor w = Tensor::Of<float>({2}, {7, 11});
  const Tensor ones = Tensor::Of<float>({2}, {1, 10});
  const std::vector<TensorView> inputs = {x.view(), w.view()};
  ASSERT_OK_AND_ASSIGN(const TensorView y, backprop->Forward(inputs));
  EXPECT_THAT(y.values<float>(), ElementsAre(42, 110));
  backprop->Backward(ones.view());
  ASSERT_EQ(backprop->gradients().size(), 1u);
  EXPECT_THAT(backprop->gradients()[0].values<float>(), ElementsAre(6, 100));
  backprop->Backward(ones.view());
  EXPECT_THAT(backprop->gradients()[0].values<float>(), ElementsAre(12, 200));
  backprop->ClearGradients();
  EXPECT_THAT(backprop->gradients()[0].values<float>(), ElementsAre(0, 0));
}

TEST(Backprop, RowsMayChangeFromCallToCall) {
  TrainSpec spec;
  spec.feature_count = 2;
  ASSERT_OK_AND_ASSIGN(Graph graph, TrainingGraph(spec));
  ASSERT_OK_AND_ASSIGN(const auto backprop, Backprop::Create(std::move(graph), {1, 2}));
  const Tensor weight = Tensor::Of<float>({1, 2}, {1, 10});
  const Tensor bias = Tensor::Of<float>({1}, {100});
  const Tensor three = Tensor::Of<float>({3, 2}, {1, 2, 3, 4, 5, 6});
  const Tensor ones = Tensor::Of<float>({3, 1}, {1, 1, 1});
  for (const int64_t rows : {2, 3, 1, 3}) {
    const std::vector<TensorView> inputs = {
        {DType::kFloat32, {rows, 2}, three.data()}, weight.view(), bias.view()};
    ASSERT_OK_AND_ASSIGN(const TensorView logits, backprop->Forward(inputs));
    ASSERT_EQ(logits.shape(), Shape({rows, 1}));
    EXPECT_EQ(logits.values<float>()[static_cast<size_t>(rows - 1)],
              static_cast<float>(100 + 2 * rows - 1 + 10 * 2 * rows));
    backprop->ClearGradients();
    backprop->Backward({DType::kFloat32, {rows, 1}, ones.data()});
    EXPECT_EQ(backprop->gradients()[1].values<float>()[0], static_cast<float>(rows));
  }
}

// The loss of a net as a function of its weights, and its gradient two ways.
class WholeNet : public testing::TestWithParam<Activation> {
 protected:
  static constexpr int64_t kRows = 7;

  void SetUp() override {
    spec_.feature_count = 4;
    spec_.label_count = 3;
    spec_.architecture = {.hidden_units = {6, 5}, .activation = GetParam()};
    spec_.schedule.seed = 5;
    weights_ = DrawWeights(spec_);
    Random random(11, 0);
    for (float& x : features_.mutable_values<float>()) {
      x = random.Uniform(-2, 2);
    }
    for (float& y : labels_.mutable_values<float>()) {
      y = static_cast<float>(random.Below(2));
    }
    ASSERT_OK_AND_ASSIGN(Graph graph, TrainingGraph(spec_));
    ASSERT_OK_AND_ASSIGN(backprop_, Backprop::Create(std::move(graph), {1, 2, 3, 4, 5, 6}));
  }

  // Fills logit_gradient_ on the way.
  double Loss() {
    std::vector<TensorView> inputs = {features_.view()};
    for (const auto& [name, tensor] : weights_) {
      inputs.push_back(tensor.view());
    }
    const auto logits = backprop_->Forward(inputs);
    EXPECT_OK(logits);
    const std::vector<float> positive_weights = {1, 3, 0.5f};
    return BceWithLogits(logits->values<float>(), labels_.values<float>(), positive_weights, 1,
                         logit_gradient_.mutable_values<float>());
  }

  TrainSpec spec_;
  NamedWeights weights_;
  Tensor features_{DType::kFloat32, {kRows, 4}};
  Tensor labels_{DType::kFloat32, {kRows, 3}};
  Tensor logit_gradient_{DType::kFloat32, {kRows, 3}};
  std::unique_ptr<Backprop> backprop_;
};

TEST_P(WholeNet, GradientIsTheFiniteDifference) {
  Loss();
  backprop_->ClearGradients();
  backprop_->Backward(logit_gradient_.view());
  constexpr float kStep = 2e-3f;  // small: a Relu's kink must not lie within it

  for (size_t i = 0; i < weights_.size(); ++i) {
    const Tensor gradient = Tensor::CopyOf(backprop_->gradients()[i]);
    for (size_t j = 0; j < gradient.values<float>().size(); ++j) {
      float& weight = weights_[i].second.mutable_values<float>()[j];
      const float before = weight;
      weight = before + kStep;
      const double above = Loss();
      weight = before - kStep;
      const double below = Loss();
      weight = before;
      const double difference = (above - below) / (2 * kStep);
      EXPECT_NEAR(gradient.values<float>()[j], difference, 3e-3 + 3e-3 * std::abs(difference))
          << weights_[i].first << " element " << j;
    }
  }
}

const char* NameOf(Activation activation) {
  static constexpr const char* kNames[] = {"Relu", "Tanh", "Sigmoid"};
  return kNames[static_cast<int>(activation)];
}

INSTANTIATE_TEST_SUITE_P(Activations, WholeNet,
                         testing::Values(Activation::kRelu, Activation::kTanh,
                                         Activation::kSigmoid),
                         [](const auto& info) { return std::string(NameOf(info.param)); });

// What cannot be trained.

TEST(Backprop, RefusesTwoOutputs) {
  GraphBuilder builder;
  const ValueId x = builder.AddInput("x", kAnyShape);
  builder.AddOutput(builder.AddNode("Relu", {x}, "a"));
  builder.AddOutput(builder.AddNode("Tanh", {x}, "b"));
  ASSERT_OK_AND_ASSIGN(Graph graph, std::move(builder).Build());
  EXPECT_THAT(Backprop::Create(std::move(graph), {0}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 outputs; expected 1")));
}

TEST(Backprop, NamesTheNodeWithoutAGradient) {
  const auto graph_of = [] {
    GraphBuilder builder;
    const ValueId x = builder.AddInput("x", kAnyShape);
    const ValueId w = builder.AddInput("w", kAnyShape);
    NodeSpec normalizer;
    normalizer.name = "norm";
    normalizer.domain = "ai.onnx.ml";
    normalizer.op_type = "Normalizer";
    normalizer.opset = 3;
    const ValueId normalized = builder.ValueNamed("normalized");
    builder.AddNode(normalizer, {x}, {normalized});
    builder.AddOutput(builder.AddNode("Mul", {normalized, w}, "y"));
    return std::move(builder).Build();
  };
  ASSERT_OK_AND_ASSIGN(Graph graph, graph_of());
  EXPECT_THAT(Backprop::Create(graph, {0}),
              StatusIs(absl::StatusCode::kUnimplemented,
                       AllOf(HasSubstr("Normalizer 'norm'"), HasSubstr("has no gradient here"))));
  EXPECT_OK(Backprop::Create(graph, {1}));  // not on the way of w
}

// At inference Dropout copies its input: training through that copy would drop nothing, silently.
TEST(Backprop, RefusesDropout) {
  GraphBuilder builder;
  const ValueId x = builder.AddInput("x", kAnyShape);
  const ValueId w = builder.AddInput("w", kAnyShape);
  NodeSpec dropout;
  dropout.name = "drop";
  dropout.op_type = "Dropout";
  Tensor training(DType::kBool, {});
  training.mutable_values<bool>()[0] = true;
  const ValueId ratio = builder.AddConstant("ratio", Tensor::Of<float>({}, {0.5F}));
  const ValueId mode = builder.AddConstant("mode", std::move(training));
  const ValueId dropped = builder.ValueNamed("dropped");
  builder.AddNode(dropout, {builder.AddNode("Mul", {x, w}, "product"), ratio, mode}, {dropped});
  builder.AddOutput(dropped);
  ASSERT_OK_AND_ASSIGN(Graph graph, std::move(builder).Build());
  EXPECT_THAT(Backprop::Create(std::move(graph), {1}),
              StatusIs(absl::StatusCode::kUnimplemented,
                       AllOf(HasSubstr("Dropout 'drop' cannot be trained through"),
                             HasSubstr("has no gradient here"))));
}

TEST(Backprop, ShapesThatDoNotMeetNameTheNodeAndSpoilNothing) {
  ASSERT_OK_AND_ASSIGN(const auto backprop, Backprop::Create(TwiceTheProduct(), {1}));
  const Tensor two(DType::kFloat32, {2});
  const Tensor three(DType::kFloat32, {3});
  const auto forward = [&](const Tensor& x) {
    const std::vector<TensorView> inputs = {x.view(), two.view()};
    return backprop->Forward(inputs);
  };
  EXPECT_OK(forward(two));
  for (int again = 0; again < 2; ++again) {
    EXPECT_THAT(forward(three), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("Mul")));
  }
  EXPECT_OK(forward(two));
  EXPECT_THAT(backprop->Forward({}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("0 inputs for a graph of 2")));
}

TEST(Backprop, TrainedInputsKeepTheirShape) {
  ASSERT_OK_AND_ASSIGN(const auto backprop, Backprop::Create(TwiceTheProduct(), {1}));
  const Tensor two(DType::kFloat32, {2});
  const Tensor three(DType::kFloat32, {3});
  ASSERT_OK(backprop->Forward(std::vector<TensorView>{two.view(), two.view()}));
  EXPECT_THAT(backprop->Forward(std::vector<TensorView>{three.view(), three.view()}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("trained input 1 is [3] but was [2]")));
}

}  // namespace
}  // namespace sigserve
