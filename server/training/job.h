// A training job as values: what was asked for (JobRequest), where it stands (JobStatus) and what
// happened (JobEvent). Plain data without wire types; proto/sigserve/v1/training.proto documents
// each field.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "model/train/dataset.h"
#include "model/train/train_spec.h"

namespace sigserve {

/// What to train on what, and the model it becomes a version of.
struct JobRequest {
  std::string model;
  TrainSpec spec;
  NamedWeights initial_weights;
  std::vector<std::string> label_names;
  Rows rows;
};

enum class JobState { kQueued, kRunning, kSucceeded, kFailed, kCancelled };

inline bool HasEnded(JobState state) {
  return state != JobState::kQueued && state != JobState::kRunning;
}

struct EpochMetrics {
  int64_t epoch = 0;  // from 1
  double training_loss = 0;
  std::optional<double> validation_loss;
  std::optional<double> validation_accuracy;
  std::optional<double> validation_roc_auc;
  absl::Duration elapsed;
};

struct JobStatus {
  std::string id;
  std::string model;
  JobState state = JobState::kQueued;
  std::string message;
  absl::Time created, started, ended;
  int64_t epochs_done = 0;
  int64_t epochs_total = 0;
  int64_t published_version = 0;
  int64_t training_rows = 0;
  int64_t validation_rows = 0;
  std::optional<EpochMetrics> last_epoch;
  uint64_t seed = 0;
};

/// Numbered from 1 without gaps within a job.
struct JobEvent {
  int64_t number = 0;
  std::variant<JobStatus, EpochMetrics> what;
};

}  // namespace sigserve
