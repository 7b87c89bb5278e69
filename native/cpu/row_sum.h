// Gradients of a weight that all rows share: rows are summed in fixed blocks, and the blocks in order, so
// that the result does not depend on the threads.
#pragma once

#include "cpu/elementwise.h"

namespace mm::MM_ISA_NS {

template <typename F>
inline void for_lanes(int64_t width, F f) {
  int64_t j = 0;
  for (; j + kLanes <= width; j += kLanes) f(j, int64_t{kLanes});
  if (j < width) f(j, width - j);
}

// Calls row(r, sum) for every row; what the calls add to `sum` [width] is added to `total` at the end.
// `total` null: sum is null too.
template <typename F>
void sum_over_rows(int64_t rows, int64_t width, void* total, mm_dtype total_dtype, F row) {
  constexpr int64_t block = 64;
  const int64_t blocks = ceil_div(rows, block);
  Buffer<float> sums(total ? blocks * width : 0);
  parallel_for(blocks, [&](int64_t b) {
    float* sum = total ? sums + b * width : nullptr;
    if (sum) memset(sum, 0, width * sizeof(float));
    const int64_t end = min64(rows, (b + 1) * block);
    for (int64_t r = b * block; r < end; r++) row(r, sum);
  });
  for (int64_t b = 0; total && b < blocks; b++) {
    for_lanes(width, [&](int64_t j, int64_t n) {
      const vfloat part = load_n(sums + b * width + j, n);
      if (total_dtype == MM_DTYPE_F32) {
        float* out = static_cast<float*>(total) + j;
        store_n(out, load_n(out, n) + part, n);
      } else {
        bf16* out = static_cast<bf16*>(total) + j;
        store_n(out, load_n(out, n) + part, n);
      }
    });
  }
}

}  // namespace mm::MM_ISA_NS
