#include "model/formats/onnx/onnx_reader.h"

#include <string>

#include "model/runtime/session.h"
#include "tests/support/fake_file_system.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using onnx::AttributeProto;
using onnx::TensorProto;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::AddNode;
using testing_support::Extra;
using testing_support::LogisticModel;

const Tensor& ConstantNamed(const Graph& graph, const std::string& name) {
  static const Tensor* none = new Tensor();
  for (const Value& value : graph.values()) {
    if (value.name == name && value.constant != nullptr) return *value.constant;
  }
  ADD_FAILURE() << "no constant " << name;
  return *none;
}

TEST(ReadOnnx, ReadsALogisticRegression) {
  ASSERT_OK_AND_ASSIGN(const Graph graph, ReadOnnx(LogisticModel().SerializeAsString()));
  ASSERT_EQ(graph.inputs().size(), 1U);
  EXPECT_EQ(graph.inputs()[0].type.shape, (Shape{-1, 2}));
  ASSERT_EQ(graph.nodes().size(), 2U);
  EXPECT_EQ(graph.nodes()[0].spec.name, "fc");
  EXPECT_EQ(graph.nodes()[0].spec.opset, 13);
  EXPECT_EQ(graph.nodes()[1].spec.DebugName(), "Sigmoid 'y'") << "named after its output";
  ASSERT_OK_AND_ASSIGN(auto executable, Executable::Compile(graph));
  Session session(executable);
  const Tensor x = Tensor::Of<float>(Shape{1, 2}, {2, 1});
  ASSERT_OK(session.Run({x.view()}));
  EXPECT_THAT(session.output(0).values<float>(), ElementsAre(0.5F));
}

TEST(ReadOnnx, ReadsNewerVersionsAndLeavesTheOperatorsToTheTable) {
  onnx::ModelProto model = LogisticModel();
  model.set_ir_version(13);
  model.mutable_opset_import(0)->set_version(22);
  onnx::OperatorSetIdProto& ml = *model.add_opset_import();
  ml.set_domain("ai.onnx.ml");
  ml.set_version(5);
  ASSERT_OK_AND_ASSIGN(const Graph graph, ReadOnnx(model.SerializeAsString()));
  EXPECT_OK(Executable::Compile(graph));
  model.mutable_opset_import(0)->set_version(25);
  ASSERT_OK_AND_ASSIGN(const Graph newer, ReadOnnx(model.SerializeAsString()));
  EXPECT_THAT(Executable::Compile(newer),
              StatusIs(absl::StatusCode::kUnimplemented,
                       testing::AllOf(HasSubstr("MatMul"), HasSubstr("opset 25"))));
  model.mutable_opset_import(0)->set_version(26);
  EXPECT_THAT(ReadOnnx(model.SerializeAsString()),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("ONNX_VERSION: opset 26")));
}

TEST(ReadOnnx, ReadsEveryDataField) {
  onnx::ModelProto model = LogisticModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  const auto add = [&](const char* name, TensorProto::DataType type, int64_t size) -> TensorProto& {
    TensorProto& tensor = *graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    tensor.add_dims(size);
    return tensor;
  };
  add("raw", TensorProto::FLOAT, 1).set_raw_data(std::string("\0\0\x80\x3f", 4));
  add("double", TensorProto::DOUBLE, 1).add_double_data(0.1);
  add("int32", TensorProto::INT32, 1).add_int32_data(-7);
  add("int64", TensorProto::INT64, 1).add_int64_data(int64_t{1} << 40);
  TensorProto& flags = add("bool", TensorProto::BOOL, 2);
  flags.add_int32_data(1);
  flags.add_int32_data(0);
  TensorProto& half = add("half", TensorProto::FLOAT16, 4);
  for (const int bits : {0x3C00, 0xC000, 0x0001, 0x7BFF}) half.add_int32_data(bits);
  add("half_raw", TensorProto::FLOAT16, 1).set_raw_data(std::string("\x00\x3c", 2));
  add("bf16", TensorProto::BFLOAT16, 1).set_raw_data(std::string("\x80\xbf", 2));
  add("empty", TensorProto::FLOAT, 0);
  ASSERT_OK_AND_ASSIGN(const Graph read, ReadOnnx(model.SerializeAsString()));
  EXPECT_THAT(ConstantNamed(read, "raw").values<float>(), ElementsAre(1.0F));
  EXPECT_THAT(ConstantNamed(read, "double").values<double>(), ElementsAre(0.1));
  EXPECT_THAT(ConstantNamed(read, "int32").values<int32_t>(), ElementsAre(-7));
  EXPECT_THAT(ConstantNamed(read, "int64").values<int64_t>(), ElementsAre(int64_t{1} << 40));
  EXPECT_EQ(ConstantNamed(read, "bool").dtype(), DType::kBool);
  EXPECT_THAT(ConstantNamed(read, "half").values<float>(),
              ElementsAre(1.0F, -2.0F, 0x1p-24F, 65504.0F));
  EXPECT_THAT(ConstantNamed(read, "half_raw").values<float>(), ElementsAre(1.0F));
  EXPECT_THAT(ConstantNamed(read, "bf16").values<float>(), ElementsAre(-1.0F));
  EXPECT_EQ(ConstantNamed(read, "empty").elements(), 0);
}

