// What kernels share that go over elements one by one.
#pragma once

#include "cuda/context.h"

namespace mm::cuda {

constexpr int kElementwiseThreads = 256;

// Blocks for `count` elements: enough to fill the GPU; the kernel strides over the rest.
inline dim3 elementwise_grid(const Context& context, int64_t count) {
  const int64_t blocks = ceil_div(count, kElementwiseThreads), most = 16 * int64_t{context.multiprocessors};
  return dim3(static_cast<unsigned>(blocks < most ? blocks : most));
}

__device__ __forceinline__ int64_t first_element() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ int64_t element_step() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

// Calls f<T>() with the C++ type of a dtype.
template <typename F>
void with_type(mm_dtype dtype, F&& f) {
  dtype == MM_DTYPE_BF16 ? f.template operator()<bf16>() : f.template operator()<float>();
}
template <typename F>
void with_types(mm_dtype first, mm_dtype second, F&& f) {
  with_type(first,
            [&]<typename A>() { with_type(second, [&]<typename B>() { f.template operator()<A, B>(); }); });
}

}  // namespace mm::cuda
