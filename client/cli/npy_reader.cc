#include "client/cli/npy_reader.h"

#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are copied as they lie");

constexpr char kMagic[] = "\x93NUMPY";
constexpr size_t kMaxRank = 32;  // NumPy's own limit

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

/// Reads the header: a Python dict literal with the keys 'descr', 'fortran_order' and 'shape'.
class HeaderParser {
 public:
  explicit HeaderParser(absl::string_view text) : text_(text) {}

  std::optional<Header> Parse() {
    Header header;
    bool descr = false;
    bool order = false;
    bool shape = false;
    if (!Take("{")) return std::nullopt;
    while (!Take("}")) {
      const auto key = String();
      if (!key || !Take(":")) return std::nullopt;
      if (*key == "descr" && !descr) {
        const auto value = String();
        if (!value) return std::nullopt;
        header.descr = *value;
        descr = true;
      } else if (*key == "fortran_order" && !order) {
        header.fortran_order = Take("True");
        if (!header.fortran_order && !Take("False")) return std::nullopt;
        order = true;
      } else if (*key == "shape" && !shape) {
        if (!Tuple(&header.shape)) return std::nullopt;
        shape = true;
      } else {
        return std::nullopt;
      }
      Take(",");
    }
    SkipBlanks();
    if (!text_.empty() || !descr || !order || !shape) return std::nullopt;
    return header;
  }

 private:
  void SkipBlanks() { text_ = absl::StripLeadingAsciiWhitespace(text_); }

  bool Take(absl::string_view token) {
    SkipBlanks();
    return absl::ConsumePrefix(&text_, token);
  }

  std::optional<std::string> String() {
    SkipBlanks();
    if (text_.empty() || (text_.front() != '\'' && text_.front() != '"')) return std::nullopt;
    const size_t end = text_.find(text_.front(), 1);
    if (end == absl::string_view::npos) return std::nullopt;
    std::string value(text_.substr(1, end - 1));
    text_.remove_prefix(end + 1);
    return value;
  }

  bool Tuple(std::vector<int64_t>* shape) {
    if (!Take("(")) return false;
    while (!Take(")")) {
      SkipBlanks();
      size_t digits = 0;
      while (digits < text_.size() &&
             absl::ascii_isdigit(static_cast<unsigned char>(text_[digits]))) {
        ++digits;
      }
      int64_t size = 0;
      if (!absl::SimpleAtoi(text_.substr(0, digits), &size) || shape->size() == kMaxRank) {
        return false;
      }
      text_.remove_prefix(digits);
      shape->push_back(size);
      if (!Take(",") && (text_.empty() || text_.front() != ')')) return false;
    }
    return true;
  }

  absl::string_view text_;
};

template <typename T>
std::vector<double> Widen(absl::string_view bytes) {
  std::vector<double> values(bytes.size() / sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
  return values;
}

absl::Status CheckIntegers(absl::string_view bytes) {
  constexpr int64_t kExact = int64_t{1} << 53;
  for (size_t at = 0; at < bytes.size(); at += sizeof(int64_t)) {
    int64_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof(value));
    if (value > kExact || value < -kExact) {
      return absl::InvalidArgumentError(
          absl::StrCat("element ", at / sizeof(value), " is ", value, "; at most 2^53 is exact"));
    }
  }
  return absl::OkStatus();
}

uint32_t LittleEndian(absl::string_view bytes) {
  uint32_t value = 0;
  std::memcpy(&value, bytes.data(), bytes.size());
  return value;
}

absl::StatusOr<InputArray> Parse(absl::string_view bytes) {
  const auto error = [](const auto&... parts) {
    return absl::InvalidArgumentError(absl::StrCat(parts...));
  };
  if (!absl::ConsumePrefix(&bytes, absl::string_view(kMagic, 6))) {
    return error("not a .npy file: it does not begin with \\x93NUMPY");
  }
  if (bytes.size() < 2) return error("truncated after the magic");
  const int version = static_cast<unsigned char>(bytes[0]);
  if (version < 1 || version > 3) {
    return error(".npy version ", version, "; versions 1 to 3 are read");
  }
  const size_t length_bytes = version == 1 ? 2 : 4;
  bytes.remove_prefix(2);
  if (bytes.size() < length_bytes) return error("truncated before the header's length");
  const uint32_t length = LittleEndian(bytes.substr(0, length_bytes));
  bytes.remove_prefix(length_bytes);
  if (length > bytes.size()) {
    return error("header of ", length, " bytes, but only ", bytes.size(), " follow");
  }
  const auto header = HeaderParser(bytes.substr(0, length)).Parse();
  bytes.remove_prefix(length);
  if (!header) return error("unreadable header; 'descr', 'fortran_order' and 'shape' are expected");
  if (header->fortran_order) return error("Fortran order; save numpy.ascontiguousarray(x)");

  size_t size = 0;
  if (header->descr == "<f4") size = sizeof(float);
  if (header->descr == "<f8") size = sizeof(double);
  if (header->descr == "<i8") size = sizeof(int64_t);
  if (size == 0) {
    return error("dtype '", header->descr,
                 "'; float32, float64 and int64 are read: save x.astype('float32')");
  }
  CLIENT_ASSIGN_OR_RETURN(const int64_t count, ElementCount(header->shape));
  const size_t expected = static_cast<size_t>(count) * size;
  if (bytes.size() != expected) {
    return error("the shape needs ", expected, " bytes of data, but there are ", bytes.size());
  }

  InputArray array{.shape = header->shape};
  if (header->descr == "<f4") {
    array.values = Widen<float>(bytes);
  } else if (header->descr == "<f8") {
    array.values = Widen<double>(bytes);
  } else {
    CLIENT_RETURN_IF_ERROR(CheckIntegers(bytes));
    array.values = Widen<int64_t>(bytes);
  }
  return array;
}

}  // namespace

absl::StatusOr<InputData> ReadNpy(absl::string_view bytes, const std::string& source) {
  auto array = Parse(bytes);
  if (!array.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": ", array.status().message()));
  }
  InputData data{.source = source};
  data.arrays.push_back(*std::move(array));
  return data;
}

}  // namespace sigserve::cli
