#include "model/train/trainer.h"

#include <cmath>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "model/runtime/executable.h"
#include "model/runtime/session.h"
#include "model/train/random.h"
#include "tests/support/floats.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::HasSubstr;
using testing_support::SameBits;

// Points of the plane, far from the origin and of unlike scales; label 0: inside a circle, label 1:
// to the right of the middle.
struct Points {
  Tensor features, labels;

  explicit Points(int64_t count = 200)
      : features(DType::kFloat32, {count, 2}), labels(DType::kFloat32, {count, 2}) {
    Random random(4, 4);
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      const float x = random.Uniform(-1, 1);
      const float y = random.Uniform(-1, 1);
      features.mutable_values<float>()[2 * i] = 1000 + 50 * x;
      features.mutable_values<float>()[2 * i + 1] = -3 + 0.1f * y;
      labels.mutable_values<float>()[2 * i] = x * x + y * y < 0.6f ? 1.0f : 0.0f;
      labels.mutable_values<float>()[2 * i + 1] = x > 0 ? 1.0f : 0.0f;
    }
  }
};

TrainSpec CircleSpec() {
  TrainSpec spec;
  spec.feature_count = 2;
  spec.label_count = 2;
  spec.architecture.hidden_units = {16};
  spec.optimizer = AdamSpec{.learning_rate = 0.03};
  spec.schedule = {.epochs = 40, .batch_size = 32, .seed = 1, .validation_fraction = 0.25};
  return spec;
}

absl::StatusOr<std::unique_ptr<Trainer>> MakeTrainer(const TrainSpec& spec,
                                                     NamedWeights initial = {}) {
  Points points;
  return Trainer::Create(spec, std::move(points.features), std::move(points.labels),
                         std::move(initial));
}

std::vector<float> AllWeights(const Trainer& trainer) {
  std::vector<float> all;
  for (const auto& [name, tensor] : trainer.Weights()) {
    all.insert(all.end(), tensor.values<float>().begin(), tensor.values<float>().end());
  }
  return all;
}

std::vector<float> TrainedWeights(const TrainSpec& spec, int epochs) {
  auto trainer = MakeTrainer(spec);
  EXPECT_OK(trainer);
  for (int i = 0; i < epochs; ++i) {
    EXPECT_OK((*trainer)->RunEpoch({}));
  }
  return AllWeights(**trainer);
}

TEST(Trainer, LearnsACircleAndReportsIt) {
  ASSERT_OK_AND_ASSIGN(const auto trainer, MakeTrainer(CircleSpec()));
  EXPECT_EQ(trainer->training_rows(), 150);
  EXPECT_EQ(trainer->validation_rows(), 50);
  EpochReport first;
  EpochReport last;
  for (int64_t epoch = 1; epoch <= 40; ++epoch) {
    ASSERT_OK_AND_ASSIGN(last, trainer->RunEpoch([] { return false; }));
    EXPECT_EQ(last.epoch, epoch);
    if (epoch == 1) {
      first = last;
    }
  }
  EXPECT_GT(first.training_loss, 0.6);
  EXPECT_LT(last.training_loss, 0.25);
  EXPECT_LT(last.validation_loss.value(), 0.35);
  EXPECT_GT(last.validation_accuracy.value(), 0.85);
  EXPECT_GT(last.validation_roc_auc.value(), 0.95);
}

TEST(Trainer, WithoutValidationReportsNoValidation) {
  TrainSpec spec = CircleSpec();
  spec.schedule.validation_fraction = 0;
  ASSERT_OK_AND_ASSIGN(const auto trainer, MakeTrainer(spec));
  EXPECT_EQ(trainer->training_rows(), 200);
  EXPECT_EQ(trainer->validation_rows(), 0);
  ASSERT_OK_AND_ASSIGN(const EpochReport report, trainer->RunEpoch({}));
  EXPECT_FALSE(report.validation_loss || report.validation_accuracy || report.validation_roc_auc);
}

TEST(Trainer, SameSpecAndDataGiveTheSameBits) {
  TrainSpec spec = CircleSpec();
  EXPECT_TRUE(SameBits(TrainedWeights(spec, 5), TrainedWeights(spec, 5)));
  const std::vector<float> seed_1 = TrainedWeights(spec, 5);
  spec.schedule.seed = 2;
  EXPECT_FALSE(SameBits(seed_1, TrainedWeights(spec, 5)));
}

