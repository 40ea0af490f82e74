#include "model/formats/onnx/onnx_writer.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "model/base/status_macros.h"
#include "model/formats/onnx/onnx_attributes.h"
#include "model/formats/onnx/onnx_tensor.h"
#include "model/graph/program.h"
#include "model/graph/shape_probe.h"
#include "model/ops/op_table.h"

namespace sigserve {
namespace {

constexpr int64_t kIrVersion = 8;
constexpr int kOnnxOpset = 17;
constexpr int kMlOpset = 3;
constexpr absl::string_view kMl = "ai.onnx.ml";

void WriteType(const std::string& name, const DeclaredType& type, onnx::ValueInfoProto& proto) {
  proto.set_name(name);
  onnx::TypeProto::Tensor& tensor = *proto.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(DTypeToOnnx(type.dtype));
  if (type.any_rank) return;
  onnx::TensorShapeProto& shape = *tensor.mutable_shape();
  for (int i = 0; i < type.shape.rank(); ++i) {
    onnx::TensorShapeProto::Dimension& dim = *shape.add_dim();
    if (type.shape[i] >= 0) {
      dim.set_dim_value(type.shape[i]);
    } else {
      dim.set_dim_param(i == 0 ? "N" : absl::StrCat("D", i));
    }
  }
}

/// The file has one opset per domain; a node of another opset must mean the same there.
absl::Status CheckOpset(const NodeSpec& spec) {
  const int target = spec.domain == kMl ? kMlOpset : kOnnxOpset;
  const OpEntry* entry = FindOp(spec.domain, spec.op_type, target);
  if (entry != nullptr && entry == FindOp(spec.domain, spec.op_type, spec.opset) &&
      target >= entry->first_opset && target <= entry->last_opset) {
    return absl::OkStatus();
  }
  return absl::UnimplementedError(absl::StrCat(spec.DebugName(), " of opset ", spec.opset,
                                               " cannot be written as opset ", target));
}

void WriteNode(const Graph& graph, const Node& node, onnx::NodeProto& proto) {
  const auto name = [&graph](ValueId id) {
    return id == kNoValue ? std::string() : graph.value(id).name;
  };
  for (const ValueId id : node.inputs) proto.add_input(name(id));
  for (const ValueId id : node.outputs) proto.add_output(name(id));
  proto.set_name(node.spec.name);
  proto.set_op_type(node.spec.op_type);
  if (!node.spec.domain.empty()) proto.set_domain(node.spec.domain);
  AttributesToOnnx(node.spec.attributes, proto);
}

absl::Status WriteGraph(const Graph& graph, onnx::GraphProto& proto) {
  proto.set_name("sigserve");
  for (const Node& node : graph.nodes()) {
    SIGSERVE_RETURN_IF_ERROR(CheckOpset(node.spec));
    WriteNode(graph, node, *proto.add_node());
  }
  for (const Value& value : graph.values()) {
    if (value.constant != nullptr) {
      *proto.add_initializer() = TensorToOnnx(*value.constant, value.name);
    }
  }
  for (const GraphInput& input : graph.inputs()) {
    WriteType(graph.value(input.value).name, input.type, *proto.add_input());
  }
  SIGSERVE_ASSIGN_OR_RETURN(const Program program, Program::Create(graph));
  const Probes probes = ProbeShapes(program);
  if (probes.types.empty()) return probes.last_error;
  for (const ValueId id : graph.outputs()) {
    WriteType(graph.value(id).name, Summarize(program, probes, id), *proto.add_output());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> WriteOnnx(const Graph& graph, absl::string_view producer_version) {
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("sigserve");
  model.set_producer_version(std::string(producer_version));
  model.add_opset_import()->set_version(kOnnxOpset);
  for (const Node& node : graph.nodes()) {
    if (node.spec.domain != kMl) continue;
    onnx::OperatorSetIdProto& ml = *model.add_opset_import();
    ml.set_domain(std::string(kMl));
    ml.set_version(kMlOpset);
    break;
  }
  SIGSERVE_RETURN_IF_ERROR(WriteGraph(graph, *model.mutable_graph()));
  if (model.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the model takes ", model.ByteSizeLong(), " bytes; ONNX files end at 2 GiB"));
  }
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    if (!model.SerializeToCodedStream(&coded)) {
      return absl::InternalError("the model could not be serialized");
    }
  }
  return bytes;
}

}  // namespace sigserve
