#include "model/formats/onnx/onnx_wire.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "onnx/onnx.pb.h"

namespace sigserve {
namespace {

constexpr int kMaxNodes = 100'000;
constexpr int kMaxInterface = 1024;  // inputs, outputs
constexpr size_t kMaxUnknownBytes = size_t{16} << 20;
constexpr int kMaxDepth = 100;

enum WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

struct Field {
  uint32_t number = 0;
  uint32_t type = kVarint;
  absl::string_view whole;    // with its tag
  absl::string_view payload;  // kBytes: without tag and length
};

/// Walks the fields of one message.
class Cursor {
 public:
  explicit Cursor(absl::string_view message) : rest_(message) {}

  bool done() const { return rest_.empty(); }
  /// False when the bytes are no field; then it stays where it is.
  bool Next(Field* field) {
    absl::string_view at = rest_;
    uint64_t tag = 0;
    uint64_t length = 0;
    if (!TakeVarint(&at, &tag) || tag >> 32 != 0 || tag >> 3 == 0) return false;
    field->number = static_cast<uint32_t>(tag >> 3);
    field->type = static_cast<uint32_t>(tag & 7);
    switch (field->type) {
      case kVarint:
        if (!TakeVarint(&at, &length)) return false;
        length = 0;
        break;
      case kFixed64:
        length = sizeof(uint64_t);
        break;
      case kBytes:
        if (!TakeVarint(&at, &length)) return false;
        break;
      case kFixed32:
        length = sizeof(uint32_t);
        break;
      default:  // groups: no message of ONNX has any
        return false;
    }
    if (length > at.size()) return false;
    field->payload = at.substr(0, length);
    at.remove_prefix(length);
    field->whole = rest_.substr(0, rest_.size() - at.size());
    rest_ = at;
    return true;
  }

 private:
  static bool TakeVarint(absl::string_view* at, uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && !at->empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(at->front());
      at->remove_prefix(1);
      *value |= static_cast<uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  absl::string_view rest_;
};

void AppendVarint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80U));
  out.push_back(static_cast<char>(value));
}

void AppendMessage(uint32_t number, absl::string_view message, std::string& out) {
  AppendVarint(uint64_t{number} << 3 | kBytes, out);
  AppendVarint(message.size(), out);
  out.append(message.data(), message.size());
}

absl::Status Garbage(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      "ONNX_PARSE: ", what, " is no message of ONNX: garbage, truncated, or another format"));
}

bool IsKnown(uint32_t number, std::initializer_list<uint32_t> known) {
  return std::find(known.begin(), known.end(), number) != known.end();
}

/// One look at the file. One use.
class Scanner {
 public:
  /// `split`: sets raw_data aside; else only looks.
  explicit Scanner(bool split) : split_(split) {}

  size_t raw_bytes() const { return raw_bytes_; }

  absl::StatusOr<OnnxWire> Scan(absl::string_view model) {
    Cursor cursor(model);
    Field field;
    while (!cursor.done()) {
      if (!cursor.Next(&field)) return Garbage("the file");
      if (field.number == onnx::ModelProto::kGraphFieldNumber && field.type == kBytes) {
        std::string graph;
        SIGSERVE_RETURN_IF_ERROR(ScanGraph(field.payload, graph));
        if (split_) AppendMessage(field.number, graph, wire_.skeleton);
        continue;
      }
      // 26: configuration, from ir_version 11 on.
      const bool known = IsKnown(field.number, {1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26});
      SIGSERVE_RETURN_IF_ERROR(Keep(field, known, wire_.skeleton));
    }
    return std::move(wire_);
  }

 private:
  absl::Status ScanGraph(absl::string_view graph, std::string& out) {
    Cursor cursor(graph);
    Field field;
    while (!cursor.done()) {
      if (!cursor.Next(&field)) return Garbage("the graph");
      if (field.number == onnx::GraphProto::kInitializerFieldNumber && field.type == kBytes) {
        SIGSERVE_RETURN_IF_ERROR(Count("initializers", kMaxNodes, ++initializers_));
        SIGSERVE_RETURN_IF_ERROR(ScanInitializer(field, out));
        continue;
      }
      switch (field.number) {
        case onnx::GraphProto::kNodeFieldNumber:
          SIGSERVE_RETURN_IF_ERROR(Count("nodes", kMaxNodes, ++nodes_));
          break;
        case onnx::GraphProto::kOutputFieldNumber:
          SIGSERVE_RETURN_IF_ERROR(Count("outputs", kMaxInterface, ++outputs_));
          break;
        case onnx::GraphProto::kInputFieldNumber:
          // Old files list their initializers here, too.
          SIGSERVE_RETURN_IF_ERROR(Count("inputs", kMaxNodes, ++inputs_));
          break;
        default:
          break;
      }
      // 16: metadata_props, from ir_version 10 on.
      const bool known = IsKnown(field.number, {1, 2, 5, 10, 11, 12, 13, 14, 15, 16});
      SIGSERVE_RETURN_IF_ERROR(Keep(field, known, out));
    }
    return absl::OkStatus();
  }

