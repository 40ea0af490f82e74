#include "model/runtime/link_function.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace sigserve {
namespace {

constexpr absl::string_view kMl = "ai.onnx.ml";

bool IsOnnx(const Node& node, absl::string_view type) {
  return node.spec.domain.empty() && node.spec.op_type == type;
}

bool IsSigmoid(const Node& node) {
  return IsOnnx(node, "Sigmoid") ||
         (node.spec.domain == kFusedDomain && node.spec.op_type == "FastSigmoid");
}

bool IsMl(const Node& node, absl::string_view type) {
  return node.spec.domain == kMl && node.spec.op_type == type;
}

/// Same elements in the same order, whatever the shape.
bool KeepsElements(const Node& node) {
  static constexpr absl::string_view kTypes[] = {"Identity", "Reshape",   "Flatten",
                                                 "Squeeze",  "Unsqueeze", "Dropout"};
  return node.spec.domain.empty() &&
         std::find(std::begin(kTypes), std::end(kTypes), node.spec.op_type) != std::end(kTypes);
}

ValueId FirstInput(const Node& node) { return node.inputs.empty() ? kNoValue : node.inputs[0]; }

const Node* Producer(const Graph& graph, ValueId id) {
  return id == kNoValue ? nullptr : graph.producer(id);
}

bool IsAlongLastDimension(const Node& softmax, int rank) {
  const int64_t otherwise = softmax.spec.opset < 13 ? 1 : -1;
  const int64_t axis = softmax.spec.attributes.Int("axis", otherwise).value_or(0);
  return axis == -1 || (rank > 0 && axis == rank - 1);
}

bool IsClassifier(const Node& node) {
  return IsMl(node, "LinearClassifier") || IsMl(node, "TreeEnsembleClassifier") ||
         IsMl(node, "SVMClassifier");
}

/// An SVMClassifier that has support vectors; without, it is a linear one.
bool HasVectors(const Node& node) {
  const auto counts = node.spec.attributes.Ints("vectors_per_class");
  return IsMl(node, "SVMClassifier") && counts.ok() &&
         std::any_of(counts->begin(), counts->end(), [](int64_t count) { return count != 0; });
}

bool HasProbabilities(const Node& svm) {
  const auto prob_a = svm.spec.attributes.Floats("prob_a");
  return HasVectors(svm) && prob_a.ok() && !prob_a->empty();
}

Link LinkOfClassifier(const Node& classifier) {
  const std::string post =
      classifier.spec.attributes.String("post_transform", "NONE").value_or("NONE");
  return post == "NONE" && !HasProbabilities(classifier) ? Link::kNone : Link::kOther;
}

std::vector<std::string> ClassNames(const Node& classifier) {
  auto strings = classifier.spec.attributes.Strings("classlabels_strings");
  if (strings.ok() && !strings->empty()) return *std::move(strings);
  std::vector<std::string> labels;
  for (const absl::string_view name : {"classlabels_ints", "classlabels_int64s"}) {
    const auto ints = classifier.spec.attributes.Ints(name);
    if (!ints.ok()) return {};
    for (const int64_t label : *ints) labels.push_back(absl::StrCat(label));
  }
  return labels;
}

/// Of the scores.
std::vector<std::string> LabelsOf(const Node& classifier) {
  std::vector<std::string> names = ClassNames(classifier);
  // Without probabilities the scores of three classes and more are of pairs of them.
  const bool pairs = HasVectors(classifier) && !HasProbabilities(classifier) && names.size() > 2;
  return pairs ? std::vector<std::string>() : names;
}

/// Labels travel from the classifier's scores down to the output.
std::vector<std::string> FindLabels(const Graph& graph, ValueId value) {
  for (const Node* node = Producer(graph, value); node != nullptr; node = Producer(graph, value)) {
    if (node->spec.domain == kMl && node->outputs.size() == 2 && node->outputs[1] == value) {
      return LabelsOf(*node);
    }
    if (!IsOnnx(*node, "Identity") && !IsSigmoid(*node) && !IsOnnx(*node, "Softmax") &&
        !IsOnnx(*node, "Cast") && !IsMl(*node, "Normalizer")) {
      return {};
    }
    value = FirstInput(*node);
  }
  return {};
}

}  // namespace

LinkFunction FindLinkFunction(const Graph& graph, ValueId output, int rank) {
  LinkFunction result;
  result.labels = FindLabels(graph, output);
  ValueId value = output;
  bool same_shape = true;
  const Node* node = Producer(graph, value);
  for (; node != nullptr && KeepsElements(*node) && node->outputs[0] == value;
       node = Producer(graph, value)) {
    same_shape = same_shape && IsOnnx(*node, "Identity");
    value = FirstInput(*node);
  }
  if (node == nullptr) return result;
  if (IsSigmoid(*node)) {
    result.link = Link::kSigmoid;
    result.logits = FirstInput(*node);
  } else if (IsOnnx(*node, "Softmax")) {
    const bool plain = same_shape && IsAlongLastDimension(*node, rank);
    result.link = plain ? Link::kSoftmax : Link::kOther;
    if (plain) result.logits = FirstInput(*node);
  } else if (IsClassifier(*node) && node->outputs.size() == 2 && node->outputs[1] == value) {
    result.link = LinkOfClassifier(*node);
  } else if (IsMl(*node, "Normalizer")) {
    const Node* before = Producer(graph, FirstInput(*node));
    if (before != nullptr &&
        (IsSigmoid(*before) || IsOnnx(*before, "Softmax") || IsClassifier(*before))) {
      result.link = Link::kOther;
    }
  }
  return result;
}

}  // namespace sigserve
