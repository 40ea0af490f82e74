// The durable record of every training job: <repository>/.sigserve/jobs/<id>.json, one file per
// job, replaced atomically at each change of state. After a restart the jobs of the last run are
// still listed; those that had not ended are FAILED. Thread-safe. Blocks on the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "model/base/file.h"
#include "server/training/job.h"

namespace sigserve {

/// A job as it is kept: its status, and how many events it has had.
struct JobRecord {
  JobStatus status;
  int64_t last_event = 0;
};

/// "job-000042" -> 42; nothing for what is no job id.
std::optional<int64_t> JobNumber(absl::string_view id);

class JobStore {
 public:
  /// `files` must outlive the store. Makes the directory and reads what is there: jobs that were
  /// queued or running become FAILED "the server stopped before it finished", ended at `now`. A
  /// record that cannot be read is logged and left alone. FAILED_PRECONDITION when the repository
  /// is missing or not writable.
  static absl::StatusOr<std::unique_ptr<JobStore>> Open(FileSystem* files,
                                                        const std::string& repository_root,
                                                        absl::Time now);

  /// What Open found, oldest first.
  const std::vector<JobRecord>& found() const { return found_; }

  /// "job-000001", ...: above every id that Open found or this gave.
  std::string NextId() ABSL_LOCKS_EXCLUDED(mutex_);

  /// Durable once it returns OK.
  absl::Status Save(const JobRecord& record) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Remove(absl::string_view id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  JobStore(FileSystem* files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}
  absl::Status Prepare(const std::string& repository_root);
  absl::Status ReadRecords(absl::Time now);
  std::string PathOf(absl::string_view id) const;

  FileSystem* const files_;
  const std::string directory_;
  std::vector<JobRecord> found_;
  absl::Mutex mutex_;  // one write at a time
  int64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sigserve
