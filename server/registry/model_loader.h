// From files to a servable: config.pbtxt, label files, and a version's files, each read with a size
// limit and checked. Knows nothing of what is loaded already. Thread-safe as far as its
// FileSystem is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/base/file.h"
#include "model/graph/graph.h"
#include "model/repository/repository.h"
#include "model/runtime/executable.h"
#include "server/config/model_options.h"
#include "server/registry/servable.h"

namespace sigserve {

class ModelLoader {
 public:
  static constexpr int64_t kMaxConfigBytes = int64_t{1} << 20;
  static constexpr int64_t kMaxLabelBytes = int64_t{16} << 20;
  static constexpr int64_t kMaxSampleBytes = int64_t{64} << 20;
  /// In a version's folder: inputs to compare BF16 with FLOAT32 on, by name.
  static constexpr absl::string_view kSampleFile = "sample.safetensors";

  /// All must outlive the loader.
  ModelLoader(const Repository* repository, FileSystem* files)
      : repository_(repository), files_(files) {}

  /// The model's options: defaults without a config.pbtxt; labels read from their files.
  absl::StatusOr<ModelOptions> LoadOptions(const ModelEntry& entry) const;

  /// What a version would be loaded from now: equal while the config, the label files and the files
  /// in its directory are the same (by size, times and inode). UNAVAILABLE and the like when that
  /// cannot be told.
  absl::StatusOr<std::string> Fingerprint(absl::string_view model, int64_t version,
                                          const ModelOptions& options) const;

  /// A hash of what Fingerprint() only tells apart by size, time and inode. Reads all files.
  absl::StatusOr<uint64_t> HashContents(absl::string_view model, int64_t version) const;

  /// One version, compiled. Whatever is wrong with its files is an error that names the file.
  absl::StatusOr<ServableHandle> LoadVersion(absl::string_view model, int64_t version,
                                             const ModelOptions& options) const;

 private:
  /// One tensor for each input; empty without the file.
  absl::StatusOr<std::vector<Tensor>> ReadSample(const std::string& directory,
                                                 const Graph& graph) const;
  absl::StatusOr<std::shared_ptr<const Executable>> Compile(const std::string& directory,
                                                            const Graph& graph,
                                                            const NumericsOptions& options) const;

  const Repository* const repository_;
  FileSystem* const files_;
};

/// One label a line; a last empty line and carriage returns do not count. INVALID_ARGUMENT when
/// there is none, or a line within is empty (it would shift all others).
absl::StatusOr<std::vector<std::string>> ParseLabels(absl::string_view text,
                                                     absl::string_view file);

}  // namespace sigserve
