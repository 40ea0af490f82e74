// What the numbers of a classifier's outputs are, by its attributes. SVMClassifier has the most
// ways.
#include "model/runtime/link_function.h"

#include <string>
#include <utility>
#include <vector>

#include "tests/support/declared_types.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// The link of an SVMClassifier's scores.
class Svm {
 public:
  explicit Svm(std::vector<int64_t> labels) {
    spec_.name = "svm";
    spec_.domain = "ai.onnx.ml";
    spec_.op_type = "SVMClassifier";
    spec_.opset = 1;
    With("classlabels_ints", std::move(labels));
  }
  template <typename T>
  Svm& With(const char* name, T value) {
    EXPECT_OK(spec_.attributes.Add(name, std::move(value)));
    return *this;
  }
  Svm& Vectors(std::vector<int64_t> per_class) {
    return With("vectors_per_class", std::move(per_class));
  }
  Svm& ProbA(std::vector<float> a) { return With("prob_a", std::move(a)); }
  Svm& Post(const char* name) { return With("post_transform", std::string(name)); }

  LinkFunction Scores() const {
    GraphBuilder builder;
    const ValueId label = builder.ValueNamed("label");
    const ValueId scores = builder.ValueNamed("scores");
    builder.AddNode(spec_, {builder.AddInput("x", testing_support::Rows(2))}, {label, scores});
    builder.AddOutput(label);
    builder.AddOutput(scores);
    const absl::StatusOr<Graph> graph = std::move(builder).Build();
    EXPECT_OK(graph);
    EXPECT_THAT(FindLinkFunction(*graph, graph->outputs()[0], 1).labels, IsEmpty());
    return FindLinkFunction(*graph, graph->outputs()[1], 2);
  }

 private:
  NodeSpec spec_;
};

TEST(LinkFunctionOfSvm, TwoClassesHaveAScoreEach) {
  const LinkFunction link = Svm({10, 20}).Vectors({2, 1}).Scores();
  EXPECT_EQ(link.link, Link::kNone);
  EXPECT_THAT(link.labels, ElementsAre("10", "20"));
}

TEST(LinkFunctionOfSvm, MoreClassesHaveAScorePerPairWhichHasNoLabel) {
  const LinkFunction link = Svm({10, 20, 30}).Vectors({1, 1, 1}).Scores();
  EXPECT_EQ(link.link, Link::kNone);
  EXPECT_THAT(link.labels, IsEmpty());
}

TEST(LinkFunctionOfSvm, ProbAMakesProbabilitiesOfTheClasses) {
  const LinkFunction link = Svm({10, 20, 30}).Vectors({1, 0, 1}).ProbA({1, 2, 3}).Scores();
  EXPECT_EQ(link.link, Link::kOther);
  EXPECT_EQ(link.logits, kNoValue);
  EXPECT_THAT(link.labels, ElementsAre("10", "20", "30"));
}

TEST(LinkFunctionOfSvm, AnEmptyProbAIsNone) {
  const LinkFunction link = Svm({10, 20, 30}).Vectors({1, 1, 1}).ProbA({}).Scores();
  EXPECT_EQ(link.link, Link::kNone);
  EXPECT_THAT(link.labels, IsEmpty());
}

// Without support vectors it is linear, with a score per class; prob_a has no effect.
TEST(LinkFunctionOfSvm, NoVectorsMeansLinear) {
  for (const Svm& linear :
       {Svm({10, 20, 30}), Svm({10, 20, 30}).Vectors({}), Svm({10, 20, 30}).Vectors({0, 0, 0}),
        Svm({10, 20, 30}).Vectors({0, 0, 0}).ProbA({1, 2, 3}),
        Svm({10, 20, 30}).ProbA({1, 2, 3})}) {
    const LinkFunction link = linear.Scores();
    EXPECT_EQ(link.link, Link::kNone);
    EXPECT_THAT(link.labels, ElementsAre("10", "20", "30"));
  }
}

TEST(LinkFunctionOfSvm, APostTransformMakesProbabilities) {
  EXPECT_EQ(Svm({10, 20}).Vectors({2, 1}).Post("LOGISTIC").Scores().link, Link::kOther);
  EXPECT_EQ(Svm({10, 20}).Vectors({0, 0}).Post("SOFTMAX").Scores().link, Link::kOther);
  EXPECT_EQ(Svm({10, 20}).Vectors({2, 1}).Post("NONE").Scores().link, Link::kNone);
}

}  // namespace
}  // namespace sigserve
