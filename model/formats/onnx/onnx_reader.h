// ONNX files in. Reads ModelProto (ir_version 3 to 13; ai.onnx opset 7 to 25, ai.onnx.ml 1 to 5;
// op_table.cc says how new each operator may be) into a Graph, checking everything before it
// allocates: files come from users. Source: onnx/onnx.proto (ONNX 1.12) and docs/IR.md.
//
// What becomes something else: Constant nodes and initializers are constants (FLOAT16 and BFLOAT16
// as FLOAT32); ZipMap passes its scores through; outputs of strings (scikit-learn's class names)
// are left out, and the names end up in the signature's labels. External data (models over 2 GiB)
// are read from the model's folder. Not supported: sparse tensors, functions, subgraphs. Limits:
// 2 GiB, 100,000 nodes, 1,024 outputs.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/base/file.h"
#include "model/graph/graph.h"

namespace sigserve {

/// `bytes`: the whole file. `directory`: the folder it lies in, where tensors' data in other files
/// must be; `files` null: there is none. INVALID_ARGUMENT (garbage, truncated, inconsistent),
/// UNIMPLEMENTED (an operator, dtype or version we lack), PERMISSION_DENIED (data outside the
/// folder) and RESOURCE_EXHAUSTED say which node, initializer or field. Messages start with a
/// stable token, e.g. "ONNX_PARSE: ". NaN or infinity in a weight: MODEL_NONFINITE.
absl::StatusOr<Graph> ReadOnnx(absl::string_view bytes, FileSystem* files = nullptr,
                               const std::string& directory = "");

}  // namespace sigserve
