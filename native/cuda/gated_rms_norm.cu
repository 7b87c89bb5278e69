// y = sigmoid(gate) w n, n = x rstd: what follows lightning attention.
//
//   dn = dy sigmoid(gate) w;  dx = rstd (dn - n mean(dn n));  dgate = dy w n sigmoid'(gate);  dw = sum dy
//   sigmoid(gate) n
//
// Groups of threads take a row each (rows.cuh); in backward one row after the other of sixteen, whose part of
// dw they keep beside. Every element is read once from memory, up to 8,192 a row.
#include "cuda/ops.h"
#include "cuda/rows.cuh"

namespace mm::cuda {
namespace {

template <int Threads, typename T, typename W, bool Aligned>
__global__ void __launch_bounds__(kRowThreads, 2) forward_kernel(const mm_gated_rms_norm_forward_params p) {
  constexpr int N = kRun<T>;
  const int64_t r = Group<Threads>::index();
  if (r >= p.rows) return;
  const T* x = static_cast<const T*>(p.x) + r * p.width;
  const T* gate = static_cast<const T*>(p.gate) + r * p.width;
  const W* w = static_cast<const W*>(p.weight);
  T* y = static_cast<T*>(p.y) + r * p.width;

  float squares = 0;
  const auto begin = [&](int64_t j) {
    const Run<T> run = read_run<Aligned>(x + j, p.width - j);
    float v[N];
    unpack(run, v);
#pragma unroll
    for (int e = 0; e < N; e++) squares += v[e] * v[e];
    return run;
  };
  Run<T> kept[kSlots<T, Aligned>];
  for_runs<Threads, T, Aligned>(
      p.width, [&](int k, int64_t j) { kept[k] = begin(j); }, [&](int64_t j) { begin(j); });
  const float rstd = 1.0f / sqrtf(Group<Threads>::sum(squares) / static_cast<float>(p.width) + p.eps);
  if (p.rstd && Group<Threads>::thread() == 0) p.rstd[r] = rstd;

  const auto finish = [&](const Run<T>& run, int64_t j) {
    float v[N], g[N], weight[N];
    unpack(run, v);
    read<Aligned>(gate + j, p.width - j, g);
    read_beside<Aligned>(w + j, p.width - j, weight);
#pragma unroll
    for (int e = 0; e < N; e++) v[e] = sigmoid(g[e]) * weight[e] * v[e] * rstd;
    write<Aligned>(y + j, p.width - j, v);
  };
  for_runs<Threads, T, Aligned>(
      p.width, [&](int k, int64_t j) { finish(kept[k], j); },
      [&](int64_t j) { finish(read_run<Aligned>(x + j, p.width - j), j); });
}

template <int Threads, typename T, typename W, bool Aligned>
struct Backward {
  using Element = T;
  static constexpr int N = kRun<T>, kThreads = Threads;
  static constexpr bool kAligned = Aligned;
  struct Inputs {
    Run<T> x, gate, dy;
  };

  const mm_gated_rms_norm_backward_params& p;
  int64_t row;
  float rstd;

  __device__ __forceinline__ Inputs inputs(int64_t j) const {
    const int64_t at = row * p.width + j, left = p.width - j;
    return {read_run<Aligned>(static_cast<const T*>(p.x) + at, left),
            read_run<Aligned>(static_cast<const T*>(p.gate) + at, left),
            read_run<Aligned>(static_cast<const T*>(p.dy) + at, left)};
  }

  // The part of dn n, and dy sigmoid(gate) n added to dw.
  __device__ __forceinline__ float dot(const Inputs& in, int64_t j, float (&dw)[N]) const {
    float x[N], gate[N], g[N], w[N], sum = 0;
    unpack(in.x, x);
    unpack(in.gate, gate);
    unpack(in.dy, g);
    read_beside<Aligned>(static_cast<const W*>(p.weight) + j, p.width - j, w);
#pragma unroll
    for (int e = 0; e < N; e++) {
      const float part = g[e] * sigmoid(gate[e]) * (x[e] * rstd);
      dw[e] += part;
      sum += part * w[e];
    }
    return sum;
  }

  __device__ __forceinline__ void finish(const Inputs& in, int64_t j, float mean) const {
    const int64_t at = row * p.width + j, left = p.width - j;
    float x[N], gate[N], g[N], w[N];
    unpack(in.x, x);
    unpack(in.gate, gate);
    unpack(in.dy, g);
    read_beside<Aligned>(static_cast<const W*>(p.weight) + j, left, w);
#pragma unroll
    for (int e = 0; e < N; e++) {
      const float s = sigmoid(gate[e]), n = x[e] * rstd, weighted = g[e] * w[e];
      gate[e] = weighted * n * s * (1.0f - s);
      x[e] = rstd * (weighted * s - n * mean);
    }
    write<Aligned>(static_cast<T*>(p.dx) + at, left, x);
    write<Aligned>(static_cast<T*>(p.dgate) + at, left, gate);
  }
};

}  // namespace

void gated_rms_norm_forward(Context& context, const mm_gated_rms_norm_forward_params& p) {
  with_row_shape(p.width, p.dtype, p.weight_dtype, aligned(p.x, p.gate, p.weight, p.y),
                 [&]<int Threads, typename T, typename W, bool Aligned>() {
                   launch(context, "gated_rms_norm_forward", forward_kernel<Threads, T, W, Aligned>,
                          row_grid<Threads>(p.rows, 1), kRowThreads, 0, p);
                 });
}

void gated_rms_norm_backward(Context& context, const mm_gated_rms_norm_backward_params& p) {
  const int64_t each = p.dweight ? kRowsPerSum : 1, groups = ceil_div(p.rows, each);
  Workspace<float> sums(context, p.dweight ? groups * p.width : 0);
  with_row_shape(
      p.width, p.dtype, p.weight_dtype, aligned(p.x, p.gate, p.weight, p.dy, p.dx, p.dgate),
      [&]<int Threads, typename T, typename W, bool Aligned>() {
        launch(context, "gated_rms_norm_backward",
               row_backward_kernel<Backward<Threads, T, W, Aligned>, mm_gated_rms_norm_backward_params>,
               row_grid<Threads>(p.rows, each), kRowThreads, 0, p,
               p.dweight ? static_cast<float*>(sums) : nullptr, each);
      });
  if (p.dweight && p.rows > 0) add_row_sums(context, sums, groups, p.width, p.dweight, p.dweight_dtype);
}

}  // namespace mm::cuda