TEST(Trainer, StartsFromTheWeightsGiven) {
  ASSERT_OK_AND_ASSIGN(const auto one, MakeTrainer(CircleSpec()));
  ASSERT_OK(one->RunEpoch({}));
  ASSERT_OK_AND_ASSIGN(const auto other, MakeTrainer(CircleSpec(), one->Weights()));
  EXPECT_TRUE(SameBits(AllWeights(*one), AllWeights(*other)));
}

// A batch goes through the net in pieces (of 256 rows); the step is the batch's all the same.
TEST(Trainer, ALargeBatchIsOneStep) {
  TrainSpec spec;
  spec.feature_count = 1;
  spec.optimizer = SgdSpec{.learning_rate = 1};
  spec.standardize = false;
  const int64_t rows = 1000;
  Tensor features(DType::kFloat32, {rows, 1});
  Tensor labels(DType::kFloat32, {rows, 1});
  double weight_gradient = 0;
  double bias_gradient = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const float x = static_cast<float>(i % 10) - 5;
    const float y = i % 3 == 0 ? 1.0f : 0.0f;
    features.mutable_values<float>()[static_cast<size_t>(i)] = x;
    labels.mutable_values<float>()[static_cast<size_t>(i)] = y;
    weight_gradient += (0.5 - y) * x / static_cast<double>(rows);
    bias_gradient += (0.5 - y) / static_cast<double>(rows);
  }
  NamedWeights zeros;
  zeros.emplace_back("0.weight", Tensor(DType::kFloat32, {1, 1}));
  zeros.emplace_back("0.bias", Tensor(DType::kFloat32, {1}));
  ASSERT_OK_AND_ASSIGN(const auto trainer, Trainer::Create(spec, std::move(features),
                                                           std::move(labels), std::move(zeros)));
  ASSERT_OK_AND_ASSIGN(const EpochReport report, trainer->RunEpoch({}));
  EXPECT_NEAR(report.training_loss, std::log(2.0), 1e-6);
  EXPECT_NEAR(AllWeights(*trainer)[0], -weight_gradient, 1e-6);
  EXPECT_NEAR(AllWeights(*trainer)[1], -bias_gradient, 1e-6);
}

// The published graph takes raw features and says what the trainer measured on them.
TEST(Trainer, PublishesWhatItMeasured) {
  TrainSpec spec = CircleSpec();
  spec.schedule.validation_fraction = 0;
  spec.schedule.batch_size = 0;
  spec.optimizer = AdamSpec{.learning_rate = 0.05};
  ASSERT_OK_AND_ASSIGN(const auto trainer, MakeTrainer(spec));
  for (int epoch = 0; epoch < 30; ++epoch) {
    ASSERT_OK(trainer->RunEpoch({}));
  }
  ASSERT_OK_AND_ASSIGN(const Graph graph, trainer->Publishable());
  ASSERT_OK_AND_ASSIGN(auto executable, Executable::Compile(graph));
  EXPECT_EQ(executable->signature().inputs[0].name, "features");
  EXPECT_EQ(executable->signature().inputs[0].shape, Shape({-1, 2}));
  EXPECT_EQ(executable->signature().outputs[0].name, "probabilities");
  EXPECT_EQ(executable->signature().outputs[0].link, Link::kSigmoid);
  EXPECT_TRUE(executable->signature().batchable);
  Session session(std::move(executable));
  const Points points;
  const TensorView features = points.features.view();
  ASSERT_OK(session.Run({&features, 1}));
  double loss = 0;
  const auto probabilities = session.output(0).values<float>();
  for (size_t i = 0; i < 400; ++i) {
    const bool positive = points.labels.values<float>()[i] == 1;
    loss -= std::log(positive ? probabilities[i] : 1 - probabilities[i]) / 400;
  }
  ASSERT_OK_AND_ASSIGN(const EpochReport next, trainer->RunEpoch({}));  // measures, then steps
  EXPECT_NEAR(next.training_loss, loss, 1e-5);
}

