#include "model/formats/onnx/onnx_embedding_bag.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "model/formats/onnx/onnx_attributes.h"

namespace sigserve {
namespace {

using Ints = std::vector<int64_t>;
using Constants = std::function<const Tensor*(const std::string&)>;

// torch's bodies have 12 to 16 nodes.
constexpr int kMaxBodyNodes = 32;

struct BodyNode {
  const onnx::NodeProto* proto = nullptr;
  Attributes attributes;
};

/// indices[starts[i]:ends[i]], where i counts the loop's turns.
struct BagSlice {
  std::string data;
  std::string starts;
  std::string ends;
};

bool IsTrue(const Tensor* constant) {
  return constant != nullptr && constant->dtype() == DType::kBool && constant->elements() == 1 &&
         constant->values<bool>()[0];
}

class Body {
 public:
  Body(const onnx::GraphProto& graph, const Constants& outside)
      : graph_(graph), outside_(outside) {}

  /// False for a body that cannot be read.
  bool Read();
  std::optional<EmbeddingBagLoop> Match() const;
  /// Whether a value is true in every turn.
  bool IsAlwaysTrue(std::string name) const;

 private:
  const BodyNode* Producer(const std::string& name, const char* type, int min_inputs) const;
  const Tensor* Constant(const std::string& name) const;
  bool IsOutside(const std::string& name) const;
  /// The node's list of integers, an attribute or an input, is this one.
  bool Has(const BodyNode& node, const char* attribute, int input, const Ints& expected) const;
  /// The list outside of the loop of which this is [element i].
  std::optional<std::string> ElementOf(const std::string& name) const;
  std::optional<BagSlice> SliceOf(const std::string& name) const;
  const BodyNode* Reduction(std::string& mode) const;

