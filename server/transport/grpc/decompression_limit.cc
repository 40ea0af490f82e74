#include "server/transport/grpc/decompression_limit.h"

#include <dlfcn.h>
#include <zlib.h>

#include <atomic>
#include <limits>

namespace {

std::atomic<uint64_t> limit{std::numeric_limits<uint64_t>::max()};

using Inflate = int (*)(z_streamp, int);

}  // namespace

// Replaces zlib's function for the whole process. gRPC has no hook in its public API, and the
// alternative is to switch off compressed requests, which clients use. gRPC calls zlib by name: as
// an archive it is linked with this definition, as a shared library it finds this one first.
// HostileTest.GzipBomb fails if that ceases to hold.
extern "C" int inflate(z_streamp stream, int flush) {
  static const auto zlib_inflate = reinterpret_cast<Inflate>(dlsym(RTLD_NEXT, "inflate"));
  if (stream->total_out > limit.load(std::memory_order_relaxed)) {
    stream->avail_in = 0;
    return Z_STREAM_END;
  }
  return zlib_inflate(stream, flush);
}

namespace sigserve {

void LimitDecompression(int64_t max_bytes) { limit = static_cast<uint64_t>(max_bytes); }

}  // namespace sigserve
