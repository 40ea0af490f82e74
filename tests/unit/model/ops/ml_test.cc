// Scaler, Normalizer and LinearClassifier (ai.onnx.ml).
#include <cmath>

#include "tests/support/status_matchers.h"
#include "tests/unit/model/ops/op_runner.h"

namespace sigserve {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::FloatEq;
using testing::HasSubstr;

using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;
using Strings = std::vector<std::string>;

OpRunner Ml(absl::string_view type) { return {type, 1, "ai.onnx.ml"}; }

std::vector<float> RunFloats(const OpRunner& op, const Tensor& x) {
  const auto y = op.Run({x.view()});
  EXPECT_OK(y);
  return y.ok() ? std::vector<float>(y->values<float>().begin(), y->values<float>().end())
                : std::vector<float>();
}

TEST(Scaler, ShiftsThenScales) {
  const Tensor x = Tensor::Of<float>({2, 2}, {1, 2, 3, 4});
  EXPECT_THAT(
      RunFloats(Ml("Scaler").With("offset", Floats{1, 2}).With("scale", Floats{10, 0.5F}), x),
      ElementsAre(0, 0, 20, 1));
  EXPECT_THAT(RunFloats(Ml("Scaler").With("offset", Floats{1}).With("scale", Floats{2}), x),
              ElementsAre(0, 2, 4, 6));
  EXPECT_THAT(RunFloats(Ml("Scaler"), x), ElementsAre(1, 2, 3, 4));
}

TEST(Scaler, TakesEveryNumber) {
  const OpRunner op = Ml("Scaler").With("offset", Floats{1}).With("scale", Floats{0.5F});
  EXPECT_THAT(RunFloats(op, Tensor::Of<int64_t>({2}, {2, 3})), ElementsAre(0.5F, 1));
  EXPECT_THAT(RunFloats(op, Tensor::Of<int32_t>({2}, {2, 3})), ElementsAre(0.5F, 1));
  EXPECT_THAT(RunFloats(op, Tensor::Of<double>({2}, {2, 3})), ElementsAre(0.5F, 1));
}

TEST(Scaler, RefusesOtherWidths) {
  const Tensor x = Tensor::Of<float>({1, 3}, {1, 2, 3});
  EXPECT_THAT(Ml("Scaler").With("offset", Floats{1, 2}).Run({x.view()}),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("offset has 2 numbers, the input has 3 features")));
  EXPECT_THAT(Ml("Scaler").Run({Tensor(DType::kFloat32, {}).view()}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("one or two dimensions")));
}

TEST(Normalizer, DividesRowsByTheirNorm) {
  const Tensor x = Tensor::Of<float>({3, 2}, {3, -4, 0, 0, 1, 1});
  const auto norm = [](const char* name) {
    return Ml("Normalizer").With("norm", std::string(name));
  };
  EXPECT_THAT(RunFloats(norm("L1"), x),
              ElementsAre(FloatEq(3.0F / 7), FloatEq(-4.0F / 7), 0, 0, 0.5F, 0.5F));
  EXPECT_THAT(RunFloats(norm("L2"), x),
              ElementsAre(FloatEq(0.6F), FloatEq(-0.8F), 0, 0, FloatEq(std::sqrt(0.5F)),
                          FloatEq(std::sqrt(0.5F))));
  EXPECT_THAT(RunFloats(norm("MAX"), x), ElementsAre(1, FloatEq(-4.0F / 3), 0, 0, 1, 1));
  EXPECT_THAT(RunFloats(norm("L2"), Tensor::Of<float>({1, 2}, {3e30F, 4e30F})),
              ElementsAre(FloatEq(0.6F), FloatEq(0.8F)));
}

struct Classified {
  std::vector<int64_t> labels;
  std::vector<float> scores;
  Shape shape;
};

Classified Classify(OpRunner op, const Tensor& x) {
  Classified result;
  const auto out = op.Outputs(2).RunAll({x.view()});
  EXPECT_OK(out);
  if (out.ok()) {
    const auto labels = (*out)[0].values<int64_t>();
    const auto scores = (*out)[1].values<float>();
    result = {{labels.begin(), labels.end()}, {scores.begin(), scores.end()}, (*out)[1].shape()};
  }
  return result;
}

float Sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

OpRunner TwoRows(const char* transform) {
  return Ml("LinearClassifier")
      .With("coefficients", Floats{-1, -2, 1, 2})
      .With("intercepts", Floats{-0.5F, 0.5F})
      .With("classlabels_ints", Ints{7, 9})
      .With("multi_class", int64_t{0})
      .With("post_transform", std::string(transform));
}

