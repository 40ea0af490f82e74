#include "model/train/train_spec.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

constexpr int64_t kMaxWeights = int64_t{1} << 28;

template <typename T>
absl::Status Wrong(absl::string_view field, T value, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("TRAIN_PARAM: ", field, " is ", value, "; expected ", expected));
}

absl::Status CheckCount(absl::string_view field, int64_t value, int64_t min, int64_t max) {
  return value >= min && value <= max ? absl::OkStatus()
                                      : Wrong(field, value, absl::StrCat(min, " to ", max));
}

// Both ends included. NaN is in no range.
absl::Status CheckReal(absl::string_view field, double value, double min, double max) {
  return value >= min && value <= max ? absl::OkStatus()
                                      : Wrong(field, value, absl::StrCat(min, " to ", max));
}

absl::Status CheckFactor(absl::string_view field, double value) {
  return value >= 0 && value < 1 ? absl::OkStatus() : Wrong(field, value, "0 to less than 1");
}

absl::Status CheckLearningRate(absl::string_view field, double value) {
  return CheckReal(field, value, 1e-12, 1000);
}

absl::Status CheckArchitecture(const TrainSpec& spec) {
  SIGSERVE_RETURN_IF_ERROR(CheckCount("feature_count", spec.feature_count, 1, 1 << 20));
  SIGSERVE_RETURN_IF_ERROR(CheckCount("label_count", spec.label_count, 1, 65536));
  const std::vector<int64_t>& hidden = spec.architecture.hidden_units;
  SIGSERVE_RETURN_IF_ERROR(
      CheckCount("number of hidden layers", static_cast<int64_t>(hidden.size()), 0, 16));
  int64_t weights = 0;
  int64_t inputs = spec.feature_count;
  for (size_t i = 0; i < hidden.size(); ++i) {
    SIGSERVE_RETURN_IF_ERROR(
        CheckCount(absl::StrCat("hidden_units[", i, "]"), hidden[i], 1, 65536));
    weights += (inputs + 1) * hidden[i];
    inputs = hidden[i];
  }
  weights += (inputs + 1) * spec.label_count;
  if (weights > kMaxWeights) {
    return absl::ResourceExhaustedError(
        absl::StrCat("TRAIN_PARAM: the net has ", weights, " weights; at most ", kMaxWeights));
  }
  return absl::OkStatus();
}

absl::Status Check(const SgdSpec& sgd) {
  SIGSERVE_RETURN_IF_ERROR(CheckLearningRate("sgd.learning_rate", sgd.learning_rate));
  SIGSERVE_RETURN_IF_ERROR(CheckFactor("sgd.momentum", sgd.momentum));
  SIGSERVE_RETURN_IF_ERROR(CheckReal("sgd.weight_decay", sgd.weight_decay, 0, 1000));
  if (sgd.nesterov && sgd.momentum == 0) {
    return Wrong("sgd.momentum", sgd.momentum, "more than 0 with nesterov");
  }
  return absl::OkStatus();
}

absl::Status Check(const AdamSpec& adam) {
  SIGSERVE_RETURN_IF_ERROR(CheckLearningRate("adam.learning_rate", adam.learning_rate));
  SIGSERVE_RETURN_IF_ERROR(CheckFactor("adam.beta1", adam.beta1));
  SIGSERVE_RETURN_IF_ERROR(CheckFactor("adam.beta2", adam.beta2));
  SIGSERVE_RETURN_IF_ERROR(CheckReal("adam.epsilon", adam.epsilon, 1e-30, 1));
  return CheckReal("adam.weight_decay", adam.weight_decay, 0, 1000);
}

absl::Status CheckPositiveWeights(const TrainSpec& spec) {
  const std::vector<float>& weights = spec.positive_weights;
  if (!weights.empty() && static_cast<int64_t>(weights.size()) != spec.label_count) {
    return Wrong("number of positive_weights", weights.size(),
                 absl::StrCat("none or one per label, ", spec.label_count));
  }
  for (size_t i = 0; i < weights.size(); ++i) {
    SIGSERVE_RETURN_IF_ERROR(
        CheckReal(absl::StrCat("positive_weights[", i, "]"), weights[i], 1e-6, 1e6));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const TrainSpec& spec) {
  SIGSERVE_RETURN_IF_ERROR(CheckArchitecture(spec));
  SIGSERVE_RETURN_IF_ERROR(
      std::visit([](const auto& optimizer) { return Check(optimizer); }, spec.optimizer));
  const ScheduleSpec& schedule = spec.schedule;
  SIGSERVE_RETURN_IF_ERROR(CheckCount("epochs", schedule.epochs, 1, 1'000'000));
  SIGSERVE_RETURN_IF_ERROR(CheckCount("batch_size", schedule.batch_size, 0, 2'147'483'647));
  SIGSERVE_RETURN_IF_ERROR(CheckReal("validation_fraction", schedule.validation_fraction, 0, 0.9));
  return CheckPositiveWeights(spec);
}

}  // namespace sigserve
