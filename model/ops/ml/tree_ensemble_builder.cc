#include <cmath>
#include <limits>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/strip.h"
#include "model/ops/ml/tree_ensemble.h"

namespace sigserve {
namespace {

using kernels::TreeNode;
using kernels::TreeTest;

absl::Status CheckLength(absl::string_view name, size_t length, absl::string_view other,
                         size_t expected) {
  if (length == expected) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("attribute '", name, "' has ", length,
                                                 " entries, '", other, "' has ", expected));
}

absl::Status CheckFinite(absl::string_view name, absl::Span<const double> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      return absl::InvalidArgumentError(
          absl::StrCat("attribute '", name, "': entry ", i, " is ", values[i]));
    }
  }
  return absl::OkStatus();
}

std::string NodeName(int64_t tree, int64_t node) {
  return absl::StrCat("tree ", tree, ", node ", node);
}

struct NodeAttributes {
  std::vector<int64_t> trees, ids, features, true_ids, false_ids, missing;
  std::vector<std::string> modes;
  std::vector<double> values;
};

absl::StatusOr<NodeAttributes> ReadNodes(const Attributes& attributes) {
  NodeAttributes n;
  SIGSERVE_ASSIGN_OR_RETURN(n.ids, attributes.Ints("nodes_nodeids"));
  SIGSERVE_ASSIGN_OR_RETURN(n.trees, attributes.Ints("nodes_treeids"));
  SIGSERVE_ASSIGN_OR_RETURN(n.features, attributes.Ints("nodes_featureids"));
  SIGSERVE_ASSIGN_OR_RETURN(n.true_ids, attributes.Ints("nodes_truenodeids"));
  SIGSERVE_ASSIGN_OR_RETURN(n.false_ids, attributes.Ints("nodes_falsenodeids"));
  SIGSERVE_ASSIGN_OR_RETURN(n.missing, attributes.Ints("nodes_missing_value_tracks_true"));
  SIGSERVE_ASSIGN_OR_RETURN(n.modes, attributes.Strings("nodes_modes"));
  SIGSERVE_ASSIGN_OR_RETURN(n.values, TreeNumbers(attributes, "nodes_values"));
  SIGSERVE_ASSIGN_OR_RETURN(const auto hit_rates, TreeNumbers(attributes, "nodes_hitrates"));
  if (n.ids.empty()) {
    return absl::InvalidArgumentError("attribute 'nodes_nodeids' is empty: there are no trees");
  }
  const std::pair<absl::string_view, size_t> lengths[] = {
      {"nodes_treeids", n.trees.size()},        {"nodes_featureids", n.features.size()},
      {"nodes_truenodeids", n.true_ids.size()}, {"nodes_falsenodeids", n.false_ids.size()},
      {"nodes_modes", n.modes.size()},          {"nodes_values", n.values.size()},
  };
  for (const auto& [name, length] : lengths) {
    SIGSERVE_RETURN_IF_ERROR(CheckLength(name, length, "nodes_nodeids", n.ids.size()));
  }
  for (const auto& [name, length] : {std::pair("nodes_missing_value_tracks_true", n.missing.size()),
                                     std::pair("nodes_hitrates", hit_rates.size())}) {
    if (length > 0) {
      SIGSERVE_RETURN_IF_ERROR(CheckLength(name, length, "nodes_nodeids", n.ids.size()));
    }
  }
  return n;
}

// What a mode asks, put as one of the kernel's tests; `swapped`: the kernel's left child, where its
// test holds, is the false one. A NaN goes to the false child unless `missing`, but differs from
// everything.
absl::Status SetTest(const std::string& mode, bool missing, TreeNode& node, bool& swapped) {
  struct Mode {
    absl::string_view name;
    TreeTest test;
    bool swapped;
  };
  static constexpr Mode kModes[] = {
      {"BRANCH_LEQ", TreeTest::kLessOrEqual, false}, {"BRANCH_LT", TreeTest::kLess, false},
      {"BRANCH_GTE", TreeTest::kLess, true},         {"BRANCH_GT", TreeTest::kLessOrEqual, true},
      {"BRANCH_EQ", TreeTest::kEqual, false},        {"BRANCH_NEQ", TreeTest::kEqual, true},
  };
  for (const Mode& m : kModes) {
    if (m.name == mode) {
      node.test = m.test;
      swapped = m.swapped;
      const bool nan_true = missing || mode == "BRANCH_NEQ";
      node.nan_right = nan_true == m.swapped;
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("mode '", mode,
                   "' is none of BRANCH_LEQ, BRANCH_LT, BRANCH_GTE, BRANCH_GT, BRANCH_EQ, "
                   "BRANCH_NEQ and LEAF"));
}

}  // namespace

