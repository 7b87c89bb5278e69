// CUDA's kernel language on the host, for tests where there is no GPU: the kernels are compiled as C++, and a
// block's threads are fibers that take turns at barriers and at exchanges within a warp. Shared memory starts
// poisoned, an asynchronous copy arrives as late as it may, and MINIMAX_SHIM_ORDER (forward, reverse, random)
// sets the order of the threads between barriers: a kernel whose result depends on it has a race. Warps are
// always whole.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <algorithm>
#include <cmath>
#include <functional>

#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static
#define __grid_constant__

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(int64_t x = 1, int64_t y = 1, int64_t z = 1)
      : x(static_cast<unsigned>(x)), y(static_cast<unsigned>(y)), z(static_cast<unsigned>(z)) {}
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) uint2 {
  uint32_t x, y;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(uint32_t x, uint32_t y) { return {x, y}; }
inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) { return {x, y, z, w}; }

namespace mm::shim {

// Of the running thread; set at each switch.
extern dim3 thread_index, block_index, block_dim, grid_dim;

void block_barrier();
void warp_barrier();
// Gives every thread of the warp the values of all: a pointer to 32 values of `bytes` (at most 64) each.
const void* warp_exchange(const void* value, size_t bytes);
inline int lane() { return static_cast<int>(thread_index.x % 32); }

// Lets the other threads run until the condition holds; dies if it never does.
void wait_until(const std::function<bool()>& holds);
// Something happened that others may wait for.
void note_progress();

void* dynamic_shared_memory();
void copy_async(void* shared, const void* global, size_t bytes, bool valid);
void copy_async_commit();
void copy_async_wait(int groups);  // all but the youngest `groups`

// Runs body() once for each thread of each block.
void run(const char* name, dim3 grid, int threads, size_t shared, const std::function<void()>& body);

template <typename T>
T exchange(T value, int from) {
  T result;
  memcpy(&result, static_cast<const char*>(warp_exchange(&value, sizeof(T))) + (from & 31) * sizeof(T),
         sizeof(T));
  return result;
}

}  // namespace mm::shim

#define threadIdx (::mm::shim::thread_index)
#define blockIdx (::mm::shim::block_index)
#define blockDim (::mm::shim::block_dim)
#define gridDim (::mm::shim::grid_dim)

inline void __syncthreads() { mm::shim::block_barrier(); }
inline void __syncwarp(unsigned = 0xffffffffu) { mm::shim::warp_barrier(); }

template <typename T>
T __shfl_sync(unsigned, T value, int lane) {
  return mm::shim::exchange(value, lane);
}
template <typename T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return mm::shim::exchange(value, mm::shim::lane() ^ mask);
}
// Beyond the warp's end a thread keeps its own value.
template <typename T>
T __shfl_down_sync(unsigned, T value, unsigned delta) {
  const int from = mm::shim::lane() + static_cast<int>(delta);
  return mm::shim::exchange(value, from < 32 ? from : mm::shim::lane());
}
template <typename T>
T __shfl_up_sync(unsigned, T value, unsigned delta) {
  const int from = mm::shim::lane() - static_cast<int>(delta);
  return mm::shim::exchange(value, from >= 0 ? from : mm::shim::lane());
}
inline unsigned __ballot_sync(unsigned, int predicate) {
  const int value = predicate != 0;
  const int* all = static_cast<const int*>(mm::shim::warp_exchange(&value, sizeof value));
  unsigned bits = 0;
  for (int i = 0; i < 32; i++) bits |= static_cast<unsigned>(all[i] != 0) << i;
  return bits;
}
// The threads that have the same value.
template <typename T>
unsigned __match_any_sync(unsigned, T value) {
  const T* all = static_cast<const T*>(mm::shim::warp_exchange(&value, sizeof value));
  unsigned bits = 0;
  for (int i = 0; i < 32; i++) bits |= static_cast<unsigned>(all[i] == value) << i;
  return bits;
}

template <typename T>
T atomicAdd(T* address, T value) {
  const T old = *address;
  *address = old + value;
  return old;
}

inline uint32_t __float_as_uint(float x) {
  uint32_t y;
  memcpy(&y, &x, 4);
  return y;
}
inline float __uint_as_float(uint32_t x) {
  float y;
  memcpy(&y, &x, 4);
  return y;
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __fmaf_rn(float x, float y, float z) { return std::fma(x, y, z); }
inline float __fmul_rn(float x, float y) { return x * y; }
using std::max;
using std::min;