const Tensor kRows = Tensor::Of<float>({2, 2}, {1, 1, -1, -1});  // logits of row 1: 3.5, -2.5

TEST(LinearClassifier, ScoresAndLabels) {
  const Classified none = Classify(TwoRows("NONE"), kRows);
  EXPECT_THAT(none.labels, ElementsAre(9, 7));
  EXPECT_THAT(none.scores, ElementsAre(-3.5F, 3.5F, 2.5F, -2.5F));
  EXPECT_EQ(none.shape, Shape({2, 2}));
}

TEST(LinearClassifier, Transforms) {
  EXPECT_THAT(Classify(TwoRows("LOGISTIC"), kRows).scores,
              ElementsAre(FloatEq(Sigmoid(-3.5F)), FloatEq(Sigmoid(3.5F)), FloatEq(Sigmoid(2.5F)),
                          FloatEq(Sigmoid(-2.5F))));
  EXPECT_THAT(Classify(TwoRows("SOFTMAX"), kRows).scores,
              ElementsAre(FloatEq(Sigmoid(-7)), FloatEq(Sigmoid(7)), FloatEq(Sigmoid(5)),
                          FloatEq(Sigmoid(-5))));
  EXPECT_THAT(Classify(TwoRows("SOFTMAX_ZERO"), kRows).scores,
              ElementsAre(FloatEq(Sigmoid(-7)), FloatEq(Sigmoid(7)), FloatEq(Sigmoid(5)),
                          FloatEq(Sigmoid(-5))));
  EXPECT_THAT(TwoRows("PROBIT").Run({kRows.view()}),
              StatusIs(StatusCode::kUnimplemented, HasSubstr("PROBIT")));
  EXPECT_THAT(TwoRows("GELU").Run({kRows.view()}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'GELU'")));
}

// One row of coefficients for two labels: as onnxruntime, [1 - s, s] without the transform.
TEST(LinearClassifier, OneRowForTwoLabels) {
  const OpRunner op = Ml("LinearClassifier")
                          .With("coefficients", Floats{1, 2})
                          .With("intercepts", Floats{0.5F})
                          .With("classlabels_ints", Ints{7, 9})
                          .With("post_transform", std::string("LOGISTIC"));
  const Classified c = Classify(op, kRows);
  EXPECT_THAT(c.labels, ElementsAre(9, 7));
  EXPECT_THAT(c.scores, ElementsAre(-2.5F, 3.5F, 3.5F, -2.5F));
  EXPECT_EQ(c.shape, Shape({2, 2}));
}

TEST(LinearClassifier, OneRowAlone) {
  const OpRunner op =
      Ml("LinearClassifier").With("coefficients", Floats{1, 2}).With("intercepts", Floats{0.5F});
  const Classified c = Classify(op, kRows);
  EXPECT_THAT(c.labels, ElementsAre(1, 0));
  EXPECT_THAT(c.scores, ElementsAre(3.5F, -2.5F));
  EXPECT_EQ(c.shape, Shape({2, 1}));
}

TEST(LinearClassifier, TakesEveryNumberAndOneRowOfThem) {
  for (const Tensor& x : {Tensor::Of<double>({2}, {1, 1}), Tensor::Of<int64_t>({2}, {1, 1})}) {
    const Classified c = Classify(TwoRows("NONE"), x);
    EXPECT_THAT(c.labels, ElementsAre(9));
    EXPECT_THAT(c.scores, ElementsAre(-3.5F, 3.5F));
  }
}

TEST(LinearClassifier, RefusesWhatDoesNotFit) {
  EXPECT_THAT(
      TwoRows("NONE").Run({Tensor::Of<float>({1, 3}, {1, 2, 3}).view()}),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("left has 3 columns, right has 2 rows")));
  const OpRunner ragged = Ml("LinearClassifier")
                              .With("coefficients", Floats{1, 2, 3})
                              .With("intercepts", Floats{0, 0})
                              .With("classlabels_ints", Ints{0, 1});
  EXPECT_THAT(ragged.Run({kRows.view()}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("3 coefficients for 2 classes")));
  const OpRunner labels = Ml("LinearClassifier")
                              .With("coefficients", Floats{1, 2, 3, 4})
                              .With("intercepts", Floats{0, 0})
                              .With("classlabels_strings", Strings{"a", "b", "c"});
  EXPECT_THAT(labels.Run({kRows.view()}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("3 labels for 2 classes")));
}

}  // namespace
}  // namespace sigserve
