#include "client/convert.h"

#include <utility>

namespace sigserve::client {
namespace {

v1::DataType ToProto(DataType dtype) {
  switch (dtype) {
    case DataType::kUnspecified:
      return v1::DATA_TYPE_UNSPECIFIED;
    case DataType::kFloat32:
      return v1::DATA_TYPE_FLOAT32;
    case DataType::kFloat64:
      return v1::DATA_TYPE_FLOAT64;
    case DataType::kInt32:
      return v1::DATA_TYPE_INT32;
    case DataType::kInt64:
      return v1::DATA_TYPE_INT64;
    case DataType::kBool:
      return v1::DATA_TYPE_BOOL;
  }
  return v1::DATA_TYPE_UNSPECIFIED;
}

DataType FromProto(v1::DataType dtype) {
  switch (dtype) {
    case v1::DATA_TYPE_FLOAT32:
      return DataType::kFloat32;
    case v1::DATA_TYPE_FLOAT64:
      return DataType::kFloat64;
    case v1::DATA_TYPE_INT32:
      return DataType::kInt32;
    case v1::DATA_TYPE_INT64:
      return DataType::kInt64;
    case v1::DATA_TYPE_BOOL:
      return DataType::kBool;
    default:
      return DataType::kUnspecified;
  }
}

ModelState FromProto(v1::ModelState state) {
  switch (state) {
    case v1::MODEL_STATE_LOADING:
      return ModelState::kLoading;
    case v1::MODEL_STATE_READY:
      return ModelState::kReady;
    case v1::MODEL_STATE_FAILED:
      return ModelState::kFailed;
    case v1::MODEL_STATE_IGNORED:
      return ModelState::kIgnored;
    default:
      return ModelState::kUnspecified;
  }
}

JobState FromProto(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_QUEUED:
      return JobState::kQueued;
    case v1::JOB_STATE_RUNNING:
      return JobState::kRunning;
    case v1::JOB_STATE_SUCCEEDED:
      return JobState::kSucceeded;
    case v1::JOB_STATE_FAILED:
      return JobState::kFailed;
    case v1::JOB_STATE_CANCELLED:
      return JobState::kCancelled;
    default:
      return JobState::kUnspecified;
  }
}

v1::Activation ToProto(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return v1::ACTIVATION_RELU;
    case Activation::kTanh:
      return v1::ACTIVATION_TANH;
    case Activation::kSigmoid:
      return v1::ACTIVATION_SIGMOID;
  }
  return v1::ACTIVATION_UNSPECIFIED;
}

template <typename T, typename Repeated>
std::vector<T> ToVector(const Repeated& field) {
  return std::vector<T>(field.begin(), field.end());
}

TensorSpec FromProto(const v1::TensorSpec& spec) {
  return {.name = spec.name(),
          .dtype = FromProto(spec.dtype()),
          .shape = ToVector<int64_t>(spec.shape()),
          .any_rank = spec.any_rank(),
          .is_probability = spec.is_probability(),
          .labels = ToVector<std::string>(spec.labels()),
          .thresholds = ToVector<float>(spec.thresholds()),
          .column_names = ToVector<std::string>(spec.column_names())};
}

void SetOptimizer(const Sgd& sgd, v1::Optimizer* to) {
  v1::Sgd* out = to->mutable_sgd();
  if (sgd.learning_rate) out->set_learning_rate(*sgd.learning_rate);
  out->set_momentum(sgd.momentum);
  out->set_weight_decay(sgd.weight_decay);
  out->set_nesterov(sgd.nesterov);
}

void SetOptimizer(const Adam& adam, v1::Optimizer* to) {
  v1::Adam* out = to->mutable_adam();
  if (adam.learning_rate) out->set_learning_rate(*adam.learning_rate);
  if (adam.beta1) out->set_beta1(*adam.beta1);
  if (adam.beta2) out->set_beta2(*adam.beta2);
  if (adam.epsilon) out->set_epsilon(*adam.epsilon);
  out->set_weight_decay(adam.weight_decay);
}

}  // namespace

bool HasEnded(JobState state) {
  return state == JobState::kSucceeded || state == JobState::kFailed ||
         state == JobState::kCancelled;
}

v1::ModelSpec ToProto(const ModelRef& model) {
  v1::ModelSpec spec;
  spec.set_name(model.name);
  if (model.version) {
    spec.set_version(*model.version);
  } else if (!model.label.empty()) {
    spec.set_label(model.label);
  }
  return spec;
}

v1::Tensor ToProto(const Tensor& tensor) {
  v1::Tensor out;
  out.set_name(tensor.name);
  out.set_dtype(ToProto(tensor.dtype));
  out.mutable_shape()->Add(tensor.shape.begin(), tensor.shape.end());
  out.set_data(tensor.data);
  return out;
}

