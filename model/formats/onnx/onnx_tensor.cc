#include "model/formats/onnx/onnx_tensor.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/base/utf8.h"

namespace sigserve {
namespace {

using onnx::TensorProto;

constexpr size_t kMaxNameBytes = 4096;
constexpr int kMaxRank = 64;
constexpr int64_t kBlockElements = int64_t{1} << 18;

std::string TypeName(int onnx_type) {
  if (!TensorProto::DataType_IsValid(onnx_type)) return absl::StrCat("type ", onnx_type);
  return TensorProto::DataType_Name(static_cast<TensorProto::DataType>(onnx_type));
}

bool IsHalf(int onnx_type) {
  return onnx_type == TensorProto::FLOAT16 || onnx_type == TensorProto::BFLOAT16;
}

/// Bytes of one element in raw_data.
size_t FileSizeOf(int onnx_type, DType dtype) {
  return IsHalf(onnx_type) ? sizeof(uint16_t) : SizeOf(dtype);
}

/// Elements as they lie in raw_data or in another file. False: a BOOL that is neither 0 nor 1.
bool CopyRaw(int onnx_type, const char* from, int64_t count, void* to) {
  switch (onnx_type) {
    case TensorProto::FLOAT:
      return CopyElements(ElementType::kF32, from, count, to);
    case TensorProto::FLOAT16:
      return CopyElements(ElementType::kF16, from, count, to);
    case TensorProto::BFLOAT16:
      return CopyElements(ElementType::kBf16, from, count, to);
    case TensorProto::INT32:
      return CopyElements(ElementType::kI32, from, count, to);
    case TensorProto::INT64:
      return CopyElements(ElementType::kI64, from, count, to);
    case TensorProto::BOOL:
      return CopyElements(ElementType::kBool, from, count, to);
    default:  // DOUBLE, which stays what it is
      std::memcpy(to, from, static_cast<size_t>(count) * sizeof(double));
      return true;
  }
}

absl::Status BadBool() {
  return absl::InvalidArgumentError("ONNX_RANGE: a BOOL is neither 0 nor 1");
}

absl::StatusOr<Shape> ReadShape(const TensorProto& proto) {
  if (proto.dims_size() > kMaxRank) {
    return absl::InvalidArgumentError(
        absl::StrCat("ONNX_SHAPE: rank ", proto.dims_size(), ", at most ", kMaxRank));
  }
  const Shape shape(
      absl::MakeConstSpan(proto.dims().data(), static_cast<size_t>(proto.dims_size())));
  if (!shape.is_concrete()) {
    return absl::InvalidArgumentError(
        absl::StrCat("ONNX_SHAPE: shape ", shape.ToString(), " has a negative size"));
  }
  return shape;
}

struct Source {
  absl::string_view field;
  size_t count = 0;  // elements in the field
};

/// The one field that holds the elements.
absl::StatusOr<Source> FindData(const TensorProto& proto, absl::string_view raw_data) {
  const Source fields[] = {
      {"raw_data", raw_data.size()},
      {"float_data", static_cast<size_t>(proto.float_data_size())},
      {"int32_data", static_cast<size_t>(proto.int32_data_size())},
      {"int64_data", static_cast<size_t>(proto.int64_data_size())},
      {"double_data", static_cast<size_t>(proto.double_data_size())},
      {"uint64_data", static_cast<size_t>(proto.uint64_data_size())},
      {"string_data", static_cast<size_t>(proto.string_data_size())},
  };
  Source found;
  for (const Source& field : fields) {
    if (field.count == 0) continue;
    if (found.count > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("ONNX_TWO_DATA: both ", found.field, " and ", field.field, " are set"));
    }
    found = field;
  }
  return found;
}

absl::string_view TypedField(DType dtype, int onnx_type) {
  if (IsHalf(onnx_type)) return "int32_data";
  switch (dtype) {
    case DType::kFloat32:
      return "float_data";
    case DType::kFloat64:
      return "double_data";
    case DType::kInt32:
    case DType::kBool:
      return "int32_data";
    case DType::kInt64:
      return "int64_data";
  }
  return "";
}

absl::Status CopyInt32Data(const TensorProto& proto, Tensor& tensor) {
  const bool half = IsHalf(proto.data_type());
  const int32_t highest = half ? std::numeric_limits<uint16_t>::max() : 1;
  for (int i = 0; i < proto.int32_data_size(); ++i) {
    const int32_t value = proto.int32_data(i);
    const auto at = static_cast<size_t>(i);
    if (tensor.dtype() == DType::kInt32) {
      tensor.mutable_values<int32_t>()[at] = value;
      continue;
    }
    if (value < 0 || value > highest) {
      return absl::InvalidArgumentError(
          absl::StrCat("ONNX_RANGE: element ", i, " of int32_data is ", value, ", expected 0 to ",
                       highest, " for ", TypeName(proto.data_type())));
    }
    if (half) {
      const auto bits = static_cast<uint16_t>(value);
      CopyRaw(proto.data_type(), reinterpret_cast<const char*>(&bits), 1,
              &tensor.mutable_values<float>()[at]);
    } else {
      tensor.mutable_values<bool>()[at] = value == 1;
    }
  }
  return absl::OkStatus();
}

absl::Status ReadExternal(const TensorProto& proto, const ExternalFiles::Place& place,
                          Tensor& tensor) {
  const auto item = static_cast<int64_t>(FileSizeOf(proto.data_type(), tensor.dtype()));
  auto* to = static_cast<char*>(tensor.data());
  if (item == static_cast<int64_t>(SizeOf(tensor.dtype())) && tensor.dtype() != DType::kBool) {
    return place.file->ReadAt(place.offset, absl::MakeSpan(to, tensor.bytes()));
  }
  std::string block;
  for (int64_t done = 0; done < tensor.elements();) {
    const int64_t count = std::min(kBlockElements, tensor.elements() - done);
    block.resize(static_cast<size_t>(count * item));
    SIGSERVE_RETURN_IF_ERROR(place.file->ReadAt(place.offset + done * item, absl::MakeSpan(block)));
    if (!CopyRaw(proto.data_type(), block.data(), count, to)) return BadBool();
    to += static_cast<size_t>(count) * SizeOf(tensor.dtype());
    done += count;
  }
  return absl::OkStatus();
}

template <typename T, typename Field>
void CopyField(const Field& field, Tensor& tensor) {
  std::memcpy(tensor.data(), field.data(), static_cast<size_t>(field.size()) * sizeof(T));
}

absl::Status WithOverflow(const absl::Status& status) {
  if (status.ok()) return status;
  return absl::InvalidArgumentError(absl::StrCat("ONNX_OVERFLOW: ", status.message()));
}

absl::StatusOr<int64_t> FileBytes(int onnx_type, DType dtype, const Shape& shape) {
  // What it has in memory must be a size, too.
  SIGSERVE_RETURN_IF_ERROR(WithOverflow(CheckedBytes(shape, SizeOf(dtype)).status()));
  return CheckedBytes(shape, FileSizeOf(onnx_type, dtype));
}

absl::Status CheckDataFits(const TensorProto& proto, const Source& source, DType dtype,
                           const Shape& shape) {
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t bytes, FileBytes(proto.data_type(), dtype, shape));
  const bool raw = source.field == "raw_data";
  const uint64_t expected =
      static_cast<uint64_t>(bytes) / (raw ? 1 : FileSizeOf(proto.data_type(), dtype));
  if (source.count != expected) {
    return absl::InvalidArgumentError(
        absl::StrCat("ONNX_SIZE_MISMATCH: shape ", shape.ToString(), " of ",
                     TypeName(proto.data_type()), " needs ", expected,
                     raw ? " bytes of raw_data" : " elements", ", the file has ", source.count));
  }
  if (source.count > 0 && !raw && source.field != TypedField(dtype, proto.data_type())) {
    return absl::InvalidArgumentError(absl::StrCat("ONNX_DTYPE: ", TypeName(proto.data_type()),
                                                   " data is in ", source.field, ", expected in ",
                                                   TypedField(dtype, proto.data_type())));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DType> DTypeFromOnnx(int onnx_type) {
  switch (onnx_type) {
    case TensorProto::FLOAT:
      return DType::kFloat32;
    case TensorProto::DOUBLE:
      return DType::kFloat64;
    case TensorProto::INT32:
      return DType::kInt32;
    case TensorProto::INT64:
      return DType::kInt64;
    case TensorProto::BOOL:
      return DType::kBool;
    default:
      return absl::UnimplementedError(
          absl::StrCat("ONNX_DTYPE: element type ", TypeName(onnx_type),
                       " is not supported (FLOAT, DOUBLE, INT32, INT64 and BOOL are)"));
  }
}

int DTypeToOnnx(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return TensorProto::FLOAT;
    case DType::kFloat64:
      return TensorProto::DOUBLE;
    case DType::kInt32:
      return TensorProto::INT32;
    case DType::kInt64:
      return TensorProto::INT64;
    case DType::kBool:
      return TensorProto::BOOL;
  }
  return TensorProto::UNDEFINED;
}

absl::StatusOr<Tensor> TensorFromOnnx(const TensorProto& proto, absl::string_view raw_data,
                                      ExternalFiles* external) {
  if (raw_data.empty()) raw_data = proto.raw_data();
  const int declared = proto.data_type();
  if (declared == TensorProto::STRING && !raw_data.empty()) {
    return absl::InvalidArgumentError("ONNX_DTYPE: STRING data is in raw_data");
  }
  if (proto.has_segment()) {
    return absl::UnimplementedError("ONNX_SEGMENT: tensors in segments are not supported");
  }
  SIGSERVE_ASSIGN_OR_RETURN(const DType dtype,
                            DTypeFromOnnx(IsHalf(declared) ? int{TensorProto::FLOAT} : declared));
  SIGSERVE_ASSIGN_OR_RETURN(const Shape shape, ReadShape(proto));
  SIGSERVE_ASSIGN_OR_RETURN(const Source source, FindData(proto, raw_data));
  if (IsExternal(proto)) {
    if (source.count > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("ONNX_TWO_DATA: both external_data and ", source.field, " are set"));
    }
    SIGSERVE_ASSIGN_OR_RETURN(const int64_t bytes, FileBytes(declared, dtype, shape));
    ExternalFiles nowhere(nullptr, "");
    ExternalFiles& files = external != nullptr ? *external : nowhere;
    SIGSERVE_ASSIGN_OR_RETURN(const ExternalFiles::Place place, files.Find(proto, bytes));
    Tensor tensor(dtype, shape);
    SIGSERVE_RETURN_IF_ERROR(ReadExternal(proto, place, tensor));
    return tensor;
  }
  SIGSERVE_RETURN_IF_ERROR(CheckDataFits(proto, source, dtype, shape));
  if (source.field == "raw_data") {
    Tensor tensor = Tensor::Uninitialized(dtype, shape);
    if (!CopyRaw(declared, raw_data.data(), tensor.elements(), tensor.data())) return BadBool();
    return tensor;
  }
  Tensor tensor(dtype, shape);
  if (source.count == 0) return tensor;
  if (source.field == "int32_data") {
    SIGSERVE_RETURN_IF_ERROR(CopyInt32Data(proto, tensor));
  } else if (source.field == "float_data") {
    CopyField<float>(proto.float_data(), tensor);
  } else if (source.field == "double_data") {
    CopyField<double>(proto.double_data(), tensor);
  } else {
    CopyField<int64_t>(proto.int64_data(), tensor);
  }
  return tensor;
}

TensorProto TensorToOnnx(const Tensor& tensor, absl::string_view name) {
  TensorProto proto;
  proto.set_name(std::string(name));
  proto.set_data_type(DTypeToOnnx(tensor.dtype()));
  for (const int64_t size : tensor.shape().dims()) proto.add_dims(size);
  proto.set_raw_data(tensor.data(), tensor.bytes());
  return proto;
}

absl::Status CheckName(absl::string_view name, absl::string_view what) {
  absl::string_view problem;
  if (name.size() > kMaxNameBytes) problem = "is longer than 4096 bytes";
  if (problem.empty() && !IsValidUtf8(name)) problem = "is not UTF-8";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (problem.empty() && (byte < 0x20 || byte == 0x7F)) problem = "has a control character";
  }
  if (problem.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("ONNX_NAME: ", what, " name ", Printable(name), " ", problem));
}

}  // namespace sigserve
