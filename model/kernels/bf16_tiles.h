// For the bfloat16 sources of this folder: bfloat16 itself, and tiles. AMX has 8 tiles of 16 rows
// of 64 bytes and one instruction that multiplies them; SoftwareTiles has the same and follows the
// instruction's description (TDPBF16PS in Intel's manual) word by word. bf16_tile_product.h runs on
// either, so that all that surrounds the instruction is tested on CPUs without it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace sigserve::kernels {

inline constexpr size_t kTileRows = 16;
inline constexpr size_t kTileColumns = 16;  // of floats
inline constexpr size_t kChunk = 32;        // k's in a tile of bfloat16
inline constexpr size_t kTileNumbers = kTileRows * kChunk;

inline size_t ChunksIn(size_t k) { return (k + kChunk - 1) / kChunk; }

/// To the nearest, ties to even; a NaN stays one.
inline uint16_t RoundToBf16(float x) {
  uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof(bits));
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<uint16_t>((bits | 0x400000U) >> 16);
  return static_cast<uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

inline float FromBf16(uint16_t x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float result = 0;
  std::memcpy(&result, &bits, sizeof(result));
  return result;
}

/// a * b + c, rounded once; subnormal operands and results are zeros. Whatever the CPU does.
float FlushedMultiplyAdd(float a, float b, float c);

#if defined(__x86_64__)
/// While it lives, this thread's vectors take subnormal numbers for zeros, make zeros of subnormal
/// results and round to nearest; then all is as before. What is computed meanwhile must be in
/// functions that are called through pointers: the compiler does not know.
class FlushSubnormals {
 public:
  FlushSubnormals() : saved_(_mm_getcsr()) {
    constexpr unsigned kMaskAll = 0x1F80;
    constexpr unsigned kFlushResults = 0x8000;
    constexpr unsigned kOperandsAreZeros = 0x0040;
    _mm_setcsr(kMaskAll | kFlushResults | kOperandsAreZeros);
  }
  ~FlushSubnormals() { _mm_setcsr(saved_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  const unsigned saved_;
};
#else
/// Never needed: see SIGSERVE_BF16_VECTORS.
struct FlushSubnormals {};
#endif

/// Tiles are numbered 0 to 7: of sums (16 rows of 16 floats), of numbers from the left (16 rows of
/// 32) and from the right (16 pairs of k, each of 16 columns of 2).
class SoftwareTiles {
 public:
  template <int T>
  void Zero() {
    std::memset(tile_[T], 0, sizeof(tile_[T]));
  }
  template <int T>
  void LoadSums(const float* from, size_t stride) {
    for (size_t r = 0; r < kTileRows; ++r) std::memcpy(tile_[T][r], from + r * stride, kRowBytes);
  }
  template <int T>
  void StoreSums(float* to, size_t stride) const {
    for (size_t r = 0; r < kTileRows; ++r) std::memcpy(to + r * stride, tile_[T][r], kRowBytes);
  }
  template <int T>
  void LoadNumbers(const uint16_t* from) {
    std::memcpy(tile_[T], from, sizeof(tile_[T]));
  }
  template <int Sums, int Left, int Right>
  void MultiplyAdd() {
    MultiplyAdd(tile_[Sums], tile_[Left], tile_[Right]);
  }

 private:
  static constexpr size_t kRowBytes = 64;
  using Row = unsigned char[kRowBytes];
  static void MultiplyAdd(Row* sums, const Row* left, const Row* right);

  Row tile_[8][kTileRows];
};

#if defined(__x86_64__)
/// The CPU's, set up by the constructor and given back by the destructor. Requires HasBf16Tiles()
/// to have been true.
class AmxTiles {
 public:
  AmxTiles() {
    static constexpr Config kConfig = {
        1, 0, {}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    // The operand is all 64 bytes: with less, compilers leave out what writes the rest.
    asm volatile("ldtilecfg %0" : : "m"(kConfig) : "memory");
  }
  ~AmxTiles() { asm volatile("tilerelease" : : : "memory"); }
  AmxTiles(const AmxTiles&) = delete;
  AmxTiles& operator=(const AmxTiles&) = delete;

  template <int T>
  void Zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(T));
  }
  template <int T>
  void LoadSums(const float* from, size_t stride) {
    Load<T>(from, stride * sizeof(float));
  }
  template <int T>
  void StoreSums(float* to, size_t stride) const {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)"
                 :
                 : "r"(to), "r"(stride * sizeof(float)), "i"(T)
                 : "memory");
  }
  template <int T>
  void LoadNumbers(const uint16_t* from) {
    Load<T>(from, kChunk * sizeof(uint16_t));
  }
  template <int Sums, int Left, int Right>
  void MultiplyAdd() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(Sums), "i"(Left), "i"(Right));
  }

 private:
  struct alignas(64) Config {
    uint8_t palette;
    uint8_t start_row;
    uint8_t reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  };
  static_assert(sizeof(Config) == 64);

  template <int T>
  static void Load(const void* from, size_t stride_bytes) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2"
                 :
                 : "r"(from), "r"(stride_bytes), "i"(T)
                 : "memory");
  }
};
#endif

}  // namespace sigserve::kernels
