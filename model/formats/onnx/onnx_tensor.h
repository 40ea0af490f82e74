// For the sources of this folder: TensorProto to Tensor and back, and how names from files are
// checked. Pure, except that external data are read.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/formats/onnx/onnx_external.h"
#include "model/formats/weights/named_tensors.h"
#include "model/tensor/tensor.h"
#include "onnx/onnx.pb.h"

namespace sigserve {

/// ONNX's number for an element type to ours: UNIMPLEMENTED (ONNX_DTYPE) for those we lack.
absl::StatusOr<DType> DTypeFromOnnx(int onnx_type);
int DTypeToOnnx(DType dtype);

/// FLOAT16 and BFLOAT16 become FLOAT32. Sizes are checked against the data before memory is taken.
/// `raw_data`: elements that were set aside, instead of the field (see onnx_wire.h); `external`:
/// null where no external data can be. INVALID_ARGUMENT: ONNX_SHAPE, ONNX_OVERFLOW, ONNX_TWO_DATA,
/// ONNX_SIZE_MISMATCH, ONNX_RANGE, ONNX_DTYPE (data in the field of another type); UNIMPLEMENTED:
/// ONNX_DTYPE, ONNX_SEGMENT; and what ExternalFiles::Find says. Messages do not name the tensor:
/// the caller does (see WithSubject).
absl::StatusOr<Tensor> TensorFromOnnx(const onnx::TensorProto& proto,
                                      absl::string_view raw_data = {},
                                      ExternalFiles* external = nullptr);
onnx::TensorProto TensorToOnnx(const Tensor& tensor, absl::string_view name);

/// INVALID_ARGUMENT (ONNX_NAME) for control characters, invalid UTF-8 or more than 4096 bytes.
absl::Status CheckName(absl::string_view name, absl::string_view what);

}  // namespace sigserve
