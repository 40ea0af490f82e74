// out = activation(x * w + bias) in bfloat16: half the memory for constant weights, and many times
// the speed on CPUs with AMX tiles. A result is off by some 2^-9 of its largest terms.
//
// The arithmetic is that of Intel's TDPBF16PS, whatever computes it: x and w are rounded to the
// nearest bfloat16, ties to even. k is taken in chunks of 32, the last one filled with zeros. In a
// chunk, each output has two chains of fused multiply-adds from 0, over the even k and the odd k;
// their sum is added to the output's, which starts at 0. All that rounds to nearest, takes
// subnormal numbers for zeros and makes zeros of subnormal results. Bias and activation follow in
// float. So a row has the same bits in any batch, at any position and on every CPU; but which NaN a
// NaN is depends on them.
//
// Thread-safe, no allocation (up to 140 KB of stack), cannot fail. Any size, zero included; any
// alignment. Nothing may overlap the output.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "model/kernels/gemm.h"

namespace sigserve::kernels {

/// What computes the products.
enum class Bf16Unit {
  kTiles,      // AMX
  kVectors,    // any CPU with fused multiply-add
  kReference,  // scalar code that follows the instruction's description: slow
};

/// The fastest here. AMX tiles need a CPU and a kernel that have them, and are tried on a small
/// problem once: if they do not give the bits above, a warning is logged and they are not used.
Bf16Unit BestBf16Unit();
/// Whether this CPU and kernel have AMX tiles.
bool HasBf16Tiles();
/// "AMX tiles" and so on.
const char* NameOf(Bf16Unit unit);

/// Numbers that PackBf16Weights() writes.
size_t PackedBf16Size(size_t k, size_t n);
/// Packs a [k, n] matrix into panels of 16 columns, each [k / 2][16][2], filled with zeros to a
/// multiple of 32 in k and 16 in n.
void PackBf16Weights(const MatrixView& w, absl::Span<uint16_t> packed);

/// x: [m, k]; packed: of a [k, n] matrix; out: [m, n], row-major. `accumulate` is not heeded.
void Bf16GemmPacked(const MatrixView& x, const uint16_t* packed, size_t n,
                    const GemmEpilogue& epilogue, float* out);
/// The same by what the caller says: for tests. Requires that the CPU has it.
void Bf16GemmPackedBy(Bf16Unit unit, const MatrixView& x, const uint16_t* packed, size_t n,
                      const GemmEpilogue& epilogue, float* out);

}  // namespace sigserve::kernels
