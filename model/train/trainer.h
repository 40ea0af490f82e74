// Trains a classifier from rows in memory, one epoch per call. The graph, its weights and the
// optimizer's state are private to the trainer: nothing that serves is touched. Single-threaded;
// the same spec, data and initial weights give the same bits on the same machine. Loss: mean binary
// cross-entropy on logits (torch.nn.BCEWithLogitsLoss). A batch is worked through in pieces, so
// memory beyond the rows and four times the weights stays small whatever the batch size.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "model/graph/graph.h"
#include "model/tensor/tensor.h"
#include "model/train/train_spec.h"

namespace sigserve {

/// What one epoch did. Validation figures are absent without a validation part; AUC also when it
/// has one class only (mean over the labels that have both).
struct EpochReport {
  int64_t epoch = 0;                      // from 1
  double training_loss = 0;               // mean over the epoch's rows, each batch before its step
  std::optional<double> validation_loss;  // weighted like the training loss
  std::optional<double> validation_accuracy;  // over all labels; probability 0.5 counts as 1
  std::optional<double> validation_roc_auc;
};

class Trainer {
 public:
  /// `features` [rows, feature_count] and `labels` [rows, label_count], FLOAT32; labels are 0 or 1
  /// (no soft labels yet). INVALID_ARGUMENT: a bad spec (TRAIN_PARAM), features that do not fit it
  /// or are not finite (TRAIN_FEATURE), labels that do not, or have one class only among the
  /// training rows (TRAIN_LABEL; both name row and column, from 0), initial weights whose names or
  /// shapes differ (TRAIN_PARAM; lists the difference). Empty `initial` = drawn with the seed, as
  /// torch.nn.Linear does.
  static absl::StatusOr<std::unique_ptr<Trainer>> Create(const TrainSpec& spec, Tensor features,
                                                         Tensor labels, NamedWeights initial);
  virtual ~Trainer() = default;

  /// One pass over the training rows. `cancelled` (may be empty) is asked before every 256
  /// rows: CANCELLED. A loss or weight that is no longer finite: FAILED_PRECONDITION
  /// (TRAIN_DIVERGED), and the trainer is of no further use.
  virtual absl::StatusOr<EpochReport> RunEpoch(const std::function<bool()>& cancelled) = 0;

  virtual int64_t training_rows() const = 0;
  virtual int64_t validation_rows() const = 0;

  /// The current weights under their names.
  virtual NamedWeights Weights() const = 0;
  /// The trained classifier: input "features" [N, feature_count], standardization, layers, output
  /// "probabilities" [N, label_count] = Sigmoid("logits"), the weights as constants.
  /// FAILED_PRECONDITION once it has diverged.
  virtual absl::StatusOr<Graph> Publishable() const = 0;
};

}  // namespace sigserve
