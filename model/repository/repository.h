// The directory of models, in Triton's layout:
//
//   <root>/<model>/<version>/model.onnx      version: a positive decimal number without leading
//   zeros <root>/<model>/config.pbtxt              optional
//
// Reading it is a scan; writing is one atomic Publish: a temporary directory beside the versions,
// synced, then renamed, so that a crash at any point leaves either no new version or a whole one.
// Names starting with '.' are ours or somebody's temporary ones and are skipped. Thread-safe as far
// as its FileSystem is; concurrent Publish calls get distinct versions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
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
  std::vector<std::string>
      ignored;  // entries that are no version, with the reason: "'01': leading zero"
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

  /// Every model, sorted by name. Directories whose name is no model name are skipped with a log
  /// line.
  absl::StatusOr<std::vector<ModelEntry>> Scan() const;
  /// NOT_FOUND when there is no such directory; INVALID_ARGUMENT for a bad name.
  absl::StatusOr<ModelEntry> ScanModel(absl::string_view model) const;

  std::string ModelDirectory(absl::string_view model) const;
  std::string VersionDirectory(absl::string_view model, int64_t version) const;

  /// Writes a new version, one above the highest that exists or was ever published by this process,
  /// creating the model's directory when needed. With `config` not empty and no config.pbtxt there,
  /// writes that too. Returns the version once it is durable. On error nothing of it remains;
  /// RESOURCE_EXHAUSTED when the disk is full.
  absl::StatusOr<int64_t> Publish(absl::string_view model, absl::Span<const NewFile> files,
                                  absl::string_view config) ABSL_LOCKS_EXCLUDED(mutex_);

  /// Letters, digits, '_', '-' and '.', not starting with '.' or '-', at most 128 characters.
  /// INVALID_ARGUMENT otherwise.
  static absl::Status CheckModelName(absl::string_view name);

 private:
  FileSystem* const files_;
  const std::string root_;
  absl::Mutex mutex_;  // one Publish at a time
};

}  // namespace sigserve