  const onnx::GraphProto& graph_;
  const Constants& outside_;
  absl::flat_hash_map<std::string, BodyNode> producers_;
  absl::flat_hash_set<std::string> inside_;
};

bool Body::Read() {
  if (graph_.node_size() > kMaxBodyNodes || graph_.input_size() != 2 || graph_.output_size() != 2 ||
      graph_.initializer_size() + graph_.sparse_initializer_size() > 0) {
    return false;
  }
  for (const onnx::ValueInfoProto& input : graph_.input()) {
    if (!inside_.insert(input.name()).second) return false;
  }
  for (const onnx::NodeProto& node : graph_.node()) {
    auto attributes = AttributesFromOnnx(node, nullptr);
    if (!attributes.ok() || node.output_size() != 1 || !node.domain().empty()) return false;
    if (!inside_.insert(node.output(0)).second) return false;
    producers_[node.output(0)] = {&node, *std::move(attributes)};
  }
  return true;
}

const BodyNode* Body::Producer(const std::string& name, const char* type, int min_inputs) const {
  const auto found = producers_.find(name);
  if (found == producers_.end()) return nullptr;
  const BodyNode& node = found->second;
  return node.proto->op_type() == type && node.proto->input_size() >= min_inputs ? &node : nullptr;
}

const Tensor* Body::Constant(const std::string& name) const {
  if (IsOutside(name)) return outside_(name);
  const BodyNode* node = Producer(name, "Constant", 0);
  const AttributeValue* value = node == nullptr ? nullptr : node->attributes.find("value");
  const auto* tensor =
      value == nullptr ? nullptr : std::get_if<std::shared_ptr<const Tensor>>(value);
  return tensor == nullptr ? nullptr : tensor->get();
}

bool Body::IsOutside(const std::string& name) const {
  return !name.empty() && !inside_.contains(name);
}

bool Body::Has(const BodyNode& node, const char* attribute, int input, const Ints& expected) const {
  if (node.attributes.has(attribute)) {
    const auto ints = node.attributes.Ints(attribute);
    return ints.ok() && *ints == expected;
  }
  if (input >= node.proto->input_size()) return false;
  const Tensor* constant = Constant(node.proto->input(input));
  if (constant == nullptr || constant->dtype() != DType::kInt64) return false;
  const auto values = constant->values<int64_t>();
  return Ints(values.begin(), values.end()) == expected;
}

std::optional<std::string> Body::ElementOf(const std::string& name) const {
  const BodyNode* unsqueeze = Producer(name, "Unsqueeze", 1);
  if (unsqueeze == nullptr || !Has(*unsqueeze, "axes", 1, {0})) return {};
  const BodyNode* gather = Producer(unsqueeze->proto->input(0), "Gather", 2);
  if (gather == nullptr || gather->attributes.Int("axis", 0).value_or(-1) != 0) return {};
  if (gather->proto->input(1) != graph_.input(0).name()) return {};
  if (!IsOutside(gather->proto->input(0))) return {};
  return gather->proto->input(0);
}

std::optional<BagSlice> Body::SliceOf(const std::string& name) const {
  const BodyNode* slice = Producer(name, "Slice", 4);
  if (slice == nullptr || !Has(*slice, "axes", 3, {0})) return {};
  if (slice->proto->input_size() > 4 && !Has(*slice, "steps", 4, {1})) return {};
  const auto starts = ElementOf(slice->proto->input(1));
  const auto ends = ElementOf(slice->proto->input(2));
  if (!starts || !ends || !IsOutside(slice->proto->input(0))) return {};
  return BagSlice{slice->proto->input(0), *starts, *ends};
}

bool Body::IsAlwaysTrue(std::string name) const {
  for (int i = 0; i < kMaxBodyNodes; ++i) {
    const BodyNode* same = Producer(name, "Cast", 1);
    if (same == nullptr) same = Producer(name, "Identity", 1);
    if (same == nullptr) break;
    name = same->proto->input(0);
  }
  if (name == graph_.input(1).name()) return true;  // what it was in the turn before
  return IsTrue(Constant(name));
}

const BodyNode* Body::Reduction(std::string& mode) const {
  constexpr std::pair<const char*, const char*> kModes[] = {
      {"ReduceSum", "sum"}, {"ReduceMean", "mean"}, {"ReduceMax", "max"}};
  for (const auto& [type, name] : kModes) {
    mode = name;
    const BodyNode* reduce = Producer(graph_.output(1).name(), type, 1);
    if (reduce != nullptr) return reduce;
  }
  return nullptr;
}

std::optional<EmbeddingBagLoop> Body::Match() const {
  EmbeddingBagLoop result;
  const BodyNode* reduce = Reduction(result.mode);
  if (reduce == nullptr || reduce->attributes.Int("keepdims", 1).value_or(1) != 0) return {};
  if (!Has(*reduce, "axes", 1, {0})) return {};
  std::string rows = reduce->proto->input(0);
  std::optional<BagSlice> factors;
  if (const BodyNode* mul = Producer(rows, "Mul", 2); mul != nullptr) {
    const BodyNode* column = Producer(mul->proto->input(1), "Unsqueeze", 1);
    if (column == nullptr || !Has(*column, "axes", 1, {1})) return {};
    factors = SliceOf(column->proto->input(0));
    if (!factors) return {};
    rows = mul->proto->input(0);
  }
  const BodyNode* gather = Producer(rows, "Gather", 2);
  if (gather == nullptr || gather->attributes.Int("axis", 0).value_or(-1) != 0) return {};
  const std::string& weight = gather->proto->input(0);
  const std::optional<BagSlice> indices = SliceOf(gather->proto->input(1));
  if (!indices || !IsOutside(weight)) return {};
  result.inputs = {weight, indices->data, indices->starts, indices->ends};
  if (factors) {
    if (factors->starts != indices->starts || factors->ends != indices->ends) return {};
    result.inputs.push_back(factors->data);
  }
  return result;
}

}  // namespace

std::optional<EmbeddingBagLoop> FindEmbeddingBag(const onnx::NodeProto& node,
                                                 const Constants& constant) {
  const bool is_loop = node.domain().empty() && node.op_type() == "Loop" &&
                       node.input_size() == 2 && node.output_size() == 1 &&
                       node.attribute_size() == 1 && node.attribute(0).name() == "body" &&
                       node.attribute(0).has_g();
  if (!is_loop || node.input(0).empty() || node.output(0).empty()) return {};
  const onnx::GraphProto& graph = node.attribute(0).g();
  Body body(graph, constant);
  if (!body.Read() || !body.IsAlwaysTrue(graph.output(0).name())) return {};
  if (!node.input(1).empty() && !IsTrue(constant(node.input(1)))) return {};
  std::optional<EmbeddingBagLoop> result = body.Match();
  if (result) result->inputs.insert(result->inputs.begin(), node.input(0));
  return result;
}

}  // namespace sigserve