TEST(Trainer, StopsBetweenBatchesWhenCancelled) {
  ASSERT_OK_AND_ASSIGN(const auto trainer, MakeTrainer(CircleSpec()));
  int asked = 0;
  EXPECT_THAT(trainer->RunEpoch([&] { return ++asked == 3; }),
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("epoch 1")));
  EXPECT_EQ(asked, 3);
}

TEST(Trainer, StopsWithinAFullBatchWhenCancelled) {
  TrainSpec spec = CircleSpec();
  spec.schedule.batch_size = 0;
  // It asks before each 256 rows of the batch.
  Points points(1000);
  ASSERT_OK_AND_ASSIGN(const auto trainer, Trainer::Create(spec, std::move(points.features),
                                                           std::move(points.labels), {}));
  int asked = 0;
  EXPECT_THAT(trainer->RunEpoch([&] { return ++asked == 2; }),
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("epoch 1")));
  EXPECT_EQ(asked, 2);
}

// Bad input.

TEST(Trainer, RefusesABadSpecBadRowsAndBadWeights) {
  TrainSpec spec = CircleSpec();
  spec.schedule.epochs = 0;
  EXPECT_THAT(MakeTrainer(spec),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("TRAIN_PARAM: epochs is 0")));
  spec = CircleSpec();
  spec.feature_count = 3;
  EXPECT_THAT(MakeTrainer(spec),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("TRAIN_FEATURE: features are FLOAT32 [200,2]")));
  NamedWeights weights;
  weights.emplace_back("fc1", Tensor(DType::kFloat32, {2}));
  EXPECT_THAT(MakeTrainer(CircleSpec(), std::move(weights)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'fc1' is unknown")));
  Points points;
  points.labels.mutable_values<float>()[7] = 2;
  EXPECT_THAT(
      Trainer::Create(CircleSpec(), std::move(points.features), std::move(points.labels), {}),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("TRAIN_LABEL: label at row 3, column 1 is 2")));
}

TEST(Trainer, RefusesOneClass) {
  TrainSpec spec = CircleSpec();
  spec.label_count = 1;
  EXPECT_THAT(
      Trainer::Create(spec, Tensor(DType::kFloat32, {20, 2}), Tensor(DType::kFloat32, {20, 1}), {}),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("TRAIN_LABEL: column 0 of the labels is 0 in all 15")));
}

TEST(Trainer, FeaturesThatNeverChangeAreFine) {
  Points points;
  for (size_t i = 0; i < 200; ++i) {
    points.features.mutable_values<float>()[2 * i] = 0.1f;
  }
  ASSERT_OK_AND_ASSIGN(const auto trainer, Trainer::Create(CircleSpec(), std::move(points.features),
                                                           std::move(points.labels), {}));
  EXPECT_OK(trainer->RunEpoch({}));
  EXPECT_OK(trainer->Publishable());
}

TEST(Trainer, PublishesNothingThatDiverged) {
  TrainSpec spec = CircleSpec();
  spec.optimizer = SgdSpec{.learning_rate = 1000, .momentum = 0.99, .weight_decay = 1000};
  ASSERT_OK_AND_ASSIGN(const auto trainer, MakeTrainer(spec));
  absl::Status status;
  for (int epoch = 0; epoch < 100 && status.ok(); ++epoch) {
    status = trainer->RunEpoch({}).status();
  }
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("TRAIN_DIVERGED: ")));
  EXPECT_THAT(trainer->RunEpoch({}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("")));
  EXPECT_THAT(trainer->Publishable(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("TRAIN_DIVERGED")));
}

TEST(Trainer, FeaturesThatOverflowAreNotPublished) {
  Points points;
  const float max = std::numeric_limits<float>::max();
  for (size_t i = 0; i < 200; ++i) {
    points.features.mutable_values<float>()[2 * i] = i % 2 == 0 ? max : -max;
  }
  TrainSpec spec = CircleSpec();
  spec.standardize = false;
  ASSERT_OK_AND_ASSIGN(const auto trainer, Trainer::Create(spec, std::move(points.features),
                                                           std::move(points.labels), {}));
  EXPECT_THAT(trainer->RunEpoch({}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("TRAIN_DIVERGED")));
}

}  // namespace
}  // namespace sigserve
