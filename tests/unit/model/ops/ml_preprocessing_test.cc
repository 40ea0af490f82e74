// LinearRegressor, Binarizer, Imputer, ArrayFeatureExtractor, LabelEncoder, OneHotEncoder and
// FeatureVectorizer (ai.onnx.ml).
#include <cmath>
#include <limits>

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

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

OpRunner Ml(absl::string_view type) { return {type, 3, "ai.onnx.ml"}; }

template <typename T>
std::vector<T> ValuesOf(const OpRunner& op, const std::vector<TensorView>& in, const Shape& shape) {
  const auto y = op.Run(in);
  EXPECT_OK(y);
  if (!y.ok()) {
    return {};
  }
  EXPECT_EQ(y->dtype(), DTypeOf<T>);
  EXPECT_EQ(y->shape(), shape);
  return {y->values<T>().begin(), y->values<T>().end()};
}

void ExpectRefused(const OpRunner& op, const std::vector<TensorView>& in, const char* message,
                   StatusCode code = StatusCode::kInvalidArgument) {
  EXPECT_THAT(op.Run(in), StatusIs(code, HasSubstr(message)));
}

const Tensor kRows = Tensor::Of<float>({2, 2}, {1, 2, 3, -4});

TEST(LinearRegressor, ScoresTargets) {
  const OpRunner op = Ml("LinearRegressor")
                          .With("coefficients", Floats{1, 2, 3, 4})
                          .With("intercepts", Floats{0.5F, -1})
                          .With("targets", int64_t{2});
  EXPECT_THAT(ValuesOf<float>(op, {kRows.view()}, {2, 2}), ElementsAre(5.5F, 10, -4.5F, -8));
  const Tensor ints = Tensor::Of<int64_t>({2}, {1, 2});
  EXPECT_THAT(ValuesOf<float>(op, {ints.view()}, {1, 2}), ElementsAre(5.5F, 10));
  OpRunner logistic = Ml("LinearRegressor").With("coefficients", Floats{1, 2});
  logistic.With("post_transform", std::string("LOGISTIC"));
  EXPECT_THAT(ValuesOf<float>(logistic, {ints.view()}, {1, 1}),
              ElementsAre(FloatEq(1 / (1 + std::exp(-5.0F)))));
}

TEST(LinearRegressor, RefusesWhatDoesNotFit) {
  OpRunner op = Ml("LinearRegressor").With("coefficients", Floats{1, 2, 3});
  ExpectRefused(op, {kRows.view()}, "left has 2 columns, right has 3 rows");
  ExpectRefused(op.With("targets", int64_t{2}), {kRows.view()}, "3 coefficients for 2 targets");
  ExpectRefused(
      Ml("LinearRegressor").With("coefficients", Floats{1, 2}).With("intercepts", Floats{1, 2}),
      {kRows.view()}, "2 intercepts for 1 targets");
}

TEST(Binarizer, ComparesInTheInputsType) {
  const OpRunner op = Ml("Binarizer").With("threshold", 1.5F);
  const Tensor floats = Tensor::Of<float>({4}, {1, 1.5F, 2, kNaN});
  EXPECT_THAT(ValuesOf<float>(op, {floats.view()}, {4}), ElementsAre(0, 0, 1, 0));
  EXPECT_THAT(ValuesOf<int64_t>(op, {Tensor::Of<int64_t>({2}, {1, 2}).view()}, {2}),
              ElementsAre(0, 1));
  ExpectRefused(op, {Tensor(DType::kBool, {1}).view()}, "BOOL");
}

TEST(Imputer, ReplacesAValue) {
  const Tensor missing = Tensor::Of<float>({2, 2}, {kNaN, 2, 0, kNaN});
  EXPECT_THAT(ValuesOf<float>(Ml("Imputer")
                                  .With("imputed_value_floats", Floats{7, 8})
                                  .With("replaced_value_float", kNaN),
                              {missing.view()}, {2, 2}),
              ElementsAre(7, 2, 0, 8));
  EXPECT_THAT(ValuesOf<float>(Ml("Imputer").With("imputed_value_floats", Floats{7}),
                              {Tensor::Of<float>({2}, {0, 1}).view()}, {2}),
              ElementsAre(7, 1));
  const OpRunner ints =
      Ml("Imputer").With("imputed_value_int64s", Ints{7}).With("replaced_value_int64", int64_t{-1});
  EXPECT_THAT(ValuesOf<int64_t>(ints, {Tensor::Of<int64_t>({2}, {-1, 1}).view()}, {2}),
              ElementsAre(7, 1));
  ExpectRefused(ints, {missing.view()}, "0 values for FLOAT32");
  ExpectRefused(Ml("Imputer").With("imputed_value_floats", Floats{1, 2, 3}), {missing.view()},
                "3 values for FLOAT32, the input has 2 features");
  ExpectRefused(Ml("Imputer"), {missing.view()}, "expected one of");
}

TEST(ArrayFeatureExtractor, PicksColumns) {
  const Tensor y = Tensor::Of<int64_t>({3}, {1, 0, 1});
  const OpRunner op = Ml("ArrayFeatureExtractor");
  EXPECT_THAT(ValuesOf<float>(op, {kRows.view(), y.view()}, {2, 3}),
              ElementsAre(2, 1, 2, -4, 3, -4));
  EXPECT_THAT(ValuesOf<int64_t>(op, {Tensor::Of<int64_t>({2}, {5, 6}).view(), y.view()}, {1, 3}),
              ElementsAre(6, 5, 6));
  ExpectRefused(op, {kRows.view(), Tensor::Of<int64_t>({1}, {2}).view()},
                "Y has index 2, X has 2 features");
  ExpectRefused(op, {kRows.view(), kRows.view()}, "Y is FLOAT32, expected INT64");
}

