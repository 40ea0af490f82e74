// The directory of models, in Triton's layout:
//
//   <root>/<model>/<version>/     model.onnx, or what formats/load_model.h reads besides; a version
//                                 is a positive decimal number without leading zeros
//   <root>/<model>/config.pbtxt   optional
//
// Reading it is a scan. Writing is one atomic Publish: a temporary directory next to the versions
// is synced, then renamed, so that a crash at any point leaves either no new version or a whole
// one. Names that start with '.' are temporary or hidden and are skipped. The root, models and
// versions may be symbolic links to directories (Kubernetes' ..data, git-sync, blue/green); a link
// to nothing or in a loop is ignored with that reason. Thread-safe if its FileSystem is; concurrent
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

/// An entry of the repository that is no model, and why: "docs", "no version directories and no
/// config.pbtxt".
struct IgnoredEntry {
  std::string name;
  std::string reason;

  friend bool operator==(const IgnoredEntry&, const IgnoredEntry&) = default;
};

/// One model's directory as found.
struct ModelEntry {
  std::string name;
  std::vector<int64_t> versions;  // ascending
  bool has_config = false;        // config.pbtxt is there
  // Entries that are no version, with the reason: "'01': leading zero".
  std::vector<std::string> ignored;
  bool has_version_like = false;  // one of them is named by digits alone
  // Not OK: the directory is there but cannot be listed, and nothing above is known of it.
  absl::Status problem = absl::OkStatus();
};

struct RepositoryScan {
  std::vector<ModelEntry> models;     // by name; those that cannot be listed with their `problem`
  std::vector<IgnoredEntry> ignored;  // by name
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

  /// Every directory that is a model: it has a config.pbtxt or an entry named like a version. Other
  /// directories, links to nothing and names that no model may have are `ignored`; each is logged
  /// once. Plain files and hidden entries are skipped. UNAVAILABLE when the root itself is missing:
  /// that says nothing of the models.
  absl::StatusOr<RepositoryScan> Scan() const;
  /// NOT_FOUND when there is no such directory, though there is a root (UNAVAILABLE without), or it
  /// is no model; INVALID_ARGUMENT for a bad name.
  absl::StatusOr<ModelEntry> ScanModel(absl::string_view model) const;

  /// `status` with paths below the root made relative to it: clients see no paths of this machine.
  absl::Status WithoutRoot(const absl::Status& status) const;

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
