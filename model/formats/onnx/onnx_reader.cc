#include "model/formats/onnx/onnx_reader.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/error_tokens.h"
#include "model/base/status_macros.h"
#include "model/formats/onnx/onnx_attributes.h"
#include "model/formats/onnx/onnx_embedding_bag.h"
#include "model/formats/onnx/onnx_external.h"
#include "model/formats/onnx/onnx_functions.h"
#include "model/formats/onnx/onnx_tensor.h"
#include "model/formats/onnx/onnx_wire.h"

namespace sigserve {
namespace {

constexpr int64_t kMinIrVersion = 3;
constexpr int64_t kMaxIrVersion = 13;
constexpr int kMaxInputs = 1024;

struct DomainRange {
  absl::string_view domain;
  int64_t first;
  int64_t last;
};
// Within these the operator table decides, node by node, and names what it lacks.
constexpr DomainRange kDomains[] = {{"", 7, 25}, {"ai.onnx.ml", 1, 5}};

absl::string_view Canonical(absl::string_view domain) {
  return domain == "ai.onnx" ? absl::string_view() : domain;
}

/// Reads one ModelProto. One use.
class Reader {
 public:
  /// `raw_data`: by initializer.
  Reader(absl::Span<const absl::string_view> raw_data, FileSystem* files, std::string directory)
      : raw_data_(raw_data), external_(files, std::move(directory)) {}

  absl::StatusOr<Graph> Read(const onnx::ModelProto& model);

 private:
  absl::Status ReadVersions(const onnx::ModelProto& model);
  absl::Status ReadInitializers(const onnx::GraphProto& graph);
  absl::Status ReadInputs(const onnx::GraphProto& graph);
  absl::Status ReadNodes(const onnx::GraphProto& graph);
  absl::Status ReadNode(const onnx::NodeProto& proto);
  absl::Status ReadEmbeddingBag(const onnx::NodeProto& proto, EmbeddingBagLoop loop);
  void AddConstant(const std::string& name, std::shared_ptr<const Tensor> tensor);
  absl::Status ReadConstantNode(const onnx::NodeProto& proto, const Attributes& attributes);
  absl::StatusOr<ValueId> ReadOutputName(const onnx::NodeProto& proto, const std::string& name);
  absl::Status ReadOutputs(const onnx::GraphProto& graph);

