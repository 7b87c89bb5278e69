// Sums in double over a warp and a block, in a fixed order; every thread gets the result. For losses, of
// which large parts cancel.
#pragma once

#include "cuda/device.cuh"

namespace mm::cuda {

__device__ __forceinline__ double warp_sum(double x) {
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) x += __shfl_xor_sync(0xffffffffu, x, mask);
  return x;
}

// `scratch` is Threads / 32 doubles of shared memory.
template <int Threads>
__device__ __forceinline__ double block_sum(double x, double* scratch) {
  x = warp_sum(x);
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
  __syncthreads();
  x = threadIdx.x % 32 < Threads / 32 ? scratch[threadIdx.x % 32] : 0.0;
  __syncthreads();
  return warp_sum(x);
}

}  // namespace mm::cuda
