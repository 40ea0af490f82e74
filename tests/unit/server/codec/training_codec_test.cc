#include "server/codec/training_codec.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::TrainSpec Minimal() {
  v1::TrainSpec spec;
  spec.set_model_name("m");
  spec.set_feature_count(3);
  return spec;
}

TEST(DecodeTrainSpecTest, AbsentFieldsHaveTheirDefaults) {
  ASSERT_OK_AND_ASSIGN(const JobRequest request, DecodeTrainSpec(Minimal()));
  EXPECT_EQ(request.model, "m");
  const TrainSpec& spec = request.spec;
  EXPECT_EQ(spec.feature_count, 3);
  EXPECT_EQ(spec.label_count, 1);
  EXPECT_TRUE(spec.architecture.hidden_units.empty());
  EXPECT_EQ(spec.schedule.epochs, 10);
  EXPECT_EQ(spec.schedule.batch_size, 0);
  EXPECT_TRUE(spec.schedule.shuffle);
  EXPECT_TRUE(spec.standardize);
  const AdamSpec& adam = std::get<AdamSpec>(spec.optimizer);
  EXPECT_EQ(adam.learning_rate, 0.001);
  EXPECT_EQ(adam.beta1, 0.9);
  EXPECT_EQ(adam.beta2, 0.999);
  EXPECT_EQ(adam.epsilon, 1e-8);
}

TEST(DecodeTrainSpecTest, GivenFieldsArrive) {
  v1::TrainSpec wire = Minimal();
  wire.set_label_count(2);
  v1::MlpArchitecture& mlp = *wire.mutable_architecture()->mutable_mlp();
  mlp.add_hidden_units(8);
  mlp.add_hidden_units(4);
  mlp.set_activation(v1::ACTIVATION_TANH);
  v1::Sgd& sgd = *wire.mutable_optimizer()->mutable_sgd();
  sgd.set_momentum(0.9);
  sgd.set_nesterov(true);
  wire.set_epochs(7);
  wire.set_batch_size(32);
  wire.set_seed(5);
  wire.set_validation_fraction(0.25);
  wire.set_keep_order(true);
  wire.set_skip_standardization(true);
  wire.add_positive_weights(2);
  wire.add_positive_weights(1);
  wire.add_label_names("a");
  wire.add_label_names("b");
  v1::Tensor& weight = *wire.add_initial_weights();
  weight.set_name("0.bias");
  weight.add_shape(2);
  weight.add_float_values(1);
  weight.add_float_values(2);

  ASSERT_OK_AND_ASSIGN(const JobRequest request, DecodeTrainSpec(wire));
  const TrainSpec& spec = request.spec;
  EXPECT_THAT(spec.architecture.hidden_units, ElementsAre(8, 4));
  EXPECT_EQ(spec.architecture.activation, Activation::kTanh);
  EXPECT_EQ(std::get<SgdSpec>(spec.optimizer).learning_rate, 0.01);  // its default
  EXPECT_EQ(std::get<SgdSpec>(spec.optimizer).momentum, 0.9);
  EXPECT_TRUE(std::get<SgdSpec>(spec.optimizer).nesterov);
  EXPECT_EQ(spec.schedule.epochs, 7);
  EXPECT_EQ(spec.schedule.batch_size, 32);
  EXPECT_EQ(spec.schedule.seed, 5u);
  EXPECT_EQ(spec.schedule.validation_fraction, 0.25);
  EXPECT_FALSE(spec.schedule.shuffle);
  EXPECT_FALSE(spec.standardize);
  EXPECT_THAT(spec.positive_weights, ElementsAre(2, 1));
  EXPECT_THAT(request.label_names, ElementsAre("a", "b"));
  ASSERT_EQ(request.initial_weights.size(), 1u);
  EXPECT_EQ(request.initial_weights[0].first, "0.bias");
  EXPECT_THAT(request.initial_weights[0].second.values<float>(), ElementsAre(1, 2));
  EXPECT_EQ(WeightBytes(request), 8);
}

