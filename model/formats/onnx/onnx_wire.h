// For the sources of this folder: a look at a ModelProto's bytes before Protobuf makes objects of
// them. What Protobuf would answer with a multiple of the file's memory is refused here: more
// nodes, initializers, inputs or outputs than we take, and megabytes of fields that the reader
// ignores. The elements of initializers, nearly all of a large file, are set aside, so that they
// are copied once: from the file into their tensors. Pure. Source: Protobuf's encoding guide.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace onnx {
class ModelProto;
}

namespace sigserve {

struct OnnxWire {
  std::string skeleton;  // the file without its initializers' raw_data
  /// Nothing was set aside: the file is its own skeleton, and raw_data's views are empty.
  bool skeleton_is_file = false;
  /// By initializer, in the file's order: its raw_data, within the file; empty without.
  std::vector<absl::string_view> raw_data;
};

/// INVALID_ARGUMENT: ONNX_PARSE; RESOURCE_EXHAUSTED: ONNX_NODE_LIMIT, ONNX_SIZE (over 16 MiB of
/// unknown fields).
absl::StatusOr<OnnxWire> ScanOnnx(absl::string_view bytes);

/// The skeleton, parsed. INVALID_ARGUMENT: ONNX_PARSE, ONNX_DEPTH (messages nested more than 100
/// deep).
absl::Status ParseOnnx(absl::string_view skeleton, onnx::ModelProto& model);

}  // namespace sigserve