class TreeEnsembleBuilder {
 public:
  explicit TreeEnsembleBuilder(TreeEnsemble& ensemble) : to_(ensemble) {}

  absl::Status AddTrees(const Attributes& attributes) {
    SIGSERVE_ASSIGN_OR_RETURN(nodes_, ReadNodes(attributes));
    constexpr size_t kMaxNodes = size_t{1} << 30;
    if (nodes_.ids.size() > kMaxNodes) {
      return absl::InvalidArgumentError(
          absl::StrCat("has ", nodes_.ids.size(), " nodes, at most ", kMaxNodes));
    }
    std::vector<std::vector<size_t>> trees;
    absl::flat_hash_map<int64_t, size_t> tree_of_id;
    for (size_t i = 0; i < nodes_.ids.size(); ++i) {
      if (!index_.emplace(std::pair(nodes_.trees[i], nodes_.ids[i]), i).second) {
        return absl::InvalidArgumentError(absl::StrCat(Name(i), " is there twice"));
      }
      const auto [tree, is_new] = tree_of_id.emplace(nodes_.trees[i], trees.size());
      if (is_new) {
        trees.emplace_back();
      }
      trees[tree->second].push_back(i);
    }
    leaf_of_node_.resize(nodes_.ids.size());
    parents_.assign(nodes_.ids.size(), 0);
    for (const std::vector<size_t>& tree : trees) {
      SIGSERVE_RETURN_IF_ERROR(AddTree(tree));
    }
    tree_count_ = trees.size();
    tree_of_id_ = std::move(tree_of_id);
    return absl::OkStatus();
  }

