// Hostile inputs 32 to 49 and 75: model.onnx.
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/robustness/hostile_input.h"
#include "tests/robustness/onnx_files.h"

namespace sigserve::robustness {
namespace {

using onnx::AttributeProto;
using onnx::TensorProto;
using testing_support::AddNode;
using testing_support::LogisticModel;

/// A model's bytes whose attributes hold graphs, `depth` deep.
std::string Nested(int depth) {
  const auto within = [](char tag, const std::string& message) {
    std::string bytes(1, tag);
    size_t length = message.size();
    for (; length >= 0x80; length >>= 7) bytes.push_back(static_cast<char>(length | 0x80U));
    bytes.push_back(static_cast<char>(length));
    return bytes + message;
  };
  std::string graph;
  for (int i = 0; i < depth; ++i) {
    graph = within('\x0a', within('\x2a', within('\x32', graph)));  // node, attribute, g
  }
  return within('\x3a', graph);
}

/// Bytes of a field that ONNX does not have.
std::string Unknown(size_t bytes) {
  const std::string contents(bytes, 'u');
  std::string field = "\xca\x3e";  // field 1001, bytes
  size_t length = bytes;
  for (; length >= 0x80; length >>= 7) field.push_back(static_cast<char>(length | 0x80U));
  field.push_back(static_cast<char>(length));
  return field + contents;
}

std::string ManyNodes(int count) {
  M model = LogisticModel();
  for (int i = 0; i < count; ++i) {
    AddNode(model, "Identity", {"x"}, {absl::StrCat("i", i)});
  }
  return model.SerializeAsString();
}

struct Case {
  std::string what;
  std::string file;
  absl::StatusCode code;
  std::string token;
};

std::vector<Case> Cases() {
  const auto weight = [](M& m) -> TensorProto& {
    return *m.mutable_graph()->mutable_initializer(0);
  };
  const auto extra = [](M& m, int type, std::vector<int64_t> dims) -> TensorProto& {
    return AddTensor(m, "extra", type, dims);
  };
  const std::string good = LogisticModel().SerializeAsString();
  return {
      {"32 empty", "", kIa, "ONNX_PARSE"},
      {"32 text", "hello", kIa, "ONNX_PARSE"},
      {"32 ones", std::string(1000, '\xff'), kIa, "ONNX_PARSE"},
      {"32 half of a model", good.substr(0, good.size() / 2), kIa, "ONNX_PARSE"},
      {"33 a field of 2 GB", "\x3a\xff\xff\xff\xff\x07" + std::string(1000, 'x'), kIa,
       "ONNX_PARSE"},
      {"34 a varint of 11 bytes", "\x08" + std::string(11, '\x80'), kIa, "ONNX_PARSE"},
      {"34 a length of 11 bytes", "\x3a" + std::string(10, '\x80') + "\x01", kIa, "ONNX_PARSE"},
      {"35 graphs in graphs", Nested(10'000), kIa, "ONNX_DEPTH"},
      {"35 one too deep", Nested(34), kIa, "ONNX_DEPTH"},
      {"36 unknown fields", good + Unknown(size_t{50} << 20), kRe, "ONNX_SIZE"},
      {"36 many of them",
       good +
           [] {
             std::string fields;
             for (int i = 0; i < 1000; ++i) fields += Unknown(50'000);
             return fields;
           }(),
       kRe, "ONNX_SIZE"},
      {"37 ir_version 0", Spoilt([](M& m) { m.set_ir_version(0); }), kUi, "ONNX_VERSION"},
      {"37 ir_version 9999", Spoilt([](M& m) { m.set_ir_version(9999); }), kUi, "ONNX_VERSION"},
      {"37 no opset", Spoilt([](M& m) { m.clear_opset_import(); }), kUi, "ONNX_VERSION"},
      {"37 opset 9999", Spoilt([](M& m) { m.mutable_opset_import(0)->set_version(9999); }), kUi,
       "ONNX_VERSION"},
      {"37 two opsets", Spoilt([](M& m) { m.add_opset_import()->set_version(12); }), kUi,
       "ONNX_VERSION"},
      {"38 an unknown operator",
       Spoilt([](M& m) { m.mutable_graph()->mutable_node(0)->set_op_type("Evil"); }), kUi,
       "ONNX_OP: Evil 'fc'"},
      {"38 an unknown domain",
       Spoilt([](M& m) { m.mutable_graph()->mutable_node(0)->set_domain("evil"); }), kUi,
       "ONNX_OP: MatMul 'fc'"},
      {"38 an unknown domain, imported", Spoilt([](M& m) {
         m.mutable_graph()->mutable_node(0)->set_domain("evil");
         onnx::OperatorSetIdProto& opset = *m.add_opset_import();
         opset.set_domain("evil");
         opset.set_version(1);
       }),
       kUi, "ONNX_OP: MatMul 'fc'"},
      {"39 a cycle", Spoilt([](M& m) {
         AddNode(m, "Add", {"z", "q"}, {"p"});
         AddNode(m, "Relu", {"p"}, {"q"});
       }),
       kIa, "ONNX_CYCLE: Add 'p'"},
      {"39 itself", Spoilt([](M& m) { m.mutable_graph()->mutable_node(1)->set_input(0, "y"); }),
       kIa, "ONNX_CYCLE: Sigmoid 'y'"},
      {"40 never defined",
       Spoilt([](M& m) { m.mutable_graph()->mutable_node(1)->set_input(0, "ghost"); }), kIa,
       "ONNX_DANGLING: Sigmoid 'y' reads value 'ghost'"},
      {"41 defined twice", Spoilt([](M& m) { AddNode(m, "Relu", {"x"}, {"z"}); }), kIa,
       "ONNX_SSA: Relu 'z'"},
      {"42 an initializer twice",
       Spoilt([&](M& m) { *m.mutable_graph()->add_initializer() = weight(m); }), kIa,
       "ONNX_DUP: initializer 'w'"},
      {"43 2^32 x 2^32", Spoilt([&](M& m) {
         extra(m, TensorProto::FLOAT, {int64_t{1} << 32, int64_t{1} << 32});
       }),
       kIa, "ONNX_OVERFLOW: initializer 'extra'"},
      {"44 a negative size", Spoilt([&](M& m) { weight(m).set_dims(0, -2); }), kIa,
       "ONNX_SHAPE: initializer 'w'"},
      {"45 4 bytes for a million floats",
       Spoilt([&](M& m) { extra(m, TensorProto::FLOAT, {1'000'000}).set_raw_data("1234"); }), kIa,
       "ONNX_SIZE_MISMATCH: initializer 'extra'"},
      {"45 nothing for 2^59 floats",
       Spoilt([&](M& m) { extra(m, TensorProto::FLOAT, {int64_t{1} << 59}); }), kIa,
       "ONNX_SIZE_MISMATCH: initializer 'extra'"},
      {"46 two data", Spoilt([&](M& m) { weight(m).set_raw_data("12345678"); }), kIa,
       "ONNX_TWO_DATA: initializer 'w'"},
      {"47 five bytes",
       Spoilt([&](M& m) { extra(m, TensorProto::FLOAT, {1}).set_raw_data("12345"); }), kIa,
       "ONNX_SIZE_MISMATCH: initializer 'extra'"},
      {"48 half of 65536",
       Spoilt([&](M& m) { extra(m, TensorProto::FLOAT16, {1}).add_int32_data(65536); }), kIa,
       "ONNX_RANGE: initializer 'extra'"},
      {"48 half of -1",
       Spoilt([&](M& m) { extra(m, TensorProto::FLOAT16, {1}).add_int32_data(-1); }), kIa,
       "ONNX_RANGE"},
      {"49 strings in raw_data",
       Spoilt([&](M& m) { extra(m, TensorProto::STRING, {1}).set_raw_data("x"); }), kIa,
       "ONNX_DTYPE: initializer 'extra'"},
      {"67 A calls B calls A", Spoilt([](M& m) {
         for (const auto& [name, calls] : {std::pair("A", "B"), std::pair("B", "A")}) {
           onnx::FunctionProto& function = *m.add_functions();
           function.set_name(name);
           function.add_node()->set_op_type(calls);
         }
       }),
       kIa, "ONNX_CYCLE: function"},
      {"67 200 calls deep", Spoilt([](M& m) {
         for (int i = 0; i < 200; ++i) {
           onnx::FunctionProto& function = *m.add_functions();
           function.set_name(absl::StrCat("f", i));
           function.add_node()->set_op_type(absl::StrCat("f", i + 1));
         }
       }),
       kIa, "ONNX_DEPTH: function"},
      {"67 a function", Spoilt([](M& m) { m.add_functions()->set_name("A"); }), kUi,
       "ONNX_OP: function 'A'"},
      {"68 Loop", Spoilt([](M& m) {
         AttributeProto& body = *AddNode(m, "Loop", {"z"}, {"l"}).add_attribute();
         body.set_name("body");
         body.set_type(AttributeProto::GRAPH);
         body.mutable_g();
       }),
       kUi, "ONNX_OP: Loop 'l'"},
      {"68 If", Spoilt([](M& m) { AddNode(m, "If", {"z"}, {"i"}); }), kUi, "ONNX_OP: If 'i'"},
      {"68 Scan", Spoilt([](M& m) { AddNode(m, "Scan", {"z"}, {"s"}); }), kUi, "ONNX_OP: Scan 's'"},
      {"69 a million nodes", ManyNodes(1'000'000), kRe, "ONNX_NODE_LIMIT"},
      {"69 10,000 outputs", Spoilt([](M& m) {
         for (int i = 0; i < 10'000; ++i) m.mutable_graph()->add_output()->set_name("y");
       }),
       kRe, "ONNX_NODE_LIMIT"},
      {"69 a million initializers", Spoilt([](M& m) {
         for (int i = 0; i < 1'000'000; ++i) m.mutable_graph()->add_initializer();
       }),
       kRe, "ONNX_NODE_LIMIT"},
      {"75 NUL",
       Spoilt([](M& m) { m.mutable_graph()->mutable_node(0)->set_name(std::string("a\0b", 3)); }),
       kIa, R"(ONNX_NAME: node name 'a\x00\x62')"},
      {"75 newline",
       Spoilt([](M& m) { m.mutable_graph()->mutable_node(0)->set_name("a\nFATAL: forged"); }), kIa,
       R"(ONNX_NAME: node name 'a\nFATAL: forged')"},
      {"75 10 MB", Spoilt([](M& m) {
         m.mutable_graph()->mutable_node(0)->set_name(std::string(10 << 20, 'a'));
       }),
       kIa, "ONNX_NAME"},
      {"75 not UTF-8", Spoilt([](M& m) { m.mutable_graph()->mutable_node(0)->set_name("\xff"); }),
       kIa, R"(ONNX_NAME: node name '\xff')"},
  };
}

}  // namespace

std::vector<HostileInput> OnnxFileInputs() {
  std::vector<HostileInput> inputs;
  for (Case& c : Cases()) {
    inputs.push_back({c.what, {{"model.onnx", std::move(c.file)}}, c.code, c.token});
  }
  return inputs;
}

}  // namespace sigserve::robustness
