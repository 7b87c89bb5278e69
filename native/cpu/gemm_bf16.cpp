// The micro-kernel of bf16 products: the machine's dot product of pairs, fp32 sums. Compiled for AVX512-BF16
// only.
#include <immintrin.h>

#include "cpu/gemm_kernel.h"

namespace mm::avx512 {
namespace {

template <int MR>
void tile_of(int64_t words, const float* __restrict a, const float* __restrict b, float* __restrict c,
             int64_t c_row, bool accumulate) {
  __m512 sums[MR][kTileVectors];
  for (int i = 0; i < MR; i++) {
    for (int j = 0; j < kTileVectors; j++) {
      sums[i][j] = accumulate ? _mm512_loadu_ps(c + i * c_row + j * kLanes) : _mm512_setzero_ps();
    }
  }
  for (int64_t k = 0; k < words; k++) {
    __m512bh row[kTileVectors];
    for (int j = 0; j < kTileVectors; j++)
      row[j] = (__m512bh)_mm512_loadu_ps(b + k * kTileColumns + j * kLanes);
    for (int i = 0; i < MR; i++) {
      const __m512bh pair = (__m512bh)_mm512_set1_ps(a[k * kTileRows + i]);
      for (int j = 0; j < kTileVectors; j++) sums[i][j] = _mm512_dpbf16_ps(sums[i][j], pair, row[j]);
    }
  }
  for (int i = 0; i < MR; i++) {
    for (int j = 0; j < kTileVectors; j++) _mm512_storeu_ps(c + i * c_row + j * kLanes, sums[i][j]);
  }
}

template <int Rows>
void dispatch(int64_t rows, int64_t words, const float* a, const float* b, float* c, int64_t c_row,
              bool accumulate) {
  if constexpr (Rows > 0) {
    if (rows == Rows) return tile_of<Rows>(words, a, b, c, c_row, accumulate);
    dispatch<Rows - 1>(rows, words, a, b, c, c_row, accumulate);
  }
}

}  // namespace

void bf16_tile(int64_t rows, int64_t words, const float* a, const float* b, float* c, int64_t c_row,
               bool accumulate) {
  dispatch<kTileRows>(rows, words, a, b, c, c_row, accumulate);
}

}  // namespace mm::avx512
