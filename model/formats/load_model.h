// One version of a model from its folder, whatever format it is in:
//   <model_filename>                          an ONNX model: "model.onnx", or what the config says
//   model.textproto, and one weights file     an architecture (formats/architecture/
//                                             architecture.proto) with weights.safetensors,
//                                             weights.pth or weights.pt
// The model file wins when both are there. Thread-safe as far as its FileSystem is. The files'
// bytes are gone when it returns: a graph holds what it needs.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/base/file.h"
#include "model/graph/graph.h"

namespace sigserve {

inline constexpr absl::string_view kArchitectureFile = "model.textproto";
/// Files over this are refused before they are read. (A protobuf message can have no more.)
inline constexpr int64_t kMaxModelBytes = (int64_t{1} << 31) - 1;
inline constexpr int64_t kMaxArchitectureBytes = int64_t{16} << 20;

/// Errors start with the path of the file they are about. NOT_FOUND: neither kind of model is
/// there (lists the files that are, and says what to do); INVALID_ARGUMENT: an architecture without
/// weights, or with two files of them; else what the format's reader says.
absl::StatusOr<Graph> LoadModel(FileSystem* files, const std::string& version_directory,
                                const std::string& model_filename);

}  // namespace sigserve
