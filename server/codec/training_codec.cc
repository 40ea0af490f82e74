#include "server/codec/training_codec.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "model/base/status_macros.h"
#include "model/base/utf8.h"
#include "model/repository/repository.h"
#include "server/codec/wire_tensor.h"
#include "server/rpc/status.h"

namespace sigserve {
namespace {

static_assert(std::endian::native == std::endian::little,
              "rows are copied as they come: memory must be little-endian too");

constexpr size_t kMaxLabelBytes = 256;
// Small chunks are gathered in blocks of this size, so that a million one-row chunks cost no more
// memory than one chunk of a million rows.
constexpr size_t kBlockBytes = size_t{1} << 20;

absl::Status Wrong(absl::string_view field, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat("TRAIN_PARAM: ", field, " ", problem));
}

absl::StatusOr<ArchitectureSpec> DecodeArchitecture(const v1::Architecture& architecture) {
  ArchitectureSpec spec;
  if (!architecture.has_mlp()) return spec;
  const v1::MlpArchitecture& mlp = architecture.mlp();
  if (mlp.hidden_units().empty()) {
    return Wrong("architecture.mlp.hidden_units", "is empty; expected 1 to 16 layers");
  }
  spec.hidden_units.assign(mlp.hidden_units().begin(), mlp.hidden_units().end());
  switch (mlp.activation()) {
    case v1::ACTIVATION_UNSPECIFIED:
    case v1::ACTIVATION_RELU:
      spec.activation = Activation::kRelu;
      return spec;
    case v1::ACTIVATION_TANH:
      spec.activation = Activation::kTanh;
      return spec;
    case v1::ACTIVATION_SIGMOID:
      spec.activation = Activation::kSigmoid;
      return spec;
    default:
      return Wrong("architecture.mlp.activation",
                   absl::StrCat("is ", static_cast<int>(mlp.activation()),
                                "; expected RELU (1), TANH (2) or SIGMOID (3)"));
  }
}

OptimizerSpec DecodeOptimizer(const v1::Optimizer& optimizer) {
  if (optimizer.has_sgd()) {
    const v1::Sgd& sgd = optimizer.sgd();
    SgdSpec spec;
    if (sgd.has_learning_rate()) spec.learning_rate = sgd.learning_rate();
    spec.momentum = sgd.momentum();
    spec.weight_decay = sgd.weight_decay();
    spec.nesterov = sgd.nesterov();
    return spec;
  }
  const v1::Adam& adam = optimizer.adam();
  AdamSpec spec;
  if (adam.has_learning_rate()) spec.learning_rate = adam.learning_rate();
  if (adam.has_beta1()) spec.beta1 = adam.beta1();
  if (adam.has_beta2()) spec.beta2 = adam.beta2();
  if (adam.has_epsilon()) spec.epsilon = adam.epsilon();
  spec.weight_decay = adam.weight_decay();
  return spec;
}

absl::StatusOr<Tensor> DecodeWeight(const v1::Tensor& tensor) {
  if (tensor.dtype() != v1::DATA_TYPE_UNSPECIFIED && tensor.dtype() != v1::DATA_TYPE_FLOAT32) {
    return absl::InvalidArgumentError(absl::StrCat("input ", Quote(tensor.name()), " has dtype ",
                                                   static_cast<int>(tensor.dtype()),
                                                   "; expected DATA_TYPE_FLOAT32 (1)"));
  }
  SIGSERVE_ASSIGN_OR_RETURN(
      const Shape shape,
      DecodeShape(
          tensor.name(),
          absl::MakeConstSpan(tensor.shape().data(), static_cast<size_t>(tensor.shape().size())),
          DType::kFloat32));
  if (!tensor.data().empty() && !tensor.float_values().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("input ", Quote(tensor.name()), " has both data and float_values"));
  }
  const absl::StatusOr<TensorView> view =
      tensor.float_values().empty()
          ? ViewOfBytes(tensor.name(), DType::kFloat32, "FLOAT32", shape, tensor.data())
          : ViewOfElements(tensor.name(), DType::kFloat32, shape, "float_values",
                           tensor.float_values().data(), tensor.float_values().size());
  SIGSERVE_RETURN_IF_ERROR(view.status());
  return Tensor::CopyOf(*view);
}

