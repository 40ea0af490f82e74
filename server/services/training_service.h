// sigserve.v1.TrainingService: takes uploads in bounded memory, hands jobs to the runner, streams
// their events. Nothing here waits for a training step. Thread-safe.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "model/base/clock.h"
#include "server/rpc/service_method.h"
#include "server/rpc/upload_watch.h"
#include "server/training/job_runner.h"
#include "sigserve/v1/training.pb.h"

namespace sigserve {

class TrainingService {
 public:
  /// `runner`: outlives the service; or why there is none (training is disabled, the repository is
  /// not writable), which every call then answers. `clock`: outlives it. An upload that brings
  /// nothing for `upload_stall` is DEADLINE_EXCEEDED and gives its memory back.
  TrainingService(absl::StatusOr<JobRunner*> runner, const Clock* clock,
                  absl::Duration upload_stall);

  /// The server stops: uploads that are under way end with UNAVAILABLE.
  void EndUploads();

  /// Those below, and the streams Train and WatchJob. It must outlive their calls.
  std::vector<ServiceMethod> Methods();

  absl::Status GetJob(const v1::GetJobRequest& request, v1::Job* response);
  absl::Status ListJobs(const v1::ListJobsRequest& request, v1::ListJobsResponse* response);
  absl::Status CancelJob(const v1::CancelJobRequest& request, v1::Job* response);

 private:
  const absl::StatusOr<JobRunner*> runner_;
  UploadWatch watch_;
};

}  // namespace sigserve
