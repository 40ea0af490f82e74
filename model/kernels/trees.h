// Decision trees as flat arrays: finds the leaf of every tree for rows of numbers.
//
// The nodes of a tree lie breadth first and the two children of a node side by side, so a step is
// an addition and not a jump that could be mispredicted. Trees are walked in groups of eight, a
// step of each in turn, so that their loads overlap. Build with Add(); from then on thread-safe, no
// allocation, cannot fail. The caller has checked the nodes. Leaves are found by comparisons alone:
// the same ones on every CPU, whatever the other rows are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace sigserve::kernels {

/// The test of a node: left child where it holds, right child (the node after it) where not.
enum class TreeTest : uint8_t { kLessOrEqual, kLess, kEqual };

struct TreeNode {
  double threshold = 0;
  uint32_t feature = 0;
  /// Index in the tree, greater than the node's own. 0: a leaf; the other fields mean nothing then.
  uint32_t left = 0;
  TreeTest test = TreeTest::kLessOrEqual;
  /// Where a NaN goes.
  bool nan_right = true;
};

class Trees {
 public:
  static constexpr size_t kGroup = 8;

  /// `depth`: steps from the root, node 0, to the farthest leaf. Returns the tree's offset: leaf i
  /// of this tree is known as offset + i. Offsets of all trees together stay below 2^32.
  uint32_t Add(absl::Span<const TreeNode> nodes, uint32_t depth);

  size_t trees() const { return trees_; }

  /// Rows of `columns` numbers one after another. A float stands for its value in double precision.
  template <typename T>
  struct Rows {
    const T* x;
    size_t rows;
    size_t columns;
    /// False only if there is none.
    bool may_have_nan = true;
  };
  /// leaves[row * kGroup + i]: the leaf of tree first_tree + i, for up to kGroup trees; first_tree
  /// is a multiple of kGroup, below trees(). Entries beyond the last tree mean nothing.
  void FindLeaves(size_t first_tree, const Rows<float>& rows, uint32_t* leaves) const;
  void FindLeaves(size_t first_tree, const Rows<double>& rows, uint32_t* leaves) const;

 private:
  // The test is x <= threshold. A leaf steps by 0 and its test always holds.
  template <typename Threshold, typename Index>
  struct Node {
    Threshold threshold;
    Index feature;
    Index step;  // to the left child
  };
  struct Group {
    std::array<uint32_t, kGroup> roots;
    uint32_t depth;  // of the deepest tree
  };

  template <typename NodeType, typename Step, typename T>
  static void Walk(const Group& group, const NodeType* nodes, const Step& right,
                   const Rows<T>& rows, uint32_t* leaves);
  template <typename T>
  void WalkExact(const Group& group, const Rows<T>& rows, uint32_t* leaves) const;
  template <typename NodeType>
  void WalkSingle(const Group& group, const NodeType* nodes, const Rows<float>& rows,
                  uint32_t* leaves) const;

  size_t trees_ = 0;
  std::vector<Group> groups_;
  // By node, three times: small; for large trees; as given.
  std::vector<Node<float, uint16_t>> narrow_;
  std::vector<Node<float, uint32_t>> wide_;
  std::vector<Node<double, uint32_t>> exact_;
  std::vector<TreeTest> tests_;
  std::vector<uint8_t> nan_right_;
  bool fits_narrow_ = true;
  bool has_equal_ = false;
};

}  // namespace sigserve::kernels