  absl::Status ScanInitializer(const Field& initializer, std::string& out) {
    std::string kept;
    absl::string_view raw;
    Cursor cursor(initializer.payload);
    Field field;
    while (!cursor.done()) {
      if (!cursor.Next(&field)) return Garbage(absl::StrCat("initializer ", initializers_ - 1));
      if (field.number == onnx::TensorProto::kRawDataFieldNumber && field.type == kBytes) {
        raw = field.payload;
      } else if (split_) {
        kept.append(field.whole.data(), field.whole.size());
      }
    }
    raw_bytes_ += raw.size();
    wire_.raw_data.push_back(split_ ? raw : absl::string_view());
    if (split_) AppendMessage(initializer.number, kept, out);
    return absl::OkStatus();
  }

  static absl::Status Count(absl::string_view what, int limit, int count) {
    if (count <= limit) return absl::OkStatus();
    return absl::ResourceExhaustedError(
        absl::StrCat("ONNX_NODE_LIMIT: more than ", limit, " ", what));
  }

  absl::Status Keep(const Field& field, bool known, std::string& out) {
    if (known) {
      if (split_) out.append(field.whole.data(), field.whole.size());
      return absl::OkStatus();
    }
    unknown_bytes_ += field.whole.size();
    if (unknown_bytes_ <= kMaxUnknownBytes) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat("ONNX_SIZE: more than ", kMaxUnknownBytes,
                                                     " bytes in fields that are unknown to ONNX"));
  }

  const bool split_;
  OnnxWire wire_;
  size_t raw_bytes_ = 0;
  int nodes_ = 0;
  int initializers_ = 0;
  int inputs_ = 0;
  int outputs_ = 0;
  size_t unknown_bytes_ = 0;
};

enum class Message { kNone, kModel, kGraph, kNode, kAttribute };

/// What a field of one of these holds, as far as graphs can be below it.
Message HeldBy(Message message, uint32_t field) {
  switch (message) {
    case Message::kModel:
      return field == onnx::ModelProto::kGraphFieldNumber ? Message::kGraph : Message::kNone;
    case Message::kGraph:
      return field == onnx::GraphProto::kNodeFieldNumber ? Message::kNode : Message::kNone;
    case Message::kNode:
      return field == onnx::NodeProto::kAttributeFieldNumber ? Message::kAttribute : Message::kNone;
    case Message::kAttribute:
      return IsKnown(field, {onnx::AttributeProto::kGFieldNumber,
                             onnx::AttributeProto::kGraphsFieldNumber})
                 ? Message::kGraph
                 : Message::kNone;
    case Message::kNone:
      break;
  }
  return Message::kNone;
}

/// Graphs within attributes of nodes within graphs, deeper than Protobuf goes. Looks at each byte
/// at most kMaxDepth times.
bool NestsTooDeep(Message type, absl::string_view message, int depth) {
  if (depth > kMaxDepth) return true;
  Cursor cursor(message);
  Field field;
  while (!cursor.done() && cursor.Next(&field)) {
    const Message held = HeldBy(type, field.number);
    if (field.type != kBytes || held == Message::kNone) continue;
    if (NestsTooDeep(held, field.payload, depth + 1)) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<OnnxWire> ScanOnnx(absl::string_view bytes) {
  Scanner look(/*split=*/false);
  SIGSERVE_ASSIGN_OR_RETURN(OnnxWire whole, look.Scan(bytes));
  if (look.raw_bytes() > bytes.size() / 2) return Scanner(/*split=*/true).Scan(bytes);
  // What is left would be nearly all of the file: one copy more, not one less.
  whole.skeleton_is_file = true;
  return whole;
}

absl::Status ParseOnnx(absl::string_view skeleton, onnx::ModelProto& model) {
  if (!model.ParseFromArray(skeleton.data(), static_cast<int>(skeleton.size()))) {
    if (NestsTooDeep(Message::kModel, skeleton, 1)) {
      return absl::InvalidArgumentError(
          absl::StrCat("ONNX_DEPTH: messages nested more than ", kMaxDepth, " deep"));
    }
    return Garbage("the file");
  }
  return absl::OkStatus();
}

}  // namespace sigserve
