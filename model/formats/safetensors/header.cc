#include "model/formats/safetensors/header.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/error_tokens.h"
#include "model/base/status_macros.h"
#include "model/base/utf8.h"
#include "nlohmann/json.hpp"

namespace sigserve {
namespace {

constexpr size_t kMaxTensors = 100'000;
constexpr size_t kMaxRank = 64;
constexpr int kMaxDepth = 16;
constexpr uint64_t kMaxTensorBytes = uint64_t{1} << 62;

struct FileType {
  absl::string_view name;
  int bits;
  std::optional<ElementType> type;  // none: a type of the format that we do not read
};
constexpr FileType kFileTypes[] = {
    {"F32", 32, ElementType::kF32},  {"F64", 64, ElementType::kF64},
    {"F16", 16, ElementType::kF16},  {"BF16", 16, ElementType::kBf16},
    {"I64", 64, ElementType::kI64},  {"I32", 32, ElementType::kI32},
    {"BOOL", 8, ElementType::kBool}, {"I16", 16, std::nullopt},
    {"I8", 8, std::nullopt},         {"U64", 64, std::nullopt},
    {"U32", 32, std::nullopt},       {"U16", 16, std::nullopt},
    {"U8", 8, std::nullopt},         {"C64", 64, std::nullopt},
    {"F8_E4M3", 8, std::nullopt},    {"F8_E5M2", 8, std::nullopt},
    {"F8_E8M0", 8, std::nullopt},    {"F6_E2M3", 6, std::nullopt},
    {"F6_E3M2", 6, std::nullopt},    {"F4", 4, std::nullopt},
    {"I4", 4, std::nullopt},         {"U4", 4, std::nullopt},
};

absl::Status TooManyTensors() {
  return absl::ResourceExhaustedError(
      absl::StrCat("ST_TENSOR_COUNT: more than ", kMaxTensors, " tensors"));
}

/// A quick look before parsing: a header of tens of megabytes is not worth it.
bool HasTooManyTensors(absl::string_view json) {
  constexpr absl::string_view kKey = "\"data_offsets\"";
  size_t count = 0;
  const char* at = json.data();
  const char* end = at + json.size();
  while ((at = static_cast<const char*>(
              memmem(at, static_cast<size_t>(end - at), kKey.data(), kKey.size()))) != nullptr) {
    if (++count > kMaxTensors) return true;
    at += kKey.size();
  }
  return false;
}

/// A tensor's object as it was written.
struct RawEntry {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> shape;
  std::vector<uint64_t> offsets;
  bool has_dtype = false;
  bool has_shape = false;
  bool has_offsets = false;
};

/// The numbers make sense by themselves: type, shape and size agree.
absl::StatusOr<SafetensorsEntry> CheckEntry(RawEntry raw) {
  const std::string what = absl::StrCat("tensor ", Printable(raw.name));
  if (!raw.has_dtype || !raw.has_shape || !raw.has_offsets) {
    return Malformed("ST_HEADER_JSON", absl::StrCat(what, " lacks ",
                                                    !raw.has_dtype   ? "dtype"
                                                    : !raw.has_shape ? "shape"
                                                                     : "data_offsets"));
  }
  const auto* type = std::find_if(std::begin(kFileTypes), std::end(kFileTypes),
                                  [&](const FileType& known) { return known.name == raw.dtype; });
  const auto unsupported = [&] {
    return absl::UnimplementedError(
        absl::StrCat("ST_DTYPE: ", what, " is of dtype ", Printable(raw.dtype),
                     "; F64, F32, F16, BF16, I64, I32 and BOOL are supported"));
  };
  if (type == std::end(kFileTypes)) return unsupported();

  uint64_t bits = static_cast<uint64_t>(type->bits);
  bool empty = false;
  Shape shape;
  for (const uint64_t size : raw.shape) {
    // A size of 0 does not hide an overflow.
    if (size > kMaxTensorBytes || (size > 0 && bits > kMaxTensorBytes / size)) {
      return Malformed("ST_OVERFLOW", absl::StrCat(what, " is larger than any memory"));
    }
    empty = empty || size == 0;
    if (size > 0) bits *= size;
    shape.push_back(static_cast<int64_t>(size));
  }
  if (empty) bits = 0;
  if (bits % 8 != 0) {
    return Malformed("ST_MISALIGNED", absl::StrCat(what, ": ", shape.ToString(), " of ", type->name,
                                                   " does not end with a byte"));
  }
  if (!type->type.has_value()) return unsupported();
  if (raw.offsets.size() != 2 || raw.offsets[1] < raw.offsets[0]) {
    return Malformed("ST_OFFSET", absl::StrCat(what,
                                               ": data_offsets must be two numbers, the begin not "
                                               "after the end"));
  }
  if (raw.offsets[1] - raw.offsets[0] != bits / 8) {
    return Malformed("ST_SIZE", absl::StrCat(what, ": ", shape.ToString(), " of ", type->name,
                                             " needs ", bits / 8, " bytes, its offsets have ",
                                             raw.offsets[1] - raw.offsets[0]));
  }
  return SafetensorsEntry{std::move(raw.name), *type->type, std::move(shape), raw.offsets[0],
                          raw.offsets[1]};
}

/// nlohmann's SAX callbacks; false stops the parser, and status() says why.
class HeaderHandler final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderHandler(absl::string_view json) : json_(json) {}

