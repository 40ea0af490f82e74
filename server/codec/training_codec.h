// sigserve.v1's training messages: requests to TrainSpec and rows, jobs and events back. Errors are
// INVALID_ARGUMENT with a token: TRAIN_PARAM names the proto field, TRAIN_CHUNK the chunk, from 0.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/training/job.h"
#include "sigserve/v1/training.pb.h"

namespace sigserve {

/// A request without its rows; absent fields have their defaults. Validated as far as it can be
/// without the rows.
absl::StatusOr<JobRequest> DecodeTrainSpec(const v1::TrainSpec& spec);

/// Bytes of the initial weights in it.
int64_t WeightBytes(const JobRequest& request);

/// Puts the chunks of one upload together. Holds the bytes once while they come in, twice for a
/// moment in Finish.
class RowCollector {
 public:
  RowCollector(int64_t feature_count, int64_t label_count)
      : feature_count_(feature_count), label_count_(label_count) {}

  /// The byte counts must be whole rows, as many of features as of labels, and not none. Takes the
  /// chunk's bytes.
  absl::Status Add(v1::TrainChunk* chunk);

  int64_t rows() const { return rows_; }

  /// INVALID_ARGUMENT when there were no rows.
  absl::StatusOr<Rows> Finish() &&;

 private:
  const int64_t feature_count_;
  const int64_t label_count_;
  int64_t chunks_ = 0;
  int64_t rows_ = 0;
  std::vector<std::string> features_;
  std::vector<std::string> labels_;
};

v1::Job EncodeJob(const JobStatus& status);
v1::JobEvent EncodeEvent(const JobEvent& event);

}  // namespace sigserve
