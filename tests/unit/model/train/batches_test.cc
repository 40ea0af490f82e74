#include "model/train/batches.h"

#include <algorithm>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sigserve {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAreArray;

// Row i has features {i, 10 i} and label i.
Rows Numbered(int64_t count) {
  Rows rows{Tensor(DType::kFloat32, {count, 2}), Tensor(DType::kFloat32, {count, 1})};
  for (int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<size_t>(i);
    const auto number = static_cast<float>(i);
    rows.features.mutable_values<float>()[2 * at] = number;
    rows.features.mutable_values<float>()[2 * at + 1] = 10 * number;
    rows.labels.mutable_values<float>()[at] = number;
  }
  return rows;
}

// The labels of each batch of one epoch; checks that the features belong to them.
std::vector<std::vector<float>> Epoch(Batches& batches) {
  std::vector<std::vector<float>> epoch;
  batches.StartEpoch();
  while (!batches.done()) {
    const Batch batch = batches.Next();
    const auto labels = batch.labels.values<float>();
    const auto features = batch.features.values<float>();
    EXPECT_EQ(features.size(), 2 * labels.size());
    for (size_t i = 0; i < labels.size(); ++i) {
      EXPECT_EQ(features[2 * i], labels[i]);
      EXPECT_EQ(features[2 * i + 1], 10 * labels[i]);
    }
    epoch.emplace_back(labels.begin(), labels.end());
  }
  return epoch;
}

std::vector<float> Joined(const std::vector<std::vector<float>>& epoch) {
  std::vector<float> all;
  for (const auto& batch : epoch) {
    all.insert(all.end(), batch.begin(), batch.end());
  }
  return all;
}

TEST(Batches, GoInOrderAndTheLastMayBeSmaller) {
  const Rows rows = Numbered(5);
  Batches batches(rows, 2, /*shuffle=*/false, 1);
  for (int epoch = 0; epoch < 2; ++epoch) {
    EXPECT_THAT(Epoch(batches), ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3), ElementsAre(4)));
  }
}

TEST(Batches, ZeroOrTooManyIsOneBatchInOrder) {
  const Rows rows = Numbered(3);
  for (const int64_t size : {0, 3, 4}) {
    Batches batches(rows, size, /*shuffle=*/true, 1);
    EXPECT_THAT(Epoch(batches), ElementsAre(ElementsAre(0, 1, 2))) << size;
  }
}

TEST(Batches, ShuffleAnewEveryEpochAndMissNoRow) {
  const Rows rows = Numbered(50);
  Batches batches(rows, 8, /*shuffle=*/true, 1);
  const std::vector<std::vector<float>> first = Epoch(batches);
  const std::vector<std::vector<float>> second = Epoch(batches);
  EXPECT_NE(first, second);
  const auto in_order = rows.labels.values<float>();
  EXPECT_THAT(Joined(first), UnorderedElementsAreArray(in_order));
  EXPECT_THAT(Joined(second), UnorderedElementsAreArray(in_order));
  EXPECT_FALSE(std::equal(in_order.begin(), in_order.end(), Joined(first).begin()));
}

TEST(Batches, OrderIsTheSeeds) {
  const Rows rows = Numbered(50);
  Batches one(rows, 8, true, 1);
  Batches same(rows, 8, true, 1);
  Batches other(rows, 8, true, 2);
  const auto order = Epoch(one);
  EXPECT_EQ(Epoch(same), order);
  EXPECT_NE(Epoch(other), order);
}

}  // namespace
}  // namespace sigserve
