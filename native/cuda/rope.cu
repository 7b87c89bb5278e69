// Rotary embedding of halves, a block a token: its angles once, then all heads. Angles are fp32 products
// rounded to fp32, as in the published code; sine and cosine are the exact ones also of large angles.
//
//   x, y [tokens, heads, head_dim] with strides; the first rotary_dim features of a head turn, the others are
//   copied
#include "cuda/ops.h"
#include "cuda/runs.cuh"

namespace mm::cuda {
namespace {

constexpr int kThreads = 128;

template <bool Aligned, typename T>
__device__ __forceinline__ void rotate(const T* x, T* y, int64_t half, const float* cosine,
                                       const float* sine) {
  constexpr int N = Aligned ? kRun<T> : 1;
  float a[N], b[N];
  if constexpr (Aligned) {
    read<true>(x, N, a);
    read<true>(x + half, N, b);
  } else {
    a[0] = to_float(x[0]), b[0] = to_float(x[half]);
  }
#pragma unroll
  for (int e = 0; e < N; e++) {
    const float first = a[e], second = b[e];
    a[e] = first * cosine[e] - second * sine[e];
    b[e] = second * cosine[e] + first * sine[e];
  }
  if constexpr (Aligned) {
    write<true>(y, N, a);
    write<true>(y + half, N, b);
  } else {
    y[0] = from_float<T>(a[0]), y[half] = from_float<T>(b[0]);
  }
}

template <bool Aligned, typename T>
__global__ void __launch_bounds__(kThreads) rope_kernel(const mm_rope_forward_params p) {
  constexpr int N = Aligned ? kRun<T> : 1;
  const int64_t token = blockIdx.x, half = p.rotary_dim / 2;
  float* cosine = shared_memory<float>();
  float* sine = cosine + half;
  for (int64_t m = threadIdx.x; m < half; m += kThreads) {
    const float angle = __fmul_rn(static_cast<float>(p.positions[token]), p.inv_freq[m]);
    cosine[m] = cosf(angle);
    sine[m] = p.inverse ? -sinf(angle) : sinf(angle);
  }
  __syncthreads();
  const T* x = static_cast<const T*>(p.x) + token * p.x_token_stride;
  T* y = static_cast<T*>(p.y) + token * p.y_token_stride;
  const int64_t runs = half / N;
  for (int64_t i = threadIdx.x; i < p.heads * runs; i += kThreads) {
    const int64_t head = i / runs, m = i % runs * N;
    rotate<Aligned>(x + head * p.x_head_stride + m, y + head * p.y_head_stride + m, half, cosine + m,
                    sine + m);
  }
  const int64_t rest = (p.head_dim - p.rotary_dim) / N;
  for (int64_t i = threadIdx.x; x != y && i < p.heads * rest; i += kThreads) {
    const int64_t head = i / rest, m = p.rotary_dim + i % rest * N;
    const T* from = x + head * p.x_head_stride + m;
    T* to = y + head * p.y_head_stride + m;
    if constexpr (Aligned)
      write_run<true>(to, N, read_run<true>(from, N));
    else
      *to = *from;
  }
}

}  // namespace

void rope_forward(Context& context, const mm_rope_forward_params& p) {
  const int64_t shared = p.rotary_dim * static_cast<int64_t>(sizeof(float));
  MM_REQUIRE(shared <= 48 << 10, "rotary_dim is %lld; at most 12288 on CUDA",
             static_cast<long long>(p.rotary_dim));
  with_type(p.dtype, [&]<typename T>() {
    const auto whole = [&](auto... sizes) { return ((sizes % kRun<T> == 0) && ...); };
    const bool is_aligned = aligned(p.x, p.y) && whole(p.rotary_dim / 2, p.head_dim, p.x_token_stride,
                                                       p.x_head_stride, p.y_token_stride, p.y_head_stride);
    with_alignment(is_aligned, [&]<bool Aligned>() {
      launch(context, "rope", rope_kernel<Aligned, T>, dim3(static_cast<unsigned>(p.tokens)), kThreads,
             shared, p);
    });
  });
}

}  // namespace mm::cuda
