// Leaves of random trees against a walk by the book.
#include "model/kernels/trees.h"

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace sigserve::kernels {
namespace {

struct Tree {
  std::vector<TreeNode> nodes;
  uint32_t depth = 0;
};

struct Kind {
  std::string name;
  size_t nodes;
  uint32_t features;
  bool equal = false;
  double nan_share = 0;
};

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

Tree RandomTree(const Kind& kind, std::mt19937& random) {
  Tree tree;
  std::vector<uint32_t> depths = {0};
  tree.nodes.resize(1);
  for (size_t at = 0; at < tree.nodes.size(); ++at) {
    if (tree.nodes.size() + 2 > kind.nodes ||
        (at > 0 && at + 1 < depths.size() && random() % 4 == 0)) {
      continue;
    }
    TreeNode& node = tree.nodes[at];
    node.feature = random() % kind.features;
    node.threshold = static_cast<double>(random() % 9) / 4 - 1;
    node.test = static_cast<TreeTest>(random() % (kind.equal ? 3 : 2));
    node.nan_right = random() % 2 == 0;
    node.left = static_cast<uint32_t>(tree.nodes.size());
    tree.nodes.resize(tree.nodes.size() + 2);
    depths.insert(depths.end(), 2, depths[at] + 1);
  }
  tree.depth = depths.back();
  return tree;
}

uint32_t WalkByTheBook(const Tree& tree, const double* x) {
  uint32_t i = 0;
  while (tree.nodes[i].left != 0) {
    const TreeNode& node = tree.nodes[i];
    const double v = x[node.feature];
    const bool left = std::isnan(v)                         ? !node.nan_right
                      : node.test == TreeTest::kLessOrEqual ? v <= node.threshold
                      : node.test == TreeTest::kLess        ? v < node.threshold
                                                            : v == node.threshold;
    i = node.left + (left ? 0 : 1);
  }
  return i;
}

class TreesOfKind : public testing::TestWithParam<Kind> {};

TEST_P(TreesOfKind, FindsTheLeafOfEveryTree) {
  constexpr size_t kRows = 50;
  const Kind kind = GetParam();
  std::mt19937 random(7);
  for (const size_t count : {size_t{1}, size_t{8}, size_t{11}}) {
    Trees trees;
    std::vector<Tree> all;
    std::vector<uint32_t> offsets;
    for (size_t t = 0; t < count; ++t) {
      all.push_back(RandomTree(kind, random));
      offsets.push_back(trees.Add(all.back().nodes, all.back().depth));
    }
    ASSERT_EQ(trees.trees(), count);
    std::vector<float> x(kRows * kind.features);
    for (float& v : x) {
      v = static_cast<float>(random() % 9) / 4 - 1;  // often a threshold
      v = static_cast<double>(random() % 100) < kind.nan_share * 100 ? kNaN : v;
    }
    const std::vector<double> exact(x.begin(), x.end());
    for (size_t first = 0; first < count; first += Trees::kGroup) {
      std::vector<uint32_t> single(kRows * Trees::kGroup);
      std::vector<uint32_t> twice(kRows * Trees::kGroup);
      trees.FindLeaves(first, {x.data(), kRows, kind.features, kind.nan_share > 0}, single.data());
      trees.FindLeaves(first, {exact.data(), kRows, kind.features}, twice.data());
      for (size_t i = 0; i < kRows * Trees::kGroup; ++i) {
        const size_t tree = first + i % Trees::kGroup;
        if (tree >= count) {
          continue;
        }
        const double* row = exact.data() + i / Trees::kGroup * kind.features;
        const uint32_t want = offsets[tree] + WalkByTheBook(all[tree], row);
        ASSERT_EQ(single[i], want) << "tree " << tree << ", row " << i / Trees::kGroup;
        ASSERT_EQ(twice[i], want) << "tree " << tree << ", row " << i / Trees::kGroup;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, TreesOfKind,
                         testing::Values(Kind{"leaf_only", 1, 3}, Kind{"small", 63, 5},
                                         Kind{"missing", 63, 5, false, 0.2},
                                         Kind{"equal", 63, 5, true, 0.2},
                                         Kind{"many_features", 63, 70'000},
                                         Kind{"many_nodes", 200'000, 5, false, 0.1}),
                         [](const auto& info) { return info.param.name; });

// A chain as deep as trees get: 3000 steps, the other trees of its group at their leaf at once.
TEST(Trees, WalksAChain) {
  std::vector<TreeNode> nodes(6001);
  for (uint32_t level = 0, at = 0; level < 3000; ++level) {
    nodes[at] = {static_cast<double>(level), 0, 2 * level + 1};
    at = 2 * level + 2;  // the right child goes on
  }
  Trees trees;
  trees.Add(nodes, 3000);
  trees.Add(std::vector<TreeNode>(1), 0);
  for (const float x : {-1.0F, 0.5F, 1500.0F, 2999.5F}) {
    uint32_t leaves[Trees::kGroup];
    trees.FindLeaves(0, {&x, 1, 1, false}, leaves);
    const uint32_t steps = x < 0 ? 0 : static_cast<uint32_t>(std::ceil(x));
    EXPECT_EQ(leaves[0], steps == 3000 ? 6000 : 2 * steps + 1) << x;
    EXPECT_EQ(leaves[1], 6001U);
  }
}

struct Threshold {
  TreeTest test;
  double threshold;
  float x;
  bool left;
};

// A threshold in double precision, a row in single: as if the row were in double, too.
TEST(Trees, ThresholdsOfDoublePrecision) {
  constexpr float kMax = std::numeric_limits<float>::infinity();
  const double above = std::nextafter(1.0, 2.0);
  const double below = std::nextafter(1.0, 0.0);
  const Threshold cases[] = {
      {TreeTest::kLessOrEqual, 1, 1, true},         {TreeTest::kLess, 1, 1, false},
      {TreeTest::kLessOrEqual, above, 1, true},     {TreeTest::kLess, above, 1, true},
      {TreeTest::kLessOrEqual, below, 1, false},    {TreeTest::kLess, below, 1, false},
      {TreeTest::kLess, 0, -0.0F, false},           {TreeTest::kLessOrEqual, -0.0, 0, true},
      {TreeTest::kLess, -kMax, -kMax, false},       {TreeTest::kLessOrEqual, -kMax, -kMax, true},
      {TreeTest::kLess, kMax, kMax, false},         {TreeTest::kLess, kMax, 3e38F, true},
      {TreeTest::kLessOrEqual, 1e300, kMax, false}, {TreeTest::kLess, 1e300, 3e38F, true},
      {TreeTest::kEqual, above, 1, false},          {TreeTest::kEqual, 1, 1, true},
  };
  for (const Threshold& c : cases) {
    Trees trees;
    std::vector<TreeNode> nodes(3);
    nodes[0] = {c.threshold, 0, 1, c.test, true};
    trees.Add(nodes, 1);
    uint32_t leaves[Trees::kGroup];
    trees.FindLeaves(0, {&c.x, 1, 1, false}, leaves);
    EXPECT_EQ(leaves[0], c.left ? 1U : 2U) << c.x << " against " << c.threshold;
  }
}

}  // namespace
}  // namespace sigserve::kernels
