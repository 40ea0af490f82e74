#include "model/formats/onnx/onnx_reader.h"

#include <string>

#include "model/runtime/session.h"
#include "tests/support/status_matchers.h"
#include "tests/support/onnx_builder.h"

namespace sigserve {
namespace {

using onnx::AttributeProto;
using onnx::TensorProto;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::AddNode;
using testing_support::LogisticModel;
using testing_support::Weight;

const Tensor& ConstantNamed(const Graph& graph, const std::string& name) {
  static const Tensor* none = new Tensor();
  for (const Value& value : graph.values()) {
    if (value.name == name && value.constant != nullptr) return *value.constant;
  }
  ADD_FAILURE() << "no constant " << name;
  return *none;
}

/// Replaces the model's weight by one that it does not use.
TensorProto& Extra(onnx::ModelProto& model, TensorProto::DataType type, std::vector<int64_t> dims) {
  TensorProto& extra = *model.mutable_graph()->add_initializer();
  extra.set_name("extra");
  extra.set_data_type(type);
  for (const int64_t d : dims) extra.add_dims(d);
  return extra;
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

// What is refused: a good model, spoilt in one place.

struct Hostile {
  const char* name;
  void (*spoil)(onnx::ModelProto& model);
  absl::StatusCode code;
  std::vector<std::string> says;
};

class ReadHostile : public testing::TestWithParam<Hostile> {};

TEST_P(ReadHostile, SaysWhatAndWhere) {
  onnx::ModelProto model = LogisticModel();
  GetParam().spoil(model);
  const auto graph = ReadOnnx(model.SerializeAsString());
  for (const std::string& part : GetParam().says) {
    EXPECT_THAT(graph, StatusIs(GetParam().code, HasSubstr(part)));
  }
}

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kLacking = absl::StatusCode::kUnimplemented;
using M = onnx::ModelProto;

const Hostile kVersions[] = {
    {"ir_version_0", [](M& m) { m.set_ir_version(0); }, kLacking, {"ONNX_VERSION: ", "ir_version"}},
    {"ir_version_9999", [](M& m) { m.set_ir_version(9999); }, kLacking, {"ONNX_VERSION: ", "9999"}},
    {"no_opset", [](M& m) { m.clear_opset_import(); }, kLacking, {"ONNX_VERSION: "}},
    {"opset_9999",
     [](M& m) { m.mutable_opset_import(0)->set_version(9999); },
     kLacking,
     {"ONNX_VERSION: ", "9999", "'ai.onnx'"}},
    {"opset_negative",
     [](M& m) { m.mutable_opset_import(0)->set_version(-1); },
     kLacking,
     {"ONNX_VERSION: "}},
    {"domain_of_ours",
     [](M& m) {
       auto* opset = m.add_opset_import();
       opset->set_domain("sigserve");
       opset->set_version(1);
     },
     kLacking,
     {"ONNX_OP: ", "'sigserve'"}},
    {"domain_twice",
     [](M& m) {
       m.add_opset_import()->set_version(13);
       m.mutable_opset_import(1)->set_domain("ai.onnx");
     },
     kLacking,
     {"ONNX_VERSION: ", "twice"}},
    {"no_graph", [](M& m) { m.clear_graph(); }, kInvalid, {"ONNX_PARSE: "}},
    {"function", [](M& m) { m.add_functions()->set_name("F"); }, kLacking, {"ONNX_OP: ", "'F'"}},
};
INSTANTIATE_TEST_SUITE_P(Versions, ReadHostile, testing::ValuesIn(kVersions),
                         [](const auto& info) { return std::string(info.param.name); });

const Hostile kNodes[] = {
    {"unknown_operator",
     [](M& m) { m.mutable_graph()->mutable_node(0)->set_op_type("Frobnicate"); },
     kLacking,
     {"ONNX_OP: ", "Frobnicate 'fc'"}},
    {"unknown_domain",
     [](M& m) {
       m.mutable_graph()->mutable_node(0)->set_domain("evil");
       m.add_opset_import()->set_domain("evil");
       m.mutable_opset_import(1)->set_version(1);
     },
     kLacking,
     {"ONNX_OP: ", "'evil'", "'fc'"}},
    {"domain_not_imported",
     [](M& m) { m.mutable_graph()->mutable_node(0)->set_domain("ai.onnx.ml"); },
     kInvalid,
     {"ONNX_OP: ", "'ai.onnx.ml'", "'fc'"}},
    {"loop",
     [](M& m) {
       AttributeProto& body = *AddNode(m, "Loop", {}, {"l"}).add_attribute();
       body.set_name("body");
       body.set_type(AttributeProto::GRAPH);
       body.mutable_g();
     },
     kLacking,
     {"ONNX_OP: ", "Loop 'l'", "'body'", "subgraphs"}},
    {"cycle",
     [](M& m) {
       AddNode(m, "Add", {"z", "q"}, {"p"});
       AddNode(m, "Relu", {"p"}, {"q"});
     },
     kInvalid,
     {"ONNX_CYCLE: ", "Add 'p'"}},
    {"dangling",
     [](M& m) { m.mutable_graph()->mutable_node(1)->set_input(0, "ghost"); },
     kInvalid,
     {"ONNX_DANGLING: ", "'ghost'", "Sigmoid 'y'"}},
    {"dangling_output",
     [](M& m) { m.mutable_graph()->mutable_output(0)->set_name("ghost"); },
     kInvalid,
     {"ONNX_DANGLING: ", "'ghost'"}},
    {"ssa",
     [](M& m) { AddNode(m, "Relu", {"x"}, {"y"}); },
     kInvalid,
     {"ONNX_SSA: ", "'y'", "Relu"}},
    {"overwrites_an_initializer",
     [](M& m) { AddNode(m, "Relu", {"x"}, {"w"}); },
     kInvalid,
     {"ONNX_SSA: ", "'w'"}},
    {"constant_with_two_values",
     [](M& m) {
       onnx::NodeProto& node = AddNode(m, "Constant", {}, {"c"});
       for (const char* name : {"value_int", "value_float"}) {
         node.add_attribute()->set_name(name);
         node.mutable_attribute(node.attribute_size() - 1)->set_type(AttributeProto::INT);
         node.mutable_attribute(node.attribute_size() - 1)->set_i(1);
       }
     },
     kInvalid,
     {"ONNX_ATTR: ", "Constant 'c'"}},
    {"attribute_twice",
     [](M& m) {
       for (int i = 0; i < 2; ++i) {
         AttributeProto& a = *m.mutable_graph()->mutable_node(0)->add_attribute();
         a.set_name("axis");
         a.set_type(AttributeProto::INT);
         a.set_i(1);
       }
     },
     kInvalid,
     {"ONNX_ATTR: ", "'axis'", "twice", "'fc'"}},
    {"attribute_of_two_types",
     [](M& m) {
       AttributeProto& a = *m.mutable_graph()->mutable_node(0)->add_attribute();
       a.set_name("axis");
       a.set_type(AttributeProto::INT);
       a.set_i(1);
       a.set_f(1);
     },
     kInvalid,
     {"ONNX_ATTR: ", "'axis'", "FLOAT and INT"}},
    {"attribute_of_another_type",
     [](M& m) {
       AttributeProto& a = *m.mutable_graph()->mutable_node(0)->add_attribute();
       a.set_name("axis");
       a.set_type(AttributeProto::INT);
       a.set_f(1);
     },
     kInvalid,
     {"ONNX_ATTR: ", "'axis'", "announced as INT, holds FLOAT"}},
    {"too_many_nodes",
     [](M& m) {
       for (int i = 0; i <= 100'000; ++i) m.mutable_graph()->add_node();
     },
     absl::StatusCode::kResourceExhausted,
     {"ONNX_NODE_LIMIT: "}},
    {"too_many_outputs",
     [](M& m) {
       for (int i = 0; i < 10'000; ++i) m.mutable_graph()->add_output();
     },
     absl::StatusCode::kResourceExhausted,
     {"ONNX_NODE_LIMIT: ", "outputs"}},
    {"name_with_newline",
     [](M& m) { m.mutable_graph()->mutable_node(0)->set_name("a\nI forged this"); },
     kInvalid,
     {"ONNX_NAME: ", "'a\\nI forged this'"}},
    {"name_with_nul",
     [](M& m) { m.mutable_graph()->mutable_node(0)->set_output(0, std::string("z\0", 2)); },
     kInvalid,
     {"ONNX_NAME: "}},
    {"name_not_utf8",
     [](M& m) { m.mutable_graph()->mutable_initializer(0)->set_name("w\xff"); },
     kInvalid,
     {"ONNX_NAME: ", "UTF-8", "\\xff"}},
    {"name_overlong_utf8",
     [](M& m) { m.mutable_graph()->mutable_input(0)->set_name("\xc0\x80"); },
     kInvalid,
     {"ONNX_NAME: ", "UTF-8"}},
    {"name_of_10_mb",
     [](M& m) { m.mutable_graph()->mutable_node(0)->set_name(std::string(10 << 20, 'a')); },
     kInvalid,
     {"ONNX_NAME: ", "longer than 4096", "aaa...'"}},
    {"input_twice",
     [](M& m) { *m.mutable_graph()->add_input() = m.graph().input(0); },
     kInvalid,
     {"ONNX_DUP: ", "input 'x'"}},
    {"output_twice",
     [](M& m) { m.mutable_graph()->add_output()->set_name("y"); },
     kInvalid,
     {"ONNX_DUP: ", "output 'y'"}},
    {"input_of_strings",
     [](M& m) {
       m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
           TensorProto::STRING);
     },
     kLacking,
     {"ONNX_DTYPE: ", "input 'x'", "STRING"}},
    {"input_of_a_sequence",
     [](M& m) { m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_sequence_type(); },
     kLacking,
     {"ONNX_DTYPE: ", "input 'x'"}},
    {"input_size_overflow",
     [](M& m) {
       onnx::TensorShapeProto& shape = *m.mutable_graph()
                                            ->mutable_input(0)
                                            ->mutable_type()
                                            ->mutable_tensor_type()
                                            ->mutable_shape();
       for (int i = 0; i < 2; ++i) shape.add_dim()->set_dim_value(int64_t{1} << 40);
     },
     kInvalid,
     {"ONNX_OVERFLOW: ", "input 'x'"}},
};
INSTANTIATE_TEST_SUITE_P(Nodes, ReadHostile, testing::ValuesIn(kNodes),
                         [](const auto& info) { return std::string(info.param.name); });

const Hostile kInitializers[] = {
    {"twice",
     [](M& m) { *m.mutable_graph()->add_initializer() = Weight(m); },
     kInvalid,
     {"ONNX_DUP: ", "initializer 'w'"}},
    {"no_name", [](M& m) { Weight(m).set_name(""); }, kInvalid, {"ONNX_NAME: "}},
    {"sizes_overflow",
     [](M& m) {
       Extra(m, TensorProto::FLOAT, {int64_t{1} << 32, int64_t{1} << 32});
     },
     kInvalid,
     {"ONNX_OVERFLOW: ", "'extra'"}},
    {"sizes_overflow_behind_a_zero",
     [](M& m) {
       Extra(m, TensorProto::FLOAT, {0, int64_t{1} << 62, int64_t{1} << 62});
     },
     kInvalid,
     {"ONNX_OVERFLOW: ", "'extra'"}},
    {"negative_size",
     [](M& m) { Weight(m).set_dims(0, -2); },
     kInvalid,
     {"ONNX_SHAPE: ", "initializer 'w'", "[-2,1]"}},
    {"rank_100000",
     [](M& m) { Extra(m, TensorProto::FLOAT, std::vector<int64_t>(100'000, 1)); },
     kInvalid,
     {"ONNX_SHAPE: ", "rank 100000"}},
    {"claims_more_than_it_has",
     [](M& m) { Extra(m, TensorProto::FLOAT, {1'000'000}).set_raw_data("1234"); },
     kInvalid,
     {"ONNX_SIZE_MISMATCH: ", "'extra'", "4000000", "has 4"}},
    {"claims_an_exabyte_without_data",
     [](M& m) { Extra(m, TensorProto::FLOAT, {int64_t{1} << 59}); },
     kInvalid,
     {"ONNX_SIZE_MISMATCH: ", "'extra'"}},
    {"odd_bytes",
     [](M& m) { Extra(m, TensorProto::FLOAT, {1}).set_raw_data("12345"); },
     kInvalid,
     {"ONNX_SIZE_MISMATCH: ", "'extra'"}},
    {"two_data",
     [](M& m) { Weight(m).set_raw_data("12345678"); },
     kInvalid,
     {"ONNX_TWO_DATA: ", "'w'"}},
    {"wrong_field",
     [](M& m) { Extra(m, TensorProto::INT64, {1}).add_float_data(1); },
     kInvalid,
     {"ONNX_DTYPE: ", "float_data", "int64_data"}},
    {"half_out_of_range",
     [](M& m) { Extra(m, TensorProto::FLOAT16, {1}).add_int32_data(65536); },
     kInvalid,
     {"ONNX_RANGE: ", "65536"}},
    {"bool_out_of_range",
     [](M& m) { Extra(m, TensorProto::BOOL, {1}).set_raw_data("\x02"); },
     kInvalid,
     {"ONNX_RANGE: ", "'extra'"}},
    {"strings",
     [](M& m) { Extra(m, TensorProto::STRING, {1}).add_string_data("x"); },
     kLacking,
     {"ONNX_DTYPE: ", "STRING", "'extra'"}},
    {"strings_in_raw_data",
     [](M& m) { Extra(m, TensorProto::STRING, {1}).set_raw_data("x"); },
     kInvalid,
     {"ONNX_DTYPE: ", "STRING", "'extra'"}},
    {"type_999",
     [](M& m) { Weight(m).set_data_type(999); },
     kLacking,
     {"ONNX_DTYPE: ", "type 999", "'w'"}},
    {"external",
     [](M& m) {
       Weight(m).set_data_location(TensorProto::EXTERNAL);
       onnx::StringStringEntryProto& entry = *Weight(m).add_external_data();
       entry.set_key("location");
       entry.set_value("w.bin");
       Weight(m).clear_float_data();
     },
     kLacking,
     {"ONNX_EXT: ", "'w'", "no folder"}},
    {"sparse",
     [](M& m) { m.mutable_graph()->add_sparse_initializer()->mutable_values()->set_name("s"); },
     kLacking,
     {"ONNX_SPARSE: ", "'s'"}},
    {"nan",
     [](M& m) { Weight(m).set_float_data(1, std::numeric_limits<float>::quiet_NaN()); },
     kInvalid,
     {"MODEL_NONFINITE: ", "'w'", "element 1"}},
    {"infinity",
     [](M& m) { Weight(m).set_float_data(0, std::numeric_limits<float>::infinity()); },
     kInvalid,
     {"MODEL_NONFINITE: ", "'w'", "element 0"}},
};
INSTANTIATE_TEST_SUITE_P(Initializers, ReadHostile, testing::ValuesIn(kInitializers),
                         [](const auto& info) { return std::string(info.param.name); });

// Bytes that are no model at all.

TEST(ReadOnnx, RefusesGarbage) {
  const std::string good = LogisticModel().SerializeAsString();
  const std::string bytes[] = {
      "", "hello", std::string(100, '\xff'), good.substr(0, good.size() / 2),
      // A field of 2 GB in a small file, and a varint of 11 bytes.
      std::string("\x3a\xff\xff\xff\xff\x07", 6), "\x08" + std::string(11, '\x80')};
  for (const std::string& file : bytes) {
    EXPECT_THAT(ReadOnnx(file), StatusIs(kInvalid, HasSubstr("ONNX_PARSE: ")));
  }
}

TEST(ReadOnnx, RefusesDeepNesting) {
  onnx::GraphProto graph;
  for (int depth = 0; depth < 200; ++depth) {
    onnx::GraphProto outer;
    AttributeProto& body = *outer.add_node()->add_attribute();
    body.set_type(AttributeProto::GRAPH);
    *body.mutable_g() = std::move(graph);
    graph = std::move(outer);
  }
  onnx::ModelProto model = LogisticModel();
  *model.mutable_graph() = std::move(graph);
  EXPECT_THAT(ReadOnnx(model.SerializeAsString()), StatusIs(kInvalid, HasSubstr("ONNX_DEPTH: ")));
}

TEST(ReadOnnx, EveryTruncationIsAnError) {
  const std::string good = LogisticModel().SerializeAsString();
  for (size_t length = 0; length < good.size(); ++length) {
    const auto graph = ReadOnnx(good.substr(0, length));
    // A cut between two fields leaves a well-formed file: it then lacks its opset.
    EXPECT_FALSE(graph.ok()) << length;
  }
}

TEST(ReadOnnx, SurvivesEveryFlippedBit) {
  const std::string good = LogisticModel().SerializeAsString();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    const auto graph = ReadOnnx(bad);
    if (graph.ok()) (void)Executable::Compile(*graph);
  }
}

}  // namespace
}  // namespace sigserve
