#include "server/training/job_store.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"
#include "server/training/job_json.h"

namespace sigserve {
namespace {

constexpr int64_t kMaxRecordBytes = int64_t{1} << 20;
constexpr absl::string_view kPrefix = "job-";
constexpr absl::string_view kSuffix = ".json";
constexpr absl::string_view kUnfinished = ".new";  // a record being written

std::string JobId(int64_t number) { return absl::StrFormat("%s%06d", kPrefix, number); }

}  // namespace

std::optional<int64_t> JobNumber(absl::string_view id) {
  int64_t number = 0;
  absl::string_view digits = id;
  // Only the one way to write a number: "job-42" and "job-000042" must not be two names of a job.
  if (!absl::ConsumePrefix(&digits, kPrefix) || !absl::SimpleAtoi(digits, &number) || number < 1 ||
      JobId(number) != id) {
    return std::nullopt;
  }
  return number;
}

absl::StatusOr<std::unique_ptr<JobStore>> JobStore::Open(FileSystem* files,
                                                         const std::string& repository_root,
                                                         absl::Time now) {
  std::unique_ptr<JobStore> store(
      new JobStore(files, absl::StrCat(repository_root, "/.sigserve/jobs")));
  absl::Status status = store->Prepare(repository_root);
  if (status.ok()) status = store->ReadRecords(now);
  if (!status.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("training needs a repository it can write to: ", status.message()));
  }
  return store;
}

absl::Status JobStore::Prepare(const std::string& repository_root) {
  // First, so that a mistyped path is an error and not a new directory.
  SIGSERVE_RETURN_IF_ERROR(files_->List(repository_root).status());
  SIGSERVE_RETURN_IF_ERROR(files_->MakeDirectories(directory_));
  SIGSERVE_RETURN_IF_ERROR(files_->SyncDirectory(absl::StrCat(repository_root, "/.sigserve")));
  SIGSERVE_RETURN_IF_ERROR(files_->SyncDirectory(repository_root));
  // The directory may be from better days: find out now, not at the end of the first job.
  const std::string probe = absl::StrCat(repository_root, "/.sigserve/writable");
  SIGSERVE_RETURN_IF_ERROR(files_->WriteFile(probe, ""));
  return files_->RemoveAll(probe);
}

absl::Status JobStore::ReadRecords(absl::Time now) {
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<DirectoryEntry> entries, files_->List(directory_));
  int64_t last = 0;
  for (const DirectoryEntry& entry : entries) {
    const std::string path = absl::StrCat(directory_, "/", entry.name);
    if (absl::EndsWith(entry.name, kUnfinished)) {
      SIGSERVE_RETURN_IF_ERROR(files_->RemoveAll(path));
      continue;
    }
    absl::string_view id = entry.name;
    if (!absl::ConsumeSuffix(&id, kSuffix)) continue;
    const std::optional<int64_t> number = JobNumber(id);
    if (!number.has_value()) continue;
    last = std::max(last, *number);  // even when unreadable: its id is taken
    absl::StatusOr<std::string> text = files_->ReadFile(path, kMaxRecordBytes);
    absl::StatusOr<JobRecord> record =
        text.ok() ? DecodeRecord(*text) : absl::StatusOr<JobRecord>(text.status());
    if (record.ok() && record->status.id != id) {
      record = absl::InvalidArgumentError(absl::StrCat("it is of '", record->status.id, "'"));
    }
    if (!record.ok()) {
      SIGSERVE_LOG(kWarning, "ignored ", path, ": ", record.status().message());
      continue;
    }
    found_.push_back(*std::move(record));
  }
  std::sort(found_.begin(), found_.end(), [](const JobRecord& a, const JobRecord& b) {
    return JobNumber(a.status.id) < JobNumber(b.status.id);
  });
  {
    absl::MutexLock lock(&mutex_);
    last_number_ = last;
  }
  for (JobRecord& record : found_) {
    if (HasEnded(record.status.state)) continue;
    record.status.state = JobState::kFailed;
    record.status.message = "the server stopped before it finished";
    record.status.ended = now;
    ++record.last_event;
    SIGSERVE_RETURN_IF_ERROR(Save(record));
  }
  return absl::OkStatus();
}

std::string JobStore::NextId() {
  absl::MutexLock lock(&mutex_);
  return JobId(++last_number_);
}

std::string JobStore::PathOf(absl::string_view id) const {
  return absl::StrCat(directory_, "/", id, kSuffix);
}

absl::Status JobStore::Save(const JobRecord& record) {
  const std::string path = PathOf(record.status.id);
  const std::string unfinished = absl::StrCat(path, kUnfinished);
  absl::MutexLock lock(&mutex_);
  absl::Status status = files_->WriteFile(unfinished, EncodeRecord(record));
  if (status.ok()) status = files_->Rename(unfinished, path);
  if (status.ok()) return files_->SyncDirectory(directory_);
  // What cannot be removed either is removed at the next start.
  files_->RemoveAll(unfinished).IgnoreError();
  return status;
}

absl::Status JobStore::Remove(absl::string_view id) {
  absl::MutexLock lock(&mutex_);
  return files_->RemoveAll(PathOf(id));
}

}  // namespace sigserve
