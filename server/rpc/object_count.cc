#include "server/rpc/object_count.h"

#include <google/protobuf/io/coded_stream.h>

#include <limits>

namespace sigserve {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::io::CodedInputStream;

// A tag's lowest three bits (Protobuf's encoding).
enum WireType : uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kLengthDelimited = 2,
  kStartGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5,
};

WireType TypeOf(uint32_t tag) { return static_cast<WireType>(tag & 7U); }
int NumberOf(uint32_t tag) { return static_cast<int>(tag >> 3U); }

bool ReadSize(CodedInputStream* in, int* size) {
  uint32_t value = 0;
  if (!in->ReadVarint32(&value) || value > uint32_t{std::numeric_limits<int>::max()}) return false;
  *size = static_cast<int>(value);
  return true;
}

/// Skips a field's value; false if it is malformed or nested too deeply.
bool SkipValue(CodedInputStream* in, uint32_t tag) {
  uint64_t varint = 0;
  int size = 0;
  switch (TypeOf(tag)) {
    case kVarint:
      return in->ReadVarint64(&varint);
    case kFixed64:
      return in->Skip(8);
    case kFixed32:
      return in->Skip(4);
    case kLengthDelimited:
      return ReadSize(in, &size) && in->Skip(size);
    case kStartGroup:
      if (!in->IncrementRecursionDepth()) return false;
      while (const uint32_t inner = in->ReadTag()) {
        if (TypeOf(inner) == kEndGroup) {
          in->DecrementRecursionDepth();
          return NumberOf(inner) == NumberOf(tag);
        }
        if (!SkipValue(in, inner)) return false;
      }
      return false;
    default:
      return false;
  }
}

/// False once the count is complete: the limit is passed, or the bytes are malformed.
bool Count(CodedInputStream* in, const Descriptor& type, int64_t limit, int64_t* count) {
  while (const uint32_t tag = in->ReadTag()) {
    const FieldDescriptor* field = type.FindFieldByNumber(NumberOf(tag));
    const bool is_message = field != nullptr && field->message_type() != nullptr;
    const bool is_number =
        field != nullptr && !is_message && field->cpp_type() != FieldDescriptor::CPPTYPE_STRING;
    if (!is_number && ++*count > limit) return false;
    if (!is_message || TypeOf(tag) != kLengthDelimited) {
      if (!SkipValue(in, tag)) return false;
      continue;
    }
    int size = 0;
    if (!ReadSize(in, &size) || !in->IncrementRecursionDepth()) return false;
    const CodedInputStream::Limit outer = in->PushLimit(size);
    if (!Count(in, *field->message_type(), limit, count)) return false;
    in->PopLimit(outer);
    in->DecrementRecursionDepth();
  }
  return true;
}

}  // namespace

int64_t CountObjects(google::protobuf::io::ZeroCopyInputStream* bytes, const Descriptor& type,
                     int64_t limit) {
  CodedInputStream in(bytes);
  int64_t count = 0;
  Count(&in, type, limit, &count);
  return count;
}

}  // namespace sigserve