  const absl::Status& status() const { return stop_.ok() ? later_ : stop_; }
  bool stopped() const { return !stop_.ok(); }
  std::vector<SafetensorsEntry>& entries() { return entries_; }
  const std::string& parse_error_text() const { return parse_error_; }

  bool null() override { return Scalar("null"); }
  bool boolean(bool /*value*/) override { return Scalar("a boolean"); }
  bool number_integer(number_integer_t /*value*/) override { return Scalar("a negative number"); }
  bool number_float(number_float_t /*value*/, const string_t& text) override {
    const bool digits =
        std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    if (digits && InArray()) {
      return Stop(Malformed("ST_OVERFLOW", absl::StrCat(Where(), " has ", text.substr(0, 40))));
    }
    return Scalar("a fraction or an exponent");
  }
  bool binary(binary_t& /*value*/) override { return Scalar("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (!InArray()) return Scalar("a number");
    if (field_ == Field::kShape) {
      if (raw_.shape.size() == kMaxRank) {
        return Stop(Malformed("ST_RANK_LIMIT",
                              absl::StrCat(Where(), " has more than ", kMaxRank, " dimensions")));
      }
      raw_.shape.push_back(value);
    } else {
      if (raw_.offsets.size() == 2) {
        return Stop(Malformed("ST_OFFSET", absl::StrCat(Where(), " has more than two numbers")));
      }
      raw_.offsets.push_back(value);
    }
    return true;
  }

  bool string(string_t& value) override {
    if (in_metadata_ && depth_ == 2) return true;
    if (field_ == Field::kDtype && depth_ == 2) {
      raw_.dtype = std::move(value);
      return true;
    }
    return Scalar("a string");
  }

  bool start_object(size_t /*size*/) override {
    if (!Deeper()) return false;
    if (depth_ == 1 || (depth_ == 2 && (in_metadata_ || in_tensor_))) return true;
    return depth_ == 2 ? true : Misplaced("an object");
  }

  bool key(string_t& name) override {
    if (depth_ == 1) return TopLevelKey(name);
    if (in_metadata_) {
      if (depth_ == 2 && !metadata_keys_.insert(name).second) {
        return Stop(
            Malformed("ST_DUP_KEY", absl::StrCat("__metadata__ has ", Printable(name), " twice")));
      }
      return true;
    }
    return TensorKey(name);
  }

  bool end_object() override {
    --depth_;
    if (depth_ == 1 && in_metadata_) in_metadata_ = false;
    if (depth_ == 1 && in_tensor_) return EndTensor();
    return true;
  }

  bool start_array(size_t /*size*/) override {
    if (!Deeper()) return false;
    const bool wanted = field_ == Field::kShape || field_ == Field::kOffsets;
    return depth_ == 3 && in_tensor_ && wanted ? true : Misplaced("an array");
  }
  bool end_array() override {
    --depth_;
    return true;
  }

  bool parse_error(size_t /*position*/, const std::string& /*last_token*/,
                   const nlohmann::detail::exception& error) override {
    parse_error_ = error.what();
    return false;
  }

 private:
  enum class Field { kNone, kDtype, kShape, kOffsets };

  bool Stop(absl::Status status) {
    stop_ = std::move(status);
    return false;
  }

  bool Deeper() {
    if (++depth_ <= kMaxDepth) return true;
    return Stop(Malformed("ST_HEADER_DEPTH",
                          absl::StrCat("the header nests more than ", kMaxDepth, " deep")));
  }

  bool InArray() const {
    return in_tensor_ && depth_ == 3 && (field_ == Field::kShape || field_ == Field::kOffsets);
  }

  std::string Where() const {
    return absl::StrCat("tensor ", Printable(raw_.name),
                        field_ == Field::kShape     ? ": shape"
                        : field_ == Field::kOffsets ? ": data_offsets"
                        : field_ == Field::kDtype   ? ": dtype"
                                                    : "");
  }

  bool Scalar(absl::string_view what) { return Misplaced(what); }

  /// Something that does not belong where it stands. Within __metadata__ reading goes on: what
  /// follows may be worse.
  bool Misplaced(absl::string_view what) {
    if (in_metadata_) {
      later_.Update(Malformed(
          "ST_METADATA", absl::StrCat("__metadata__ must map strings to strings, has ", what)));
      return true;
    }
    const absl::string_view token = field_ == Field::kShape     ? "ST_SHAPE"
                                    : field_ == Field::kOffsets ? "ST_OFFSET"
                                                                : "ST_HEADER_JSON";
    return Stop(Malformed(
        token, in_tensor_ ? absl::StrCat(Where(), " has ", what)
                          : absl::StrCat("the header has ", what, ", expected an object")));
  }

  bool TopLevelKey(std::string& name) {
    in_metadata_ = name == "__metadata__";
    in_tensor_ = !in_metadata_;
    field_ = Field::kNone;
    if (in_metadata_) {
      if (seen_metadata_) return Stop(Malformed("ST_METADATA", "__metadata__ is there twice"));
      seen_metadata_ = true;
      return true;
    }
    if (const absl::string_view problem = NameProblem(name); !problem.empty()) {
      return Stop(
          Malformed("ST_NAME", absl::StrCat("tensor name ", Printable(name), " ", problem)));
    }
    if (!names_.insert(name).second) return Stop(Duplicate(name));
    if (names_.size() > kMaxTensors) return Stop(TooManyTensors());
    raw_ = RawEntry();
    raw_.name = std::move(name);
    return true;
  }

  /// The same name twice, or two spellings of it.
  absl::Status Duplicate(const std::string& name) const {
    const std::string quoted = absl::StrCat("\"", name, "\"");
    const size_t first = json_.find(quoted);
    const bool spelled_alike = first != absl::string_view::npos &&
                               json_.find(quoted, first + 1) != absl::string_view::npos;
    return Malformed(spelled_alike ? "ST_DUP_NAME" : "ST_DUP_KEY",
                     absl::StrCat("tensor ", Printable(name), " is there twice"));
  }

  bool TensorKey(const std::string& name) {
    field_ = name == "dtype"          ? Field::kDtype
             : name == "shape"        ? Field::kShape
             : name == "data_offsets" ? Field::kOffsets
                                      : Field::kNone;
    if (field_ == Field::kNone) {
      return Stop(Malformed(
          "ST_HEADER_JSON",
          absl::StrCat("tensor ", Printable(raw_.name), " has the unknown key ", Printable(name))));
    }
    bool& seen = field_ == Field::kDtype   ? raw_.has_dtype
                 : field_ == Field::kShape ? raw_.has_shape
                                           : raw_.has_offsets;
    if (seen) return Stop(Malformed("ST_DUP_KEY", absl::StrCat(Where(), " is there twice")));
    seen = true;
    return true;
  }

  bool EndTensor() {
    in_tensor_ = false;
    absl::StatusOr<SafetensorsEntry> entry = CheckEntry(std::move(raw_));
    if (!entry.ok()) return Stop(entry.status());
    if (entry->end > entry->begin && !begins_.insert(entry->begin).second) {
      return Stop(Malformed("ST_OVERLAP", absl::StrCat("tensor ", Printable(entry->name),
                                                       " begins where another one does")));
    }
    entries_.push_back(*std::move(entry));
    return true;
  }

  const absl::string_view json_;
  absl::Status stop_;
  absl::Status later_;
  std::string parse_error_;
  int depth_ = 0;
  bool in_metadata_ = false;
  bool seen_metadata_ = false;
  bool in_tensor_ = false;
  Field field_ = Field::kNone;
  RawEntry raw_;
  absl::flat_hash_set<std::string> names_;
  absl::flat_hash_set<uint64_t> begins_;  // of tensors that have bytes
  absl::flat_hash_set<std::string> metadata_keys_;
  std::vector<SafetensorsEntry> entries_;
};

absl::Status CheckLayout(absl::Span<const SafetensorsEntry> sorted, uint64_t data_bytes) {
  uint64_t end = 0;
  for (const SafetensorsEntry& entry : sorted) {
    const std::string what = absl::StrCat("tensor ", Printable(entry.name), " at bytes ",
                                          entry.begin, " to ", entry.end);
    if (entry.end > data_bytes) {
      return Malformed("ST_OFFSET", absl::StrCat(what, ": the file has ", data_bytes));
    }
    if (entry.begin < end) {
      return Malformed("ST_OVERLAP",
                       absl::StrCat(what, " overlaps the one before, which ends at ", end));
    }
    if (entry.begin > end) {
      return Malformed("ST_HOLE", absl::StrCat(what, ": nothing owns the bytes from ", end));
    }
    end = entry.end;
  }
  if (end != data_bytes) {
    return Malformed("ST_TRAILING",
                     absl::StrCat(data_bytes - end, " bytes follow the last tensor"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<SafetensorsEntry>> ParseSafetensorsHeader(absl::string_view json,
                                                                     uint64_t data_bytes) {
  // The parser takes a NUL for the end, and skips a byte order mark.
  if (json.empty()) return Malformed("ST_HEADER_JSON", "empty header");
  if (json[0] != '{') return Malformed("ST_HEADER_JSON", "the header must start with '{'");
  if (json.find('\0') != absl::string_view::npos) {
    return Malformed("ST_HEADER_JSON", "the header has a NUL byte");
  }
  if (HasTooManyTensors(json)) return TooManyTensors();
  HeaderHandler handler(json);
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &handler)) {
    if (handler.stopped()) return handler.status();
    const std::string& text = handler.parse_error_text();
    const bool utf8 = absl::StrContains(text, "UTF-8") || absl::StrContains(text, "surrogate") ||
                      !IsValidUtf8(json);
    return Malformed(utf8 ? "ST_HEADER_UTF8" : "ST_HEADER_JSON", Printable(text));
  }
  SIGSERVE_RETURN_IF_ERROR(handler.status());
  std::vector<SafetensorsEntry> entries = std::move(handler.entries());
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  SIGSERVE_RETURN_IF_ERROR(CheckLayout(entries, data_bytes));
  return entries;
}

}  // namespace sigserve
