#include "model/train/train_spec.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TrainSpec Good() {
  TrainSpec spec;
  spec.feature_count = 30;
  spec.architecture.hidden_units = {128};
  return spec;
}

TEST(ValidateTrainSpec, AcceptsWhatCanBeTrained) {
  EXPECT_OK(Validate(Good()));
  TrainSpec spec = Good();
  spec.architecture.hidden_units.clear();
  spec.label_count = 3;
  spec.positive_weights = {1, 2, 0.5f};
  spec.optimizer =
      SgdSpec{.learning_rate = 10, .momentum = 0.9, .weight_decay = 1e-4, .nesterov = true};
  spec.schedule = {
      .epochs = 1'000'000, .batch_size = 1, .seed = ~uint64_t{0}, .validation_fraction = 0.9};
  EXPECT_OK(Validate(spec));
}

struct Refusal {
  std::function<void(TrainSpec&)> spoil;
  const char* field;
  const char* value;
};

SgdSpec& Sgd(TrainSpec& spec) { return spec.optimizer.emplace<SgdSpec>(); }
AdamSpec& Adam(TrainSpec& spec) { return spec.optimizer.emplace<AdamSpec>(); }

TEST(ValidateTrainSpec, RefusesWithFieldAndValue) {
  const std::vector<Refusal> refusals = {
      {[](TrainSpec& s) { s.feature_count = 0; }, "feature_count", "0"},
      {[](TrainSpec& s) { s.feature_count = -30; }, "feature_count", "-30"},
      {[](TrainSpec& s) { s.label_count = 0; }, "label_count", "0"},
      {[](TrainSpec& s) { s.label_count = int64_t{1} << 62; }, "label_count",
       "4611686018427387904"},
      {[](TrainSpec& s) {
         s.architecture.hidden_units = {8, 0};
       },
       "hidden_units[1]", "0"},
      {[](TrainSpec& s) { s.architecture.hidden_units = {-1}; }, "hidden_units[0]", "-1"},
      {[](TrainSpec& s) { s.architecture.hidden_units = {1'000'000'000}; }, "hidden_units[0]",
       "1000000000"},
      {[](TrainSpec& s) { s.architecture.hidden_units.assign(17, 1); }, "hidden layers", "17"},
      {[](TrainSpec& s) { s.schedule.epochs = 0; }, "epochs", "0"},
      {[](TrainSpec& s) { s.schedule.epochs = int64_t{1} << 31; }, "epochs", "2147483648"},
      {[](TrainSpec& s) { s.schedule.batch_size = -1; }, "batch_size", "-1"},
      {[](TrainSpec& s) { s.schedule.validation_fraction = -0.1; }, "validation_fraction", "-0.1"},
      {[](TrainSpec& s) { s.schedule.validation_fraction = 1; }, "validation_fraction", "1"},
      {[](TrainSpec& s) { s.schedule.validation_fraction = kNan; }, "validation_fraction", "nan"},
      {[](TrainSpec& s) { Adam(s).learning_rate = kNan; }, "adam.learning_rate", "nan"},
      {[](TrainSpec& s) { Adam(s).learning_rate = 0; }, "adam.learning_rate", "0"},
      {[](TrainSpec& s) { Adam(s).learning_rate = -0.1; }, "adam.learning_rate", "-0.1"},
      {[](TrainSpec& s) { Adam(s).learning_rate = 1e30; }, "adam.learning_rate", "1e+30"},
      {[](TrainSpec& s) { Adam(s).beta1 = 1; }, "adam.beta1", "1"},
      {[](TrainSpec& s) { Adam(s).beta2 = -0.5; }, "adam.beta2", "-0.5"},
      {[](TrainSpec& s) { Adam(s).epsilon = 0; }, "adam.epsilon", "0"},
      {[](TrainSpec& s) { Adam(s).weight_decay = kNan; }, "adam.weight_decay", "nan"},
      {[](TrainSpec& s) { Sgd(s).learning_rate = kInfinity; }, "sgd.learning_rate", "inf"},
      {[](TrainSpec& s) { Sgd(s).momentum = 1; }, "sgd.momentum", "1"},
      {[](TrainSpec& s) { Sgd(s).weight_decay = -1; }, "sgd.weight_decay", "-1"},
      {[](TrainSpec& s) { Sgd(s).nesterov = true; }, "sgd.momentum", "0"},
      {[](TrainSpec& s) {
         s.positive_weights = {1, 1};
       },
       "positive_weights", "2"},
      {[](TrainSpec& s) { s.positive_weights = {-1}; }, "positive_weights[0]", "-1"},
      {[](TrainSpec& s) { s.positive_weights = {std::nanf("")}; }, "positive_weights[0]", "nan"},
  };
  for (const Refusal& refusal : refusals) {
    TrainSpec spec = Good();
    refusal.spoil(spec);
    EXPECT_THAT(Validate(spec),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("TRAIN_PARAM: "), HasSubstr(refusal.field),
                               HasSubstr(std::string(" is ") + refusal.value + "; expected "))));
  }
}

TEST(ValidateTrainSpec, RefusesNetsOver268MillionWeights) {
  TrainSpec spec = Good();
  spec.architecture.hidden_units = {16384, 16384};
  EXPECT_THAT(Validate(spec), StatusIs(absl::StatusCode::kResourceExhausted,
                                       HasSubstr("268976129 weights; at most 268435456")));
  spec.architecture.hidden_units.assign(16, 65536);
  spec.feature_count = 1 << 20;
  EXPECT_THAT(Validate(spec), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("weights")));
}

}  // namespace
}  // namespace sigserve
