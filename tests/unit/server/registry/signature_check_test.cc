#include "server/registry/signature_check.h"

#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/tensor/tensor.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Signature OneInput() {
  Signature signature;
  signature.inputs = {{.name = "x", .shape = Shape{-1, 3}}};
  signature.batchable = true;
  return signature;
}

Signature TwoInputs() {
  Signature signature = OneInput();
  signature.inputs.push_back({.name = "ids", .dtype = DType::kInt64, .shape = Shape{-1}});
  return signature;
}

Tensor Floats(const Shape& shape) { return Tensor(DType::kFloat32, shape); }

auto Refused(const std::string& text) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text));
}

TEST(CheckInputs, CountsTheRows) {
  const Tensor x = Floats({5, 3});
  ASSERT_OK_AND_ASSIGN(const CheckedInputs checked,
                       CheckInputs("m", OneInput(), {}, {{"x", x.view()}}));
  EXPECT_EQ(checked.rows, 5);
  ASSERT_EQ(checked.inputs.size(), 1U);
  EXPECT_EQ(checked.inputs[0].data(), x.data());
}

TEST(CheckInputs, AnOnlyInputNeedsNoName) {
  const Tensor x = Floats({1, 3});
  EXPECT_OK(CheckInputs("m", OneInput(), {}, {{"", x.view()}}));
}

TEST(CheckInputs, PutsInputsIntoTheSignaturesOrder) {
  const Tensor x = Floats({2, 3});
  const Tensor ids = Tensor::Of<int64_t>(Shape{2}, {7, 8});
  ASSERT_OK_AND_ASSIGN(const CheckedInputs checked,
                       CheckInputs("m", TwoInputs(), {}, {{"ids", ids.view()}, {"x", x.view()}}));
  EXPECT_EQ(checked.inputs[0].data(), x.data());
  EXPECT_EQ(checked.inputs[1].data(), ids.data());
}

TEST(CheckInputs, AModelWithoutABatchHasOneRow) {
  Signature signature;
  signature.inputs = {{.name = "x", .any_rank = true, .shape = {}}};
  for (const Shape& shape : {Shape{}, Shape{4}, Shape{2, 2}, Shape{1, 2, 2}, Shape{1, 1, 2, 2}}) {
    const Tensor x = Floats(shape);
    ASSERT_OK_AND_ASSIGN(const CheckedInputs checked,
                         CheckInputs("m", signature, {}, {{"x", x.view()}}));
    EXPECT_EQ(checked.rows, 1) << shape.ToString();
  }
}

// Failures: the texts that Triton's clients look for, and the help after them.

TEST(CheckInputs, TooFewAndTooMany) {
  const Tensor x = Floats({1, 3});
  EXPECT_THAT(CheckInputs("m", TwoInputs(), {}, {{"x", x.view()}}),
              Refused("expected 2 inputs but got 1 inputs for model 'm'; expected: 'x' "
                      "FLOAT32[-1,3], 'ids' INT64[-1]"));
  EXPECT_THAT(CheckInputs("m", OneInput(), {}, {{"x", x.view()}, {"y", x.view()}}),
              Refused("expected 1 inputs but got 2 inputs for model 'm'"));
  EXPECT_THAT(CheckInputs("m", OneInput(), {}, {}), Refused("expected 1 inputs but got 0 inputs"));
}

TEST(CheckInputs, UnknownName) {
  const Tensor x = Floats({1, 3});
  EXPECT_THAT(CheckInputs("m", OneInput(), {}, {{"z\n", x.view()}}),
              Refused("unexpected inference input 'z\\n' for model 'm'; expected: 'x'"));
  const std::string long_name(100'000, 'a');
  const auto result = CheckInputs("m", OneInput(), {}, {{long_name, x.view()}});
  EXPECT_LT(result.status().message().size(), 500U);
}

TEST(CheckInputs, NoNameAmongSeveral) {
  const Tensor x = Floats({1, 3});
  EXPECT_THAT(CheckInputs("m", TwoInputs(), {}, {{"", x.view()}, {"x", x.view()}}),
              Refused("an input has no name, and model 'm' has 2 inputs"));
}

TEST(CheckInputs, TwiceTheSame) {
  const Tensor x = Floats({1, 3});
  EXPECT_THAT(CheckInputs("m", TwoInputs(), {}, {{"x", x.view()}, {"x", x.view()}}),
              Refused("input 'x' for model 'm' is given twice"));
}

TEST(CheckInputs, Dtype) {
  const Tensor x(DType::kFloat64, {1, 3});
  EXPECT_THAT(CheckInputs("m", OneInput(), {}, {{"x", x.view()}}),
              Refused("input 'x' for model 'm': data-type is FLOAT64, expected FLOAT32"));
}

TEST(CheckInputs, Width) {
  const Tensor x = Floats({5, 4});
  EXPECT_THAT(CheckInputs("m", OneInput(), {}, {{"x", x.view()}}),
              Refused("unexpected shape for input 'x' for model 'm'. Expected [-1,3], got [5,4]; "
                      "dimension 1 is 4, expected 3"));
}

TEST(CheckInputs, Rank) {
  const Tensor x = Floats({3});
  EXPECT_THAT(CheckInputs("m", OneInput(), {}, {{"x", x.view()}}),
              Refused("Expected [-1,3], got [3]; 1 dimensions were sent, 2 are expected (is the "
                      "batch dimension missing?)"));
}

TEST(CheckInputs, NoRows) {
  const Tensor x = Floats({0, 3});
  EXPECT_THAT(CheckInputs("m", OneInput(), {}, {{"x", x.view()}}),
              Refused("input 'x' for model 'm' is empty: its shape is [0,3]"));
}

TEST(CheckInputs, RowsThatDiffer) {
  const Tensor x = Floats({2, 3});
  const Tensor ids = Tensor::Of<int64_t>(Shape{1}, {7});
  EXPECT_THAT(CheckInputs("m", TwoInputs(), {}, {{"x", x.view()}, {"ids", ids.view()}}),
              Refused("input 'ids' for model 'm' has 1 rows, but input 'x' has 2"));
}

TEST(CheckInputs, TooManyRows) {
  const Tensor x = Floats({9, 3});
  EXPECT_THAT(CheckInputs("m", OneInput(), {.max_batch_size = 8}, {{"x", x.view()}}),
              Refused("batch-size must be <= 8 for 'm'; got 9 rows"));
}

TEST(CheckInputs, NanWhereItIsForbidden) {
  Tensor x = Floats({2, 3});
  x.mutable_values<float>()[4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_OK(CheckInputs("m", OneInput(), {}, {{"x", x.view()}}));
  EXPECT_THAT(CheckInputs("m", OneInput(), {.forbid_nan = true}, {{"x", x.view()}}),
              Refused("input 'x' for model 'm': row 1, column 1 is NaN"));
  x.mutable_values<float>()[4] = std::numeric_limits<float>::infinity();
  EXPECT_OK(CheckInputs("m", OneInput(), {.forbid_nan = true}, {{"x", x.view()}}));
}

}  // namespace
}  // namespace sigserve