absl::Status CheckLabelNames(const v1::TrainSpec& spec, int64_t label_count) {
  if (spec.label_names().empty()) return absl::OkStatus();
  if (spec.label_names_size() != label_count) {
    return Wrong("label_names",
                 absl::StrCat("has ", spec.label_names_size(),
                              " names; expected none or label_count, ", label_count));
  }
  for (int i = 0; i < spec.label_names_size(); ++i) {
    const size_t size = spec.label_names(i).size();
    if (size == 0 || size > kMaxLabelBytes) {
      return Wrong(absl::StrCat("label_names[", i, "]"),
                   absl::StrCat("has ", size, " bytes; expected 1 to ", kMaxLabelBytes));
    }
  }
  return absl::OkStatus();
}

void Append(std::string* bytes, std::vector<std::string>* blocks) {
  if (!blocks->empty() && blocks->back().size() + bytes->size() <= kBlockBytes) {
    blocks->back().append(*bytes);
  } else {
    blocks->push_back(std::move(*bytes));
  }
  bytes->clear();
}

Tensor Join(std::vector<std::string> blocks, Shape shape) {
  Tensor tensor(DType::kFloat32, std::move(shape));
  char* out = static_cast<char*>(tensor.data());
  for (std::string& block : blocks) {
    out = std::copy(block.begin(), block.end(), out);
    block = std::string();
  }
  return tensor;
}

void EncodeEpoch(const EpochMetrics& metrics, v1::EpochMetrics* out) {
  out->set_epoch(metrics.epoch);
  out->set_training_loss(metrics.training_loss);
  if (metrics.validation_loss.has_value()) out->set_validation_loss(*metrics.validation_loss);
  if (metrics.validation_accuracy.has_value()) {
    out->set_validation_accuracy(*metrics.validation_accuracy);
  }
  if (metrics.validation_roc_auc.has_value()) {
    out->set_validation_roc_auc(*metrics.validation_roc_auc);
  }
  out->set_elapsed_seconds(absl::ToDoubleSeconds(metrics.elapsed));
}

v1::JobState EncodeState(JobState state) {
  switch (state) {
    case JobState::kQueued:
      return v1::JOB_STATE_QUEUED;
    case JobState::kRunning:
      return v1::JOB_STATE_RUNNING;
    case JobState::kSucceeded:
      return v1::JOB_STATE_SUCCEEDED;
    case JobState::kFailed:
      return v1::JOB_STATE_FAILED;
    case JobState::kCancelled:
      return v1::JOB_STATE_CANCELLED;
  }
  return v1::JOB_STATE_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<JobRequest> DecodeTrainSpec(const v1::TrainSpec& spec) {
  JobRequest request;
  request.model = spec.model_name();
  SIGSERVE_RETURN_IF_ERROR(
      Annotate(Repository::CheckModelName(request.model), "TRAIN_PARAM: model_name"));
  TrainSpec& train = request.spec;
  train.feature_count = spec.feature_count();
  train.label_count = spec.label_count() == 0 ? 1 : spec.label_count();
  SIGSERVE_ASSIGN_OR_RETURN(train.architecture, DecodeArchitecture(spec.architecture()));
  train.optimizer = DecodeOptimizer(spec.optimizer());
  if (spec.epochs() != 0) train.schedule.epochs = spec.epochs();
  train.schedule.batch_size = spec.batch_size();
  train.schedule.seed = spec.seed();
  train.schedule.validation_fraction = spec.validation_fraction();
  train.schedule.shuffle = !spec.keep_order();
  train.standardize = !spec.skip_standardization();
  train.positive_weights.assign(spec.positive_weights().begin(), spec.positive_weights().end());
  SIGSERVE_RETURN_IF_ERROR(Validate(train));
  SIGSERVE_RETURN_IF_ERROR(CheckLabelNames(spec, train.label_count));
  request.label_names.assign(spec.label_names().begin(), spec.label_names().end());
  for (const v1::Tensor& weight : spec.initial_weights()) {
    absl::StatusOr<Tensor> tensor = DecodeWeight(weight);
    SIGSERVE_RETURN_IF_ERROR(Annotate(tensor.status(), "TRAIN_PARAM: initial_weights"));
    request.initial_weights.emplace_back(weight.name(), *std::move(tensor));
  }
  return request;
}

int64_t WeightBytes(const JobRequest& request) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : request.initial_weights) {
    bytes += static_cast<int64_t>(tensor.bytes());
  }
  return bytes;
}

