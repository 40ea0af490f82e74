// ONNX models for the tables: a good one, to be spoilt in one place, and one of a single node.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "onnx/onnx.pb.h"
#include "tests/support/onnx_builder.h"

namespace sigserve::robustness {

using M = onnx::ModelProto;

template <typename Spoil>
std::string Spoilt(const Spoil& spoil) {
  M model = testing_support::LogisticModel();
  spoil(model);
  return model.SerializeAsString();
}

inline onnx::TensorProto& AddTensor(M& model, const std::string& name, int type,
                                    const std::vector<int64_t>& dims) {
  onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (const int64_t d : dims) tensor.add_dims(d);
  return tensor;
}

/// A constant input of a node: floats, all of one value, or integers.
struct Constant {
  std::vector<int64_t> dims;
  float fill = 0;
  std::vector<int64_t> ints = {};
};
inline Constant Ints(std::vector<int64_t> values) {
  return {{static_cast<int64_t>(values.size())}, 0, std::move(values)};
}

inline onnx::AttributeProto Attribute(const std::string& name, int64_t value) {
  onnx::AttributeProto attribute;
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
  return attribute;
}
inline onnx::AttributeProto Attribute(const std::string& name, float value) {
  onnx::AttributeProto attribute;
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
  return attribute;
}
inline onnx::AttributeProto Attribute(const std::string& name, const std::vector<int64_t>& values) {
  onnx::AttributeProto attribute;
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INTS);
  for (const int64_t value : values) attribute.add_ints(value);
  return attribute;
}

/// x [N, row...] -> op(x, constants...) -> outputs; opset 13.
inline M OneNode(const std::string& op, const std::vector<int64_t>& row,
                 const std::vector<Constant>& constants,
                 const std::vector<onnx::AttributeProto>& attributes = {}, int outputs = 1,
                 bool takes_x = true) {
  M model = testing_support::LogisticModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.clear_initializer();
  graph.clear_node();
  graph.clear_output();
  onnx::TensorShapeProto& shape =
      *graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape.mutable_dim()->DeleteSubrange(1, shape.dim_size() - 1);
  for (const int64_t size : row) shape.add_dim()->set_dim_value(size);
  onnx::NodeProto& node = testing_support::AddNode(model, op, {}, {});
  node.set_name("it");
  if (takes_x) node.add_input("x");
  for (const Constant& constant : constants) {
    const std::string name = "c" + std::to_string(graph.initializer_size());
    const bool ints = !constant.ints.empty();
    onnx::TensorProto& tensor = AddTensor(
        model, name, ints ? onnx::TensorProto::INT64 : onnx::TensorProto::FLOAT, constant.dims);
    int64_t count = 1;
    for (const int64_t d : constant.dims) count *= d;
    for (int64_t i = 0; i < count; ++i) {
      if (ints) {
        tensor.add_int64_data(constant.ints[static_cast<size_t>(i)]);
      } else {
        tensor.add_float_data(constant.fill);
      }
    }
    node.add_input(name);
  }
  for (const auto& attribute : attributes) *node.add_attribute() = attribute;
  for (int i = 0; i < outputs; ++i) {
    const std::string name = "y" + std::to_string(i);
    node.add_output(name);
    graph.add_output()->set_name(name);
  }
  return model;
}

}  // namespace sigserve::robustness
