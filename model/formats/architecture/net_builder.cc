#include "model/formats/architecture/net_builder.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

constexpr size_t kMaxListed = 10;
// What wrappers of a whole module put before every name.
constexpr absl::string_view kWrapperPrefixes[] = {"module.", "_orig_mod."};

void AppendList(absl::string_view title, const std::vector<std::string>& names, std::string& text) {
  if (names.empty()) return;
  const size_t listed = std::min(names.size(), kMaxListed);
  absl::StrAppend(
      &text, text.empty() ? "" : "; ", title, " ",
      absl::StrJoin(names.begin(), names.begin() + static_cast<ptrdiff_t>(listed), ", "));
  if (names.size() > listed) absl::StrAppend(&text, " and ", names.size() - listed, " more");
}

}  // namespace

Attributes With(std::initializer_list<std::pair<absl::string_view, AttributeValue>> pairs) {
  Attributes attributes;
  for (const auto& [name, value] : pairs) attributes.Add(name, value).IgnoreError();
  return attributes;
}

NetBuilder::NetBuilder(NamedTensors weights) : used_(weights.size(), false) {
  absl::string_view shared;
  for (const absl::string_view prefix : kWrapperPrefixes) {
    if (!weights.empty() && std::all_of(weights.begin(), weights.end(), [&](const auto& named) {
          return absl::StartsWith(named.first, prefix);
        })) {
      shared = prefix;
    }
  }
  weights_.reserve(weights.size());
  for (auto& [name, tensor] : weights) {
    by_name_.emplace(name, weights_.size());
    if (!shared.empty()) by_name_.emplace(name.substr(shared.size()), weights_.size());
    weights_.emplace_back(name, std::make_shared<const Tensor>(std::move(tensor)));
  }
}

std::string NetBuilder::NewName() { return absl::StrCat(prefix_, "_", ++names_); }

void NetBuilder::AddInput(absl::string_view name, DeclaredType type) {
  rank_ = type.shape.rank();
  current_ = std::string(name);
  builder_.AddInput(name, std::move(type));
}

std::string NetBuilder::Node(absl::string_view op, std::vector<std::string> inputs,
                             Attributes attributes) {
  std::string output = NewName();
  nodes_.push_back(Pending{std::string(op), std::move(inputs), output, std::move(attributes)});
  return output;
}

void NetBuilder::Then(absl::string_view op, std::vector<std::string> more, Attributes attributes) {
  more.insert(more.begin(), current_);
  current_ = Node(op, std::move(more), std::move(attributes));
}

std::string NetBuilder::Constant(Tensor tensor) {
  std::string name = NewName();
  builder_.AddConstant(name, std::move(tensor));
  return name;
}

std::string NetBuilder::Scalar(float value) {
  Tensor tensor(DType::kFloat32, Shape());
  tensor.mutable_values<float>()[0] = value;
  return Constant(std::move(tensor));
}

std::string NetBuilder::Ints(absl::Span<const int64_t> values) {
  Shape shape;
  shape.push_back(static_cast<int64_t>(values.size()));
  return Constant(Tensor::Of<int64_t>(std::move(shape), values));
}

const Tensor* NetBuilder::Weight(absl::string_view name, const Shape& shape) {
  const std::string full = absl::StrCat(prefix_, name);
  const auto found = by_name_.find(full);
  if (found == by_name_.end()) {
    missing_.push_back(absl::StrCat(Printable(full), " ", shape.ToString()));
    return nullptr;
  }
  used_[found->second] = true;
  const Tensor& tensor = *weights_[found->second].second;
  if (tensor.dtype() != DType::kFloat32 || tensor.shape() != shape) {
    other_shape_.push_back(absl::StrCat(Printable(full), " is ", Name(tensor.dtype()),
                                        tensor.shape().ToString(), ", expected ",
                                        Name(DType::kFloat32), shape.ToString()));
    return nullptr;
  }
  return &tensor;
}

std::string NetBuilder::WeightConstant(absl::string_view name, const Shape& shape) {
  std::string full = absl::StrCat(prefix_, name);
  if (Weight(name, shape) == nullptr) return full;
  const auto [place, is_new] = constants_.try_emplace(full, full);
  if (is_new) builder_.AddConstant(full, weights_[by_name_[full]].second);
  return place->second;
}

absl::Status NetBuilder::CheckKeys() {
  std::vector<std::string> unexpected;
  for (size_t i = 0; i < weights_.size(); ++i) {
    if (used_[i] || absl::EndsWith(weights_[i].first, "num_batches_tracked")) continue;
    unexpected.push_back(
        absl::StrCat(Printable(weights_[i].first), " ", weights_[i].second->shape().ToString()));
  }
  std::string text;
  AppendList("missing in the weights:", missing_, text);
  AppendList("not in the architecture:", unexpected, text);
  AppendList("of another shape:", other_shape_, text);
  if (text.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("PT_KEYS: ", text));
}

absl::StatusOr<Graph> NetBuilder::Finish(absl::string_view output) {
  SIGSERVE_RETURN_IF_ERROR(CheckKeys());
  if (nodes_.empty()) {
    return absl::InvalidArgumentError("ARCH_PARSE: no layer computes anything");
  }
  for (Pending& node : nodes_) {
    std::vector<ValueId> inputs;
    for (const std::string& input : node.inputs) {
      inputs.push_back(input.empty() ? kNoValue : builder_.ValueNamed(input));
    }
    const absl::string_view name =
        node.output == current_ ? output : absl::string_view(node.output);
    builder_.AddNode(node.op, std::move(inputs), name, std::move(node.attributes));
  }
  builder_.AddOutput(builder_.ValueNamed(output));
  return std::move(builder_).Build();
}

}  // namespace sigserve
