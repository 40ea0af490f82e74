// Bounds what gRPC decompresses. gRPC 1.51 checks a message's size only before and after: a
// megabyte of compressed zeros takes a gigabyte of memory in between.
#pragma once

#include <cstdint>

namespace sigserve {

/// Caps the output of every inflate stream in this process (zlib: gRPC's gzip and deflate) at about
/// `max_bytes`; the rest is dropped. Must be at least the largest message, so that gRPC refuses
/// what was cut off with RESOURCE_EXHAUSTED. Any thread.
void LimitDecompression(int64_t max_bytes);

}  // namespace sigserve
