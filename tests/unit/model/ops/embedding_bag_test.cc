// EmbeddingBag of the fused domain: which rows a bag takes, and what is made of them. How it is
// found in a Loop: tests/unit/model/formats/onnx/onnx_embedding_bag_test.cc.
#include "tests/unit/model/ops/op_cases.h"

namespace sigserve {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

OpRunner Bags(const char* mode) {
  return OpRunner("EmbeddingBag", 17, kFusedDomain).With("mode", std::string(mode));
}

// Four rows: 1,2  10,20  100,200  -1,-2.
Tensor Weight() { return F({4, 2}, {1, 2, 10, 20, 100, 200, -1, -2}); }

TEST(EmbeddingBag, ReducesRows) {
  std::vector<OpCase> c;
  const auto add = [&](const char* name, const char* mode, std::vector<int64_t> indices,
                       std::vector<int64_t> starts, std::vector<int64_t> ends,
                       std::vector<float> y) {
    const auto bags = static_cast<int64_t>(starts.size());
    c.push_back({name, Bags(mode),
                 In(I({}, {bags}), Weight(), I({static_cast<int64_t>(indices.size())}, indices),
                    I({bags}, starts), I({bags}, ends)),
                 In(F({bags, 2}, y))});
  };
  add("sum", "sum", {0, 1, 2}, {0, 2}, {2, 3}, {11, 22, 100, 200});
  add("mean", "mean", {0, 1, 2}, {0, 2}, {2, 3}, {5.5F, 11, 100, 200});
  add("max", "max", {3, 0, 3}, {0, 2}, {2, 3}, {1, 2, -1, -2});
  for (const char* mode : {"sum", "mean", "max"}) {
    add("an empty bag", mode, {0, 1}, {0, 1, 1}, {1, 1, 0}, {1, 2, 0, 0, 0, 0});
  }
  add("slices as in Python", "sum", {0, 1, 2}, {-1, 0, 1}, {9, -2, 3}, {100, 200, 1, 2, 110, 220});
  add("rows from the end", "sum", {-1, -4}, {0}, {2}, {0, 0});
  c.push_back(
      {"factors", Bags("sum"),
       In(I({}, {1}), Weight(), I({2}, {0, 1}), I({1}, {0}), I({1}, {2}), F({2}, {2, 0.5F})),
       In(F({1, 2}, {7, 14}))});
  c.push_back({"fewer turns than bags", Bags("sum"),
               In(I({}, {1}), Weight(), I({2}, {0, 1}), I({2}, {0, 1}), I({2}, {1, 2})),
               In(F({1, 2}, {1, 2}))});
  ExpectResults(c);
}

// Indices that are known too late to be refused: the answer shows it.
TEST(EmbeddingBag, RowsThatAreNoneAreNaN) {
  for (const char* mode : {"sum", "mean", "max"}) {
    SCOPED_TRACE(mode);
    const std::vector<Tensor> in =
        In(I({}, {3}), Weight(), I({4}, {1, 4, 0, -5}), I({3}, {0, 1, 3}), I({3}, {1, 3, 4}));
    const OpRunner op = Bags(mode);
    ASSERT_OK(InferWithout(op, in, 2));
    ASSERT_OK_AND_ASSIGN(const auto made, op.Make(Views(in)));
    Tensor y(DType::kFloat32, Shape{3, 2});
    ForwardOnce(*made, Views(in), {y.mutable_view()});
    ExpectEqual(y, F({3, 2}, {10, 20, kNaN, kNaN, kNaN, kNaN}));
  }
}

TEST(EmbeddingBag, NeedsToKnowHowManyBags) {
  const std::vector<Tensor> in = In(I({}, {1}), Weight(), I({1}, {1}), I({1}, {0}), I({1}, {1}));
  EXPECT_THAT(InferWithout(Bags("sum"), in, 0),
              StatusIs(absl::StatusCode::kUnimplemented, testing::HasSubstr("count")));
}

TEST(EmbeddingBag, RefusesWhatDoesNotFit) {
  std::vector<OpRefusal> c;
  const auto add = [&](OpRunner op, Tensor weight, Tensor indices, Tensor starts,
                       const char* message) {
    c.push_back(
        {std::move(op),
         In(I({}, {2}), std::move(weight), std::move(indices), std::move(starts), I({2}, {1, 2})),
         message});
  };
  add(Bags("median"), Weight(), I({2}, {0, 1}), I({2}, {0, 1}), "'mode' is 'median', expected sum");
  add(Bags("sum").With("axis", int64_t{0}), Weight(), I({2}, {0, 1}), I({2}, {0, 1}),
      "no attribute 'axis'");
  add(Bags("sum"), F({4}, {1, 2, 3, 4}), I({2}, {0, 1}), I({2}, {0, 1}), "weight is [4]");
  add(Bags("sum"), Weight(), F({2}, {0, 1}), I({2}, {0, 1}), "indices are FLOAT32");
  add(Bags("sum"), Weight(), I({1, 2}, {0, 1}), I({2}, {0, 1}), "indices are INT64 [1,2]");
  add(Bags("sum"), Weight(), I({2}, {0, 4}), I({2}, {0, 1}), "index 4 (element 1)");
  add(Bags("sum"), Weight(), I({2}, {0, 1}), I({1}, {0}),
      "starts are INT64 [1], expected one dimension of at least 2 integers");
  c.push_back({Bags("sum"),
               In(I({}, {1}), Weight(), I({2}, {0, 1}), I({1}, {0}), I({1}, {2}), F({1}, {2})),
               "factors are [1], indices are [2]"});
  ExpectRefusals(c);
}

}  // namespace
}  // namespace sigserve
