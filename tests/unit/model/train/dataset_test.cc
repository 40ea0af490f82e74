#include "model/train/dataset.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::HasSubstr;

TrainSpec SpecOf(int64_t features, int64_t labels) {
  TrainSpec spec;
  spec.feature_count = features;
  spec.label_count = labels;
  return spec;
}

// `count` rows, numbered by their one feature; every `period`-th is positive.
Rows Numbered(int64_t count, int64_t period) {
  Rows rows{Tensor(DType::kFloat32, {count, 1}), Tensor(DType::kFloat32, {count, 1})};
  for (int64_t i = 0; i < count; ++i) {
    rows.features.mutable_values<float>()[static_cast<size_t>(i)] = static_cast<float>(i);
    rows.labels.mutable_values<float>()[static_cast<size_t>(i)] = i % period == 0 ? 1.0f : 0.0f;
  }
  return rows;
}

std::vector<float> Numbers(const Rows& rows) {
  return {rows.features.values<float>().begin(), rows.features.values<float>().end()};
}

int64_t Positives(const Rows& rows) {
  const auto labels = rows.labels.values<float>();
  return std::count(labels.begin(), labels.end(), 1.0f);
}

TEST(SplitStratified, KeepsTheSharesOfBothClassesAndTheOrder) {
  const SplitRows split = SplitStratified(Numbered(100, 5), 0.25, 7);
  EXPECT_EQ(split.training.count(), 75);
  EXPECT_EQ(split.validation.count(), 25);
  EXPECT_EQ(Positives(split.training), 15);
  EXPECT_EQ(Positives(split.validation), 5);
  std::vector<float> all = Numbers(split.training);
  std::vector<float> held_out = Numbers(split.validation);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  EXPECT_TRUE(std::is_sorted(held_out.begin(), held_out.end()));
  all.insert(all.end(), held_out.begin(), held_out.end());
  std::sort(all.begin(), all.end());
  std::vector<float> expected(100);
  std::iota(expected.begin(), expected.end(), 0.0f);
  EXPECT_EQ(all, expected);
  for (const float number : held_out) {  // the labels came along
    const auto at = std::find(held_out.begin(), held_out.end(), number) - held_out.begin();
    EXPECT_EQ(split.validation.labels.values<float>()[static_cast<size_t>(at)] == 1,
              static_cast<int>(number) % 5 == 0);
  }
}

TEST(SplitStratified, DependsOnTheSeedAlone) {
  const auto held_out = [](uint64_t seed) {
    return Numbers(SplitStratified(Numbered(100, 5), 0.25, seed).validation);
  };
  EXPECT_EQ(held_out(1), held_out(1));
  EXPECT_NE(held_out(1), held_out(2));
}

TEST(SplitStratified, NoFractionNoValidation) {
  const SplitRows split = SplitStratified(Numbered(10, 2), 0, 1);
  EXPECT_EQ(split.training.count(), 10);
  EXPECT_EQ(split.validation.count(), 0);
}

TEST(SplitStratified, NeverHoldsOutTheLastOfAClass) {
  const SplitRows split = SplitStratified(Numbered(10, 10), 0.9, 1);
  EXPECT_EQ(Positives(split.training), 1);
  EXPECT_EQ(split.validation.count(), 8);
}

// Bad data.

TEST(CheckRows, NamesTheOffendingRowAndColumn) {
  const TrainSpec spec = SpecOf(2, 2);
  const auto rows = [](float feature, float label) {
    return Rows{Tensor::Of<float>({3, 2}, {0, 0, 0, 0, 0, feature}),
                Tensor::Of<float>({3, 2}, {0, 1, label, 0, 1, 1})};
  };
  EXPECT_OK(CheckRows(spec, rows(-0.0f, 1)));
  struct Case {
    float feature, label;
    const char* message;
  };
  for (const Case& c : {
           Case{0, 2, "TRAIN_LABEL: label at row 1, column 0 is 2; expected 0 or 1"},
           Case{0, -1, "TRAIN_LABEL: label at row 1, column 0 is -1; expected 0 or 1"},
           Case{0, 0.5f, "TRAIN_LABEL: label at row 1, column 0 is 0.5; expected 0 or 1"},
           Case{0, NAN, "TRAIN_LABEL: label at row 1, column 0 is nan; expected 0 or 1"},
           Case{NAN, 0, "TRAIN_FEATURE: feature at row 2, column 1 is nan; expected a finite"},
           Case{-INFINITY, 0, "TRAIN_FEATURE: feature at row 2, column 1 is -inf; expected"},
       }) {
    EXPECT_THAT(CheckRows(spec, rows(c.feature, c.label)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
  }
}

TEST(CheckRows, SaysWhatShapeMetWhatSpec) {
  const auto floats = [](int64_t rows, int64_t columns) {
    return Tensor(DType::kFloat32, {rows, columns});
  };
  const auto check = [&](Tensor features, Tensor labels) {
    return CheckRows(SpecOf(2, 1), Rows{std::move(features), std::move(labels)});
  };
  EXPECT_THAT(check(floats(3, 2), floats(2, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("TRAIN_LABEL: 2 rows of labels for 3 rows of features")));
  EXPECT_THAT(check(floats(0, 2), floats(0, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("TRAIN_LABEL: no rows")));
  EXPECT_THAT(check(floats(3, 4), floats(3, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("TRAIN_FEATURE: features are FLOAT32 [3,4]; expected FLOAT32 "
                                 "[rows,2]")));
  EXPECT_THAT(check(floats(3, 2), Tensor(DType::kFloat64, {3, 1})),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("TRAIN_LABEL: labels are FLOAT64 [3,1]")));
  EXPECT_THAT(check(floats(3, 2), Tensor(DType::kFloat32, {3})),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("labels are FLOAT32 [3]")));
}

TEST(CheckBothClasses, NamesTheColumnThatNeverChanges) {
  const Tensor features(DType::kFloat32, {3, 1});
  EXPECT_OK(CheckBothClasses({features.Clone(), Tensor::Of<float>({3, 2}, {0, 1, 0, 0, 1, 1})}));
  EXPECT_THAT(CheckBothClasses({features.Clone(), Tensor::Of<float>({3, 2}, {0, 1, 0, 1, 1, 1})}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("TRAIN_LABEL: column 1 of the labels is 1 in all 3 training")));
}

}  // namespace
}  // namespace sigserve
