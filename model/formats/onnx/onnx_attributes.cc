#include "model/formats/onnx/onnx_attributes.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/error_tokens.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

using onnx::AttributeProto;

std::string TypeName(int type) {
  if (!AttributeProto::AttributeType_IsValid(type)) return absl::StrCat("type ", type);
  return AttributeProto::AttributeType_Name(static_cast<AttributeProto::AttributeType>(type));
}

absl::Status BadAttribute(absl::string_view text) { return Malformed("ONNX_ATTR", text); }

/// The types whose fields hold something.
std::vector<int> SetTypes(const AttributeProto& proto) {
  std::vector<int> types;
  const std::pair<bool, int> fields[] = {
      {proto.has_f(), AttributeProto::FLOAT},
      {proto.has_i(), AttributeProto::INT},
      {proto.has_s(), AttributeProto::STRING},
      {proto.has_t(), AttributeProto::TENSOR},
      {proto.has_g(), AttributeProto::GRAPH},
      {proto.has_sparse_tensor(), AttributeProto::SPARSE_TENSOR},
      {proto.has_tp(), AttributeProto::TYPE_PROTO},
      {proto.floats_size() > 0, AttributeProto::FLOATS},
      {proto.ints_size() > 0, AttributeProto::INTS},
      {proto.strings_size() > 0, AttributeProto::STRINGS},
      {proto.tensors_size() > 0, AttributeProto::TENSORS},
      {proto.graphs_size() > 0, AttributeProto::GRAPHS},
      {proto.sparse_tensors_size() > 0, AttributeProto::SPARSE_TENSORS},
      {proto.type_protos_size() > 0, AttributeProto::TYPE_PROTOS}};
  for (const auto& [set, type] : fields) {
    if (set) types.push_back(type);
  }
  return types;
}

bool IsList(int type) {
  return type == AttributeProto::FLOATS || type == AttributeProto::INTS ||
         type == AttributeProto::STRINGS;
}

/// The one type that the attribute announces and holds.
absl::StatusOr<int> TypeOf(const AttributeProto& proto) {
  const std::vector<int> set = SetTypes(proto);
  if (set.size() > 1) {
    return BadAttribute(absl::StrCat("holds both ", TypeName(set[0]), " and ", TypeName(set[1])));
  }
  // Files of ir_version 1 had no type.
  if (proto.type() == AttributeProto::UNDEFINED) {
    if (set.empty()) return BadAttribute("has neither type nor value");
    return set[0];
  }
  if (set.empty() && !IsList(proto.type())) {
    return BadAttribute(absl::StrCat("has no value of its type ", TypeName(proto.type())));
  }
  if (!set.empty() && set[0] != proto.type()) {
    return BadAttribute(
        absl::StrCat("is announced as ", TypeName(proto.type()), ", holds ", TypeName(set[0])));
  }
  return static_cast<int>(proto.type());
}

absl::StatusOr<AttributeValue> ReadValue(const AttributeProto& proto, ExternalFiles* external) {
  if (!proto.ref_attr_name().empty()) {
    return absl::UnimplementedError("ONNX_OP: references to function attributes are not supported");
  }
  SIGSERVE_ASSIGN_OR_RETURN(const int type, TypeOf(proto));
  switch (type) {
    case AttributeProto::FLOAT:
      return AttributeValue(proto.f());
    case AttributeProto::INT:
      return AttributeValue(static_cast<int64_t>(proto.i()));
    case AttributeProto::STRING:
      return AttributeValue(proto.s());
    case AttributeProto::FLOATS:
      return AttributeValue(std::vector<float>(proto.floats().begin(), proto.floats().end()));
    case AttributeProto::INTS:
      return AttributeValue(std::vector<int64_t>(proto.ints().begin(), proto.ints().end()));
    case AttributeProto::STRINGS:
      return AttributeValue(
          std::vector<std::string>(proto.strings().begin(), proto.strings().end()));
    case AttributeProto::TENSOR: {
      SIGSERVE_ASSIGN_OR_RETURN(Tensor tensor, TensorFromOnnx(proto.t(), {}, external));
      return AttributeValue(std::make_shared<const Tensor>(std::move(tensor)));
    }
    case AttributeProto::GRAPH:
    case AttributeProto::GRAPHS:
      return absl::UnimplementedError("ONNX_OP: subgraphs (control flow) are not supported");
    default:
      return absl::UnimplementedError(
          absl::StrCat("ONNX_ATTR: attributes of type ", TypeName(type), " are not supported"));
  }
}

struct Writer {
  AttributeProto& proto;

  void operator()(int64_t value) const {
    proto.set_type(AttributeProto::INT);
    proto.set_i(value);
  }
  void operator()(float value) const {
    proto.set_type(AttributeProto::FLOAT);
    proto.set_f(value);
  }
  void operator()(const std::string& value) const {
    proto.set_type(AttributeProto::STRING);
    proto.set_s(value);
  }
  void operator()(const std::vector<int64_t>& values) const {
    proto.set_type(AttributeProto::INTS);
    for (const int64_t value : values) proto.add_ints(value);
  }
  void operator()(const std::vector<float>& values) const {
    proto.set_type(AttributeProto::FLOATS);
    for (const float value : values) proto.add_floats(value);
  }
  void operator()(const std::vector<std::string>& values) const {
    proto.set_type(AttributeProto::STRINGS);
    for (const std::string& value : values) proto.add_strings(value);
  }
  void operator()(const std::shared_ptr<const Tensor>& value) const {
    proto.set_type(AttributeProto::TENSOR);
    *proto.mutable_t() = TensorToOnnx(*value, "");
  }
};

}  // namespace

absl::StatusOr<Attributes> AttributesFromOnnx(const onnx::NodeProto& node,
                                              ExternalFiles* external) {
  Attributes attributes;
  for (const AttributeProto& proto : node.attribute()) {
    SIGSERVE_RETURN_IF_ERROR(CheckName(proto.name(), "attribute"));
    const std::string what = absl::StrCat("attribute ", Printable(proto.name()));
    auto value = ReadValue(proto, external);
    if (!value.ok()) return WithSubject(value.status(), what);
    if (attributes.has(proto.name())) return BadAttribute(absl::StrCat(what, " is given twice"));
    SIGSERVE_RETURN_IF_ERROR(attributes.Add(proto.name(), *std::move(value)));
  }
  return attributes;
}

void AttributesToOnnx(const Attributes& attributes, onnx::NodeProto& node) {
  for (const std::string& name : attributes.names()) {
    AttributeProto& proto = *node.add_attribute();
    proto.set_name(name);
    std::visit(Writer{proto}, *attributes.find(name));
  }
}

}  // namespace sigserve