absl::Status RowCollector::Add(v1::TrainChunk* chunk) {
  const auto wrong = [this](absl::string_view problem) {
    return absl::InvalidArgumentError(absl::StrCat("TRAIN_CHUNK: chunk ", chunks_, problem));
  };
  const auto feature_bytes = static_cast<int64_t>(chunk->features().size());
  const auto label_bytes = static_cast<int64_t>(chunk->labels().size());
  const int64_t feature_row = feature_count_ * static_cast<int64_t>(sizeof(float));
  const int64_t label_row = label_count_ * static_cast<int64_t>(sizeof(float));
  if (feature_bytes == 0 && label_bytes == 0) return wrong(" is empty; expected at least one row");
  if (feature_bytes % feature_row != 0) {
    return wrong(absl::StrCat(": features have ", feature_bytes, " bytes; expected a multiple of ",
                              feature_row, " (", feature_count_, " float32 columns)"));
  }
  if (label_bytes % label_row != 0) {
    return wrong(absl::StrCat(": labels have ", label_bytes, " bytes; expected a multiple of ",
                              label_row, " (", label_count_, " float32 columns)"));
  }
  const int64_t rows = feature_bytes / feature_row;
  if (rows != label_bytes / label_row) {
    return wrong(absl::StrCat(" has ", rows, " rows of features and ", label_bytes / label_row,
                              " rows of labels; expected the same number"));
  }
  Append(chunk->mutable_features(), &features_);
  Append(chunk->mutable_labels(), &labels_);
  rows_ += rows;
  ++chunks_;
  return absl::OkStatus();
}

absl::StatusOr<Rows> RowCollector::Finish() && {
  if (rows_ == 0) {
    return absl::InvalidArgumentError("TRAIN_CHUNK: no rows were sent; expected at least 2");
  }
  return Rows{Join(std::move(features_), Shape{rows_, feature_count_}),
              Join(std::move(labels_), Shape{rows_, label_count_})};
}

v1::Job EncodeJob(const JobStatus& status) {
  v1::Job job;
  job.set_job_id(status.id);
  job.set_model_name(status.model);
  job.set_state(EncodeState(status.state));
  job.set_message(EscapeInvalidUtf8(status.message));
  job.set_created_unix_ms(absl::ToUnixMillis(status.created));
  job.set_started_unix_ms(absl::ToUnixMillis(status.started));
  job.set_ended_unix_ms(absl::ToUnixMillis(status.ended));
  job.set_epochs_done(status.epochs_done);
  job.set_epochs_total(status.epochs_total);
  job.set_published_version(status.published_version);
  job.set_training_rows(status.training_rows);
  job.set_validation_rows(status.validation_rows);
  if (status.last_epoch.has_value()) EncodeEpoch(*status.last_epoch, job.mutable_last_epoch());
  job.set_seed(status.seed);
  return job;
}

v1::JobEvent EncodeEvent(const JobEvent& event) {
  v1::JobEvent out;
  out.set_number(event.number);
  if (const auto* status = std::get_if<JobStatus>(&event.what)) {
    *out.mutable_job() = EncodeJob(*status);
  } else {
    EncodeEpoch(std::get<EpochMetrics>(event.what), out.mutable_epoch());
  }
  return out;
}

}  // namespace sigserve
