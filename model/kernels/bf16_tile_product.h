// For the bfloat16 sources of this folder: a product of matrices that lie in tiles, by the tiles of
// bf16_tiles.h. No allocation; thread-safe.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "model/kernels/bf16_tiles.h"

namespace sigserve::kernels {

/// sums (+)= left * right over some chunks of k.
struct TileProduct {
  const uint16_t* left;  // [row tile][chunk][16][32]
  size_t left_stride;    // numbers from a row tile to the next
  size_t rows;
  const uint16_t* right;  // [column tile][chunk][16][16][2]
  size_t right_stride;
  size_t columns;
  size_t chunks;
  bool first;  // start from 0, else from `sums`
  float* sums;
  size_t sums_stride;
};

/// R * C tiles of sums at once.
template <int R, int C, class Tiles>
void MultiplyBlock(Tiles& tiles, const TileProduct& p, size_t row_tile, size_t column_tile) {
  static_assert(R <= 2 && C <= 3 && R * C + R + C <= 8);
  constexpr size_t kRows = R * kTileRows;
  constexpr size_t kColumns = C * kTileColumns;
  float* const to = p.sums + row_tile * kTileRows * p.sums_stride + column_tile * kTileColumns;
  const size_t rows = std::min(kRows, p.rows - row_tile * kTileRows);
  const size_t columns = std::min(kColumns, p.columns - column_tile * kTileColumns);
  // What sticks out is computed aside.
  float aside[kRows * kColumns];
  const bool whole = rows == kRows && columns == kColumns;
  float* const sums = whole ? to : aside;
  const size_t stride = whole ? p.sums_stride : kColumns;
  if (!whole && !p.first) {
    std::fill_n(aside, kRows * kColumns, 0.0F);
    for (size_t r = 0; r < rows; ++r) {
      std::copy_n(to + r * p.sums_stride, columns, aside + r * kColumns);
    }
  }
  // Calls f<sums tile, its row, its column> for each.
  const auto for_each = [](auto f) {
    f.template operator()<0, 0, 0>();
    if constexpr (C > 1) f.template operator()<1, 0, 1>();
    if constexpr (C > 2) f.template operator()<2, 0, 2>();
    if constexpr (R > 1) f.template operator()<C, 1, 0>();
    if constexpr (R > 1 && C > 1) f.template operator()<C + 1, 1, 1>();
  };
  for_each([&]<int T, int Y, int X>() {
    if (p.first) {
      tiles.template Zero<T>();
    } else {
      tiles.template LoadSums<T>(sums + Y * kTileRows * stride + X * kTileColumns, stride);
    }
  });
  const uint16_t* left = p.left + row_tile * p.left_stride;
  const uint16_t* right = p.right + column_tile * p.right_stride;
  for (size_t chunk = 0; chunk < p.chunks; ++chunk) {
    for_each([&]<int T, int Y, int X>() {
      constexpr int kLeft = R * C + Y;
      constexpr int kRight = R * C + R + X;
      if constexpr (X == 0) tiles.template LoadNumbers<kLeft>(left + Y * p.left_stride);
      if constexpr (Y == 0) tiles.template LoadNumbers<kRight>(right + X * p.right_stride);
      tiles.template MultiplyAdd<T, kLeft, kRight>();
    });
    left += kTileNumbers;
    right += kTileNumbers;
  }
  for_each([&]<int T, int Y, int X>() {
    tiles.template StoreSums<T>(sums + Y * kTileRows * stride + X * kTileColumns, stride);
  });
  for (size_t r = 0; r < rows && !whole; ++r) {
    std::copy_n(aside + r * kColumns, columns, to + r * p.sums_stride);
  }
}

template <int C, class Tiles>
void MultiplyColumns(Tiles& tiles, const TileProduct& p, size_t row_tiles, size_t column_tile) {
  size_t row = 0;
  if constexpr (C <= 2) {
    for (; row + 2 <= row_tiles; row += 2) MultiplyBlock<2, C>(tiles, p, row, column_tile);
  }
  for (; row < row_tiles; ++row) MultiplyBlock<1, C>(tiles, p, row, column_tile);
}

template <class Tiles>
void MultiplyTiles(const TileProduct& p) {
  Tiles tiles;
  const size_t row_tiles = (p.rows + kTileRows - 1) / kTileRows;
  const size_t column_tiles = (p.columns + kTileColumns - 1) / kTileColumns;
  const size_t together = row_tiles == 1 ? 3 : 2;  // as many sums as the tile registers hold
  for (size_t column = 0; column < column_tiles; column += together) {
    const size_t count = std::min(together, column_tiles - column);
    if (count == 3) {
      MultiplyColumns<3>(tiles, p, row_tiles, column);
    } else if (count == 2) {
      MultiplyColumns<2>(tiles, p, row_tiles, column);
    } else {
      MultiplyColumns<1>(tiles, p, row_tiles, column);
    }
  }
}

}  // namespace sigserve::kernels
