// The language of the kernels: what CUDA gives, or the shim on the host, and the few things that all of them
// use. Rules: blocks of whole warps; warp functions with all 32 threads; shared memory through
// shared_memory(); no atomics on floats, so that a result is the same each time.
#pragma once

#include <stdint.h>

#if MM_HOST_SHIM
#include "cuda/shim/shim.h"
#else
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#endif

namespace mm::cuda {

// bfloat16 as it is stored.
struct bf16 {
  uint16_t bits;
};

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(bf16 x) {
  return __uint_as_float(static_cast<uint32_t>(x.bits) << 16);
}

// Round to nearest even; a NaN stays one.
__device__ __forceinline__ uint16_t bf16_bits(float x) {
#if MM_HOST_SHIM
  const uint32_t bits = __float_as_uint(x);
  if (std::isnan(x)) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
#else
  return __bfloat16_as_ushort(__float2bfloat16_rn(x));
#endif
}

template <typename T>
__device__ __forceinline__ T from_float(float x);
template <>
__device__ __forceinline__ float from_float<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ bf16 from_float<bf16>(float x) {
  return {bf16_bits(x)};
}

// Two of them in a register, the first in the lower half, as tensor cores take them.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
#if MM_HOST_SHIM
  return static_cast<uint32_t>(bf16_bits(low)) | static_cast<uint32_t>(bf16_bits(high)) << 16;
#else
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
#endif
}
__device__ __forceinline__ float2 unpack_bf16(uint32_t pair) {
  return make_float2(__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u));
}

// The block's dynamic shared memory, aligned to 128 bytes.
template <typename T>
__device__ __forceinline__ T* shared_memory() {
#if MM_HOST_SHIM
  return reinterpret_cast<T*>((reinterpret_cast<uintptr_t>(mm::shim::dynamic_shared_memory()) + 127) / 128 *
                              128);
#else
  extern __shared__ __align__(128) unsigned char mm_shared_memory[];
  return reinterpret_cast<T*>(mm_shared_memory);
#endif
}

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// Over the warp, in a fixed order; every thread gets the result. Losses sum in double, as large parts cancel.
template <typename T>
__device__ __forceinline__ T warp_sum(T x) {
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) x += __shfl_xor_sync(0xffffffffu, x, mask);
  return x;
}
__device__ __forceinline__ float warp_max(float x) {
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, mask));
  return x;
}

// Over a block of Threads threads, in a fixed order; every thread gets the result. `scratch` is Threads / 32
// values of shared memory; the barriers also order what was written to shared memory before.
template <int Threads, typename T>
__device__ __forceinline__ T block_sum(T x, T* scratch) {
  x = warp_sum(x);
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
  __syncthreads();
  x = threadIdx.x % 32 < Threads / 32 ? scratch[threadIdx.x % 32] : T{0};
  __syncthreads();
  return warp_sum(x);
}
template <int Threads>
__device__ __forceinline__ float block_max(float x, float* scratch) {
  x = warp_max(x);
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
  __syncthreads();
  x = threadIdx.x % 32 < Threads / 32 ? scratch[threadIdx.x % 32] : scratch[0];
  __syncthreads();
  return warp_max(x);
}

}  // namespace mm::cuda
