// sigserve.v1.TrainingService: takes uploads in bounded memory, hands jobs to the runner, streams
// their events. Nothing here waits for a training step. Thread-safe.
#pragma once

#include "absl/status/statusor.h"
#include "model/base/clock.h"
#include "server/services/upload_watch.h"
#include "server/training/job_runner.h"
#include "sigserve/v1/training.grpc.pb.h"

namespace sigserve {

class TrainingServiceImpl final : public v1::TrainingService::CallbackService {
 public:
  /// `runner`: outlives the service; or why there is none (training is disabled, the repository is
  /// not writable), which every call then answers. `clock`: outlives it. An upload that brings
  /// nothing for `upload_stall` is DEADLINE_EXCEEDED and gives its memory back.
  TrainingServiceImpl(absl::StatusOr<JobRunner*> runner, const Clock* clock,
                      absl::Duration upload_stall);

  /// The server stops: uploads that are under way end with UNAVAILABLE.
  void EndUploads();

  grpc::ServerReadReactor<v1::TrainRequest>* Train(grpc::CallbackServerContext* context,
                                                   v1::TrainResponse* response) override;
  grpc::ServerWriteReactor<v1::JobEvent>* WatchJob(grpc::CallbackServerContext* context,
                                                   const v1::WatchJobRequest* request) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const v1::GetJobRequest* request, v1::Job* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const v1::CancelJobRequest* request,
                                      v1::Job* response) override;

 private:
  const absl::StatusOr<JobRunner*> runner_;
  UploadWatch watch_;
};

}  // namespace sigserve
