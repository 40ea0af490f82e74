// Builds ONNX files for tests, field by field, so that each can be spoilt in one place.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "onnx/onnx.pb.h"

namespace sigserve::testing_support {

/// x [N,2] -> MatMul(w [2,1]) -> z -> Sigmoid -> y.
inline onnx::ModelProto LogisticModel() {
  onnx::ModelProto model;
  model.set_ir_version(7);
  model.add_opset_import()->set_version(13);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name("g");
  onnx::ValueInfoProto& x = *graph.add_input();
  x.set_name("x");
  onnx::TypeProto::Tensor& type = *x.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("N");
  type.mutable_shape()->add_dim()->set_dim_value(2);
  onnx::TensorProto& w = *graph.add_initializer();
  w.set_name("w");
  w.set_data_type(onnx::TensorProto::FLOAT);
  w.add_dims(2);
  w.add_dims(1);
  w.add_float_data(0.5F);
  w.add_float_data(-1.0F);
  onnx::NodeProto& product = *graph.add_node();
  product.set_name("fc");
  product.set_op_type("MatMul");
  product.add_input("x");
  product.add_input("w");
  product.add_output("z");
  onnx::NodeProto& sigmoid = *graph.add_node();
  sigmoid.set_op_type("Sigmoid");
  sigmoid.add_input("z");
  sigmoid.add_output("y");
  onnx::ValueInfoProto& y = *graph.add_output();
  *y.mutable_type() = x.type();
  y.set_name("y");
  return model;
}

inline onnx::NodeProto& AddNode(onnx::ModelProto& model, const std::string& type,
                                const std::vector<std::string>& inputs,
                                const std::vector<std::string>& outputs) {
  onnx::NodeProto& node = *model.mutable_graph()->add_node();
  node.set_op_type(type);
  for (const std::string& input : inputs) node.add_input(input);
  for (const std::string& output : outputs) node.add_output(output);
  return node;
}

inline onnx::TensorProto& Weight(onnx::ModelProto& model) {
  return *model.mutable_graph()->mutable_initializer(0);
}

/// A tensor 'extra', without elements, that nothing uses.
inline onnx::TensorProto& Extra(onnx::ModelProto& model, onnx::TensorProto::DataType type,
                                const std::vector<int64_t>& dims) {
  onnx::TensorProto& extra = *model.mutable_graph()->add_initializer();
  extra.set_name("extra");
  extra.set_data_type(type);
  for (const int64_t d : dims) extra.add_dims(d);
  return extra;
}

}  // namespace sigserve::testing_support
