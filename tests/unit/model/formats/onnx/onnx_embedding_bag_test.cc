// Which loops are EmbeddingBag: PyTorch's, and nothing that computes something else. What the node
// computes: tests/differential/parity_test.cc.
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/formats/onnx/onnx_reader.h"
#include "onnx/onnx.pb.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::HasSubstr;

onnx::ModelProto Golden(const std::string& name) {
  const std::string root = SIGSERVE_SOURCE_DIR "/tests/golden/embedding_bag/";
  std::ifstream file(absl::StrCat(root, name, "/model.onnx"), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  return model;
}

onnx::NodeProto& NodeOf(onnx::GraphProto& graph, const std::string& type, int skip = 0) {
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    if (node.op_type() == type && skip-- == 0) return node;
  }
  ADD_FAILURE() << "no " << type;
  return *graph.mutable_node(0);
}

TEST(EmbeddingBagLoop, BecomesOneNode) {
  for (const char* mode : {"sum", "mean", "max"}) {
    SCOPED_TRACE(mode);
    ASSERT_OK_AND_ASSIGN(const Graph graph, ReadOnnx(Golden(mode).SerializeAsString()));
    std::vector<std::string> bags;
    for (const Node& node : graph.nodes()) {
      if (node.spec.domain != kFusedDomain) continue;
      bags.push_back(
          absl::StrCat(node.spec.op_type, " ", *node.spec.attributes.String("mode", "")));
    }
    EXPECT_THAT(bags, testing::ElementsAre(absl::StrCat("EmbeddingBag ", mode)));
  }
}

struct Spoilt {
  const char* what;
  std::function<void(onnx::GraphProto& graph, onnx::NodeProto& loop, onnx::GraphProto& body)> spoil;
};

/// Gives the constant that input `input` of the node reads another first element.
void SetConstant(onnx::GraphProto& graph, const onnx::NodeProto& node, int input, char value) {
  for (onnx::NodeProto& constant : *graph.mutable_node()) {
    if (constant.output(0) != node.input(input)) continue;
    (*constant.mutable_attribute(0)->mutable_t()->mutable_raw_data())[0] = value;
    return;
  }
  ADD_FAILURE() << "no constant";
}

TEST(EmbeddingBagLoop, OthersAreRefusedByName) {
  using G = onnx::GraphProto;
  using N = onnx::NodeProto;
  const Spoilt cases[] = {
      {"no number of turns", [](G&, N& loop, G&) { loop.set_input(0, ""); }},
      {"never runs", [](G& graph, N& loop, G&) { SetConstant(graph, loop, 1, 0); }},
      {"may stop",
       [](G&, N&, G& body) { NodeOf(body, "Cast").set_input(0, "/e/Gather_2_output_0"); }},
      {"may not start", [](G&, N& loop, G&) { loop.set_input(1, "e.weight"); }},
      {"carries a value", [](G&, N& loop, G&) { loop.add_input("e.weight"); }},
      {"another attribute", [](G&, N& loop, G&) { loop.add_attribute()->set_name("something"); }},
      {"another reduction",
       [](G&, N&, G& body) { NodeOf(body, "ReduceSum").set_op_type("ReduceProd"); }},
      {"keeps dimensions",
       [](G&, N&, G& body) { NodeOf(body, "ReduceSum").mutable_attribute(0)->set_i(1); }},
      {"reduces another axis",
       [](G&, N&, G& body) { SetConstant(body, NodeOf(body, "ReduceSum"), 1, 1); }},
      {"slices another axis",
       [](G& graph, N&, G& body) { SetConstant(graph, NodeOf(body, "Slice"), 3, 1); }},
      {"slices from the other end",
       [](G&, N&, G& body) {
         N& slice = NodeOf(body, "Slice");
         std::swap(*slice.mutable_input(1), *slice.mutable_input(0));
       }},
      {"always the same bag",
       [](G&, N&, G& body) { NodeOf(body, "Gather").set_input(1, "/e/Constant_output_0"); }},
      {"weights of its own", [](G&, N&, G& body) { body.add_initializer()->set_name("e.weight"); }},
      {"a node of two outputs",
       [](G&, N&, G& body) { NodeOf(body, "Gather", 2).add_output("more"); }},
      {"another domain", [](G&, N&, G& body) { NodeOf(body, "Gather", 2).set_domain("evil"); }},
      {"defines a value twice",
       [](G&, N&, G& body) {
         NodeOf(body, "Cast").set_output(0, NodeOf(body, "ReduceSum").output(0));
       }},
      {"one output", [](G&, N&, G& body) { body.mutable_output()->RemoveLast(); }},
      {"one input", [](G&, N&, G& body) { body.mutable_input()->RemoveLast(); }},
      {"much more in it",
       [](G&, N&, G& body) {
         for (int i = 0; i < 40; ++i) {
           N& node = *body.add_node();
           node.set_op_type("Identity");
           node.add_input("e.weight");
           node.add_output(absl::StrCat("more", i));
         }
       }},
  };
  for (const Spoilt& c : cases) {
    SCOPED_TRACE(c.what);
    onnx::ModelProto model = Golden("sum");
    G& graph = *model.mutable_graph();
    N& loop = NodeOf(graph, "Loop");
    c.spoil(graph, loop, *loop.mutable_attribute(0)->mutable_g());
    EXPECT_THAT(ReadOnnx(model.SerializeAsString()),
                StatusIs(absl::StatusCode::kUnimplemented,
                         testing::AllOf(HasSubstr("ONNX_OP"), HasSubstr("Loop '/e/Loop'"))));
  }
}

TEST(EmbeddingBagLoop, FactorsOfOtherBagsAreRefused) {
  onnx::ModelProto model = Golden("factors");
  onnx::GraphProto& body =
      *NodeOf(*model.mutable_graph(), "Loop").mutable_attribute(0)->mutable_g();
  onnx::NodeProto& slice = NodeOf(body, "Slice", 1);
  slice.set_input(1, slice.input(2));
  EXPECT_THAT(ReadOnnx(model.SerializeAsString()),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("Loop '/e/Loop'")));
}

}  // namespace
}  // namespace sigserve
