// Runs of consecutive elements, 16 bytes of activations each: what the kernels share that are bound by
// memory. Which thread takes which elements depends on neither alignment nor the end of a row; only how they
// are read does, so that a value has the same bits in aligned and in odd storage.
#pragma once

#include "cuda/elementwise.cuh"

namespace mm::cuda {

template <typename T>
constexpr int kRun = 16 / static_cast<int>(sizeof(T));

// A run of T as it is stored.
template <typename T>
struct Run {
  uint4 words;
};

// Both: `left` elements are there from p on; what is missing of the run is 0 or not written. Aligned: p is
// aligned to 16 bytes.
template <bool Aligned, typename T>
__device__ __forceinline__ Run<T> read_run(const T* p, int64_t left) {
  if (Aligned && left >= kRun<T>) return {*reinterpret_cast<const uint4*>(p)};
  uint32_t words[4] = {0, 0, 0, 0};
#pragma unroll
  for (int i = 0; i < kRun<T>; i++) {
    if (i >= left) continue;
    if constexpr (sizeof(T) == 4)
      words[i] = __float_as_uint(p[i]);
    else
      words[i / 2] |= static_cast<uint32_t>(p[i].bits) << 16 * (i % 2);
  }
  return {make_uint4(words[0], words[1], words[2], words[3])};
}
template <bool Aligned, typename T>
__device__ __forceinline__ void write_run(T* p, int64_t left, const Run<T>& run) {
  if (Aligned && left >= kRun<T>) {
    *reinterpret_cast<uint4*>(p) = run.words;
    return;
  }
  const uint32_t words[4] = {run.words.x, run.words.y, run.words.z, run.words.w};
#pragma unroll
  for (int i = 0; i < kRun<T>; i++) {
    if (i >= left) continue;
    if constexpr (sizeof(T) == 4)
      p[i] = __uint_as_float(words[i]);
    else
      p[i].bits = static_cast<uint16_t>(words[i / 2] >> 16 * (i % 2));
  }
}

template <typename T>
__device__ __forceinline__ void unpack(const Run<T>& run, float (&v)[kRun<T>]) {
  const uint32_t words[4] = {run.words.x, run.words.y, run.words.z, run.words.w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    if constexpr (sizeof(T) == 4) {
      v[i] = __uint_as_float(words[i]);
    } else {
      const float2 pair = unpack_bf16(words[i]);
      v[2 * i] = pair.x, v[2 * i + 1] = pair.y;
    }
  }
}
template <typename T>
__device__ __forceinline__ Run<T> pack(const float (&v)[kRun<T>]) {
  uint32_t words[4];
#pragma unroll
  for (int i = 0; i < 4; i++) {
    if constexpr (sizeof(T) == 4)
      words[i] = __float_as_uint(v[i]);
    else
      words[i] = pack_bf16(v[2 * i], v[2 * i + 1]);
  }
  return {make_uint4(words[0], words[1], words[2], words[3])};
}

template <bool Aligned, typename T>
__device__ __forceinline__ void read(const T* p, int64_t left, float (&v)[kRun<T>]) {
  unpack(read_run<Aligned>(p, left), v);
}
template <bool Aligned, typename T>
__device__ __forceinline__ void write(T* p, int64_t left, const float (&v)[kRun<T>]) {
  write_run<Aligned>(p, left, pack<T>(v));
}

// N elements of another type, aligned to 8 bytes: a run of weights beside one of activations.
template <bool Aligned, int N, typename W>
__device__ __forceinline__ void read_beside(const W* p, int64_t left, float (&v)[N]) {
  if constexpr (N == kRun<W>) {
    read<Aligned>(p, left, v);
  } else if constexpr (N > kRun<W>) {
    float half[N / 2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
      read<Aligned>(p + h * N / 2, left - h * N / 2, half);
#pragma unroll
      for (int i = 0; i < N / 2; i++) v[h * N / 2 + i] = half[i];
    }
  } else if (Aligned && left >= N) {
    const uint2 words = *reinterpret_cast<const uint2*>(p);
    const float2 low = unpack_bf16(words.x), high = unpack_bf16(words.y);
    v[0] = low.x, v[1] = low.y, v[2] = high.x, v[3] = high.y;
  } else {
#pragma unroll
    for (int i = 0; i < N; i++) v[i] = i < left ? to_float(p[i]) : 0.0f;
  }
}

// On the host: whether all pointers (null is) are aligned to 16 bytes.
template <typename... P>
bool aligned(const P*... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...);
}

// Calls f<Aligned>() for what the host found.
template <typename F>
void with_alignment(bool is_aligned, F&& f) {
  is_aligned ? f.template operator()<true>() : f.template operator()<false>();
}

}  // namespace mm::cuda
