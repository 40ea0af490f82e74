#include "server/codec/payloads.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <cstdint>
#include <cstring>
#include <limits>

namespace sigserve {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// A message within has its length in two bytes, whatever it is: kMaxRest fits in.
constexpr size_t kLengthBytes = 2;
static_assert(Payloads::kMaxRest < size_t{1} << (7 * kLengthBytes));

// A length as Protobuf's parser reads it, which is stricter than CodedInputStream.
constexpr int kMaxLengthBytes = 5;
constexpr uint64_t kMaxLength = std::numeric_limits<int32_t>::max() - 16;

using Index = uint32_t;

bool ReadLength(CodedInputStream* in, size_t* length) {
  const int start = in->CurrentPosition();
  uint64_t value = 0;
  if (!in->ReadVarint64(&value) || value > kMaxLength) return false;
  *length = static_cast<size_t>(value);
  return in->CurrentPosition() - start <= kMaxLengthBytes;
}

void WriteLength(size_t length, char* to) {
  to[0] = static_cast<char>((length & 0x7F) | 0x80);
  to[1] = static_cast<char>(length >> 7);
}

}  // namespace

bool Payloads::Cut(absl::string_view message, absl::Span<const PayloadField> fields) {
  Clear();
  if (CutMessage(message, fields) && !payloads_.empty()) return true;
  Clear();
  return false;
}

bool Payloads::CutMessage(absl::string_view message, absl::Span<const PayloadField> fields) {
  const auto* const begin = reinterpret_cast<const uint8_t*>(message.data());
  CodedInputStream in(begin, static_cast<int>(message.size()));
  while (true) {
    const int start = in.CurrentPosition();
    const uint32_t tag = in.ReadTag();
    if (tag == 0) return in.ConsumedEntireMessage();
    const PayloadField* field = nullptr;
    if (WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      for (const PayloadField& candidate : fields) {
        if (candidate.number == WireFormatLite::GetTagFieldNumber(tag)) field = &candidate;
      }
    }
    if (field == nullptr) {
      if (!WireFormatLite::SkipField(&in, tag)) return false;
      const auto length = static_cast<size_t>(in.CurrentPosition() - start);
      if (rest_.size() + length > kMaxRest) return false;
      rest_.append(message.data() + start, length);
      continue;
    }
    const auto tag_length = static_cast<size_t>(in.CurrentPosition() - start);
    size_t size = 0;
    if (!ReadLength(&in, &size)) return false;
    const auto at = static_cast<size_t>(in.CurrentPosition());
    if (size > message.size() - at) return false;
    if (rest_.size() + tag_length + kLengthBytes + sizeof(Index) > kMaxRest) return false;
    rest_.append(message.data() + start, tag_length);
    const absl::string_view inside = message.substr(at, size);
    const size_t length_at = rest_.size();
    rest_.append(kLengthBytes, '\0');
    if (!field->inside.empty()) {
      if (!CutMessage(inside, field->inside)) return false;
    } else if (!inside.empty()) {
      const auto index = static_cast<Index>(payloads_.size());
      rest_.append(reinterpret_cast<const char*>(&index), sizeof index);
      payloads_.push_back(inside);
    }
    WriteLength(rest_.size() - length_at - kLengthBytes, &rest_[length_at]);
    if (!in.Skip(static_cast<int>(size))) return false;
  }
}

absl::string_view Payloads::Of(absl::string_view field) const {
  if (payloads_.empty() || field.size() != sizeof(Index)) return field;
  Index index = 0;
  std::memcpy(&index, field.data(), sizeof index);
  return index < payloads_.size() ? payloads_[index] : absl::string_view();
}

bool Envelope::Open(absl::string_view envelope, uint64_t* number,
                    absl::string_view* message) const {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(envelope.data()),
                      static_cast<int>(envelope.size()));
  const uint32_t number_tag =
      WireFormatLite::MakeTag(number_field, WireFormatLite::WIRETYPE_VARINT);
  const uint32_t message_tag =
      WireFormatLite::MakeTag(message_field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  *number = 0;
  bool found = false;
  while (true) {
    const int start = in.CurrentPosition();
    const uint32_t tag = in.ReadTag();
    if (tag == 0) break;
    if (in.CurrentPosition() - start > 1) return false;  // perhaps one that Protobuf refuses
    if (tag == number_tag) {
      if (!in.ReadVarint64(number)) return false;
    } else if (tag == message_tag && !found) {
      size_t size = 0;
      if (!ReadLength(&in, &size)) return false;
      const auto at = static_cast<size_t>(in.CurrentPosition());
      if (size > envelope.size() - at || !in.Skip(static_cast<int>(size))) return false;
      *message = envelope.substr(at, size);
      found = true;
    } else {
      return false;
    }
  }
  return found && in.ConsumedEntireMessage();
}

void Payloads::Clear() {
  payloads_.clear();
  rest_.clear();
}

}  // namespace sigserve
