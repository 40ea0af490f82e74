// SVMClassifier and SVMRegressor (ai.onnx.ml). The numbers are ONNX Runtime 1.30's.
#include <cmath>
#include <limits>

#include "tests/support/status_matchers.h"
#include "tests/unit/model/ops/op_runner.h"

namespace sigserve {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pointwise;

using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

constexpr float kNear = 1e-5F;

OpRunner Svm(absl::string_view type) { return {type, 1, "ai.onnx.ml"}; }

/// Three support vectors of two features.
OpRunner Pairs(Ints labels, Ints counts, Floats coefficients, Floats rho) {
  return Svm("SVMClassifier")
      .With("kernel_type", std::string("LINEAR"))
      .With("support_vectors", Floats{1, 0, 0, 1, -1, 0.5F})
      .With("classlabels_ints", std::move(labels))
      .With("vectors_per_class", std::move(counts))
      .With("coefficients", std::move(coefficients))
      .With("rho", std::move(rho))
      .Outputs(2);
}
OpRunner Two() { return Pairs({10, 20}, {2, 1}, {0.5F, 1, -1}, {0.25F}); }
OpRunner Three() {
  return Pairs({10, 20, 30}, {1, 1, 1}, {0.5F, 1, -1, 0.2F, 0.3F, 0.4F}, {0.25F, 0.1F, -0.2F});
}
OpRunner WithProbabilities(OpRunner op, Floats a, Floats b) {
  return op.With("prob_a", std::move(a)).With("prob_b", std::move(b));
}
/// No support vectors.
OpRunner Linear(Ints labels, Floats coefficients) {
  return Svm("SVMClassifier")
      .With("classlabels_ints", std::move(labels))
      .With("coefficients", std::move(coefficients))
      .With("rho", Floats{0.25F})
      .Outputs(2);
}
OpRunner Post(OpRunner op, const char* name) {
  return op.With("post_transform", std::string(name));
}

const Tensor& Rows() {
  static const Tensor& rows = *new Tensor(Tensor::Of<float>({3, 2}, {1, 2, -3, 0.5F, 0, 0}));
  return rows;
}

struct Answer {
  Ints labels;
  Floats scores;
};
Answer Answers(const OpRunner& op, const Tensor& x = Rows()) {
  const auto out = op.RunAll({x.view()});
  EXPECT_OK(out);
  if (!out.ok()) return {};
  const auto labels = (*out)[0].values<int64_t>();
  const auto scores = (*out)[1].values<float>();
  return {{labels.begin(), labels.end()}, {scores.begin(), scores.end()}};
}

void ExpectAnswer(const OpRunner& op, const Ints& labels, const Floats& scores) {
  const Answer answer = Answers(op);
  EXPECT_EQ(answer.labels, labels);
  EXPECT_THAT(answer.scores, Pointwise(FloatNear(kNear), scores));
}

TEST(SVMClassifier, TwoClasses) {
  ExpectAnswer(Two(), {10, 20, 10}, {-2.75F, 2.75F, 4, -4, -0.25F, 0.25F});
  ExpectAnswer(Post(Two(), "LOGISTIC"), {10, 20, 10},
               {0.06009F, 0.93991F, 0.98201F, 0.01799F, 0.43782F, 0.56218F});
  ExpectAnswer(Post(Two(), "SOFTMAX"), {10, 20, 10}, {-1.75F, 2.75F, 5, -4, 0.75F, 0.25F});
  ExpectAnswer(Post(Two(), "SOFTMAX_ZERO"), {10, 20, 10}, {-1.75F, 2.75F, 5, -4, 0.75F, 0.25F});
}

TEST(SVMClassifier, ThreeClassesHaveThreePairs) {
  ExpectAnswer(Three(), {10, 20, 10},
               {2.75F, 0.3F, 0.4F, -0.75F, -3.75F, 1.25F, 0.25F, 0.1F, -0.2F});
  ExpectAnswer(
      Post(Three(), "SOFTMAX"), {10, 20, 10},
      {0.84627F, 0.07303F, 0.08071F, 0.1185F, 0.0059F, 0.8756F, 0.40027F, 0.34451F, 0.25522F});
}

TEST(SVMClassifier, Probabilities) {
  ExpectAnswer(WithProbabilities(Two(), {-1}, {0.1F}), {10, 20, 10},
               {0.93401F, 0.06599F, 0.0163F, 0.9837F, 0.53742F, 0.46258F});
  const OpRunner three = WithProbabilities(Three(), {-1, -2, -0.5F}, {0.1F, 0, 0.2F});
  ExpectAnswer(
      three, {10, 20, 10},
      {0.62173F, 0.10657F, 0.2717F, 0.08554F, 0.52388F, 0.39057F, 0.37397F, 0.28709F, 0.33895F});
  ExpectAnswer(
      Post(three, "LOGISTIC"), {10, 20, 10},
      {0.65061F, 0.52662F, 0.56751F, 0.52137F, 0.62806F, 0.59642F, 0.59242F, 0.57128F, 0.58393F});
}

TEST(SVMClassifier, ANotANumberMakesProbabilitiesNotNumbers) {
  const Tensor x = Tensor::Of<float>({2, 2}, {1, 2, std::numeric_limits<float>::quiet_NaN(), 0});
  const Answer answer = Answers(WithProbabilities(Two(), {-1}, {0.1F}), x);
  EXPECT_THAT(answer.scores, ElementsAre(FloatNear(0.93401F, kNear), FloatNear(0.06599F, kNear),
                                         testing::IsNan(), testing::IsNan()));
}

TEST(SVMClassifier, InfinityTimesAProbAOfZeroIsNotANumber) {
  const OpRunner op = Svm("SVMClassifier")
                          .With("support_vectors", Floats{1, 1, 2, 1})
                          .With("classlabels_ints", Ints{10, 20})
                          .With("vectors_per_class", Ints{1, 1})
                          .With("coefficients", Floats{1, 1})
                          .With("rho", Floats{0})
                          .Outputs(2);
  const Tensor x = Tensor::Of<float>({2, 2}, {1, 2, std::numeric_limits<float>::infinity(), 0});
  EXPECT_THAT(Answers(WithProbabilities(op, {0}, {0}), x).scores,
              ElementsAre(0.5F, 0.5F, testing::IsNan(), testing::IsNan()));
}

TEST(SVMClassifier, WithoutSupportVectorsAScorePerClass) {
  ExpectAnswer(Linear({10, 20, 30}, {1, 2, -3, 1, -0.2F, 0.1F}), {10, 20, 10},
               {5.25F, -0.75F, 0.25F, -1.75F, 9.75F, 0.9F, 0.25F, 0.25F, 0.25F});
  ExpectAnswer(Post(Linear({10, 20}, {1, 2, -3, 1}), "LOGISTIC"), {20, 20, 20},
               {0.99478F, 0.32082F, 0.14805F, 0.99994F, 0.56218F, 0.56218F});
  ExpectAnswer(Linear({10, 20}, {1, 2, 3, 1}), {20, 10, 10},
               {5.25F, 5.25F, -1.75F, -8.25F, 0.25F, 0.25F});
  ExpectAnswer(Post(Linear({10}, {1, 2}), "LOGISTIC"), {10, 10, 10}, {5.25F, -1.75F, 0.25F});
}

TEST(SVMClassifier, TakesEveryNumberAndNamedClasses) {
  for (const Tensor& x : {Tensor::Of<double>({1, 2}, {-3, 1}), Tensor::Of<int64_t>({2}, {-3, 1}),
                          Tensor::Of<int32_t>({1, 2}, {-3, 1})}) {
    const Answer answer = Answers(Two(), x);
    EXPECT_THAT(answer.labels, ElementsAre(20));
    EXPECT_THAT(answer.scores, ElementsAre(3.75F, -3.75F));
  }
  const OpRunner named = Svm("SVMClassifier")
                             .With("support_vectors", Floats{1, 0, 0, 1, -1, 0.5F})
                             .With("classlabels_strings", std::vector<std::string>{"a", "b"})
                             .With("vectors_per_class", Ints{2, 1})
                             .With("coefficients", Floats{0.5F, 1, -1})
                             .With("rho", Floats{0.25F})
                             .Outputs(2);
  EXPECT_THAT(Answers(named).labels, ElementsAre(0, 1, 0));
  const Tensor none(DType::kFloat32, Shape{0, 2});
  EXPECT_THAT(Answers(Two(), none).scores, IsEmpty());
}

// Many vectors, so that they fill some panels and a part of one.
TEST(SVMClassifier, AnyNumberOfVectors) {
  for (const int64_t count : {1, 15, 16, 17, 40}) {
    const auto n = static_cast<size_t>(count);
    const OpRunner op = Svm("SVMRegressor")
                            .With("kernel_type", std::string("RBF"))
                            .With("kernel_params", Floats{0.5F, 0, 0})
                            .With("support_vectors", Floats(2 * n, 1))
                            .With("n_supports", count)
                            .With("coefficients", Floats(n, 1))
                            .With("rho", Floats{0});
    ASSERT_OK_AND_ASSIGN(const Tensor y, op.Run({Rows().view()}));
    const auto k = static_cast<float>(count);
    EXPECT_THAT(y.values<float>(),
                Pointwise(FloatNear(kNear),
                          Floats{k * std::exp(-0.5F), k * std::exp(-8.125F), k * std::exp(-1.0F)}));
  }
}

OpRunner Regressor(const char* kernel) {
  return Svm("SVMRegressor")
      .With("kernel_type", std::string(kernel))
      .With("kernel_params", Floats{0.5F, 0.1F, 3})
      .With("support_vectors", Floats{1, 0, 0, 1, -1, 0.5F})
      .With("n_supports", int64_t{3})
      .With("coefficients", Floats{0.5F, 1, -1})
      .With("rho", Floats{0.25F});
}

Floats Values(const OpRunner& op) {
  const auto y = op.Run({Rows().view()});
  EXPECT_OK(y);
  if (!y.ok()) return {};
  EXPECT_EQ(y->shape(), (Shape{3, 1}));
  return {y->values<float>().begin(), y->values<float>().end()};
}

TEST(SVMRegressor, Kernels) {
  const auto near = [](const Floats& y) { return Pointwise(FloatNear(kNear), y); };
  EXPECT_THAT(Values(Regressor("LINEAR")), near({2.75F, -4, 0.25F}));
  EXPECT_THAT(Values(Regressor("POLY")), near({1.688F, -6.21208F, 0.2505F}));
  EXPECT_THAT(Values(Regressor("RBF")), near({0.64161F, 0.12462F, 0.62453F}));
  EXPECT_THAT(Values(Regressor("SIGMOID")), near({1.21936F, -0.79476F, 0.29983F}));
}

TEST(SVMRegressor, WithoutSupportVectorsAndOneClass) {
  const OpRunner linear = Svm("SVMRegressor")
                              .With("kernel_type", std::string("RBF"))
                              .With("coefficients", Floats{0.5F, 1})
                              .With("rho", Floats{0.25F});
  EXPECT_THAT(Values(linear), ElementsAre(2.75F, -0.75F, 0.25F));
  EXPECT_THAT(Values(Post(linear, "LOGISTIC")), ElementsAre(2.75F, -0.75F, 0.25F));
  EXPECT_THAT(Values(Regressor("LINEAR").With("one_class", int64_t{1})), ElementsAre(1, -1, 1));
}

TEST(Svm, RefusesWhatDoesNotFit) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const struct {
    OpRunner op;
    const char* message;
  } kCases[] = {
      {Pairs({10, 20}, {2, 1}, {0.5F, 1}, {0}), "'coefficients' has 2 numbers, expected 3"},
      {Pairs({10, 20}, {2}, {0.5F, 1}, {0}), "'vectors_per_class' has 1 numbers, expected 2"},
      {Pairs({10, 20}, {4, -1}, {1, 1, 1}, {0}), "'vectors_per_class' has 4, expected 0 to 3"},
      {Pairs({10, 20}, {3, -1}, {1, 1, 1}, {0}), "'vectors_per_class' has -1, expected 0 to 3"},
      {Pairs({10, 20}, {2, 2}, {1, 1, 1, 1}, {0}), "6 numbers for 4 vectors"},
      {Pairs({10}, {3}, {1, 1, 1}, {0}), "has 1 labels, expected at least 2"},
      {Pairs({}, {3}, {1, 1, 1}, {0}), "has 0 labels, expected 1 to 1000"},
      {Pairs(Ints(1001), {3}, {1, 1, 1}, {0}), "has 1001 labels, expected 1 to 1000"},
      {Pairs({10, 20}, {2, 1}, {0.5F, 1, -1}, {0, 0}), "'rho' has 2 numbers, expected 1"},
      {Pairs({10, 20}, {2, 1}, {0.5F, nan, -1}, {0}), "'coefficients': entry 1 is nan"},
      {WithProbabilities(Two(), {1}, {}), "'prob_b' has 0 numbers, expected 1"},
      {WithProbabilities(Two(), {1, 2}, {1, 2}), "'prob_a' has 2 numbers, expected 1"},
      {Post(Two(), "PROBIT"), "PROBIT"},
      {Linear({10, 20}, {1, 2, 3}), "'coefficients' has 3 numbers for 2 vectors"},
      {Regressor("COSINE"), "'kernel_type' is 'COSINE'"},
      {Svm("SVMRegressor").With("coefficients", Floats{1, 2}), "'rho' has 0 numbers, expected 1"},
      {Svm("SVMRegressor").With("rho", Floats{1}), "'coefficients' has 0 numbers for 1 vectors"},
      {Svm("SVMRegressor").With("rho", Floats{1}).With("n_supports", int64_t{-1}),
       "'n_supports' is -1, expected 0 or more"},
      {Svm("SVMRegressor")
           .With("rho", Floats{1})
           .With("n_supports", int64_t{2})
           .With("coefficients", Floats{1}),
       "has 1 coefficients for 2 support vectors"},
      {Svm("SVMRegressor")
           .With("rho", Floats{1})
           .With("n_supports", int64_t{1})
           .With("coefficients", Floats{1})
           .With("support_vectors", Floats{1, 2})
           .With("kernel_type", std::string("RBF")),
       "'kernel_params' has 0 numbers, expected gamma, coef0 and degree"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(c.op.RunAll({Rows().view()}).status().message(), HasSubstr(c.message));
  }
  const Tensor wide(DType::kFloat32, Shape{1, 3});
  EXPECT_THAT(Two().RunAll({wide.view()}),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("input has 3 features, the support vectors have 2")));
}

}  // namespace
}  // namespace sigserve