  const absl::Span<const absl::string_view> raw_data_;
  ExternalFiles external_;
  GraphBuilder builder_;
  absl::flat_hash_map<std::string, int> opsets_;
  absl::flat_hash_set<std::string> defined_;  // by an initializer, an input or a node
  absl::flat_hash_map<std::string, std::shared_ptr<const Tensor>>
      scalars_;  // constants of one element
};

absl::Status Reader::ReadVersions(const onnx::ModelProto& model) {
  if (model.ir_version() < kMinIrVersion || model.ir_version() > kMaxIrVersion) {
    return Unsupported("ONNX_VERSION",
                       absl::StrCat("ir_version is ", model.ir_version(), ", ", kMinIrVersion,
                                    " to ", kMaxIrVersion, " are supported"));
  }
  for (const onnx::OperatorSetIdProto& opset : model.opset_import()) {
    SIGSERVE_RETURN_IF_ERROR(CheckName(opset.domain(), "opset domain"));
    const std::string domain(Canonical(opset.domain()));
    const int64_t version = opset.version();
    if (opsets_.contains(domain)) {
      return Unsupported("ONNX_VERSION",
                         absl::StrCat("domain ", Printable(domain), " is imported twice"));
    }
    if (domain == kFusedDomain) {
      return Unsupported("ONNX_OP",
                         absl::StrCat("domain ", Printable(domain), " is not for files"));
    }
    for (const DomainRange& range : kDomains) {
      if (range.domain == domain && (version < range.first || version > range.last)) {
        return Unsupported("ONNX_VERSION",
                           absl::StrCat("opset ", version, " of domain ",
                                        Printable(domain.empty() ? "ai.onnx" : domain), "; ",
                                        range.first, " to ", range.last, " are supported"));
      }
    }
    if (version < 1 || version > std::numeric_limits<int>::max()) {
      return Unsupported("ONNX_VERSION",
                         absl::StrCat("opset ", version, " of domain ", Printable(domain)));
    }
    opsets_[domain] = static_cast<int>(version);
  }
  if (opsets_.empty()) return Unsupported("ONNX_VERSION", "the model imports no opset");
  return absl::OkStatus();
}

absl::Status Reader::ReadInitializers(const onnx::GraphProto& graph) {
  if (graph.sparse_initializer_size() > 0) {
    return Unsupported(
        "ONNX_SPARSE",
        absl::StrCat("sparse initializer ", Printable(graph.sparse_initializer(0).values().name()),
                     ": sparse tensors are not supported"));
  }
  for (int i = 0; i < graph.initializer_size(); ++i) {
    const onnx::TensorProto& proto = graph.initializer(i);
    SIGSERVE_RETURN_IF_ERROR(CheckName(proto.name(), "initializer"));
    const std::string what = absl::StrCat("initializer ", Printable(proto.name()));
    if (proto.name().empty()) {
      return absl::InvalidArgumentError("ONNX_NAME: an initializer has no name");
    }
    if (!defined_.insert(proto.name()).second) {
      return absl::InvalidArgumentError(absl::StrCat("ONNX_DUP: ", what, " is given twice"));
    }
    auto tensor = TensorFromOnnx(proto, raw_data_[static_cast<size_t>(i)], &external_);
    if (!tensor.ok()) return WithSubject(tensor.status(), what);
    // A scalar may be a bound (Clip's max = inf).
    if (tensor->shape().rank() > 0) {
      SIGSERVE_RETURN_IF_ERROR(CheckFinite(proto.name(), *tensor));
    }
    AddConstant(proto.name(), std::make_shared<const Tensor>(*std::move(tensor)));
  }
  return absl::OkStatus();
}

absl::Status ReadType(const onnx::TypeProto& proto, DeclaredType& type) {
  if (!proto.has_tensor_type()) {
    return absl::UnimplementedError("ONNX_DTYPE: only tensors are supported here");
  }
  SIGSERVE_ASSIGN_OR_RETURN(type.dtype, DTypeFromOnnx(proto.tensor_type().elem_type()));
  type.any_rank = !proto.tensor_type().has_shape();
  Shape smallest;
  for (const onnx::TensorShapeProto::Dimension& dim : proto.tensor_type().shape().dim()) {
    // Exporters write 0 and -1, too, for a size they do not know.
    type.shape.push_back(dim.dim_value() > 0 ? dim.dim_value() : -1);
    smallest.push_back(std::max<int64_t>(1, dim.dim_value()));
  }
  const auto bytes = CheckedBytes(smallest, SizeOf(type.dtype));
  if (!bytes.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("ONNX_OVERFLOW: ", bytes.status().message()));
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadInputs(const onnx::GraphProto& graph) {
  if (graph.input_size() > kMaxInputs + graph.initializer_size()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("ONNX_NODE_LIMIT: ", graph.input_size(), " inputs, at most ", kMaxInputs));
  }
  absl::flat_hash_set<std::string> initializers = defined_;
  absl::flat_hash_set<std::string> inputs;
  for (const onnx::ValueInfoProto& input : graph.input()) {
    SIGSERVE_RETURN_IF_ERROR(CheckName(input.name(), "input"));
    const std::string what = absl::StrCat("input ", Printable(input.name()));
    if (input.name().empty()) return absl::InvalidArgumentError("ONNX_NAME: an input has no name");
    if (!inputs.insert(input.name()).second) {
      return absl::InvalidArgumentError(absl::StrCat("ONNX_DUP: ", what, " is given twice"));
    }
    // Up to ir_version 3 every initializer was listed as an input, too: its default.
    if (initializers.contains(input.name())) continue;
    DeclaredType type;
    SIGSERVE_RETURN_IF_ERROR(WithSubject(ReadType(input.type(), type), what));
    defined_.insert(input.name());
    builder_.AddInput(input.name(), std::move(type));
  }
  return absl::OkStatus();
}

/// "Gemm 'fc1'", safe to print.
std::string Described(const onnx::NodeProto& proto) {
  const std::string& output = proto.output_size() > 0 ? proto.output(0) : proto.name();
  return absl::StrCat(proto.op_type().substr(0, 64), " ",
                      Printable(proto.name().empty() ? output : proto.name()));
}

absl::StatusOr<ValueId> Reader::ReadOutputName(const onnx::NodeProto& proto,
                                               const std::string& name) {
  if (name.empty()) return kNoValue;
  if (!defined_.insert(name).second) {
    return absl::InvalidArgumentError(absl::StrCat("ONNX_SSA: ", Described(proto),
                                                   " defines value ", Printable(name),
                                                   ", which is defined already"));
  }
  return builder_.ValueNamed(name);
}

Shape VectorShape(size_t size) {
  Shape shape;
  shape.push_back(static_cast<int64_t>(size));
  return shape;
}

template <typename T>
Tensor Filled(const Shape& shape, absl::Span<const T> values) {
  Tensor tensor(DTypeOf<T>, shape);
  std::copy(values.begin(), values.end(), tensor.mutable_values<T>().begin());
  return tensor;
}

std::shared_ptr<const Tensor> Shared(Tensor tensor) {
  return std::make_shared<const Tensor>(std::move(tensor));
}

void Reader::AddConstant(const std::string& name, std::shared_ptr<const Tensor> tensor) {
  if (tensor->elements() == 1) scalars_[name] = tensor;
  builder_.AddConstant(name, std::move(tensor));
}

absl::Status Reader::ReadConstantNode(const onnx::NodeProto& proto, const Attributes& attributes) {
  const std::vector<std::string> names = attributes.names();
  if (proto.output_size() != 1 || proto.input_size() != 0 || names.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "ONNX_ATTR: ", Described(proto), " must have one value attribute, one output, no input"));
  }
  SIGSERVE_RETURN_IF_ERROR(ReadOutputName(proto, proto.output(0)).status());
  const AttributeValue& value = *attributes.find(names[0]);
  if (const auto* tensor = std::get_if<std::shared_ptr<const Tensor>>(&value)) {
    AddConstant(proto.output(0), *tensor);
  } else if (const auto* number = std::get_if<float>(&value)) {
    AddConstant(proto.output(0), Shared(Filled<float>(Shape{}, {number, 1})));
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    AddConstant(proto.output(0), Shared(Filled<int64_t>(Shape{}, {integer, 1})));
  } else if (const auto* floats = std::get_if<std::vector<float>>(&value)) {
    AddConstant(proto.output(0), Shared(Filled<float>(VectorShape(floats->size()), *floats)));
  } else if (const auto* ints = std::get_if<std::vector<int64_t>>(&value)) {
    AddConstant(proto.output(0), Shared(Filled<int64_t>(VectorShape(ints->size()), *ints)));
  } else {
    return Unsupported("ONNX_DTYPE", absl::StrCat(Described(proto), ": constants from ",
                                                  Printable(names[0]), " are not supported"));
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadEmbeddingBag(const onnx::NodeProto& proto, EmbeddingBagLoop loop) {
  NodeSpec spec;
  spec.name = proto.name().empty() ? proto.output(0) : proto.name();
  spec.domain = std::string(kFusedDomain);
  spec.op_type = "EmbeddingBag";
  SIGSERVE_RETURN_IF_ERROR(spec.attributes.Add("mode", std::move(loop.mode)));
  std::vector<ValueId> inputs;
  for (const std::string& name : loop.inputs) {
    SIGSERVE_RETURN_IF_ERROR(CheckName(name, "value"));
    inputs.push_back(builder_.ValueNamed(name));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const ValueId output, ReadOutputName(proto, proto.output(0)));
  builder_.AddNode(std::move(spec), std::move(inputs), {output});
  return absl::OkStatus();
}

absl::Status Reader::ReadNode(const onnx::NodeProto& proto) {
  SIGSERVE_RETURN_IF_ERROR(CheckName(proto.name(), "node"));
  SIGSERVE_RETURN_IF_ERROR(CheckName(proto.op_type(), "operator"));
  SIGSERVE_RETURN_IF_ERROR(CheckName(proto.domain(), "domain"));
  for (const std::string& name : proto.input()) {
    SIGSERVE_RETURN_IF_ERROR(CheckName(name, "value"));
  }
  for (const std::string& name : proto.output()) {
    SIGSERVE_RETURN_IF_ERROR(CheckName(name, "value"));
  }
  const auto scalar = [this](const std::string& name) -> const Tensor* {
    const auto found = scalars_.find(name);
    return found == scalars_.end() ? nullptr : found->second.get();
  };
  if (auto loop = FindEmbeddingBag(proto, scalar)) {
    return ReadEmbeddingBag(proto, *std::move(loop));
  }
  auto attributes = AttributesFromOnnx(proto, &external_);
  if (!attributes.ok()) return WithSubject(attributes.status(), Described(proto));
  const std::string domain(Canonical(proto.domain()));
  if (domain.empty() && proto.op_type() == "Constant") {
    return ReadConstantNode(proto, *attributes);
  }

  NodeSpec spec;
  spec.name = proto.name().empty() && proto.output_size() > 0 ? proto.output(0) : proto.name();
  spec.domain = domain;
  spec.op_type = proto.op_type();
  spec.attributes = *std::move(attributes);
  if (domain == "ai.onnx.ml" && proto.op_type() == "ZipMap") {
    // A list of dictionaries for Python; here the scores themselves are the answer.
    spec.domain.clear();
    spec.op_type = "Identity";
    spec.attributes = Attributes();
  }
  const auto opset = opsets_.find(domain);
  if (opset == opsets_.end()) {
    const bool ours = domain.empty() || domain == "ai.onnx.ml";
    const auto code = ours ? absl::StatusCode::kInvalidArgument : absl::StatusCode::kUnimplemented;
    return absl::Status(code, absl::StrCat("ONNX_OP: ", Described(proto), " is of domain ",
                                           Printable(domain.empty() ? "ai.onnx" : domain),
                                           ", which the model does not import"));
  }
  spec.opset = spec.domain == domain ? opset->second : NodeSpec().opset;

  std::vector<ValueId> inputs;
  for (const std::string& name : proto.input()) {
    inputs.push_back(name.empty() ? kNoValue : builder_.ValueNamed(name));
  }
  std::vector<ValueId> outputs;
  for (const std::string& name : proto.output()) {
    SIGSERVE_ASSIGN_OR_RETURN(const ValueId output, ReadOutputName(proto, name));
    outputs.push_back(output);
  }
  while (!outputs.empty() && outputs.back() == kNoValue) outputs.pop_back();
  while (!inputs.empty() && inputs.back() == kNoValue) inputs.pop_back();
  builder_.AddNode(std::move(spec), std::move(inputs), std::move(outputs));
  return absl::OkStatus();
}

absl::Status Reader::ReadNodes(const onnx::GraphProto& graph) {
  for (const onnx::NodeProto& node : graph.node()) {
    SIGSERVE_RETURN_IF_ERROR(ReadNode(node));
  }
  return absl::OkStatus();
}

absl::Status Reader::ReadOutputs(const onnx::GraphProto& graph) {
  absl::flat_hash_set<std::string> names;
  std::string strings;
  int kept = 0;
  for (const onnx::ValueInfoProto& output : graph.output()) {
    SIGSERVE_RETURN_IF_ERROR(CheckName(output.name(), "output"));
    if (!names.insert(output.name()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("ONNX_DUP: output ", Printable(output.name()), " is given twice"));
    }
    const int type = output.type().tensor_type().elem_type();
    if (type == onnx::TensorProto::STRING) {
      strings = output.name();
      continue;
    }
    builder_.AddOutput(builder_.ValueNamed(output.name()));
    ++kept;
  }
  if (kept == 0 && !strings.empty()) {
    return Unsupported("ONNX_DTYPE",
                       absl::StrCat("output ", Printable(strings),
                                    " is STRING and the only one; numbers are needed"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Graph> Reader::Read(const onnx::ModelProto& model) {
  SIGSERVE_RETURN_IF_ERROR(ReadVersions(model));
  SIGSERVE_RETURN_IF_ERROR(CheckExternalTensors(model));
  SIGSERVE_RETURN_IF_ERROR(RefuseFunctions(model));
  if (!model.has_graph()) {
    return absl::InvalidArgumentError("ONNX_PARSE: the model has no graph");
  }
  SIGSERVE_RETURN_IF_ERROR(ReadInitializers(model.graph()));
  SIGSERVE_RETURN_IF_ERROR(ReadInputs(model.graph()));
  SIGSERVE_RETURN_IF_ERROR(ReadNodes(model.graph()));
  SIGSERVE_RETURN_IF_ERROR(ReadOutputs(model.graph()));
  absl::StatusOr<Graph> graph = std::move(builder_).Build();
  if (graph.ok()) return graph;
  // The graph knows no formats; of a file its errors have the tokens of the format.
  constexpr std::pair<absl::string_view, absl::string_view> kTokens[] = {
      {"GRAPH_CYCLE", "ONNX_CYCLE"},
      {"GRAPH_DANGLING", "ONNX_DANGLING"},
      {"GRAPH_DUP", "ONNX_DUP"},
      {"GRAPH_OP", "ONNX_OP"},
      {"GRAPH_NODE_LIMIT", "ONNX_NODE_LIMIT"},
      {"GRAPH_SSA", "ONNX_SSA"}};
  const absl::string_view token = TokenOf(graph.status().message());
  for (const auto& [of_graph, of_onnx] : kTokens) {
    if (token == of_graph) return WithToken(graph.status(), of_onnx);
  }
  return graph;
}

}  // namespace

absl::StatusOr<Graph> ReadOnnx(absl::string_view bytes, FileSystem* files,
                               const std::string& directory) {
  if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    return absl::ResourceExhaustedError(absl::StrCat("ONNX_SIZE: the file has ", bytes.size(),
                                                     " bytes; at most 2147483647 are supported"));
  }
  if (bytes.empty()) return absl::InvalidArgumentError("ONNX_PARSE: the file is empty");
  SIGSERVE_ASSIGN_OR_RETURN(OnnxWire wire, ScanOnnx(bytes));
  onnx::ModelProto model;
  SIGSERVE_RETURN_IF_ERROR(ParseOnnx(wire.skeleton_is_file ? bytes : wire.skeleton, model));
  wire.skeleton = std::string();
  return Reader(wire.raw_data, files, directory).Read(model);
}

}  // namespace sigserve
