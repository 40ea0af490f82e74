#include "server/rpc/object_count.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

namespace sigserve {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

/// False once there is no more to count: the limit is passed, or the bytes are malformed.
bool Count(CodedInputStream* in, const Descriptor& type, int64_t limit, int64_t* count) {
  while (const uint32_t tag = in->ReadTag()) {
    const FieldDescriptor* field = type.FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag));
    const bool is_message = field != nullptr && field->message_type() != nullptr;
    const bool is_number =
        field != nullptr && !is_message && field->cpp_type() != FieldDescriptor::CPPTYPE_STRING;
    if (!is_number && ++*count > limit) return false;
    if (!is_message ||
        WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(in, tag)) return false;
      continue;
    }
    uint32_t size = 0;
    if (!in->ReadVarint32(&size)) return false;
    const CodedInputStream::Limit outer = in->PushLimit(static_cast<int>(size));
    if (!Count(in, *field->message_type(), limit, count)) return false;
    in->PopLimit(outer);
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
