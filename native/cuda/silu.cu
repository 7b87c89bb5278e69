// y = x sigmoid(x) and its gradient: a thread a run of 16 bytes.
#include "cuda/ops.h"
#include "cuda/runs.cuh"

namespace mm::cuda {
namespace {

template <bool Aligned, typename T>
__global__ void silu_forward_kernel(const T* x, T* y, int64_t count) {
  constexpr int N = kRun<T>;
  for (int64_t i = first_element() * N; i < count; i += element_step() * N) {
    float v[N];
    read<Aligned>(x + i, count - i, v);
#pragma unroll
    for (int e = 0; e < N; e++) v[e] *= sigmoid(v[e]);
    write<Aligned>(y + i, count - i, v);
  }
}

template <bool Aligned, typename T>
__global__ void silu_backward_kernel(const T* x, const T* dy, T* dx, int64_t count) {
  constexpr int N = kRun<T>;
  for (int64_t i = first_element() * N; i < count; i += element_step() * N) {
    float v[N], d[N];
    read<Aligned>(x + i, count - i, v);
    read<Aligned>(dy + i, count - i, d);
#pragma unroll
    for (int e = 0; e < N; e++) {
      const float s = sigmoid(v[e]);
      d[e] *= s * (1.0f + v[e] * (1.0f - s));
    }
    write<Aligned>(dx + i, count - i, d);
  }
}

}  // namespace

void silu_forward(Context& context, const mm_silu_forward_params& p) {
  with_type(p.dtype, [&]<typename T>() {
    with_alignment(aligned(p.x, p.y), [&]<bool Aligned>() {
      launch(context, "silu_forward", silu_forward_kernel<Aligned, T>,
             elementwise_grid(context, ceil_div(p.count, kRun<T>)), kElementwiseThreads, 0,
             static_cast<const T*>(p.x), static_cast<T*>(p.y), p.count);
    });
  });
}

void silu_backward(Context& context, const mm_silu_backward_params& p) {
  with_type(p.dtype, [&]<typename T>() {
    with_alignment(aligned(p.x, p.dy, p.dx), [&]<bool Aligned>() {
      launch(context, "silu_backward", silu_backward_kernel<Aligned, T>,
             elementwise_grid(context, ceil_div(p.count, kRun<T>)), kElementwiseThreads, 0,
             static_cast<const T*>(p.x), static_cast<const T*>(p.dy), static_cast<T*>(p.dx), p.count);
    });
  });
}

}  // namespace mm::cuda
