#include "model/graph/passes/graph_copier.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace sigserve {

void GraphCopier::CopyInputs() {
  for (const GraphInput& input : from_.inputs()) {
    copied_[input.value] = to_.AddInput(from_.value(input.value).name, input.type);
  }
}

void GraphCopier::CopyNode(const Node& node) {
  std::vector<ValueId> inputs = Copy(node.inputs);
  std::vector<ValueId> outputs = Copy(node.outputs);
  to_.AddNode(node.spec, std::move(inputs), std::move(outputs));
}

void GraphCopier::CopyOutputs() {
  for (const ValueId output : from_.outputs()) to_.AddOutput(Copy(output));
}

ValueId GraphCopier::AddConstant(absl::string_view hint, Tensor tensor) {
  if (taken_.empty()) {
    for (const Value& value : from_.values()) taken_.insert(value.name);
  }
  // Goes on where the last search for this hint ended: thousands of nodes may share one bias.
  int& suffix = suffixes_.try_emplace(std::string(hint), 1).first->second;
  std::string name = suffix == 1 ? std::string(hint) : absl::StrCat(hint, "_", suffix);
  while (taken_.contains(name) || to_.UniqueName(name) != name) {
    name = absl::StrCat(hint, "_", ++suffix);
  }
  return to_.AddConstant(name, std::move(tensor));
}

ValueId GraphCopier::Copy(ValueId id) {
  if (id == kNoValue) return kNoValue;
  const auto found = copied_.find(id);
  if (found != copied_.end()) return found->second;
  const Value& value = from_.value(id);
  const auto renamed = names_.find(id);
  const std::string& name = renamed == names_.end() ? value.name : renamed->second;
  const auto replaced = constants_.find(id);
  const std::shared_ptr<const Tensor>& constant =
      replaced == constants_.end() ? value.constant : replaced->second;
  const ValueId copy = constant == nullptr ? to_.ValueNamed(name) : to_.AddConstant(name, constant);
  copied_[id] = copy;
  return copy;
}

std::vector<ValueId> GraphCopier::Copy(const std::vector<ValueId>& ids) {
  std::vector<ValueId> copies;
  copies.reserve(ids.size());
  for (const ValueId id : ids) copies.push_back(Copy(id));
  return copies;
}

}  // namespace sigserve
