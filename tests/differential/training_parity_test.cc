// Training against PyTorch 1.13: from the same initial weights, every epoch's loss must be what
// PyTorch's was (tests/golden/train_64_128_2; make.py there says how each run was made).
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/train/trainer.h"
#include "tests/support/npy.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing_support::ReadNpy;

constexpr char kGolden[] = SIGSERVE_SOURCE_DIR "/tests/golden/train_64_128_2/";

Tensor Golden(const std::string& name) {
  auto tensor = ReadNpy(kGolden + name + ".npy");
  EXPECT_OK(tensor);
  return tensor.ok() ? *std::move(tensor) : Tensor();
}

struct Recording {
  const char* name;
  OptimizerSpec optimizer;
  int64_t batch_size = 0;
  std::vector<float> positive_weights = {};
  // How far a loss may be off by epoch 200. PyTorch's own float32 and float64 runs of adam_wd are
  // 1.1e-5 apart by then.
  double tolerance = 1e-5;
};

void PrintTo(const Recording& run, std::ostream* out) { *out << run.name; }

class TrainingParity : public testing::TestWithParam<Recording> {};

TEST_P(TrainingParity, EveryEpochsLossIsPyTorchs) {
  const Recording& run = GetParam();
  TrainSpec spec;
  spec.feature_count = 64;
  spec.label_count = 2;
  spec.architecture.hidden_units = {128};
  spec.optimizer = run.optimizer;
  spec.schedule = {.epochs = 200, .batch_size = run.batch_size, .shuffle = false};
  spec.standardize = false;
  spec.positive_weights = run.positive_weights;
  NamedWeights initial;
  for (const char* name : {"0.weight", "0.bias", "2.weight", "2.bias"}) {
    initial.emplace_back(name, Golden(name));
  }
  const Tensor expected = Golden(run.name);
  ASSERT_EQ(expected.elements(), 200);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Trainer> trainer,
                       Trainer::Create(spec, Golden("x"), Golden("y"), std::move(initial)));
  double worst_of_10 = 0;
  double worst = 0;
  for (int64_t epoch = 1; epoch <= 200; ++epoch) {
    ASSERT_OK_AND_ASSIGN(const EpochReport report, trainer->RunEpoch({}));
    ASSERT_EQ(report.epoch, epoch);
    const double off =
        std::abs(report.training_loss - expected.values<double>()[static_cast<size_t>(epoch - 1)]);
    EXPECT_LE(off, epoch <= 10 ? 1e-5 : run.tolerance) << "epoch " << epoch;
    worst = std::max(worst, off);
    worst_of_10 = epoch <= 10 ? worst : worst_of_10;
  }
  RecordProperty("worst_of_10", std::to_string(worst_of_10 * 1e9) + "e-9");
  RecordProperty("worst_of_200", std::to_string(worst * 1e9) + "e-9");
}

const AdamSpec kAdam = {.learning_rate = 0.01};

INSTANTIATE_TEST_SUITE_P(
    Optimizers, TrainingParity,
    testing::Values(
        Recording{.name = "adam", .optimizer = kAdam},
        Recording{.name = "adam_wd",
                  .optimizer = AdamSpec{.learning_rate = 0.01, .weight_decay = 1e-3},
                  .tolerance = 2.5e-5},
        Recording{.name = "sgd", .optimizer = SgdSpec{.learning_rate = 0.1}},
        Recording{.name = "sgd_momentum",
                  .optimizer = SgdSpec{.learning_rate = 0.05, .momentum = 0.9}},
        Recording{.name = "sgd_nesterov_wd",
                  .optimizer = SgdSpec{.learning_rate = 0.05,
                                       .momentum = 0.9,
                                       .weight_decay = 1e-3,
                                       .nesterov = true}},
        Recording{.name = "sgd_minibatch_32",
                  .optimizer = SgdSpec{.learning_rate = 0.1},
                  .batch_size = 32},
        Recording{.name = "adam_minibatch_48", .optimizer = kAdam, .batch_size = 48},
        Recording{.name = "adam_pos_weight", .optimizer = kAdam, .positive_weights = {2, 0.5f}}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace sigserve
