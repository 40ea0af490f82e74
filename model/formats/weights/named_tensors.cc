#include "model/formats/weights/named_tensors.h"

#include <cmath>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/base/utf8.h"

namespace sigserve {
namespace {

constexpr size_t kMaxNameBytes = 4096;
constexpr size_t kMaxShownBytes = 120;

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

float FromBfloat16(uint16_t bits) { return FromBits(static_cast<uint32_t>(bits) << 16); }

/// Calls each(source, count) for runs of `count` elements that lie one after the other.
template <typename Each>
void ForEachRun(const Shape& shape, absl::Span<const int64_t> strides, const Each& each) {
  // Dimensions that are contiguous with those inside them form one run.
  int outer = shape.rank();
  int64_t run = 1;
  while (outer > 0 && (shape[outer - 1] == 1 || strides[static_cast<size_t>(outer - 1)] == run)) {
    run *= shape[--outer];
  }
  std::vector<int64_t> index(static_cast<size_t>(outer), 0);
  int64_t offset = 0;
  while (true) {
    each(offset, run);
    int d = outer - 1;
    for (; d >= 0; --d) {
      const auto at = static_cast<size_t>(d);
      offset += strides[at];
      if (++index[at] < shape[d]) break;
      offset -= strides[at] * shape[d];
      index[at] = 0;
    }
    if (d < 0) return;
  }
}

template <typename File, typename Convert>
void Convert16Or64(const char* from, float* to, int64_t count, const Convert& convert) {
  for (int64_t i = 0; i < count; ++i) {
    File value;
    std::memcpy(&value, from + i * static_cast<int64_t>(sizeof(File)), sizeof(File));
    to[i] = convert(value);
  }
}

/// U+0080..U+009F, and the marks that reorder text.
bool IsHiddenControl(absl::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  if (byte(0) == 0xC2) return byte(1) < 0xA0;
  if (byte(0) == 0xD8) return byte(1) == 0x9C;
  if (byte(0) != 0xE2) return false;
  if (byte(1) == 0x80) {
    return (byte(2) >= 0x8B && byte(2) <= 0x8F) || (byte(2) >= 0xA8 && byte(2) <= 0xAE);
  }
  return byte(1) == 0x81 && byte(2) >= 0xA0 && byte(2) <= 0xAF;
}

}  // namespace

size_t SizeOf(ElementType type) {
  switch (type) {
    case ElementType::kF64:
    case ElementType::kI64:
      return 8;
    case ElementType::kF32:
    case ElementType::kI32:
      return 4;
    case ElementType::kF16:
    case ElementType::kBf16:
      return 2;
    case ElementType::kBool:
      return 1;
  }
  return 1;
}

DType LoadedType(ElementType type) {
  switch (type) {
    case ElementType::kI64:
      return DType::kInt64;
    case ElementType::kI32:
      return DType::kInt32;
    case ElementType::kBool:
      return DType::kBool;
    default:
      return DType::kFloat32;
  }
}

bool CopyElements(ElementType type, const char* from, int64_t count, void* to) {
  switch (type) {
    case ElementType::kF16:
      Convert16Or64<uint16_t>(from, static_cast<float*>(to), count, FromHalf);
      return true;
    case ElementType::kBf16:
      Convert16Or64<uint16_t>(from, static_cast<float*>(to), count, FromBfloat16);
      return true;
    case ElementType::kF64:
      Convert16Or64<double>(from, static_cast<float*>(to), count, [](double value) {
        // Converting what does not fit is undefined.
        if (value > 0x1.fffffep127 || value < -0x1.fffffep127) {
          return std::copysign(HUGE_VALF, static_cast<float>(std::copysign(1.0, value)));
        }
        return static_cast<float>(value);
      });
      return true;
    case ElementType::kBool:
      for (int64_t i = 0; i < count; ++i) {
        if (from[i] != 0 && from[i] != 1) return false;
      }
      [[fallthrough]];
    default:
      std::memcpy(to, from, static_cast<size_t>(count) * SizeOf(type));
      return true;
  }
}

absl::Status ReadElements(ElementType type, const char* data, absl::Span<const int64_t> strides,
                          Tensor& out) {
  if (out.elements() == 0) return absl::OkStatus();
  const auto item = static_cast<int64_t>(SizeOf(type));
  char* to = static_cast<char*>(out.data());
  const auto to_item = static_cast<int64_t>(SizeOf(out.dtype()));
  bool good = true;
  ForEachRun(out.shape(), strides, [&](int64_t offset, int64_t count) {
    good = good && CopyElements(type, data + offset * item, count, to);
    to += count * to_item;
  });
  return good ? absl::OkStatus() : absl::InvalidArgumentError("a BOOL is neither 0 nor 1");
}

std::vector<int64_t> ContiguousStrides(const Shape& shape) {
  std::vector<int64_t> strides(static_cast<size_t>(shape.rank()));
  int64_t stride = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[static_cast<size_t>(i)] = stride;
    stride *= shape[i];
  }
  return strides;
}

absl::Status CheckFinite(absl::string_view name, const Tensor& tensor) {
  if (tensor.dtype() != DType::kFloat32) return absl::OkStatus();
  const auto values = tensor.values<float>();
  // Whole blocks first: the loop over one has no branch.
  constexpr size_t kBlock = 4096;
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    const auto block = values.subspan(begin, kBlock);
    uint32_t infinite = 0;
    for (const float value : block) infinite |= static_cast<uint32_t>(!std::isfinite(value));
    if (infinite == 0) continue;
    for (size_t i = 0; i < block.size(); ++i) {
      if (std::isfinite(block[i])) continue;
      return absl::InvalidArgumentError(absl::StrCat("MODEL_NONFINITE: tensor ", Printable(name),
                                                     ": element ", begin + i, " is ", block[i],
                                                     " as FLOAT32"));
    }
  }
  return absl::OkStatus();
}

absl::string_view NameProblem(absl::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kMaxNameBytes) return "is longer than 4096 bytes";
  if (!IsValidUtf8(name)) return "is not UTF-8";
  for (size_t i = 0; i < name.size(); ++i) {
    const auto byte = static_cast<unsigned char>(name[i]);
    if (byte < 0x20 || byte == 0x7F || IsHiddenControl(name.substr(i))) {
      return "has a control character";
    }
  }
  if (name[0] == '/' || absl::StrContains(name, "../") || absl::StrContains(name, "\\")) {
    return "reads as a path";
  }
  return "";
}

std::string Printable(absl::string_view name) {
  const bool whole = name.size() <= kMaxShownBytes;
  return absl::StrCat("'", absl::CHexEscape(name.substr(0, kMaxShownBytes)), whole ? "'" : "...'");
}

}  // namespace sigserve
