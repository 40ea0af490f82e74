// Arguments and results of the client (client.h), as plain values: no gRPC, no protobuf. Fields
// mean what their namesakes in proto/sigserve/v1 mean. Units: durations carry theirs in the name;
// times are Unix milliseconds, 0 = not yet. Shapes: row-major; dimension 0 of a batchable model is
// the batch. Every field has a default, so that {.name = "m"} compiles without warnings.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace sigserve::client {

enum class DataType { kUnspecified, kFloat32, kFloat64, kInt32, kInt64, kBool };

/// A dense row-major tensor. `data` holds the little-endian elements: the product of `shape` times
/// 4 bytes (FLOAT32, INT32), 8 bytes (FLOAT64, INT64) or 1 byte (BOOL).
struct Tensor {
  std::string name = {};  // may be empty if the model has one input
  DataType dtype = DataType::kFloat32;
  std::vector<int64_t> shape = {};
  std::string data = {};
};

/// A model, and optionally one version of it. Without version and label the server chooses.
struct ModelRef {
  std::string name = {};
  std::optional<int64_t> version = {};
  std::string label = {};  // "stable"; ignored if `version` is given
};

/// What to return in addition to the probabilities.
struct PredictOptions {
  std::vector<std::string> outputs = {};  // names; empty = all outputs
  bool logits = false;                    // inputs of the final sigmoid or softmax
  bool log_probabilities = false;         // log(p), finite where p underflows
  bool decisions = false;                 // p >= the model's threshold
  bool labels = false;                    // names of the last dimension's entries
  bool timing = false;                    // the server's times for this request
};

/// One output. Each list is empty or holds the product of `shape` values, row-major.
struct PredictionOutput {
  std::string name = {};
  std::vector<int64_t> shape = {};
  bool is_probability = false;  // false: `probabilities` holds raw values
  std::vector<float> probabilities = {};
  std::vector<float> logits = {};
  std::vector<float> log_probabilities = {};
  std::vector<bool> decisions = {};
  std::vector<std::string> labels = {};    // names of the last dimension's entries, if any
  std::vector<int64_t> int64_values = {};  // of an integer output, instead of `probabilities`
};

/// As measured by the server.
struct Timing {
  double queued_us = 0;    // waiting for a batch
  double computed_us = 0;  // running it
  int64_t batch_rows = 0;  // rows in that batch, this request's included
};

struct Prediction {
  std::string model_name = {};
  int64_t model_version = 0;  // the one that answered
  std::vector<PredictionOutput> outputs = {};
  std::optional<Timing> timing = {};
};

enum class ModelState { kUnspecified, kLoading, kReady, kFailed, kIgnored };

struct ModelVersion {
  std::string name = {};
  int64_t version = 0;
  ModelState state = ModelState::kUnspecified;
  std::string reason = {};  // why it is not ready, or not what the repository holds now
};

struct TensorSpec {
  std::string name = {};
  DataType dtype = DataType::kUnspecified;
  std::vector<int64_t> shape = {};  // -1 = any size
  bool any_rank = false;
  bool is_probability = false;
  std::vector<std::string> labels = {};
  std::vector<float> thresholds = {};  // one for all entries of the last dimension, or one for each
  std::vector<std::string> column_names = {};  // inputs: of the last dimension's entries, if known
};

struct ModelInfo {
  std::string name = {};
  int64_t version = 0;
  std::vector<ModelVersion> versions = {};  // newest first
  std::vector<TensorSpec> inputs = {};
  std::vector<TensorSpec> outputs = {};
  bool batchable = false;
  int64_t max_batch_size = 0;  // rows in one request; 0 = not batchable, or an older server
};

enum class Health { kUnknown, kServing, kNotServing };

enum class Activation { kRelu, kTanh, kSigmoid };

/// Absent values mean the server's defaults (learning rate: SGD 0.01, Adam 0.001).
struct Sgd {
  std::optional<double> learning_rate = {};
  double momentum = 0;
  double weight_decay = 0;
  bool nesterov = false;
};
struct Adam {
  std::optional<double> learning_rate = {};
  std::optional<double> beta1 = {};
  std::optional<double> beta2 = {};
  std::optional<double> epsilon = {};
  double weight_decay = 0;
};

struct Schedule {
  int64_t epochs = 0;              // passes over the rows; 0 = the server's default, 10
  int64_t batch_size = 0;          // rows per step; 0 = all rows
  uint64_t seed = 0;               // of initial weights and shuffling
  double validation_fraction = 0;  // share of the rows held out, 0 to 0.9
  bool keep_order = false;         // do not shuffle
};

struct TrainSpec {
  std::string model_name = {};
  std::vector<int64_t> hidden_units = {};  // empty = logistic regression
  Activation activation = Activation::kRelu;
  std::variant<Adam, Sgd> optimizer = {};
  Schedule schedule = {};
  bool standardize = true;  // fold (x - mean) / stddev of the rows into the model
  std::vector<std::string> label_names = {};
  std::vector<float> positive_weights = {};  // one per label; empty = 1
  std::vector<Tensor> initial_weights = {};  // empty = random
};

/// Labelled rows, borrowed for the call: features [rows, feature_count] and labels
/// [rows, label_count], row-major. Labels are 0 or 1.
struct TrainingData {
  std::span<const float> features = {};
  int64_t feature_count = 0;
  std::span<const float> labels = {};
  int64_t label_count = 1;
};

struct TrainReceipt {
  std::string job_id = {};
  int64_t rows = 0;  // as the server counted them
};

enum class JobState { kUnspecified, kQueued, kRunning, kSucceeded, kFailed, kCancelled };

struct EpochMetrics {
  int64_t epoch = 0;  // from 1
  double training_loss = 0;
  std::optional<double> validation_loss = {};
  std::optional<double> validation_accuracy = {};
  std::optional<double> validation_roc_auc = {};
  double elapsed_seconds = 0;
};

struct Job {
  std::string job_id = {};
  std::string model_name = {};
  JobState state = JobState::kUnspecified;
  std::string message = {};  // why it failed or was cancelled
  int64_t created_unix_ms = 0;
  int64_t started_unix_ms = 0;
  int64_t ended_unix_ms = 0;
  int64_t epochs_done = 0;
  int64_t epochs_total = 0;
  int64_t published_version = 0;  // 0 = none
  int64_t training_rows = 0;
  int64_t validation_rows = 0;
  std::optional<EpochMetrics> last_epoch = {};
  uint64_t seed = 0;
};

/// A change of the job's state, or the end of an epoch. `number` counts from 1 without gaps.
struct JobEvent {
  int64_t number = 0;
  std::variant<Job, EpochMetrics> what = {};
};

/// Succeeded, failed or cancelled.
bool HasEnded(JobState state);

}  // namespace sigserve::client