v1::TrainSpec ToProto(const TrainSpec& spec, int64_t feature_count, int64_t label_count) {
  v1::TrainSpec out;
  out.set_model_name(spec.model_name);
  out.set_feature_count(feature_count);
  out.set_label_count(label_count);
  if (spec.hidden_units.empty()) {
    out.mutable_architecture()->mutable_linear();
  } else {
    v1::MlpArchitecture* mlp = out.mutable_architecture()->mutable_mlp();
    mlp->mutable_hidden_units()->Add(spec.hidden_units.begin(), spec.hidden_units.end());
    mlp->set_activation(ToProto(spec.activation));
  }
  std::visit([&out](const auto& kind) { SetOptimizer(kind, out.mutable_optimizer()); },
             spec.optimizer);
  out.set_epochs(spec.schedule.epochs);
  out.set_batch_size(spec.schedule.batch_size);
  out.set_seed(spec.schedule.seed);
  out.set_validation_fraction(spec.schedule.validation_fraction);
  out.set_keep_order(spec.schedule.keep_order);
  out.set_skip_standardization(!spec.standardize);
  for (const Tensor& weights : spec.initial_weights) *out.add_initial_weights() = ToProto(weights);
  out.mutable_positive_weights()->Add(spec.positive_weights.begin(), spec.positive_weights.end());
  for (const std::string& name : spec.label_names) out.add_label_names(name);
  return out;
}

void SetOptions(const PredictOptions& options, v1::PredictRequest* request) {
  for (const std::string& name : options.outputs) request->add_outputs(name);
  request->set_return_logits(options.logits);
  request->set_return_log_probabilities(options.log_probabilities);
  request->set_return_decisions(options.decisions);
  request->set_return_labels(options.labels);
  request->set_return_timing(options.timing);
}

Prediction FromProto(v1::PredictResponse response) {
  Prediction prediction{.model_name = std::move(*response.mutable_model_name()),
                        .model_version = response.model_version(),
                        .outputs = {},
                        .timing = {}};
  for (const v1::PredictOutput& output : response.outputs()) {
    prediction.outputs.push_back({.name = output.name(),
                                  .shape = ToVector<int64_t>(output.shape()),
                                  .is_probability = output.is_probability(),
                                  .probabilities = ToVector<float>(output.probabilities()),
                                  .logits = ToVector<float>(output.logits()),
                                  .log_probabilities = ToVector<float>(output.log_probabilities()),
                                  .decisions = ToVector<bool>(output.decisions()),
                                  .labels = ToVector<std::string>(output.labels()),
                                  .int64_values = ToVector<int64_t>(output.int64_values())});
  }
  if (response.has_timing()) {
    prediction.timing = Timing{.queued_us = response.timing().queued_us(),
                               .computed_us = response.timing().computed_us(),
                               .batch_rows = response.timing().batch_rows()};
  }
  return prediction;
}

ModelVersion FromProto(const v1::ModelVersion& version) {
  return {.name = version.name(),
          .version = version.version(),
          .state = FromProto(version.state()),
          .reason = version.reason()};
}

ModelInfo FromProto(const v1::GetModelResponse& response) {
  ModelInfo info{.name = response.name(),
                 .version = response.version(),
                 .versions = {},
                 .inputs = {},
                 .outputs = {},
                 .batchable = response.batchable(),
                 .max_batch_size = response.max_batch_size()};
  for (const auto& version : response.versions()) info.versions.push_back(FromProto(version));
  for (const auto& input : response.inputs()) info.inputs.push_back(FromProto(input));
  for (const auto& output : response.outputs()) info.outputs.push_back(FromProto(output));
  return info;
}

EpochMetrics FromProto(const v1::EpochMetrics& metrics) {
  EpochMetrics out{.epoch = metrics.epoch(),
                   .training_loss = metrics.training_loss(),
                   .validation_loss = {},
                   .validation_accuracy = {},
                   .validation_roc_auc = {},
                   .elapsed_seconds = metrics.elapsed_seconds()};
  if (metrics.has_validation_loss()) out.validation_loss = metrics.validation_loss();
  if (metrics.has_validation_accuracy()) out.validation_accuracy = metrics.validation_accuracy();
  if (metrics.has_validation_roc_auc()) out.validation_roc_auc = metrics.validation_roc_auc();
  return out;
}

Job FromProto(const v1::Job& job) {
  Job out{.job_id = job.job_id(),
          .model_name = job.model_name(),
          .state = FromProto(job.state()),
          .message = job.message(),
          .created_unix_ms = job.created_unix_ms(),
          .started_unix_ms = job.started_unix_ms(),
          .ended_unix_ms = job.ended_unix_ms(),
          .epochs_done = job.epochs_done(),
          .epochs_total = job.epochs_total(),
          .published_version = job.published_version(),
          .training_rows = job.training_rows(),
          .validation_rows = job.validation_rows(),
          .last_epoch = {},
          .seed = job.seed()};
  if (job.has_last_epoch()) out.last_epoch = FromProto(job.last_epoch());
  return out;
}

JobEvent FromProto(const v1::JobEvent& event) {
  JobEvent out;
  out.number = event.number();
  if (event.has_epoch()) {
    out.what = FromProto(event.epoch());
  } else {
    out.what = FromProto(event.job());
  }
  return out;
}

}  // namespace sigserve::client
