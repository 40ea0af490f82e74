#include "model/train/trainer.h"
#include "model/autodiff/backprop.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/train/architecture.h"
#include "model/train/batches.h"
#include "model/train/dataset.h"
#include "model/train/loss.h"
#include "model/train/metrics.h"
#include "model/train/optimizer.h"
#include "model/train/standardization.h"

namespace sigserve {
namespace {

// A batch goes through the net in pieces of this many rows whose gradients add up: activations
// stay in the cache, and memory is bounded however large the batch.
constexpr int64_t kRowsPerPass = 256;

class TrainerImpl final : public Trainer {
 public:
  TrainerImpl(const TrainSpec& spec, SplitRows rows, std::optional<Standardization> standardization,
              NamedWeights weights, std::unique_ptr<Backprop> backprop)
      : spec_(spec),
        rows_(std::move(rows)),
        standardization_(std::move(standardization)),
        weights_(std::move(weights)),
        backprop_(std::move(backprop)),
        batches_(rows_.training, spec.schedule.batch_size, spec.schedule.shuffle,
                 spec.schedule.seed),
        inputs_(1) {
    std::vector<int64_t> counts;
    for (auto& [name, tensor] : weights_) {
      inputs_.push_back(tensor.view());
      weight_views_.push_back(tensor.mutable_view());
      counts.push_back(tensor.elements());
    }
    optimizer_ = Optimizer::Create(spec.optimizer, counts);
  }

  absl::StatusOr<EpochReport> RunEpoch(const std::function<bool()>& cancelled) override;

  int64_t training_rows() const override { return rows_.training.count(); }
  int64_t validation_rows() const override { return rows_.validation.count(); }
  NamedWeights Weights() const override;
  absl::StatusOr<Graph> Publishable() const override;

 private:
  absl::StatusOr<TensorView> Logits(const Batch& rows);
  absl::StatusOr<double> Step(const Batch& batch, const std::function<bool()>& cancelled);
  absl::Status CheckWeights();
  absl::Status Diverged(absl::string_view what);
  absl::Status Evaluate(EpochReport& report);

