// For the sources of this folder: tensors whose elements lie in other files than the model. Files
// come from users, and a path from a file is a way out: only plain files in the version's folder or
// below it are opened, never through a link, and nothing is read before its size is known to fit.
// Source: onnx/docs/ExternalData.md.
#pragma once

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/base/file.h"

namespace onnx {
class ModelProto;
class TensorProto;
}  // namespace onnx

namespace sigserve {

bool IsExternal(const onnx::TensorProto& proto);

/// Every external tensor that the model has anywhere, in subgraphs, functions and sparse tensors,
/// too, names a file within the folder: PERMISSION_DENIED ONNX_EXT_PATH; INVALID_ARGUMENT
/// ONNX_EXT_KEY, ONNX_EXT_RANGE. Opens nothing.
absl::Status CheckExternalTensors(const onnx::ModelProto& model);

/// The files of one model while it is being read. Not thread-safe.
class ExternalFiles {
 public:
  /// `files` must outlive this; null: there is no folder, and every external tensor is refused.
  ExternalFiles(FileSystem* files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  /// Where a tensor's `bytes` bytes lie. PERMISSION_DENIED: ONNX_EXT_PATH, ONNX_EXT_LINK,
  /// ONNX_EXT_TYPE; INVALID_ARGUMENT: ONNX_EXT_KEY, ONNX_EXT_MISSING, ONNX_EXT_RANGE (leaves the
  /// file), ONNX_EXT_HASH, ONNX_SIZE_MISMATCH; RESOURCE_EXHAUSTED: ONNX_TOTAL_SIZE (the tensors
  /// use the same bytes again and again); UNIMPLEMENTED: ONNX_EXT (no folder). Messages do not name
  /// the tensor.
  struct Place {
    const RandomAccessFile* file = nullptr;
    int64_t offset = 0;
  };
  absl::StatusOr<Place> Find(const onnx::TensorProto& proto, int64_t bytes);

 private:
  absl::StatusOr<const RandomAccessFile*> Open(const std::string& location);

  FileSystem* const files_;
  const std::string directory_;
  absl::flat_hash_map<std::string, std::unique_ptr<RandomAccessFile>> open_;  // by location
  absl::flat_hash_map<std::string, std::string> sha1_;                        // by location
  int64_t file_bytes_ = 0;    // of all files in open_
  int64_t tensor_bytes_ = 0;  // found so far
};

}  // namespace sigserve
