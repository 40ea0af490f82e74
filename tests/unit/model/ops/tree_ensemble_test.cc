// TreeEnsembleClassifier and TreeEnsembleRegressor (ai.onnx.ml).
#include <cmath>
#include <limits>
#include <numeric>

#include "tests/support/status_matchers.h"
#include "tests/unit/model/ops/op_runner.h"

namespace sigserve {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::FloatEq;
using testing::HasSubstr;

using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;
using Strings = std::vector<std::string>;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// A tree of one branch over feature 0 (nodes 0, 1 = true, 2 = false), `count` times.
struct Stumps {
  size_t count = 1;
  std::string mode = "BRANCH_LEQ";
  float threshold = 0;
  bool missing_true = false;

  OpRunner Of(absl::string_view type) const {
    OpRunner op(type, 3, "ai.onnx.ml");
    Ints trees, ids, features, yes, no, missing;
    Strings modes;
    Floats values;
    for (size_t t = 0; t < count; ++t) {
      for (int64_t i = 0; i < 3; ++i) {
        trees.push_back(static_cast<int64_t>(t));
        ids.push_back(i);
        features.push_back(0);
        yes.push_back(i == 0 ? 1 : 0);
        no.push_back(i == 0 ? 2 : 0);
        missing.push_back(i == 0 && missing_true ? 1 : 0);
        modes.push_back(i == 0 ? mode : "LEAF");
        values.push_back(i == 0 ? threshold : 0);
      }
    }
    op.With("nodes_treeids", trees)
        .With("nodes_nodeids", ids)
        .With("nodes_featureids", features)
        .With("nodes_truenodeids", yes)
        .With("nodes_falsenodeids", no)
        .With("nodes_modes", modes)
        .With("nodes_values", values);
    if (missing_true) {
      op.With("nodes_missing_value_tracks_true", missing);
    }
    return op;
  }

  // Weights in the order: true leaf, false leaf, of each tree; one id per entry.
  OpRunner With(absl::string_view type, const std::string& what, Ints weight_ids,
                Floats weights) const {
    OpRunner op = Of(type);
    Ints trees, nodes;
    const size_t per_leaf = weights.size() / (2 * count);
    for (size_t i = 0; i < weights.size(); ++i) {
      trees.push_back(static_cast<int64_t>(i / (2 * per_leaf)));
      nodes.push_back(static_cast<int64_t>(1 + i / per_leaf % 2));
    }
    return op.With(what + "_ids", std::move(weight_ids))
        .With(what + "_nodeids", nodes)
        .With(what + "_treeids", trees)
        .With(what + "_weights", std::move(weights));
  }

