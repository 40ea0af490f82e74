#include "model/formats/onnx/onnx_writer.h"

#include <string>

#include "model/formats/onnx/onnx_reader.h"
#include "model/runtime/session.h"
#include "onnx/onnx.pb.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::HasSubstr;

Graph Classifier() {
  GraphBuilder b;
  DeclaredType type;
  type.shape.push_back(-1);
  type.shape.push_back(3);
  const ValueId x = b.AddInput("features", type);
  const ValueId w = b.AddConstant("w", Tensor::Of<float>(Shape{2, 3}, {1, 2, 3, -4, 5, -6}));
  const ValueId bias = b.AddConstant("b", Tensor::Of<float>(Shape{2}, {0.25F, -0.5F}));
  Attributes attributes;
  EXPECT_OK(attributes.Add("transB", int64_t{1}));
  EXPECT_OK(attributes.Add("alpha", 0.5F));
  const ValueId z = b.AddNode("Gemm", {x, w, bias}, "logits", attributes);
  b.AddOutput(b.AddNode("Sigmoid", {z}, "probabilities"));
  absl::StatusOr<Graph> graph = std::move(b).Build();
  EXPECT_OK(graph);
  return *std::move(graph);
}

TEST(WriteOnnx, WritesWhatOtherRuntimesExpect) {
  ASSERT_OK_AND_ASSIGN(const std::string bytes, WriteOnnx(Classifier(), "1.2.3"));
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(bytes));
  EXPECT_EQ(model.ir_version(), 8);
  EXPECT_EQ(model.producer_name(), "sigserve");
  EXPECT_EQ(model.producer_version(), "1.2.3");
  ASSERT_EQ(model.opset_import_size(), 1);
  EXPECT_EQ(model.opset_import(0).version(), 17);
  const onnx::TypeProto::Tensor& in = model.graph().input(0).type().tensor_type();
  EXPECT_EQ(in.shape().dim(0).dim_param(), "N");
  EXPECT_EQ(in.shape().dim(1).dim_value(), 3);
  const onnx::TypeProto::Tensor& out = model.graph().output(0).type().tensor_type();
  EXPECT_EQ(out.elem_type(), onnx::TensorProto::FLOAT);
  EXPECT_EQ(out.shape().dim(0).dim_param(), "N");
  EXPECT_EQ(out.shape().dim(1).dim_value(), 2);
  EXPECT_EQ(model.graph().initializer(0).raw_data().size(), 24U);
}

TEST(WriteOnnx, TheSameGraphGivesTheSameBytes) {
  ASSERT_OK_AND_ASSIGN(const std::string once, WriteOnnx(Classifier(), "1"));
  ASSERT_OK_AND_ASSIGN(const std::string again, WriteOnnx(Classifier(), "1"));
  EXPECT_EQ(once, again);
}

TEST(WriteOnnx, ReadsBackAsItWas) {
  const Graph graph = Classifier();
  ASSERT_OK_AND_ASSIGN(const std::string bytes, WriteOnnx(graph, "1"));
  ASSERT_OK_AND_ASSIGN(const Graph read, ReadOnnx(bytes));
  ASSERT_EQ(read.nodes().size(), graph.nodes().size());
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& was = graph.nodes()[i];
    const Node& is = read.nodes()[i];
    EXPECT_EQ(is.spec.name, was.spec.name);
    EXPECT_EQ(is.spec.op_type, was.spec.op_type);
    EXPECT_EQ(is.spec.opset, was.spec.opset);
    ASSERT_EQ(is.spec.attributes.names(), was.spec.attributes.names());
    for (const std::string& name : was.spec.attributes.names()) {
      EXPECT_EQ(*is.spec.attributes.find(name), *was.spec.attributes.find(name)) << name;
    }
    ASSERT_EQ(is.inputs.size(), was.inputs.size());
    for (size_t k = 0; k < was.inputs.size(); ++k) {
      const Value& a = graph.value(was.inputs[k]);
      const Value& b = read.value(is.inputs[k]);
      EXPECT_EQ(a.name, b.name);
      ASSERT_EQ(a.constant == nullptr, b.constant == nullptr);
      if (a.constant == nullptr) continue;
      EXPECT_EQ(a.constant->shape(), b.constant->shape());
      EXPECT_EQ(a.constant->values<float>(), b.constant->values<float>());
    }
  }
  EXPECT_EQ(read.inputs()[0].type.shape, graph.inputs()[0].type.shape);
  ASSERT_OK_AND_ASSIGN(const std::string again, WriteOnnx(read, "1"));
  EXPECT_EQ(again, bytes);
}

TEST(WriteOnnx, RefusesNodesThatWouldMeanSomethingElse) {
  GraphBuilder b;
  NodeSpec spec;
  spec.name = "old";
  spec.op_type = "Relu";
  spec.opset = 9999;
  b.AddNode(spec, {b.AddInput("x", DeclaredType())}, {b.ValueNamed("y")});
  b.AddOutput(b.ValueNamed("y"));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(b).Build());
  EXPECT_THAT(WriteOnnx(graph, "1"),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("Relu 'old'")));
}

}  // namespace
}  // namespace sigserve
