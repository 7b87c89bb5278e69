// The micro-kernel of every matrix product: MR rows by NV vectors of C in registers, one fused multiply-add
// chain in ascending k for each element. So an element's value depends on neither the size of the tile it
// sits in nor its place there, and a product of one row equals the same row of a large product to the bit.
#pragma once

#include "cpu/vec.h"

namespace mm::MM_ISA_NS {

// The largest tile that the registers hold.
constexpr int kTileRows = MM_LANES == 16 ? 14 : MM_LANES == 8 ? 6 : 4;
constexpr int kTileVectors = 2;
constexpr int kTileColumns = kTileVectors * kLanes;

// C[i, j] (+)= sum_k A[i, k] B[k, j];  A at a[i * a_row + k * a_k], B and C row-major. Starts from C's value
// if `accumulate`, else from 0.
template <int MR, int NV>
inline void tile(int64_t depth, const float* __restrict a, int64_t a_row, int64_t a_k,
                 const float* __restrict b, int64_t b_row, float* __restrict c, int64_t c_row,
                 bool accumulate) {
  vfloat sums[MR][NV];
  for (int i = 0; i < MR; i++) {
    for (int j = 0; j < NV; j++) sums[i][j] = accumulate ? load(c + i * c_row + j * kLanes) : vfloat{};
  }
  for (int64_t k = 0; k < depth; k++) {
    vfloat row[NV];
    for (int j = 0; j < NV; j++) row[j] = load(b + k * b_row + j * kLanes);
    for (int i = 0; i < MR; i++) {
      const float x = a[i * a_row + k * a_k];
      for (int j = 0; j < NV; j++) sums[i][j] += x * row[j];
    }
  }
  for (int i = 0; i < MR; i++) {
    for (int j = 0; j < NV; j++) store(c + i * c_row + j * kLanes, sums[i][j]);
  }
}

// Rows of a tile of small_product: enough independent sums to hide the latency, and a divisor of common
// sizes.
constexpr int kSmallRows = MM_LANES == 16 ? 8 : 4;

template <int NV>
inline void tile_rows(int64_t rows, int64_t depth, const float* a, int64_t a_row, int64_t a_k, const float* b,
                      int64_t b_row, float* c, int64_t c_row, bool accumulate) {
  constexpr int M = kSmallRows;
  int64_t i = 0;
  for (; i + M <= rows; i += M)
    tile<M, NV>(depth, a + i * a_row, a_row, a_k, b, b_row, c + i * c_row, c_row, accumulate);
  for (; i + 2 <= rows; i += 2)
    tile<2, NV>(depth, a + i * a_row, a_row, a_k, b, b_row, c + i * c_row, c_row, accumulate);
  for (; i < rows; i++)
    tile<1, NV>(depth, a + i * a_row, a_row, a_k, b, b_row, c + i * c_row, c_row, accumulate);
}

// A small product whose operands sit in cache: rows x columns, `columns` a multiple of kLanes (pad B and C).
// a_row = K, a_k = 1 multiplies by A; a_row = 1, a_k = M by its transpose.
inline void small_product(int64_t rows, int64_t columns, int64_t depth, const float* a, int64_t a_row,
                          int64_t a_k, const float* b, int64_t b_row, float* c, int64_t c_row,
                          bool accumulate) {
  int64_t j = 0;
  for (; j + kTileColumns <= columns; j += kTileColumns) {
    tile_rows<kTileVectors>(rows, depth, a, a_row, a_k, b + j, b_row, c + j, c_row, accumulate);
  }
  for (; j < columns; j += kLanes)
    tile_rows<1>(rows, depth, a, a_row, a_k, b + j, b_row, c + j, c_row, accumulate);
}

// Of two vectors, within every four lanes: the first two units (of one lane or of two) of a and b in turn,
// and the last two.
template <int Unit>
inline void interleave(vfloat& a, vfloat& b) {
  vint low, high;
  for (int i = 0; i < kLanes; i++) {
    low[i] = i / 4 * 4 + (Unit == 1 ? i % 4 / 2 : i % 2) + ((i & Unit) ? kLanes : 0);
    high[i] = low[i] + 2;
  }
  const vfloat x = __builtin_shuffle(a, b, low), y = __builtin_shuffle(a, b, high);
  a = x;
  b = y;
}

// Of the groups of four lanes of a and then b: the even ones, and the odd ones.
inline void separate(vfloat& a, vfloat& b) {
  vint even, odd;
  for (int i = 0; i < kLanes; i++) {
    even[i] = i / 4 * 8 + i % 4;
    odd[i] = even[i] + 4;
  }
  const vfloat x = __builtin_shuffle(a, b, even), y = __builtin_shuffle(a, b, odd);
  a = x;
  b = y;
}

// kLanes vectors of kLanes, by shuffles that need no register for their pattern.
inline void transpose_square(vfloat* rows) {
  for (int i = 0; i < kLanes; i += 4) {
    interleave<1>(rows[i], rows[i + 1]);
    interleave<1>(rows[i + 2], rows[i + 3]);
    interleave<2>(rows[i], rows[i + 2]);      // columns 0 and 1 of four rows
    interleave<2>(rows[i + 1], rows[i + 3]);  // columns 2 and 3
    // By hand: std::swap would forget that these vectors are aligned like floats.
    const vfloat second = rows[i + 1];
    rows[i + 1] = rows[i + 2];
    rows[i + 2] = second;
  }
  if constexpr (kLanes > 4) {
    // Row 4 q + j now holds, in its group l of four lanes, what belongs into group q of row 4 l + j.
    for (int j = 0; j < 4; j++) {
      separate(rows[j], rows[j + 4]);
      if constexpr (kLanes > 8) {
        separate(rows[j + 8], rows[j + 12]);
        separate(rows[j], rows[j + 8]);
        separate(rows[j + 4], rows[j + 12]);
      }
    }
  }
}

// out[j, i] = in[i, j]; both padded to whole squares of kLanes, the padding of `in` readable.
inline void transpose(int64_t rows, int64_t columns, const float* in, int64_t in_row, float* out,
                      int64_t out_row) {
  for (int64_t i = 0; i < rows; i += kLanes) {
    for (int64_t j = 0; j < columns; j += kLanes) {
      vfloat square[kLanes];
#pragma GCC unroll 16
      for (int l = 0; l < kLanes; l++) square[l] = load(in + (i + l) * in_row + j);
      transpose_square(square);
#pragma GCC unroll 16
      for (int l = 0; l < kLanes; l++) store(out + (j + l) * out_row + i, square[l]);
    }
  }
}

}  // namespace mm::MM_ISA_NS
