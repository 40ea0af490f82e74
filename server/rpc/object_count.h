// Estimates what a message takes in memory before it is parsed. An empty string or message inside
// it is 2 bytes on the wire and hundreds when parsed: a limit on bytes does not limit memory.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <cstdint>

namespace sigserve {

/// Counts strings, messages and unknown fields of the encoded message, at any depth, up to
/// `limit` + 1. Numbers do not count: they take a few bytes each. Bytes that are not such a message
/// are counted as far as they can be read.
int64_t CountObjects(google::protobuf::io::ZeroCopyInputStream* bytes,
                     const google::protobuf::Descriptor& type, int64_t limit);

}  // namespace sigserve
