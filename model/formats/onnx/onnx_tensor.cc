#include "model/formats/onnx/onnx_tensor.h"

#include <cstring>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

using onnx::TensorProto;

constexpr size_t kMaxNameBytes = 4096;
constexpr size_t kMaxShownBytes = 120;
constexpr int kMaxRank = 64;

std::string TypeName(int onnx_type) {
  if (!TensorProto::DataType_IsValid(onnx_type)) return absl::StrCat("type ", onnx_type);
  return TensorProto::DataType_Name(static_cast<TensorProto::DataType>(onnx_type));
}

/// Bytes of one element in raw_data.
size_t FileSizeOf(int onnx_type, DType dtype) {
  const bool half = onnx_type == TensorProto::FLOAT16 || onnx_type == TensorProto::BFLOAT16;
  return half ? 2 : SizeOf(dtype);
}

float FromBits(uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

float FromHalf(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half >> 15) << 31;
  const uint32_t exponent = (half >> 10) & 0x1FU;
  const uint32_t mantissa = half & 0x3FFU;
  if (exponent == 0x1F) return FromBits(sign | 0x7F800000U | (mantissa << 13));
  if (exponent != 0) return FromBits(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
  return sign != 0 ? -magnitude : magnitude;
}

float Widened(int onnx_type, uint16_t bits) {
  return onnx_type == TensorProto::BFLOAT16 ? FromBits(static_cast<uint32_t>(bits) << 16)
                                            : FromHalf(bits);
}

bool IsHalf(int onnx_type) {
  return onnx_type == TensorProto::FLOAT16 || onnx_type == TensorProto::BFLOAT16;
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
absl::StatusOr<Source> FindData(const TensorProto& proto) {
  const Source fields[] = {
      {"raw_data", proto.raw_data().size()},
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
      tensor.mutable_values<float>()[at] = Widened(proto.data_type(), static_cast<uint16_t>(value));
    } else {
      tensor.mutable_values<bool>()[at] = value == 1;
    }
  }
  return absl::OkStatus();
}

absl::Status CopyRawData(const TensorProto& proto, Tensor& tensor) {
  const std::string& raw = proto.raw_data();
  if (IsHalf(proto.data_type())) {
    const auto out = tensor.mutable_values<float>();
    for (size_t i = 0; i < out.size(); ++i) {
      uint16_t bits = 0;
      std::memcpy(&bits, raw.data() + 2 * i, sizeof(bits));
      out[i] = Widened(proto.data_type(), bits);
    }
    return absl::OkStatus();
  }
  if (tensor.dtype() == DType::kBool) {
    for (size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != 0 && raw[i] != 1) {
        return absl::InvalidArgumentError(absl::StrCat(
            "ONNX_RANGE: byte ", i, " of BOOL raw_data is ", static_cast<int>(raw[i])));
      }
    }
  }
  std::memcpy(tensor.data(), raw.data(), raw.size());
  return absl::OkStatus();
}

template <typename T, typename Field>
void CopyField(const Field& field, Tensor& tensor) {
  std::memcpy(tensor.data(), field.data(), static_cast<size_t>(field.size()) * sizeof(T));
}

absl::Status CheckDataFits(const TensorProto& proto, const Source& source, DType dtype,
                           const Shape& shape) {
  const size_t file_size = FileSizeOf(proto.data_type(), dtype);
  const auto bytes = CheckedBytes(shape, file_size);
  if (!bytes.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("ONNX_OVERFLOW: ", bytes.status().message()));
  }
  const bool raw = source.field == "raw_data";
  const auto expected = static_cast<uint64_t>(*bytes) / (raw ? 1 : file_size);
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

/// Strict UTF-8: no overlong forms, no surrogates, nothing over U+10FFFF.
bool IsUtf8(absl::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80   ? 1
                          : lead < 0xC2 ? 0
                          : lead < 0xE0 ? 2
                          : lead < 0xF0 ? 3
                          : lead < 0xF5 ? 4
                                        : 0;
    if (length == 0 || i + length > text.size()) return false;
    uint32_t code = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0U) != 0x80U) return false;
      code = (code << 6) | (next & 0x3FU);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    if (overlong || (code >= 0xD800 && code < 0xE000) || code > 0x10FFFF) return false;
    i += length;
  }
  return true;
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

absl::StatusOr<Tensor> TensorFromOnnx(const TensorProto& proto) {
  if (proto.data_location() == TensorProto::EXTERNAL || proto.external_data_size() > 0) {
    return absl::UnimplementedError(
        "ONNX_EXT: the data is in another file, which is not supported; save the model in one "
        "file");
  }
  if (proto.has_segment()) {
    return absl::UnimplementedError("ONNX_SEGMENT: tensors in segments are not supported");
  }
  const int declared = proto.data_type();
  SIGSERVE_ASSIGN_OR_RETURN(const DType dtype,
                            DTypeFromOnnx(IsHalf(declared) ? int{TensorProto::FLOAT} : declared));
  SIGSERVE_ASSIGN_OR_RETURN(const Shape shape, ReadShape(proto));
  SIGSERVE_ASSIGN_OR_RETURN(const Source source, FindData(proto));
  SIGSERVE_RETURN_IF_ERROR(CheckDataFits(proto, source, dtype, shape));
  Tensor tensor(dtype, shape);
  if (source.count == 0) return tensor;
  if (source.field == "raw_data") {
    SIGSERVE_RETURN_IF_ERROR(CopyRawData(proto, tensor));
  } else if (source.field == "int32_data") {
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
  if (problem.empty() && !IsUtf8(name)) problem = "is not UTF-8";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (problem.empty() && (byte < 0x20 || byte == 0x7F)) problem = "has a control character";
  }
  if (problem.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("ONNX_NAME: ", what, " name ", Shown(name), " ", problem));
}

std::string Shown(absl::string_view name) {
  const bool whole = name.size() <= kMaxShownBytes;
  return absl::StrCat("'", absl::CHexEscape(name.substr(0, kMaxShownBytes)), whole ? "'" : "...'");
}

absl::Status WithName(const absl::Status& status, absl::string_view what) {
  if (status.ok()) return status;
  const absl::string_view message = status.message();
  const size_t colon = message.find(": ");
  if (!absl::StartsWith(message, "ONNX_") || colon == absl::string_view::npos) {
    return Annotate(status, what);
  }
  return absl::Status(status.code(), absl::StrCat(message.substr(0, colon + 2), what, ": ",
                                                  message.substr(colon + 2)));
}

}  // namespace sigserve
