// A FileSystem in memory that counts the operations which change it and fails a chosen one, as a
// full disk or a dying one does. FailAt(n): the n-th change from now (from 1) fails, once, or with
// all that follow (a crash). A failed WriteFile leaves half of its bytes; other failed changes do
// nothing. Thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "model/base/file.h"

namespace sigserve::testing_support {

class FakeFileSystem final : public FileSystem {
 public:
  enum class Fault { kOnce, kFromThenOn };

  /// Forgets earlier faults. 0 = none.
  void FailAt(int change, absl::Status error, Fault fault = Fault::kOnce)
      ABSL_LOCKS_EXCLUDED(mutex_);
  /// From now on this path, and what is below it, can be neither read nor listed; OK ends that.
  void FailReads(const std::string& path, absl::Status error) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Changes since FailAt, the failed ones included.
  int changes() const ABSL_LOCKS_EXCLUDED(mutex_);

  /// Every file's path and contents; directories end in '/' and have none.
  std::map<std::string, std::string> Tree() const ABSL_LOCKS_EXCLUDED(mutex_);
  /// "write a/b", "rename a -> b", "sync a", "mkdir a", "remove a", in order.
  std::vector<std::string> Journal() const ABSL_LOCKS_EXCLUDED(mutex_);

  /// A symbolic link to a directory or file, which need not exist; replaces an earlier one.
  void AddLink(const std::string& path, const std::string& target) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Replaces a file's contents without changing anything that Stat() tells.
  void OverwriteUnseen(const std::string& path, const std::string& contents)
      ABSL_LOCKS_EXCLUDED(mutex_);

  absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes) override;
  absl::StatusOr<FoundWithin> OpenWithin(const std::string& directory,
                                         const std::string& relative) override;
  absl::StatusOr<FileStamp> Stat(const std::string& path) override;
  absl::Status WriteFile(const std::string& path, absl::string_view contents) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status MakeDirectories(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<DirectoryEntry>> List(const std::string& path) override;
  absl::Status RemoveAll(const std::string& path) override;

 private:
  enum class Kind { kFile, kDirectory, kLink };
  struct Entry {
    Kind kind = Kind::kFile;
    std::string contents;  // of a link: where it leads
    int64_t written = 0;   // which change wrote it: its modification time
  };
  absl::Status ReadError(const std::string& path) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::Status Change(std::string what) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsDirectory(const std::string& path) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  /// Without links; a link in a loop stays.
  std::string Resolve(std::string path) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> journal_ ABSL_GUARDED_BY(mutex_);
  std::string unreadable_ ABSL_GUARDED_BY(mutex_);
  absl::Status read_error_ ABSL_GUARDED_BY(mutex_);
  int changes_ ABSL_GUARDED_BY(mutex_) = 0;
  int fail_at_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  Fault fault_ ABSL_GUARDED_BY(mutex_) = Fault::kOnce;
};

}  // namespace sigserve::testing_support