TEST(DecodeTrainSpecTest, ErrorsNameTheField) {
  const struct {
    std::function<void(v1::TrainSpec&)> spoil;
    const char* says;
  } kCases[] = {
      {[](auto& s) { s.clear_model_name(); }, "model_name"},
      {[](auto& s) { s.set_model_name("../x"); }, "'../x'"},
      {[](auto& s) { s.set_feature_count(0); }, "feature_count is 0"},
      {[](auto& s) { s.set_label_count(-1); }, "label_count is -1"},
      {[](auto& s) { s.mutable_architecture()->mutable_mlp(); }, "hidden_units is empty"},
      {[](auto& s) { s.mutable_architecture()->mutable_mlp()->add_hidden_units(1'000'000'000); },
       "hidden_units[0]"},
      {[](auto& s) {
         s.mutable_architecture()->mutable_mlp()->add_hidden_units(1);
         s.mutable_architecture()->mutable_mlp()->set_activation(static_cast<v1::Activation>(9));
       },
       "activation is 9"},
      {[](auto& s) { s.mutable_optimizer()->mutable_adam()->set_learning_rate(0); },
       "adam.learning_rate is 0"},
      {[](auto& s) { s.mutable_optimizer()->mutable_sgd()->set_learning_rate(1e30); },
       "sgd.learning_rate is 1e+30"},
      {[](auto& s) { s.set_epochs(int64_t{1} << 31); }, "epochs is 2147483648"},
      {[](auto& s) { s.set_batch_size(-1); }, "batch_size is -1"},
      {[](auto& s) { s.set_validation_fraction(1); }, "validation_fraction is 1"},
      {[](auto& s) { s.add_label_names("a"), s.add_label_names("b"); }, "label_names has 2 names"},
      {[](auto& s) { s.add_label_names(""); }, "label_names[0] has 0 bytes"},
      {[](auto& s) { s.add_initial_weights()->add_shape(2); }, "initial_weights"},
      {[](auto& s) { s.add_initial_weights()->set_dtype(v1::DATA_TYPE_INT64); }, "dtype 4"}};
  for (const auto& test : kCases) {
    v1::TrainSpec spec = Minimal();
    test.spoil(spec);
    EXPECT_THAT(DecodeTrainSpec(spec),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("TRAIN_PARAM"), HasSubstr(test.says))));
  }
}

v1::TrainChunk ChunkOf(size_t feature_bytes, size_t label_bytes, char fill = 0) {
  v1::TrainChunk chunk;
  chunk.set_features(std::string(feature_bytes, fill));
  chunk.set_labels(std::string(label_bytes, fill));
  return chunk;
}

TEST(RowCollectorTest, JoinsChunksInOrder) {
  // Chunks around the size of a block, so that some are gathered and some stand alone.
  RowCollector rows(2, 1);
  const size_t counts[] = {1, 3, 200'000, 1, 1, 131'072, 5};
  char fill = 1;
  for (const size_t count : counts) {
    v1::TrainChunk chunk = ChunkOf(count * 8, count * 4, fill++);
    ASSERT_OK(rows.Add(&chunk));
  }
  const int64_t total = rows.rows();
  EXPECT_EQ(total, 331'083);
  ASSERT_OK_AND_ASSIGN(const Rows all, std::move(rows).Finish());
  EXPECT_EQ(all.features.shape(), (Shape{total, 2}));
  EXPECT_EQ(all.labels.shape(), (Shape{total, 1}));
  const char* feature = static_cast<const char*>(all.features.data());
  const char* label = static_cast<const char*>(all.labels.data());
  char expected = 1;
  for (const size_t count : counts) {
    EXPECT_EQ(feature[0], expected);
    EXPECT_EQ(feature[count * 8 - 1], expected);
    EXPECT_EQ(label[count * 4 - 1], expected);
    feature += count * 8;
    label += count * 4;
    ++expected;
  }
}

TEST(RowCollectorTest, RefusesWhatIsNotWholeRows) {
  const struct {
    size_t feature_bytes;
    size_t label_bytes;
    const char* says;
  } kCases[] = {{0, 0, "chunk 1 is empty"},
                {12, 4, "features have 12 bytes; expected a multiple of 8"},
                {8, 3, "labels have 3 bytes; expected a multiple of 4"},
                {8, 8, "1 rows of features and 2 rows of labels"},
                {8, 0, "1 rows of features and 0 rows of labels"},
                {0, 4, "0 rows of features and 1 rows of labels"}};
  for (const auto& test : kCases) {
    RowCollector rows(2, 1);
    v1::TrainChunk good = ChunkOf(8, 4);
    ASSERT_OK(rows.Add(&good));
    v1::TrainChunk bad = ChunkOf(test.feature_bytes, test.label_bytes);
    EXPECT_THAT(rows.Add(&bad),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("TRAIN_CHUNK: chunk 1"), HasSubstr(test.says))));
  }
  EXPECT_THAT(RowCollector(2, 1).Finish(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no rows")));
}

TEST(EncodeEventTest, JobsAndEpochs) {
  JobStatus status;
  status.id = "job-000003";
  status.model = "m";
  status.state = JobState::kFailed;
  status.message = "why";
  status.created = absl::FromUnixMillis(5);
  status.last_epoch = EpochMetrics{2, 0.5, std::nullopt, 0.25, std::nullopt, absl::Seconds(3)};
  const v1::JobEvent job = EncodeEvent({4, status});
  EXPECT_EQ(job.number(), 4);
  EXPECT_EQ(job.job().job_id(), "job-000003");
  EXPECT_EQ(job.job().state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.job().message(), "why");
  EXPECT_EQ(job.job().created_unix_ms(), 5);
  EXPECT_EQ(job.job().started_unix_ms(), 0);  // it never did
  EXPECT_FALSE(job.job().last_epoch().has_validation_loss());
  EXPECT_EQ(job.job().last_epoch().validation_accuracy(), 0.25);
  const v1::JobEvent epoch = EncodeEvent({5, *status.last_epoch});
  EXPECT_EQ(epoch.epoch().epoch(), 2);
  EXPECT_EQ(epoch.epoch().training_loss(), 0.5);
  EXPECT_EQ(epoch.epoch().elapsed_seconds(), 3);
}

}  // namespace
}  // namespace sigserve
