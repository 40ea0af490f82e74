#include "model/kernels/bf16_tiles.h"

#include <cmath>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "model/kernels/bf16_gemm.h"

namespace sigserve::kernels {
namespace {

constexpr float kSmallestNormal = 0x1p-126F;

float WithoutSubnormal(float x) {
  return std::abs(x) < kSmallestNormal ? std::copysign(0.0F, x) : x;
}

}  // namespace

float FlushedMultiplyAdd(float a, float b, float c) {
  const double product = double{WithoutSubnormal(a)} * double{WithoutSubnormal(b)};  // exact
  const double addend = WithoutSubnormal(c);
  double sum = product + addend;
  if (!std::isfinite(sum)) return static_cast<float>(sum);
  // What the sum has lost. If anything, its last bit is made 1: then rounding it once more, to a
  // float, gives what rounding the exact sum would.
  const double addend_part = sum - product;
  const double lost = (product - (sum - addend_part)) + (addend - addend_part);
  if (lost != 0) {
    uint64_t bits = 0;
    std::memcpy(&bits, &sum, sizeof(bits));
    if ((bits & 1U) == 0) bits += (lost > 0) == (sum > 0) ? 1 : ~uint64_t{0};
    std::memcpy(&sum, &bits, sizeof(sum));
  }
  // Subnormal is what stays below the smallest normal number when rounded to 24 bits.
  if (std::abs(sum) < 0x1p-126 - 0x1p-151) return std::copysign(0.0F, static_cast<float>(sum));
  return static_cast<float>(sum);
}

void SoftwareTiles::MultiplyAdd(Row* sums, const Row* left, const Row* right) {
  uint16_t a[kTileRows][kChunk];
  uint16_t b[kChunk / 2][2 * kTileColumns];
  float c[kTileRows][kTileColumns];
  std::memcpy(a, left, sizeof(a));
  std::memcpy(b, right, sizeof(b));
  std::memcpy(c, sums, sizeof(c));
  for (size_t m = 0; m < kTileRows; ++m) {
    float chains[2 * kTileColumns] = {};
    for (size_t k = 0; k < kChunk / 2; ++k) {
      for (size_t n = 0; n < 2 * kTileColumns; ++n) {
        const float x = FromBf16(a[m][2 * k + n % 2]);
        chains[n] = FlushedMultiplyAdd(x, FromBf16(b[k][n]), chains[n]);
      }
    }
    for (size_t n = 0; n < kTileColumns; ++n) {
      const float both = FlushedMultiplyAdd(chains[2 * n], 1, chains[2 * n + 1]);
      c[m][n] = FlushedMultiplyAdd(c[m][n], 1, both);
    }
  }
  std::memcpy(sums, c, sizeof(c));
}

bool HasBf16Tiles() {
#if defined(__x86_64__)
  static const bool has = [] {
    constexpr unsigned kTile = 1U << 24;
    constexpr unsigned kBf16 = 1U << 22;
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    if ((d & kTile) == 0 || (d & kBf16) == 0) return false;
    // Linux hands out the tiles' state to processes that ask; kernels that know none refuse.
    constexpr long kRequestPermission = 0x1023;
    constexpr long kTileData = 18;
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return has;
#else
  return false;
#endif
}

}  // namespace sigserve::kernels