  absl::Status AddWeights(const Attributes& attributes, const std::string& what) {
    SIGSERVE_ASSIGN_OR_RETURN(const auto ids, attributes.Ints(what + "_ids"));
    SIGSERVE_ASSIGN_OR_RETURN(const auto nodes, attributes.Ints(what + "_nodeids"));
    SIGSERVE_ASSIGN_OR_RETURN(const auto trees, attributes.Ints(what + "_treeids"));
    SIGSERVE_ASSIGN_OR_RETURN(const auto weights, TreeNumbers(attributes, what + "_weights"));
    SIGSERVE_RETURN_IF_ERROR(
        CheckLength(what + "_nodeids", nodes.size(), what + "_ids", ids.size()));
    SIGSERVE_RETURN_IF_ERROR(
        CheckLength(what + "_treeids", trees.size(), what + "_ids", ids.size()));
    SIGSERVE_RETURN_IF_ERROR(
        CheckLength(what + "_weights", weights.size(), what + "_ids", ids.size()));
    SIGSERVE_RETURN_IF_ERROR(CheckFinite(what + "_weights", weights));
    std::vector<uint32_t> leaves(ids.size());
    to_.begins_.assign(nodes_.ids.size() + 1, 0);
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] < 0 || ids[i] >= static_cast<int64_t>(to_.outputs_)) {
        return absl::InvalidArgumentError(absl::StrCat("attribute '", what, "_ids': entry ", i,
                                                       " is ", ids[i], ", expected 0 to ",
                                                       to_.outputs_ - 1));
      }
      const auto node = index_.find(std::pair(trees[i], nodes[i]));
      if (node == index_.end()) {
        return absl::InvalidArgumentError(absl::StrCat("attribute '", what, "_nodeids': entry ", i,
                                                       " is ", NodeName(trees[i], nodes[i]),
                                                       ", which does not exist"));
      }
      leaves[i] = leaf_of_node_[node->second];
      ++to_.begins_[leaves[i] + 1];
      to_.only_id_ = i == 0 || to_.only_id_ == ids[i] ? ids[i] : -1;
      to_.has_negative_weight_ = to_.has_negative_weight_ || weights[i] < 0;
    }
    for (size_t i = 1; i < to_.begins_.size(); ++i) {
      to_.begins_[i] += to_.begins_[i - 1];
    }
    // In the order of the attributes within a leaf.
    std::vector<uint32_t> next(to_.begins_.begin(), to_.begins_.end() - 1);
    to_.weights_.resize(ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
      to_.weights_[next[leaves[i]]++] = {static_cast<uint32_t>(ids[i]), weights[i]};
    }
    UseOneValuePerLeaf(trees, ids);
    return absl::OkStatus();
  }

 private:
  std::string Name(size_t i) const { return NodeName(nodes_.trees[i], nodes_.ids[i]); }

  absl::StatusOr<size_t> Child(size_t parent, int64_t id, absl::string_view which) {
    const auto child = index_.find(std::pair(nodes_.trees[parent], id));
    if (child == index_.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(Name(parent), ": its ", which, " child ", id, " does not exist"));
    }
    if (++parents_[child->second] > 1) {
      return absl::InvalidArgumentError(absl::StrCat(Name(child->second), " has two parents"));
    }
    return child->second;
  }

  // Its nodes, by index.
  absl::Status AddTree(const std::vector<size_t>& tree) {
    children_.clear();
    for (const size_t i : tree) {
      if (nodes_.modes[i] == "LEAF") {
        continue;
      }
      SIGSERVE_ASSIGN_OR_RETURN(const size_t yes, Child(i, nodes_.true_ids[i], "true"));
      SIGSERVE_ASSIGN_OR_RETURN(const size_t no, Child(i, nodes_.false_ids[i], "false"));
      children_[i] = {yes, no};
    }
    std::vector<size_t> order;  // breadth first
    for (const size_t i : tree) {
      if (parents_[i] == 0) {
        if (!order.empty()) {
          return absl::InvalidArgumentError(
              absl::StrCat(Name(order[0]), " and ", Name(i), " are both roots"));
        }
        order.push_back(i);
      }
    }
    if (order.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("tree ", nodes_.trees[tree[0]], " has no root: its nodes form a cycle"));
    }
    std::vector<TreeNode> laid_out;
    std::vector<uint32_t> depths = {0};
    for (size_t at = 0; at < order.size(); ++at) {
      const size_t i = order[at];
      TreeNode& node = laid_out.emplace_back();
      const auto children = children_.find(i);
      if (children == children_.end()) {
        continue;
      }
      SIGSERVE_RETURN_IF_ERROR(ReadBranch(i, node, children->second));
      node.left = static_cast<uint32_t>(order.size());
      order.push_back(children->second.first);
      order.push_back(children->second.second);
      depths.insert(depths.end(), 2, depths[at] + 1);
    }
    if (order.size() != tree.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("tree ", nodes_.trees[tree[0]], ": ", tree.size() - order.size(),
                       " of its nodes cannot be reached from its root ", nodes_.ids[order[0]],
                       ": they form a cycle"));
    }
    const uint32_t offset = to_.trees_.Add(laid_out, depths.back());
    for (size_t at = 0; at < order.size(); ++at) {
      leaf_of_node_[order[at]] = offset + static_cast<uint32_t>(at);
    }
    return absl::OkStatus();
  }

  absl::Status ReadBranch(size_t i, TreeNode& node, std::pair<size_t, size_t>& children) {
    const int64_t feature = nodes_.features[i];
    if (feature < 0 || feature > std::numeric_limits<int32_t>::max()) {
      return absl::InvalidArgumentError(absl::StrCat(Name(i), ": feature id ", feature,
                                                     " is out of range, expected 0 to 2147483647"));
    }
    if (std::isnan(nodes_.values[i])) {
      return absl::InvalidArgumentError(absl::StrCat(Name(i), ": its value is NaN"));
    }
    to_.features_ = std::max(to_.features_, feature + 1);
    node.feature = static_cast<uint32_t>(feature);
    node.threshold = nodes_.values[i];
    const bool missing = !nodes_.missing.empty() && nodes_.missing[i] != 0;
    bool swapped = false;
    const absl::Status status = SetTest(nodes_.modes[i], missing, node, swapped);
    if (!status.ok()) {
      return Annotate(status, Name(i));
    }
    if (swapped) {
      std::swap(children.first, children.second);
    }
    return absl::OkStatus();
  }

  // Boosted trees: each adds one number to one output.
  void UseOneValuePerLeaf(absl::Span<const int64_t> trees, absl::Span<const int64_t> ids) {
    if (to_.aggregate_ == TreeAggregate::kMin || to_.aggregate_ == TreeAggregate::kMax) {
      return;
    }
    constexpr uint32_t kNone = UINT32_MAX;
    std::vector<uint32_t> outputs(tree_count_, kNone);
    for (size_t i = 0; i < trees.size(); ++i) {
      uint32_t& output = outputs[tree_of_id_.at(trees[i])];
      const auto id = static_cast<uint32_t>(ids[i]);
      if (output != kNone && output != id) {
        return;
      }
      output = id;
    }
    std::vector<float> values(nodes_.ids.size(), 0.0F);
    for (size_t leaf = 0; leaf < values.size(); ++leaf) {
      const uint32_t begin = to_.begins_[leaf];
      const uint32_t count = to_.begins_[leaf + 1] - begin;
      if (count == 0) {
        continue;
      }
      values[leaf] = static_cast<float>(to_.weights_[begin].value);
      if (count > 1 || static_cast<double>(values[leaf]) != to_.weights_[begin].value) {
        return;
      }
    }
    for (uint32_t& output : outputs) {
      output = output == kNone ? 0 : output;  // a tree without weights
    }
    to_.values_ = std::move(values);
    to_.outputs_of_trees_ = std::move(outputs);
    to_.begins_ = {};
    to_.weights_ = {};
  }

  TreeEnsemble& to_;
  NodeAttributes nodes_;
  size_t tree_count_ = 0;
  absl::flat_hash_map<int64_t, size_t> tree_of_id_;
  absl::flat_hash_map<std::pair<int64_t, int64_t>, size_t> index_;  // by tree and node id
  std::vector<uint32_t> leaf_of_node_;
  std::vector<int> parents_;
  absl::flat_hash_map<size_t, std::pair<size_t, size_t>> children_;  // of the tree at hand
};