TEST(ReadOnnx, ReadsExternalData) {
  onnx::ModelProto model = LogisticModel();
  const auto add = [&](const char* name, TensorProto::DataType type, const char* offset) {
    TensorProto& tensor = *model.mutable_graph()->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    tensor.add_dims(2);
    tensor.set_data_location(TensorProto::EXTERNAL);
    for (const auto& [key, value] : {std::pair("location", "deep/w.bin"), {"offset", offset}}) {
      onnx::StringStringEntryProto& entry = *tensor.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
  };
  add("float", TensorProto::FLOAT, "0");
  add("half", TensorProto::FLOAT16, "8");
  add("bool", TensorProto::BOOL, "12");
  add("float again", TensorProto::FLOAT, "0");
  testing_support::FakeFileSystem files;
  ASSERT_OK(files.MakeDirectories("m/1/deep"));
  const std::string bytes("\0\0\x80\x3f\0\0\0\xc0\x00\x3c\x00\xc0\1\0", 14);
  ASSERT_OK(files.WriteFile("m/1/deep/w.bin", bytes));
  ASSERT_OK_AND_ASSIGN(const Graph read, ReadOnnx(model.SerializeAsString(), &files, "m/1"));
  EXPECT_THAT(ConstantNamed(read, "float").values<float>(), ElementsAre(1.0F, -2.0F));
  EXPECT_THAT(ConstantNamed(read, "half").values<float>(), ElementsAre(1.0F, -2.0F));
  EXPECT_THAT(ConstantNamed(read, "bool").values<bool>(), ElementsAre(true, false));
  EXPECT_THAT(ConstantNamed(read, "float again").values<float>(), ElementsAre(1.0F, -2.0F));
  ASSERT_OK(files.WriteFile("m/1/deep/w.bin", bytes.substr(0, 12) + "\2\2"));
  EXPECT_THAT(
      ReadOnnx(model.SerializeAsString(), &files, "m/1"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ONNX_RANGE: initializer 'bool'")));
}

TEST(ReadOnnx, ElementsOfLargeFilesAreSetAside) {
  // Nearly all of this file is raw_data: the other way through the reader.
  onnx::ModelProto model = LogisticModel();
  std::string floats;
  for (int i = 0; i < 1000; ++i) floats += std::string("\0\0\x80\x3f", 4);
  TensorProto& raw = Extra(model, TensorProto::FLOAT, {1000});
  raw.set_raw_data(floats);
  ASSERT_OK_AND_ASSIGN(const Graph read, ReadOnnx(model.SerializeAsString()));
  EXPECT_THAT(ConstantNamed(read, "extra").values<float>(), testing::Each(1.0F));
  EXPECT_THAT(ConstantNamed(read, "w").values<float>(), ElementsAre(0.5F, -1.0F));
  raw.add_float_data(1);
  EXPECT_THAT(ReadOnnx(model.SerializeAsString()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ONNX_TWO_DATA: ")));
}

TEST(ReadOnnx, InitializersListedAsInputsAreNoInputs) {
  onnx::ModelProto model = LogisticModel();
  model.mutable_graph()->add_input()->set_name("w");
  ASSERT_OK_AND_ASSIGN(const Graph graph, ReadOnnx(model.SerializeAsString()));
  EXPECT_EQ(graph.inputs().size(), 1U);
}

TEST(ReadOnnx, ConstantNodesAreConstants) {
  onnx::ModelProto model = LogisticModel();
  model.mutable_graph()->mutable_node(1)->set_input(0, "shifted");
  AddNode(model, "Add", {"z", "c"}, {"shifted"});
  AttributeProto& value = *AddNode(model, "Constant", {}, {"c"}).add_attribute();
  value.set_name("value_float");
  value.set_type(AttributeProto::FLOAT);
  value.set_f(2.5F);
  ASSERT_OK_AND_ASSIGN(const Graph graph, ReadOnnx(model.SerializeAsString()));
  EXPECT_THAT(ConstantNamed(graph, "c").values<float>(), ElementsAre(2.5F));
  EXPECT_EQ(graph.nodes().size(), 3U);
}

TEST(ReadOnnx, ZipMapLeavesTheScores) {
  onnx::ModelProto model = LogisticModel();
  onnx::OperatorSetIdProto& ml = *model.add_opset_import();
  ml.set_domain("ai.onnx.ml");
  ml.set_version(1);
  AddNode(model, "ZipMap", {"y"}, {"output_probability"}).set_domain("ai.onnx.ml");
  model.mutable_graph()->mutable_output(0)->set_name("output_probability");
  ASSERT_OK_AND_ASSIGN(const Graph graph, ReadOnnx(model.SerializeAsString()));
  ASSERT_OK_AND_ASSIGN(auto executable, Executable::Compile(graph));
  EXPECT_EQ(executable->signature().outputs[0].name, "output_probability");
  EXPECT_EQ(executable->signature().outputs[0].link, Link::kSigmoid);
}

TEST(ReadOnnx, ClassNamesBecomeLabels) {
  onnx::ModelProto model = LogisticModel();
  onnx::OperatorSetIdProto& ml = *model.add_opset_import();
  ml.set_domain("ai.onnx.ml");
  ml.set_version(1);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.clear_node();
  graph.clear_initializer();
  onnx::NodeProto& node = AddNode(model, "LinearClassifier", {"x"}, {"label", "y"});
  node.set_domain("ai.onnx.ml");
  const auto attribute = [&](const char* name, AttributeProto::AttributeType type) -> auto& {
    AttributeProto& a = *node.add_attribute();
    a.set_name(name);
    a.set_type(type);
    return a;
  };
  AttributeProto& coefficients = attribute("coefficients", AttributeProto::FLOATS);
  for (const float w : {-1.0F, -2.0F, 1.0F, 2.0F}) coefficients.add_floats(w);
  AttributeProto& intercepts = attribute("intercepts", AttributeProto::FLOATS);
  intercepts.add_floats(-0.5F);
  intercepts.add_floats(0.5F);
  AttributeProto& names = attribute("classlabels_strings", AttributeProto::STRINGS);
  names.add_strings("benign");
  names.add_strings("malignant");
  attribute("post_transform", AttributeProto::STRING).set_s("LOGISTIC");
  onnx::ValueInfoProto& label = *graph.add_output();
  label.set_name("label");
  label.mutable_type()->mutable_tensor_type()->set_elem_type(TensorProto::STRING);
  ASSERT_OK_AND_ASSIGN(const Graph read, ReadOnnx(model.SerializeAsString()));
  ASSERT_OK_AND_ASSIGN(auto executable, Executable::Compile(read));
  ASSERT_EQ(executable->signature().outputs.size(), 1U);
  const OutputSignature& output = executable->signature().outputs[0];
  EXPECT_EQ(output.name, "y");
  EXPECT_THAT(output.labels, ElementsAre("benign", "malignant"));
  EXPECT_EQ(output.link, Link::kSigmoid);
  EXPECT_TRUE(output.has_logits);
  EXPECT_TRUE(executable->signature().batchable);

  graph.mutable_output()->DeleteSubrange(0, 1);
  EXPECT_THAT(ReadOnnx(model.SerializeAsString()),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("output 'label'")));
}

TEST(ReadOnnx, UnknownSizesAndRanks) {
  onnx::ModelProto model = LogisticModel();
  onnx::TypeProto::Tensor& type =
      *model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type();
  type.mutable_shape()->mutable_dim(0)->set_dim_value(-1);
  type.mutable_shape()->mutable_dim(1)->clear_dim_value();
  ASSERT_OK_AND_ASSIGN(const Graph open, ReadOnnx(model.SerializeAsString()));
  EXPECT_EQ(open.inputs()[0].type.shape, (Shape{-1, -1}));
  type.clear_shape();
  ASSERT_OK_AND_ASSIGN(const Graph any, ReadOnnx(model.SerializeAsString()));
  EXPECT_TRUE(any.inputs()[0].type.any_rank);
}

}  // namespace
}  // namespace sigserve
