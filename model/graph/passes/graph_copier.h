// For the sources of this folder: copies a graph piece by piece into a builder, so that a pass can
// leave out, replace and rename what it likes. Not thread-safe; both must outlive it.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "model/graph/graph.h"

namespace sigserve {

class GraphCopier {
 public:
  GraphCopier(const Graph& from, GraphBuilder& to) : from_(from), to_(to) {}

  /// From now on this value goes by another name. Call before the value is first copied.
  void Rename(ValueId id, absl::string_view name) { names_[id] = std::string(name); }
  /// From now on this value is a constant.
  void Replace(ValueId id, std::shared_ptr<const Tensor> constant) {
    constants_[id] = std::move(constant);
  }
  /// From now on readers of `from` read `to`. Call before `from` is first copied.
  void Redirect(ValueId from, ValueId to) { copied_[from] = Copy(to); }

  void CopyInputs();
  void CopyNode(const Node& node);
  void CopyOutputs();
  /// A new constant, named like `hint` but unlike anything in either graph.
  ValueId AddConstant(absl::string_view hint, Tensor tensor);

  /// The copy of a value (kNoValue stays); a constant comes with its tensor.
  ValueId Copy(ValueId id);
  std::vector<ValueId> Copy(const std::vector<ValueId>& ids);

 private:
  const Graph& from_;
  GraphBuilder& to_;
  absl::flat_hash_set<absl::string_view> taken_;    // names in from_, once they are needed
  absl::flat_hash_map<std::string, int> suffixes_;  // the last one tried, by hint
  absl::flat_hash_map<ValueId, std::string> names_;
  absl::flat_hash_map<ValueId, std::shared_ptr<const Tensor>> constants_;
  absl::flat_hash_map<ValueId, ValueId> copied_;
};

}  // namespace sigserve
