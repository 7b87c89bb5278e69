// The micro-kernels on packed panels: A [words][kTileRows], B [words][kTileColumns].
#pragma once

#include "cpu/tile.h"

namespace mm::MM_ISA_NS {

// C [rows <= kTileRows, kTileColumns] (+)= sum over words
template <int Rows>
inline void float_tile_of(int64_t rows, int64_t words, const float* a, const float* b, float* c,
                          int64_t c_row, bool accumulate) {
  if constexpr (Rows > 0) {
    if (rows == Rows) {
      return tile<Rows, kTileVectors>(words, a, 1, kTileRows, b, kTileColumns, c, c_row, accumulate);
    }
    float_tile_of<Rows - 1>(rows, words, a, b, c, c_row, accumulate);
  }
}

inline void float_tile(int64_t rows, int64_t words, const float* a, const float* b, float* c, int64_t c_row,
                       bool accumulate) {
  float_tile_of<kTileRows>(rows, words, a, b, c, c_row, accumulate);
}

// The same where a word is a pair of bf16 (gemm_bf16.cpp).
void bf16_tile(int64_t rows, int64_t words, const float* a, const float* b, float* c, int64_t c_row,
               bool accumulate);

}  // namespace mm::MM_ISA_NS
