#include "server/transport/decompression_limit.h"

#include <dlfcn.h>
#include <zlib.h>

#include <atomic>
#include <limits>

namespace {

std::atomic<uint64_t> limit{std::numeric_limits<uint64_t>::max()};

using Inflate = int (*)(z_streamp, int);

}  // namespace

// gRPC offers no hook, but calls zlib through the dynamic linker, which finds this one first. (If
// gRPC is linked statically, --wrap=inflate does the same; the test HostileTest.GzipBomb tells.)
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