  const TrainSpec spec_;
  SplitRows rows_;  // standardized
  const std::optional<Standardization> standardization_;
  NamedWeights weights_;
  const std::unique_ptr<Backprop> backprop_;
  Batches batches_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<TensorView> inputs_;  // features, then the weights
  std::vector<MutableTensorView> weight_views_;
  std::vector<float> logit_gradient_;
  std::vector<float> validation_logits_;
  int64_t epoch_ = 0;
  bool diverged_ = false;
};

absl::StatusOr<TensorView> TrainerImpl::Logits(const Batch& rows) {
  inputs_[0] = rows.features;
  return backprop_->Forward(inputs_);
}

// One optimizer step; the batch's summed loss before it. A full batch of a wide net takes long, so
// `cancelled` is asked before each piece of it.
absl::StatusOr<double> TrainerImpl::Step(const Batch& batch,
                                         const std::function<bool()>& cancelled) {
  const auto scale = static_cast<float>(1 / static_cast<double>(batch.labels.elements()));
  double loss = 0;
  for (int64_t first = 0; first < batch.count(); first += kRowsPerPass) {
    if (cancelled && cancelled()) {
      return absl::CancelledError(absl::StrCat("training was cancelled in epoch ", epoch_));
    }
    const Batch part = batch.Slice(first, std::min(kRowsPerPass, batch.count() - first));
    SIGSERVE_ASSIGN_OR_RETURN(const TensorView logits, Logits(part));
    if (first == 0) {
      backprop_->ClearGradients();
    }
    logit_gradient_.resize(static_cast<size_t>(logits.elements()));
    loss += BceWithLogits(logits.values<float>(), part.labels.values<float>(),
                          spec_.positive_weights, scale, absl::MakeSpan(logit_gradient_));
    backprop_->Backward({DType::kFloat32, logits.shape(), logit_gradient_.data()});
  }
  optimizer_->Step(weight_views_, backprop_->gradients());
  return loss;
}

absl::StatusOr<EpochReport> TrainerImpl::RunEpoch(const std::function<bool()>& cancelled) {
  if (diverged_) {
    return absl::FailedPreconditionError("TRAIN_DIVERGED: this training has diverged before");
  }
  EpochReport report;
  report.epoch = ++epoch_;
  double loss = 0;
  batches_.StartEpoch();
  while (!batches_.done()) {
    SIGSERVE_ASSIGN_OR_RETURN(const double batch_loss, Step(batches_.Next(), cancelled));
    if (!std::isfinite(batch_loss)) {
      return Diverged(absl::StrCat("the loss is ", batch_loss));
    }
    loss += batch_loss;
  }
  SIGSERVE_RETURN_IF_ERROR(CheckWeights());
  report.training_loss = loss / static_cast<double>(rows_.training.labels.elements());
  if (validation_rows() > 0) {
    SIGSERVE_RETURN_IF_ERROR(Evaluate(report));
  }
  return report;
}

absl::Status TrainerImpl::Diverged(absl::string_view what) {
  diverged_ = true;
  return absl::FailedPreconditionError(absl::StrCat(
      "TRAIN_DIVERGED: ", what, " in epoch ", epoch_,
      "; expected finite numbers: try a lower learning rate or standardized features"));
}

absl::Status TrainerImpl::CheckWeights() {
  for (const auto& [name, tensor] : weights_) {
    const absl::Span<const float> values = tensor.values<float>();
    // 0 x finite = 0 and 0 x (infinity or NaN) = NaN: one sum finds either, without branches.
    const float sum = std::accumulate(values.begin(), values.end(), 0.0f,
                                      [](float sum, float value) { return sum + 0 * value; });
    if (sum != 0) {
      return Diverged(absl::StrCat("a weight of '", name, "' is not finite"));
    }
  }
  return absl::OkStatus();
}

absl::Status TrainerImpl::Evaluate(EpochReport& report) {
  const Batch all = Whole(rows_.validation);
  validation_logits_.clear();
  for (int64_t first = 0; first < all.count(); first += kRowsPerPass) {
    SIGSERVE_ASSIGN_OR_RETURN(
        const TensorView logits,
        Logits(all.Slice(first, std::min(kRowsPerPass, all.count() - first))));
    const absl::Span<const float> values = logits.values<float>();
    validation_logits_.insert(validation_logits_.end(), values.begin(), values.end());
  }
  const absl::Span<const float> labels = all.labels.values<float>();
  const auto count = static_cast<double>(labels.size());
  const double loss =
      BceWithLogits(validation_logits_, labels, spec_.positive_weights, 0, {}) / count;
  if (!std::isfinite(loss)) {
    return Diverged(absl::StrCat("the validation loss is ", loss));
  }
  report.validation_loss = loss;
  report.validation_accuracy = Accuracy(validation_logits_, labels);
  report.validation_roc_auc = MeanRocAuc(validation_logits_, labels, spec_.label_count);
  return absl::OkStatus();
}

NamedWeights TrainerImpl::Weights() const {
  NamedWeights copy;
  for (const auto& [name, tensor] : weights_) {
    copy.emplace_back(name, tensor.Clone());
  }
  return copy;
}

absl::StatusOr<Graph> TrainerImpl::Publishable() const {
  if (diverged_) {
    return absl::FailedPreconditionError("TRAIN_DIVERGED: a diverged training is not published");
  }
  return PublishableGraph(spec_, standardization_ ? &*standardization_ : nullptr, weights_);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(const TrainSpec& spec, Tensor features,
                                                         Tensor labels, NamedWeights initial) {
  SIGSERVE_RETURN_IF_ERROR(Validate(spec));
  Rows rows{std::move(features), std::move(labels)};
  SIGSERVE_RETURN_IF_ERROR(CheckRows(spec, rows));
  NamedWeights weights;
  if (initial.empty()) {
    weights = DrawWeights(spec);
  } else {
    SIGSERVE_ASSIGN_OR_RETURN(weights, ArrangeWeights(spec, std::move(initial)));
  }
  const ScheduleSpec& schedule = spec.schedule;
  SplitRows split = SplitStratified(std::move(rows), schedule.validation_fraction, schedule.seed);
  SIGSERVE_RETURN_IF_ERROR(CheckBothClasses(split.training));
  std::optional<Standardization> standardization;
  if (spec.standardize) {
    standardization = LearnStandardization(split.training.features);
    Standardize(*standardization, split.training.features);
    Standardize(*standardization, split.validation.features);
  }
  SIGSERVE_ASSIGN_OR_RETURN(Graph graph, TrainingGraph(spec));
  std::vector<int> trained(weights.size());
  std::iota(trained.begin(), trained.end(), 1);
  SIGSERVE_ASSIGN_OR_RETURN(std::unique_ptr<Backprop> backprop,
                            Backprop::Create(std::move(graph), std::move(trained)));
  return std::make_unique<TrainerImpl>(spec, std::move(split), std::move(standardization),
                                       std::move(weights), std::move(backprop));
}

}  // namespace sigserve
