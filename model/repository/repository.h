// The directory of models, in Triton's layout:
//
//   <root>/<model>/<version>/     model.onnx, or what formats/load_model.h reads besides; a version
//                                 is a positive decimal number without leading zeros
//   <root>/<model>/config.pbtxt   optional
//
// Reading it is a scan; writing is one atomic Publish: a temporary directory beside the versions,
// synced, then renamed, so that a crash at any point leaves either no new version or a whole one.
// Names starting with '.' are ours or somebody's temporary ones and are skipped. Symbolic links are
// not followed, a config.pbtxt excepted. Thread-safe as far as its FileSystem is; concurrent
// Publish calls get distinct versions. One process at a time publishes into a repository; any
// number may read it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "model/base/file.h"

namespace sigserve {

/// One model's directory as found.
struct ModelEntry {
  std::string name;
  std::vector<int64_t> versions;  // ascending
  bool has_config = false;        // config.pbtxt is there
  // Entries that look like a version and are none, with the reason: "'01': leading zero".
  std::vector<std::string> ignored;
  // Not OK: the directory is there but cannot be listed, and nothing above is known of it.
  absl::Status problem = absl::OkStatus();
};

/// One file of a version to publish.
struct NewFile {
  std::string name;
  std::string contents;
};

class Repository {
 public:
  static constexpr absl::string_view kConfigFile = "config.pbtxt";
  static constexpr absl::string_view kDefaultModelFile = "model.onnx";

  /// `files` must outlive the repository.
  Repository(FileSystem* files, std::string root);

  const std::string& root() const { return root_; }

  /// Every model, sorted by name, those that cannot be listed with their `problem`. UNAVAILABLE
  /// when the root itself is missing: that says nothing of the models. Directories whose name is no
  /// model name are skipped with a log line; that and every ignored entry is logged once.
  absl::StatusOr<std::vector<ModelEntry>> Scan() const;
  /// NOT_FOUND when there is no such directory, though there is a root (UNAVAILABLE without);
  /// INVALID_ARGUMENT for a bad name.
  absl::StatusOr<ModelEntry> ScanModel(absl::string_view model) const;

  std::string ModelDirectory(absl::string_view model) const;
  std::string VersionDirectory(absl::string_view model, int64_t version) const;

  /// Writes a new version, one above the highest that exists or was ever seen or published by this
  /// process, creating the model's directory when needed. With `config` not empty and no
  /// config.pbtxt there, writes that too, before the version becomes visible. Returns the version
  /// once it is durable. On error nothing of it remains, unless the disk refuses the removal too
  /// (the message says so); RESOURCE_EXHAUSTED when the disk is full.
  absl::StatusOr<int64_t> Publish(absl::string_view model, absl::Span<const NewFile> files,
                                  absl::string_view config) ABSL_LOCKS_EXCLUDED(mutex_);

  /// Removes the temporary directories that a process left behind when it died while publishing.
  /// For the start, before any Publish.
  absl::Status RemoveLeftovers() ABSL_LOCKS_EXCLUDED(mutex_);

  /// Letters, digits, '_', '-' and '.', not starting with '.' or '-', at most 128 characters.
  /// INVALID_ARGUMENT otherwise.
  static absl::Status CheckModelName(absl::string_view name);

 private:
  struct Staged;  // what a Publish has put on disk so far

  absl::StatusOr<ModelEntry> ScanListed(absl::string_view model) const;
  absl::StatusOr<std::vector<DirectoryEntry>> ListRoot() const;
  absl::StatusOr<bool> IsModelDirectory(absl::string_view model) const;
  absl::StatusOr<int64_t> NextVersion(absl::string_view model) const
      ABSL_LOCKS_EXCLUDED(seen_mutex_);
  absl::Status WriteVersion(const std::string& directory, absl::Span<const NewFile> files);
  absl::StatusOr<int64_t> PublishNewModel(absl::string_view model, absl::Span<const NewFile> files,
                                          absl::string_view config)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<int64_t> PublishVersion(absl::string_view model, absl::Span<const NewFile> files,
                                         absl::string_view config)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status PutInPlace(Staged* staged);
  absl::Status Undo(const Staged& staged);
  std::string TemporaryIn(const std::string& directory) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SawVersion(absl::string_view model, int64_t version) const ABSL_LOCKS_EXCLUDED(seen_mutex_);
  void LogOnce(const std::string& line) const ABSL_LOCKS_EXCLUDED(seen_mutex_);

  FileSystem* const files_;
  const std::string root_;
  absl::Mutex mutex_;  // one Publish at a time; held while it writes
  int64_t temporaries_ ABSL_GUARDED_BY(mutex_) = 0;

  mutable absl::Mutex seen_mutex_;  // held briefly
  // By model: the highest number that was ever in use.
  mutable absl::flat_hash_map<std::string, int64_t> highest_ ABSL_GUARDED_BY(seen_mutex_);
  mutable absl::flat_hash_set<std::string> logged_ ABSL_GUARDED_BY(seen_mutex_);
};

}  // namespace sigserve
