#include <limits>
#include <string>
#include <vector>

#include "model/formats/onnx/onnx_reader.h"
#include "model/runtime/executable.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using onnx::AttributeProto;
using onnx::TensorProto;
using testing::HasSubstr;
using testing_support::AddNode;
using testing_support::Extra;
using testing_support::LogisticModel;
using testing_support::Weight;

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
