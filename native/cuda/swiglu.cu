// y = silu(gate) up and its gradients: a thread a run of 16 bytes.
#include "cuda/ops.h"
#include "cuda/runs.cuh"

namespace mm::cuda {
namespace {

template <bool Aligned, typename T>
__global__ void swiglu_forward_kernel(const T* gate, const T* up, T* y, int64_t count) {
  constexpr int N = kRun<T>;
  for (int64_t i = first_element() * N; i < count; i += element_step() * N) {
    float g[N], u[N];
    read<Aligned>(gate + i, count - i, g);
    read<Aligned>(up + i, count - i, u);
#pragma unroll
    for (int e = 0; e < N; e++) u[e] *= g[e] * sigmoid(g[e]);
    write<Aligned>(y + i, count - i, u);
  }
}

template <bool Aligned, typename T>
__global__ void swiglu_backward_kernel(const T* gate, const T* up, const T* dy, T* dgate, T* dup,
                                       int64_t count) {
  constexpr int N = kRun<T>;
  for (int64_t i = first_element() * N; i < count; i += element_step() * N) {
    float g[N], u[N], d[N];
    read<Aligned>(gate + i, count - i, g);
    read<Aligned>(up + i, count - i, u);
    read<Aligned>(dy + i, count - i, d);
#pragma unroll
    for (int e = 0; e < N; e++) {
      const float s = sigmoid(g[e]);
      u[e] *= d[e] * s * (1.0f + g[e] * (1.0f - s));
      d[e] *= g[e] * s;
    }
    write<Aligned>(dgate + i, count - i, u);
    write<Aligned>(dup + i, count - i, d);
  }
}

}  // namespace

void swiglu_forward(Context& context, const mm_swiglu_forward_params& p) {
  with_type(p.dtype, [&]<typename T>() {
    with_alignment(aligned(p.gate, p.up, p.y), [&]<bool Aligned>() {
      launch(context, "swiglu_forward", swiglu_forward_kernel<Aligned, T>,
             elementwise_grid(context, ceil_div(p.count, kRun<T>)), kElementwiseThreads, 0,
             static_cast<const T*>(p.gate), static_cast<const T*>(p.up), static_cast<T*>(p.y), p.count);
    });
  });
}

void swiglu_backward(Context& context, const mm_swiglu_backward_params& p) {
  with_type(p.dtype, [&]<typename T>() {
    with_alignment(aligned(p.gate, p.up, p.dy, p.dgate, p.dup), [&]<bool Aligned>() {
      launch(context, "swiglu_backward", swiglu_backward_kernel<Aligned, T>,
             elementwise_grid(context, ceil_div(p.count, kRun<T>)), kElementwiseThreads, 0,
             static_cast<const T*>(p.gate), static_cast<const T*>(p.up), static_cast<const T*>(p.dy),
             static_cast<T*>(p.dgate), static_cast<T*>(p.dup), p.count);
    });
  });
}

}  // namespace mm::cuda
