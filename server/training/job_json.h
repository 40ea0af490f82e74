// Jobs as JSON: the record on disk (job_store) and the training.json next to a published model.
// Pure functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/train_spec.h"
#include "server/training/job_store.h"

namespace sigserve {

std::string EncodeRecord(const JobRecord& record);
/// INVALID_ARGUMENT for anything EncodeRecord cannot have written.
absl::StatusOr<JobRecord> DecodeRecord(absl::string_view json);

/// What a published version came from: job, seed, spec and the last epoch's metrics.
std::string DescribeTraining(const JobStatus& status, const TrainSpec& spec);

/// The config.pbtxt of a model. `new_model`: the version before the newest stays loaded too, so
/// that the two can be compared. Empty when there is nothing to say.
std::string ModelConfigText(const std::vector<std::string>& label_names, bool new_model);

}  // namespace sigserve
