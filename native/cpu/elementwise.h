// A function applied to each element, in vectors, on the pool.
#pragma once

#include "cpu/vec.h"

namespace mm::MM_ISA_NS {

// f(i, n): handles elements i .. i + n, n = kLanes except at the very end.
template <typename F>
void for_each_vector(int64_t count, F f) {
  constexpr int64_t block = 16384;
  parallel_for(ceil_div(count, block), [&](int64_t index) {
    const int64_t end = min64(count, (index + 1) * block);
    int64_t i = index * block;
    for (; i + kLanes <= end; i += kLanes) f(i, int64_t{kLanes});
    if (i < end) f(i, end - i);
  });
}

template <typename T>
inline vfloat load_n(const T* p, int64_t n) {
  return n == kLanes ? load(p) : load_part(p, n);
}

template <typename T>
inline void store_n(T* p, vfloat v, int64_t n) {
  n == kLanes ? store(p, v) : store_part(p, v, n);
}

}  // namespace mm::MM_ISA_NS
