// BatchNormalization, LayerNormalization, GroupNormalization, InstanceNormalization, LRN and
// MeanVarianceNormalization: results by their definitions, then what they refuse.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/status_matchers.h"
#include "tests/unit/model/ops/op_runner.h"

namespace sigserve {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

Tensor F(const Shape& shape, const std::vector<float>& values) {
  Tensor t(DType::kFloat32, shape);
  std::copy(values.begin(), values.end(), t.mutable_values<float>().begin());
  return t;
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
OpRunner Op(const char* type, int opset, float epsilon) {
  return OpRunner(type, opset).With("epsilon", epsilon);
}

struct Case {
  const char* name;
  OpRunner op;
  std::vector<Tensor> in;
  Tensor expected;
};

TEST(Normalization, Results) {
  std::vector<Case> cases;
  const auto add = [&](const char* name, OpRunner op, std::vector<Tensor> in, Tensor expected) {
    cases.push_back({name, std::move(op), std::move(in), std::move(expected)});
  };
  add("batch", Op("BatchNormalization", 15, 0),
      In(F({2, 2}, {1, 2, 3, 4}), F({2}, {1, 10}), F({2}, {0, 5}), F({2}, {1, 2}), F({2}, {4, 1})),
      F({2, 2}, {0, 5, 1, 25}));
  add("batch, planes", Op("BatchNormalization", 7, 1),
      In(F({1, 2, 2}, {1, 2, 3, 4}), F({2}, {1, 1}), F({2}, {0, 0}), F({2}, {1, 3}),
         F({2}, {3, 0})),
      F({1, 2, 2}, {0, 0.5, 0, 1}));
  add("layer", Op("LayerNormalization", 17, 0), In(F({2, 2}, {1, 3, 5, 5.5}), F({2}, {1, 2})),
      F({2, 2}, {-1, 2, -1, 2}));
  add("layer, bias", Op("LayerNormalization", 17, 0),
      In(F({1, 2}, {1, 3}), F({2}, {1, 2}), F({2}, {10, 20})), F({1, 2}, {9, 22}));
  add("layer, axis 0, scalar scale", Op("LayerNormalization", 17, 0).With("axis", int64_t{0}),
      In(F({2, 2}, {1, 3, 3, 1}), F({}, {2})), F({2, 2}, {-2, 2, 2, -2}));
  add("group, parameters per group", Op("GroupNormalization", 18, 0).With("num_groups", int64_t{2}),
      In(F({1, 4, 1}, {1, 3, 10, 30}), F({2}, {1, 2}), F({2}, {0, 5})),
      F({1, 4, 1}, {-1, 1, 3, 7}));
  add("group, parameters per channel",
      Op("GroupNormalization", 21, 0).With("num_groups", int64_t{2}),
      In(F({1, 4, 1}, {1, 3, 10, 30}), F({4}, {1, 2, 3, 4}), F({4}, {0, 0, 0, 1})),
      F({1, 4, 1}, {-1, 2, -3, 5}));
  add("instance", Op("InstanceNormalization", 6, 0),
      In(F({1, 2, 2}, {1, 3, 10, 30}), F({2}, {1, 2}), F({2}, {0, 5})),
      F({1, 2, 2}, {-1, 1, 3, 7}));
  add("local response",
      OpRunner("LRN", 13).With("size", int64_t{3}).With("alpha", 3.0F).With("beta", 1.0F),
      In(F({1, 3, 1}, {1, 2, 3})), F({1, 3, 1}, {1.0F / 6, 2.0F / 15, 3.0F / 14}));
  add("local response, even size reaches further up",
      OpRunner("LRN", 1).With("size", int64_t{2}).With("alpha", 2.0F).With("beta", 1.0F),
      In(F({1, 2, 1}, {1, 2})), F({1, 2, 1}, {1.0F / 6, 2.0F / 5}));
  add("mean and variance", OpRunner("MeanVarianceNormalization", 13),
      In(F({2, 1, 1, 2}, {1, 3, 3, 1})), F({2, 1, 1, 2}, {-1, 1, 1, -1}));
  add("mean and variance, last axis",
      OpRunner("MeanVarianceNormalization", 9).With("axes", std::vector<int64_t>{-1}),
      In(F({2, 2}, {1, 3, 20, 10})), F({2, 2}, {-1, 1, 1, -1}));
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    ASSERT_OK_AND_ASSIGN(const Tensor got, c.op.Run(Views(c.in)));
    ASSERT_EQ(got.shape(), c.expected.shape());
    for (size_t i = 0; i < got.values<float>().size(); ++i) {
      EXPECT_FLOAT_EQ(got.values<float>()[i], c.expected.values<float>()[i]) << "element " << i;
    }
  }
}

TEST(Normalization, MomentsOfALayer) {
  const std::vector<Tensor> in = In(F({2, 2}, {1, 3, 5, 9}), F({2}, {1, 1}));
  OpRunner op = Op("LayerNormalization", 17, 0);
  ASSERT_OK_AND_ASSIGN(const std::vector<Tensor> out, op.Outputs(3).RunAll(Views(in)));
  EXPECT_EQ(out[1].shape(), (Shape{2, 1}));
  EXPECT_THAT(out[1].values<float>(), testing::ElementsAre(2, 7));
  EXPECT_THAT(out[2].values<float>(), testing::ElementsAre(1, 0.5));
}

TEST(Normalization, RefusesWhatDoesNotFit) {
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
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto v = [] { return F({2}, {1, 1}); };
  const auto batch = [&](Tensor x, Tensor variance) {
    return In(std::move(x), v(), v(), v(), std::move(variance));
  };
  const auto x = [] { return F({1, 2}, {1, 2}); };
  const OpRunner norm("BatchNormalization", 15);
  add("variance negative", norm, batch(x(), F({2}, {1, -1})), "var has -1");
  add("variance NaN", norm, batch(x(), F({2}, {1, nan})), "var has nan");
  add("epsilon NaN", Op("BatchNormalization", 15, nan), batch(x(), v()), "epsilon is nan");
  add("epsilon negative", Op("BatchNormalization", 15, -1), batch(x(), v()), "epsilon is -1");
  add("training", OpRunner(norm).With("training_mode", int64_t{1}), batch(x(), v()),
      "only inference", StatusCode::kUnimplemented);
  OpRunner five("BatchNormalization", 9);
  add("training, until opset 13", five.Outputs(5), batch(x(), v()), "has 5 outputs",
      StatusCode::kUnimplemented);
  add("not spatial", OpRunner("BatchNormalization", 7).With("spatial", int64_t{0}), batch(x(), v()),
      "spatial is 0", StatusCode::kUnimplemented);
  add("channels", norm, batch(F({1, 3}, {1, 2, 3}), v()), "scale is [2], expected [3]");
  add("rank", norm, batch(v(), v()), "expected [batch, channels, ...]");
  const OpRunner layer("LayerNormalization", 17);
  add("layer axis", OpRunner(layer).With("axis", int64_t{2}), In(x(), v()), "axis 2 is out of");
  add("layer scale", layer, In(x(), F({3}, {1, 1, 1})), "Scale is [3], which does not broadcast");
  add("layer stash", OpRunner(layer).With("stash_type", int64_t{10}), In(x(), v()),
      "stash_type is 10", StatusCode::kUnimplemented);
  const auto group = [](int64_t n) {
    return OpRunner("GroupNormalization", 21).With("num_groups", n);
  };
  add("group count", group(3), In(x(), v(), v()), "num_groups 3 does not divide 2");
  add("group zero", group(0), In(x(), v(), v()), "num_groups is 0");
  add("group missing", OpRunner("GroupNormalization", 21), In(x(), v(), v()),
      "'num_groups' is missing");
  add("instance epsilon", Op("InstanceNormalization", 6, nan), In(x(), v(), v()), "epsilon is nan");
  add("size", OpRunner("LRN", 13), In(x()), "size is 0");
  add("axes", OpRunner("MeanVarianceNormalization", 13), In(x()), "axis 2 is out of range");
  for (const Refusal& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_THAT(c.op.Run(Views(c.in)), StatusIs(c.code, HasSubstr(c.message)));
  }
}

}  // namespace
}  // namespace sigserve