absl::StatusOr<std::vector<double>> TreeNumbers(const Attributes& attributes,
                                                const std::string& name) {
  SIGSERVE_ASSIGN_OR_RETURN(const auto floats, attributes.Floats(name));
  const std::string tensor_name = name + "_as_tensor";
  const AttributeValue* value = attributes.find(tensor_name);
  if (value == nullptr) {
    return std::vector<double>(floats.begin(), floats.end());
  }
  if (!floats.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("has both '", name, "' and '", tensor_name, "', expected one of them"));
  }
  const auto* tensor = std::get_if<std::shared_ptr<const Tensor>>(value);
  if (tensor == nullptr ||
      ((*tensor)->dtype() != DType::kFloat32 && (*tensor)->dtype() != DType::kFloat64)) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute '", tensor_name, "' is no tensor of FLOAT32 or FLOAT64"));
  }
  std::vector<double> numbers;
  VisitNumbers((*tensor)->view(),
               [&](auto values) { numbers.assign(values.begin(), values.end()); });
  return numbers;
}

absl::StatusOr<std::vector<double>> TreeBaseValues(const Attributes& attributes) {
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<double> values, TreeNumbers(attributes, "base_values"));
  SIGSERVE_RETURN_IF_ERROR(CheckFinite("base_values", values));
  return values;
}

absl::StatusOr<TreeEnsemble> TreeEnsemble::Make(const Attributes& attributes,
                                                const std::string& what, int64_t outputs,
                                                TreeAggregate aggregate) {
  TreeEnsemble ensemble;
  ensemble.outputs_ = static_cast<size_t>(outputs);
  ensemble.aggregate_ = aggregate;
  TreeEnsembleBuilder builder(ensemble);
  SIGSERVE_RETURN_IF_ERROR(builder.AddTrees(attributes));
  SIGSERVE_RETURN_IF_ERROR(builder.AddWeights(attributes, what));
  return ensemble;
}

absl::Status CheckTreeAttributes(const Attributes& attributes, absl::string_view what,
                                 std::initializer_list<absl::string_view> own) {
  constexpr absl::string_view kAll[] = {"base_values",
                                        "base_values_as_tensor",
                                        "nodes_falsenodeids",
                                        "nodes_featureids",
                                        "nodes_hitrates",
                                        "nodes_hitrates_as_tensor",
                                        "nodes_missing_value_tracks_true",
                                        "nodes_modes",
                                        "nodes_nodeids",
                                        "nodes_treeids",
                                        "nodes_truenodeids",
                                        "nodes_values",
                                        "nodes_values_as_tensor",
                                        "post_transform"};
  constexpr absl::string_view kOfLeaves[] = {"_ids", "_nodeids", "_treeids", "_weights",
                                             "_weights_as_tensor"};
  const auto is_known = [&](absl::string_view name) {
    return absl::c_linear_search(kAll, name) || absl::c_linear_search(own, name) ||
           (absl::ConsumePrefix(&name, what) && absl::c_linear_search(kOfLeaves, name));
  };
  for (const std::string& name : attributes.names()) {
    if (!is_known(name)) {
      return absl::InvalidArgumentError(absl::StrCat("has no attribute '", name, "'"));
    }
  }
  return absl::OkStatus();
}

}  // namespace sigserve
