// Training jobs from submission to the published version: a bounded queue, and one job at a time on
// a thread of the lowest priority, so that serving always comes first. A job that
// succeeds is published to the repository (model.onnx, training.json; a new model also gets a
// config.pbtxt) and enters the server by ModelRegistry::Reload, like any model.
//
// Thread-safe. Submit, Cancel and Stop block for a small file's write; Get, List and Events do not
// block. At most kMaxJobs jobs are remembered; epoch events are kept for jobs that
// have not ended and for the kMaxEventLogs that ended last, other jobs have their last event only.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "model/base/clock.h"
#include "model/base/file.h"
#include "model/graph/graph.h"
#include "model/repository/repository.h"
#include "model/train/trainer.h"
#include "server/config/server_options.h"
#include "server/registry/model_registry.h"
#include "server/training/data_budget.h"
#include "server/training/event_log.h"
#include "server/training/job.h"
#include "server/training/job_store.h"

namespace sigserve {

/// What the runner works with. The pointers must outlive it; the functions are replaced by tests.
struct JobRunnerParts {
  Repository* repository = nullptr;
  ModelRegistry* registry = nullptr;
  FileSystem* files = nullptr;
  const Clock* clock = nullptr;
  std::function<absl::StatusOr<std::unique_ptr<Trainer>>(const TrainSpec&, Tensor, Tensor,
                                                         NamedWeights)>
      create_trainer = Trainer::Create;
  /// Graph to the bytes of model.onnx; empty = WriteOnnx.
  std::function<absl::StatusOr<std::string>(const Graph&)> write_model;
};

class JobRunner {
 public:
  static constexpr size_t kMaxJobs = 1000;
  static constexpr size_t kMaxEventLogs = 16;

  /// Removes what a dead process left half published, and starts the thread. `max_data_bytes` also
  /// bounds all uploads and unfinished jobs together. FAILED_PRECONDITION when the repository is
  /// not writable: then there is no training.
  static absl::StatusOr<std::unique_ptr<JobRunner>> Create(const TrainingOptions& options,
                                                           JobRunnerParts parts);
  /// Stops, however long the running batch takes.
  ~JobRunner();
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  /// What data on its way to Submit counts against.
  DataBudget* data_budget() { return &budget_; }

  /// Checks the request as Trainer::Create would (INVALID_ARGUMENT names the field, or the row and
  /// column; FAILED_PRECONDITION when the model serves another signature), queues the job and
  /// returns its status once it is on disk. RESOURCE_EXHAUSTED when the queue is full or the disk
  /// is; UNAVAILABLE while stopping, or when the job cannot be put on disk. `share`: of
  /// data_budget(), given back when the job has ended.
  absl::StatusOr<JobStatus> Submit(JobRequest request, DataBudget::Share share)
      ABSL_LOCKS_EXCLUDED(mutex_);
  /// NOT_FOUND for an unknown id; so with Cancel and Events.
  absl::StatusOr<JobStatus> Get(absl::string_view id) const ABSL_LOCKS_EXCLUDED(mutex_);
  /// Newest first.
  std::vector<JobStatus> List() const ABSL_LOCKS_EXCLUDED(mutex_);
  /// Asks a job to stop: a queued one is CANCELLED at once, the running one between two batches. A
  /// job that has ended, or is already publishing, is left as it is. Returns its status now.
  absl::StatusOr<JobStatus> Cancel(absl::string_view id) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::shared_ptr<EventLog>> Events(absl::string_view id) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  /// Cancels every job ("the server is shutting down") and ends the thread: call it when the server
  /// begins to drain, so that watchers get their last event. Waits at most `patience` for the
  /// running batch; a job that is left behind is FAILED at the next start. Again is fine.
  void Stop(absl::Duration patience = absl::InfiniteDuration()) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Guarded by mutex_: status, events. The request belongs to the thread that took the job from the
  // queue.
  struct Job {
    JobStatus status;
    std::shared_ptr<EventLog> events;
    JobRequest request;
    DataBudget::Share share;
    std::atomic<bool> cancelled = false;
  };
  using JobPtr = std::shared_ptr<Job>;
  /// What training hands to publishing.
  struct Trained {
    std::string model_file;
    TrainSpec spec;
  };

  JobRunner(const TrainingOptions& options, JobRunnerParts parts, std::unique_ptr<JobStore> store);
  absl::StatusOr<JobPtr> FindJob(absl::string_view id) const ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsIdle() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return running_ == nullptr; }
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || !queue_.empty(); }

  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);
  void Run(const JobPtr& job) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Trained> TrainAside(Job* job) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Trained> Train(Job* job) ABSL_LOCKS_EXCLUDED(mutex_);
  /// What there is to say about a success.
  absl::StatusOr<std::string> Publish(Job* job, Trained trained,
                                      const std::vector<std::string>& label_names)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void End(const JobPtr& job, JobState state, absl::string_view message)
      ABSL_LOCKS_EXCLUDED(mutex_);
  /// Puts the job's present status on disk, then into its events.
  void Announce(Job* job) ABSL_LOCKS_EXCLUDED(mutex_);
  void ForgetOldJobs() ABSL_LOCKS_EXCLUDED(mutex_);
  JobStatus StatusOf(const Job& job) const ABSL_LOCKS_EXCLUDED(mutex_);

  const TrainingOptions options_;
  const JobRunnerParts parts_;
  const std::unique_ptr<JobStore> store_;
  DataBudget budget_;

  mutable absl::Mutex mutex_;  // never held on disk or while calling out
  std::map<int64_t, JobPtr> jobs_ ABSL_GUARDED_BY(mutex_);  // by number, oldest first
  std::deque<JobPtr> queue_ ABSL_GUARDED_BY(mutex_);
  std::deque<JobPtr> ended_ ABSL_GUARDED_BY(mutex_);  // with all their events, oldest first
  int64_t submitting_ ABSL_GUARDED_BY(mutex_) = 0;    // on their way to disk
  JobPtr running_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  absl::Mutex join_mutex_;
  std::thread thread_ ABSL_GUARDED_BY(join_mutex_);
};

}  // namespace sigserve
