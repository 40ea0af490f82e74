// A bound on what gRPC 1.51 decompresses: by itself it checks a message's size only before and
// after, and a megabyte of zipped zeros is a gigabyte of memory meanwhile.
#pragma once

#include <cstdint>

namespace sigserve {

/// From now on no stream of zlib's `inflate`, which is gRPC's gzip and deflate, yields much more
/// than so many bytes in this process; its rest is dropped. To be the largest message or more, so
/// that gRPC refuses what was cut off: RESOURCE_EXHAUSTED. Any thread.
void LimitDecompression(int64_t max_bytes);

}  // namespace sigserve