TEST(LabelEncoder, MapsNumbers) {
  const Tensor ints = Tensor::Of<int64_t>({3}, {1, 2, 3});
  const Tensor floats = Tensor::Of<float>({4}, {kNaN, -0.0F, 1, 9});
  EXPECT_THAT(ValuesOf<float>(Ml("LabelEncoder")
                                  .With("keys_int64s", Ints{1, 3})
                                  .With("values_floats", Floats{0.5F, 1.5F}),
                              {ints.view()}, {3}),
              ElementsAre(0.5F, 0, 1.5F));
  EXPECT_THAT(ValuesOf<int64_t>(Ml("LabelEncoder")
                                    .With("keys_floats", Floats{0, 1, kNaN})
                                    .With("values_int64s", Ints{10, 11, 12})
                                    .With("default_int64", int64_t{99}),
                                {floats.view()}, {4}),
              ElementsAre(12, 10, 11, 99));
}

TEST(LabelEncoder, RefusesWhatDoesNotFit) {
  const OpRunner op =
      Ml("LabelEncoder").With("keys_int64s", Ints{1}).With("values_int64s", Ints{1});
  ExpectRefused(op, {kRows.view()}, "input is FLOAT32, expected INT64");
  ExpectRefused(Ml("LabelEncoder").With("keys_int64s", Ints{1}).With("values_int64s", Ints{1, 2}),
                {kRows.view()}, "1 keys and 2 values");
  ExpectRefused(Ml("LabelEncoder").With("keys_int64s", Ints{1}), {kRows.view()}, "expected one of");
  ExpectRefused(Ml("LabelEncoder").With("keys_strings", std::vector<std::string>{"a"}),
                {kRows.view()}, "'keys_strings': strings are not supported",
                StatusCode::kUnimplemented);
}

TEST(OneHotEncoder, OnesWhereTheCategoryIs) {
  const OpRunner op = Ml("OneHotEncoder").With("cats_int64s", Ints{3, 1});
  EXPECT_THAT(ValuesOf<float>(op, {Tensor::Of<int64_t>({3}, {1, 2, 3}).view()}, {3, 2}),
              ElementsAre(0, 1, 0, 0, 1, 0));
  const Tensor floats = Tensor::Of<float>({2, 2}, {1.5F, kNaN, -3, 1e30F});
  EXPECT_THAT(ValuesOf<float>(op, {floats.view()}, {2, 2, 2}), ElementsAre(0, 1, 0, 0, 0, 0, 0, 0));
}

TEST(OneHotEncoder, RefusesWhatDoesNotFit) {
  const Tensor flags = Tensor::Of<bool>({1}, {true});
  OpRunner op = Ml("OneHotEncoder").With("cats_int64s", Ints{1});
  ExpectRefused(op, {flags.view()}, "input is BOOL");
  ExpectRefused(op.With("zeros", int64_t{0}), {kRows.view()}, "zeros is 0",
                StatusCode::kUnimplemented);
  ExpectRefused(Ml("OneHotEncoder"), {kRows.view()}, "has no category");
  ExpectRefused(Ml("OneHotEncoder").With("cats_int64s", Ints{1, 2, 1}), {kRows.view()},
                "'cats_int64s' has 1 twice");
  ExpectRefused(Ml("OneHotEncoder").With("cats_strings", std::vector<std::string>{"a"}),
                {kRows.view()}, "strings are not supported", StatusCode::kUnimplemented);
}

TEST(FeatureVectorizer, PutsColumnsSideBySide) {
  const Tensor column = Tensor::Of<int64_t>({2, 1}, {7, 8});
  EXPECT_THAT(ValuesOf<float>(Ml("FeatureVectorizer").With("inputdimensions", Ints{2, 1}),
                              {kRows.view(), column.view()}, {2, 3}),
              ElementsAre(1, 2, 7, 3, -4, 8));
  const Tensor row = Tensor::Of<double>({2}, {0.5, 1});
  EXPECT_THAT(ValuesOf<float>(Ml("FeatureVectorizer"), {row.view()}, {1, 2}), ElementsAre(0.5F, 1));
}

TEST(FeatureVectorizer, RefusesWhatDoesNotFit) {
  const Tensor column = Tensor::Of<int64_t>({3, 1}, {7, 8, 9});
  const OpRunner op = Ml("FeatureVectorizer");
  ExpectRefused(op, {kRows.view(), column.view()}, "input 1 has 3 rows, input 0 has 2");
  ExpectRefused(Ml("FeatureVectorizer").With("inputdimensions", Ints{3}), {kRows.view()},
                "input 0 has 2 columns, inputdimensions says 3");
  ExpectRefused(Ml("FeatureVectorizer").With("inputdimensions", Ints{2, 1}), {kRows.view()},
                "inputdimensions has 2 numbers for 1 inputs");
  ExpectRefused(op, {Tensor::Of<float>({1, 1, 1}, {1}).view()}, "input 0: input is [1,1,1]");
}

}  // namespace
}  // namespace sigserve
