#include "model/kernels/trees.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sigserve::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// The float f for which "x <= f" says of every float x what the test says; NaN where it never
// holds.
float SingleThreshold(const TreeNode& node) {
  if (std::isnan(node.threshold)) {
    return kNaN;
  }
  auto f = static_cast<float>(node.threshold);
  if (static_cast<double>(f) > node.threshold) {
    f = std::nextafter(f, -kInfinity);
  }
  if (node.test == TreeTest::kLess && static_cast<double>(f) == node.threshold) {
    f = f == -kInfinity ? kNaN : std::nextafter(f, -kInfinity);
  }
  return f;
}

}  // namespace

uint32_t Trees::Add(absl::Span<const TreeNode> nodes, uint32_t depth) {
  const auto offset = static_cast<uint32_t>(exact_.size());
  const size_t place = trees_++ % kGroup;
  if (place == 0) {
    groups_.emplace_back();
  }
  Group& group = groups_.back();
  // Places that stay empty walk the last tree again.
  std::fill(group.roots.begin() + static_cast<std::ptrdiff_t>(place), group.roots.end(), offset);
  group.depth = place == 0 ? depth : std::max(group.depth, depth);
  for (size_t i = 0; i < nodes.size(); ++i) {
    TreeNode node = nodes[i];
    uint32_t step = 0;
    if (node.left == 0) {
      node = {std::numeric_limits<double>::infinity(), 0, 0, TreeTest::kLessOrEqual, false};
    } else {
      step = node.left - static_cast<uint32_t>(i);
    }
    const float threshold = SingleThreshold(node);
    fits_narrow_ = fits_narrow_ && std::max(step, node.feature) <= UINT16_MAX;
    has_equal_ = has_equal_ || node.test == TreeTest::kEqual;
    narrow_.push_back(
        {threshold, static_cast<uint16_t>(node.feature), static_cast<uint16_t>(step)});
    wide_.push_back({threshold, node.feature, step});
    exact_.push_back({node.threshold, node.feature, step});
    tests_.push_back(node.test);
    nan_right_.push_back(node.nan_right ? 1 : 0);
  }
  return offset;
}

// `right(node, i, number)`: 1 to go right from node i, 0 to go left or to stay.
template <typename NodeType, typename Step, typename T>
void Trees::Walk(const Group& group, const NodeType* nodes, const Step& right, const Rows<T>& rows,
                 uint32_t* leaves) {
  const auto& roots = group.roots;
  const T* x = rows.x;
  for (size_t row = 0; row < rows.rows; ++row, x += rows.columns, leaves += kGroup) {
    // Eight names, so that they live in registers.
    uint32_t a = roots[0];
    uint32_t b = roots[1];
    uint32_t c = roots[2];
    uint32_t d = roots[3];
    uint32_t e = roots[4];
    uint32_t f = roots[5];
    uint32_t g = roots[6];
    uint32_t h = roots[7];
    const auto next = [&](uint32_t i) {
      const NodeType& node = nodes[i];
      return i + node.step + right(node, i, x[node.feature]);
    };
    for (uint32_t level = 0; level < group.depth; ++level) {
      const uint32_t before = a + b + c + d + e + f + g + h;
      a = next(a);
      b = next(b);
      c = next(c);
      d = next(d);
      e = next(e);
      f = next(f);
      g = next(g);
      h = next(h);
      // Deep trees are rarely deep everywhere. Indices only grow: no change, all at their leaves.
      if (level >= 8 && a + b + c + d + e + f + g + h == before) {
        break;
      }
    }
    leaves[0] = a;
    leaves[1] = b;
    leaves[2] = c;
    leaves[3] = d;
    leaves[4] = e;
    leaves[5] = f;
    leaves[6] = g;
    leaves[7] = h;
  }
}

template <typename T>
void Trees::WalkExact(const Group& group, const Rows<T>& rows, uint32_t* leaves) const {
  const auto right = [this](const auto& node, uint32_t i, T number) -> uint32_t {
    const auto v = static_cast<double>(number);
    if (std::isnan(v)) {
      return nan_right_[i];
    }
    switch (tests_[i]) {
      case TreeTest::kLessOrEqual:
        return v <= node.threshold ? 0 : 1;
      case TreeTest::kLess:
        return v < node.threshold ? 0 : 1;
      case TreeTest::kEqual:
        return v == node.threshold ? 0 : 1;
    }
    return 0;
  };
  Walk(group, exact_.data(), right, rows, leaves);
}

template <typename NodeType>
void Trees::WalkSingle(const Group& group, const NodeType* nodes, const Rows<float>& rows,
                       uint32_t* leaves) const {
  const auto plain = [](const NodeType& node, uint32_t, float v) -> uint32_t {
    return static_cast<uint32_t>(!(v <= node.threshold));
  };
  if (!rows.may_have_nan) {
    Walk(group, nodes, plain, rows, leaves);
    return;
  }
  const uint8_t* nan_right = nan_right_.data();
  const auto with_nan = [&](const NodeType& node, uint32_t i, float v) -> uint32_t {
    const auto is_nan = static_cast<uint32_t>(std::isnan(v));
    return (is_nan & nan_right[i]) | ((is_nan ^ 1U) & plain(node, i, v));
  };
  Walk(group, nodes, with_nan, rows, leaves);
}

void Trees::FindLeaves(size_t first_tree, const Rows<float>& rows, uint32_t* leaves) const {
  const Group& group = groups_[first_tree / kGroup];
  if (has_equal_) {
    WalkExact(group, rows, leaves);
  } else if (fits_narrow_) {
    WalkSingle(group, narrow_.data(), rows, leaves);
  } else {
    WalkSingle(group, wide_.data(), rows, leaves);
  }
}

void Trees::FindLeaves(size_t first_tree, const Rows<double>& rows, uint32_t* leaves) const {
  WalkExact(groups_[first_tree / kGroup], rows, leaves);
}

}  // namespace sigserve::kernels
