// The whole way of a trained classifier on real data (deploy/examples/breast_cancer): train,
// publish, write ONNX, read it back, run it on rows it has never seen.
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/formats/onnx/onnx_reader.h"
#include "model/formats/onnx/onnx_writer.h"
#include "model/runtime/executable.h"
#include "model/runtime/session.h"
#include "model/train/metrics.h"
#include "model/train/trainer.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

constexpr int64_t kFeatures = 30;

struct Table {
  Tensor features;
  Tensor labels;

  int64_t rows() const { return labels.shape()[0]; }
};

// A header; then per row the features and, last, the label.
Table ReadTable(const std::string& name) {
  std::ifstream file(SIGSERVE_SOURCE_DIR "/deploy/examples/breast_cancer/" + name);
  EXPECT_TRUE(file.good()) << name;
  std::vector<float> features;
  std::vector<float> labels;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream cells(line);
    std::string cell;
    for (int64_t column = 0; std::getline(cells, cell, ','); ++column) {
      (column < kFeatures ? features : labels).push_back(std::stof(cell));
    }
  }
  const auto rows = static_cast<int64_t>(labels.size());
  return {Tensor::Of<float>({rows, kFeatures}, absl::MakeConstSpan(features)),
          Tensor::Of<float>({rows, 1}, absl::MakeConstSpan(labels))};
}

std::vector<float> Predict(const Graph& graph, const Tensor& features) {
  auto executable = Executable::Compile(graph);
  EXPECT_OK(executable);
  Session session(*std::move(executable));
  const TensorView input = features.view();
  EXPECT_OK(session.Run({&input, 1}));
  const auto probabilities = session.output(0).values<float>();
  return {probabilities.begin(), probabilities.end()};
}

struct Training {
  const char* name;
  int64_t epochs;
  int64_t batch_size;
  uint64_t seed;
};

void PrintTo(const Training& training, std::ostream* out) { *out << training.name; }

class BreastCancer : public testing::TestWithParam<Training> {};

TEST_P(BreastCancer, TrainedClassifierRanksUnseenRows) {
  TrainSpec spec;
  spec.feature_count = kFeatures;
  spec.architecture.hidden_units = {128};
  spec.optimizer = AdamSpec{.learning_rate = 0.01};
  spec.schedule = {.epochs = GetParam().epochs,
                   .batch_size = GetParam().batch_size,
                   .seed = GetParam().seed,
                   .validation_fraction = 0,
                   .shuffle = true};
  Table training = ReadTable("train.csv");
  const Table unseen = ReadTable("test.csv");
  ASSERT_EQ(training.rows(), 426);
  ASSERT_EQ(unseen.rows(), 143);
  ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<Trainer> trainer,
      Trainer::Create(spec, std::move(training.features), std::move(training.labels), {}));
  for (int64_t epoch = 0; epoch < spec.schedule.epochs; ++epoch) {
    ASSERT_OK(trainer->RunEpoch({}));
  }
  ASSERT_OK_AND_ASSIGN(const Graph graph, trainer->Publishable());
  ASSERT_OK_AND_ASSIGN(const std::string onnx, WriteOnnx(graph, "test"));
  ASSERT_OK_AND_ASSIGN(const Graph read_back, ReadOnnx(onnx));

  const std::vector<float> probabilities = Predict(read_back, unseen.features);
  EXPECT_EQ(probabilities, Predict(graph, unseen.features));
  const auto labels = unseen.labels.values<float>();
  const double auc = RocAuc(probabilities, labels).value();
  const double log_loss = LogLoss(probabilities, labels);
  EXPECT_GE(auc, 0.985);
  EXPECT_LT(log_loss, 0.3);
  RecordProperty("roc_auc", std::to_string(auc));
  RecordProperty("log_loss", std::to_string(log_loss));
}

INSTANTIATE_TEST_SUITE_P(Schedules, BreastCancer,
                         testing::Values(Training{"minibatch", 10, 32, 0},
                                         Training{"minibatch_seed_1", 10, 32, 1},
                                         Training{"minibatch_seed_2", 10, 32, 2},
                                         Training{"full_batch_10_epochs", 10, 0, 0},
                                         Training{"full_batch_50_epochs", 50, 0, 0}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace sigserve
