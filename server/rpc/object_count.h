// What a message would take in memory, told before it is parsed: an empty string or message inside
// it is 2 bytes on the wire and hundreds once parsed, so a bound on bytes alone bounds no memory.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <cstdint>

namespace sigserve {

/// Strings, messages and unknown fields within the encoded message, at any depth; at most
/// `limit` + 1. Numbers do not count: parsed, they take a few bytes each. Bytes that are no such
/// message are counted as far as they can be read.
int64_t CountObjects(google::protobuf::io::ZeroCopyInputStream* bytes,
                     const google::protobuf::Descriptor& type, int64_t limit);

}  // namespace sigserve