  OpRunner Regressor(Ints ids, Floats weights) const {
    return With("TreeEnsembleRegressor", "target", std::move(ids), std::move(weights));
  }
  OpRunner Classifier(Ints ids, Floats weights, Ints labels) const {
    return With("TreeEnsembleClassifier", "class", std::move(ids), std::move(weights))
        .With("classlabels_int64s", std::move(labels))
        .Outputs(2);
  }
};

std::vector<float> Regress(const OpRunner& op, const Tensor& x) {
  const auto y = op.Run({x.view()});
  EXPECT_OK(y);
  return y.ok() ? std::vector<float>(y->values<float>().begin(), y->values<float>().end())
                : std::vector<float>();
}

TEST(TreeEnsembleRegressor, EveryModeAndNaN) {
  struct Case {
    const char* mode;
    bool missing_true;
    std::vector<float> want;  // 1: true. Of -1, 0, 1, NaN
  };
  const Case cases[] = {
      {"BRANCH_LEQ", false, {1, 1, 2, 2}}, {"BRANCH_LEQ", true, {1, 1, 2, 1}},
      {"BRANCH_LT", false, {1, 2, 2, 2}},  {"BRANCH_LT", true, {1, 2, 2, 1}},
      {"BRANCH_GTE", false, {2, 1, 1, 2}}, {"BRANCH_GTE", true, {2, 1, 1, 1}},
      {"BRANCH_GT", false, {2, 2, 1, 2}},  {"BRANCH_GT", true, {2, 2, 1, 1}},
      {"BRANCH_EQ", false, {2, 1, 2, 2}},  {"BRANCH_EQ", true, {2, 1, 2, 1}},
      {"BRANCH_NEQ", false, {1, 2, 1, 1}}, {"BRANCH_NEQ", true, {1, 2, 1, 1}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.mode);
    const OpRunner op = Stumps{1, c.mode, 0, c.missing_true}.Regressor({0, 0}, {1, 2});
    EXPECT_THAT(Regress(op, Tensor::Of<float>({4, 1}, {-1, 0, 1, kNaN})), ElementsAreArray(c.want));
    EXPECT_THAT(Regress(op, Tensor::Of<double>({4, 1}, {-1, 0, 1, kNaN})),
                ElementsAreArray(c.want));
    EXPECT_THAT(Regress(op, Tensor::Of<int64_t>({3, 1}, {-1, 0, 1})),
                ElementsAre(c.want[0], c.want[1], c.want[2]));
  }
}

TEST(TreeEnsembleRegressor, Aggregates) {
  const auto run = [](const char* name, Floats base) {
    OpRunner op = Stumps{3}.Regressor({0, 0, 0, 0, 0, 0}, {1, 2, 3, 5, 8, 13});
    op.With("aggregate_function", std::string(name)).With("base_values", std::move(base));
    return Regress(op, Tensor::Of<float>({2, 1}, {-1, 1}));
  };
  EXPECT_THAT(run("SUM", {}), ElementsAre(12, 20));
  EXPECT_THAT(run("SUM", {0.5F}), ElementsAre(12.5F, 20.5F));
  EXPECT_THAT(run("AVERAGE", {0.5F}), ElementsAre(4.5F, FloatEq(20.0F / 3 + 0.5F)));
  EXPECT_THAT(run("MIN", {}), ElementsAre(1, 2));
  EXPECT_THAT(run("MAX", {1}), ElementsAre(9, 14));
}

TEST(TreeEnsembleRegressor, SeveralTargets) {
  OpRunner op = Stumps{2}.Regressor({0, 1, 0, 1, 0, 1, 0, 1}, {1, 2, 3, 4, 5, 6, 7, 8});
  op.With("n_targets", int64_t{3}).With("base_values", Floats{0, 100, 7});
  EXPECT_THAT(Regress(op, Tensor::Of<float>({2, 1}, {-1, 1})), ElementsAre(6, 108, 7, 10, 112, 7));
  EXPECT_THAT(
      Regress(op.With("post_transform", std::string("LOGISTIC")), Tensor::Of<float>({1, 1}, {-1})),
      ElementsAre(FloatEq(1 / (1 + std::exp(-6.0F))), 1, FloatEq(1 / (1 + std::exp(-7.0F)))));
}

TEST(TreeEnsembleRegressor, DoublesAsTensors) {
  const double third = 1.0 / 3;
  OpRunner op("TreeEnsembleRegressor", 3, "ai.onnx.ml");
  op.With("nodes_treeids", Ints{0, 0, 0})
      .With("nodes_nodeids", Ints{0, 1, 2})
      .With("nodes_featureids", Ints{0, 0, 0})
      .With("nodes_truenodeids", Ints{1, 0, 0})
      .With("nodes_falsenodeids", Ints{2, 0, 0})
      .With("nodes_modes", Strings{"BRANCH_LEQ", "LEAF", "LEAF"})
      .With("nodes_values_as_tensor",
            std::make_shared<const Tensor>(Tensor::Of<double>({3}, {third, 0, 0})))
      .With("target_ids", Ints{0, 0})
      .With("target_nodeids", Ints{1, 2})
      .With("target_treeids", Ints{0, 0})
      .With("target_weights_as_tensor",
            std::make_shared<const Tensor>(Tensor::Of<double>({2}, {third, 1})));
  const Tensor x = Tensor::Of<double>({2, 1}, {third, std::nextafter(third, 1.0)});
  EXPECT_THAT(Regress(op, x), ElementsAre(FloatEq(1.0F / 3), 1));
}

// A row's bits do not depend on the rows around it: 100 trees, 150 rows, alone and together.
TEST(TreeEnsembleRegressor, RowsAreIndependent) {
  Floats weights(200);
  std::iota(weights.begin(), weights.end(), 0.1F);
  const OpRunner op = Stumps{100, "BRANCH_LT", 0, true}.Regressor(Ints(200, 0), weights);
  Tensor x(DType::kFloat32, {150, 2});
  for (size_t i = 0; i < 300; ++i) {
    x.mutable_values<float>()[i] = i % 7 == 0 ? kNaN : static_cast<float>(i % 5) - 2;
  }
  const std::vector<float> together = Regress(op, x);
  for (size_t row = 0; row < 150; ++row) {
    const Tensor one = Tensor::Of<float>({1, 2}, x.values<float>().subspan(2 * row, 2));
    EXPECT_EQ(Regress(op, one)[0], together[row]) << row;
  }
}

struct Classified {
  std::vector<int64_t> labels;
  std::vector<float> scores;
  Shape shape;
};

Classified Classify(const OpRunner& op, const Tensor& x) {
  Classified result;
  const auto out = op.RunAll({x.view()});
  EXPECT_OK(out);
  if (out.ok()) {
    const auto labels = (*out)[0].values<int64_t>();
    const auto scores = (*out)[1].values<float>();
    result = {{labels.begin(), labels.end()}, {scores.begin(), scores.end()}, (*out)[1].shape()};
  }
  return result;
}

float Sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

const Tensor kRows = Tensor::Of<float>({2, 1}, {-1, 1});

// Two labels, weights for one: [-s, s].
TEST(TreeEnsembleClassifier, OneScoreForTwoLabels) {
  OpRunner op = Stumps{2}.Classifier({0, 0, 0, 0}, {-1, 2, -0.5F, 0.25F}, {7, 9});
  const Classified raw = Classify(op, kRows);
  EXPECT_THAT(raw.labels, ElementsAre(7, 9));
  EXPECT_THAT(raw.scores, ElementsAre(1.5F, -1.5F, -2.25F, 2.25F));
  EXPECT_EQ(raw.shape, Shape({2, 2}));
  op.With("post_transform", std::string("LOGISTIC")).With("base_values", Floats{0.5F});
  const Classified odds = Classify(op, kRows);
  EXPECT_THAT(odds.labels, ElementsAre(7, 9));
  EXPECT_THAT(odds.scores, ElementsAre(FloatEq(Sigmoid(1)), FloatEq(Sigmoid(-1)),
                                       FloatEq(Sigmoid(-2.75F)), FloatEq(Sigmoid(2.75F))));
}

// The same without a negative weight: probabilities, whatever the transform.
TEST(TreeEnsembleClassifier, OneProbabilityForTwoLabels) {
  OpRunner op = Stumps{2}.Classifier({0, 0, 0, 0}, {0.125F, 0.5F, 0.25F, 0.25F}, {7, 9});
  op.With("post_transform", std::string("LOGISTIC"));
  const Classified c = Classify(op, kRows);
  EXPECT_THAT(c.labels, ElementsAre(7, 9));
  EXPECT_THAT(c.scores, ElementsAre(0.625F, 0.375F, 0.25F, 0.75F));
}

TEST(TreeEnsembleClassifier, AScorePerClass) {
  const Ints ids = {0, 1, 2, 0, 1, 2};
  const Floats weights = {1, 2, 3, 6, 5, 4};
  const Classified raw = Classify(Stumps{}.Classifier(ids, weights, {3, 4, 5}), kRows);
  EXPECT_THAT(raw.labels, ElementsAre(5, 3));
  EXPECT_THAT(raw.scores, ElementsAre(1, 2, 3, 6, 5, 4));
  const auto transformed = [&](const char* transform) {
    return Classify(Stumps{}
                        .Classifier(ids, weights, {3, 4, 5})
                        .With("base_values", Floats{1, 0, -1})
                        .With("post_transform", std::string(transform)),
                    Tensor::Of<float>({1}, {-1}))
        .scores;
  };
  EXPECT_THAT(transformed("SOFTMAX"),
              ElementsAre(FloatEq(1.0F / 3), FloatEq(1.0F / 3), FloatEq(1.0F / 3)));
  EXPECT_THAT(transformed("LOGISTIC"),
              ElementsAre(FloatEq(Sigmoid(2)), FloatEq(Sigmoid(2)), FloatEq(Sigmoid(2))));
}

TEST(TreeEnsembleClassifier, TwoClassesWithScoresOfTheirOwn) {
  const Classified c =
      Classify(Stumps{}.Classifier({0, 1, 0, 1}, {0.75F, 0.25F, 0.375F, 0.625F}, {0, 1}), kRows);
  EXPECT_THAT(c.labels, ElementsAre(0, 1));
  EXPECT_THAT(c.scores, ElementsAre(0.75F, 0.25F, 0.375F, 0.625F));
}

TEST(TreeEnsembleClassifier, OneLabel) {
  OpRunner op = Stumps{}.Classifier({0, 0}, {-1, 2}, {4});
  op.With("post_transform", std::string("LOGISTIC"));
  const Classified c = Classify(op, kRows);
  EXPECT_THAT(c.labels, ElementsAre(0, 1));
  EXPECT_THAT(c.scores, ElementsAre(-1, 2));
  EXPECT_EQ(c.shape, Shape({2, 1}));
}

TEST(TreeEnsembleClassifier, RefusesWhatDoesNotFit) {
  const auto refused = [](const OpRunner& op) { return op.RunAll({kRows.view()}).status(); };
  const Stumps one;
  EXPECT_THAT(refused(one.Classifier({0, 2}, {1, 2}, {0, 1})),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'class_ids': entry 1 is 2")));
  EXPECT_THAT(refused(one.With("TreeEnsembleClassifier", "class", {0, 0}, {1, 2})),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("classlabels_int64s")));
  EXPECT_THAT(refused(one.Classifier({0, 1}, {1, 2}, {0, 1, 2}).With("base_values", Floats{1, 2})),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("2 base values for 3 classes")));
  EXPECT_THAT(refused(one.Classifier({0, 1}, {1, kNaN}, {0, 1})),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'class_weights': entry 1 is nan")));
  EXPECT_THAT(
      refused(one.Classifier({0, 1}, {1, 2}, {0, 1}).With("post_transform", std::string("PROBIT"))),
      StatusIs(StatusCode::kUnimplemented, HasSubstr("PROBIT")));
  EXPECT_THAT(refused(one.Classifier({0, 1}, {1, 2}, {0, 1}).With("bias", 1.0F)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'bias'")));
}

struct BadTree {
  Ints ids;
  Ints yes;
  Ints no;
  Strings modes;
  Ints features;
  std::string message;
};

TEST(TreeEnsembleRegressor, RefusesWhatIsNoTree) {
  const Strings branches = {"BRANCH_LT", "LEAF", "LEAF"};
  const BadTree cases[] = {
      {{0, 1, 2}, {1, 0, 0}, {3, 0, 0}, branches, {0, 0, 0}, "false child 3 does not exist"},
      {{0, 1, 2}, {1, 0, 0}, {1, 0, 0}, branches, {0, 0, 0}, "tree 0, node 1 has two parents"},
      {{0, 1, 1}, {1, 0, 0}, {2, 0, 0}, branches, {0, 0, 0}, "tree 0, node 1 is there twice"},
      {{0, 1, 2}, {1, 0, 0}, {0, 0, 0}, branches, {0, 0, 0}, "cannot be reached from its root 2"},
      {{0, 1}, {1, 0}, {1, 0}, {"BRANCH_LT", "BRANCH_LT"}, {0, 0}, "has two parents"},
      {{0, 1, 2}, {1, 1, 0}, {2, 2, 0}, {"LEAF", "LEAF", "LEAF"}, {0, 0, 0}, "are both roots"},
      {{0, 1, 2},
       {1, 0, 0},
       {2, 0, 0},
       {"BRANCH_LIKE", "LEAF", "LEAF"},
       {0, 0, 0},
       "'BRANCH_LIKE'"},
      {{0, 1, 2, 3},
       {1, 0, 3, 2},
       {2, 0, 3, 2},
       {"LEAF", "LEAF", "BRANCH_LT", "BRANCH_LT"},
       {0, 0, 0, 0},
       "has two parents"},
      {{0, 1, 2, 3, 4, 5},
       {0, 2, 3, 0, 0, 0},
       {0, 4, 5, 1, 0, 0},
       {"LEAF", "BRANCH_LT", "BRANCH_LT", "BRANCH_LT", "LEAF", "LEAF"},
       {0, 0, 0, 0, 0, 0},
       "'nodes_values'"},
      {{0, 1, 2}, {1, 0, 0}, {2, 0, 0}, branches, {-1, 0, 0}, "feature id -1"},
      {{0, 1, 2}, {1, 0, 0}, {2, 0, 0}, branches, {9, 0, 0}, "feature 9, the input has 1 columns"},
      {{0, 1, 2}, {1, 0}, {2, 0, 0}, branches, {0, 0, 0}, "'nodes_truenodeids' has 2 entries"},
      {{}, {}, {}, {}, {}, "there are no trees"},
  };
  for (const BadTree& c : cases) {
    OpRunner op("TreeEnsembleRegressor", 1, "ai.onnx.ml");
    op.With("nodes_nodeids", c.ids)
        .With("nodes_treeids", Ints(c.ids.size(), 0))
        .With("nodes_truenodeids", c.yes)
        .With("nodes_falsenodeids", c.no)
        .With("nodes_modes", c.modes)
        .With("nodes_featureids", c.features)
        .With("nodes_values", Floats(c.ids.size() == 6 ? 5 : c.ids.size(), 0));
    EXPECT_THAT(op.Run({kRows.view()}),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(c.message)));
  }
}

}  // namespace
}  // namespace sigserve
