// RMSNorm over the last axis, with an optional residual sum before it.
//
//   s = alpha x + beta branch (or x);  n = s rstd;  y = w n        rows are independent of each other
//   ds = rstd (w dy - n mean(w dy n)) + dsum;  dw = sum over rows of dy n
//
// Groups of threads take a row each (rows.cuh); in backward one row after the other of sixteen, whose part of
// dw they keep beside. Every element is read once from memory, up to 8,192 a row.
#include "cuda/ops.h"
#include "cuda/rows.cuh"

namespace mm::cuda {
namespace {

template <int Threads, typename T, typename W, bool Aligned>
__global__ void __launch_bounds__(kRowThreads, 2) forward_kernel(const mm_rms_norm_forward_params p) {
  constexpr int N = kRun<T>;
  const int64_t r = Group<Threads>::index();
  if (r >= p.rows) return;
  const T* x = static_cast<const T*>(p.x) + r * p.width;
  const T* branch = p.branch ? static_cast<const T*>(p.branch) + r * p.width : nullptr;
  T* sum = p.branch ? static_cast<T*>(p.sum) + r * p.width : nullptr;
  const W* w = static_cast<const W*>(p.weight);
  T* y = static_cast<T*>(p.y) + r * p.width;

  float squares = 0;
  const auto begin = [&](int64_t j) {
    Run<T> run = read_run<Aligned>(x + j, p.width - j);
    float v[N];
    unpack(run, v);
    if (branch) {
      float b[N];
      read<Aligned>(branch + j, p.width - j, b);
#pragma unroll
      for (int e = 0; e < N; e++) v[e] = p.alpha * v[e] + p.beta * b[e];
      run = pack<T>(v);
      write_run<Aligned>(sum + j, p.width - j, run);
      unpack(run, v);
    }
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
    float v[N], weight[N];
    unpack(run, v);
    read_beside<Aligned>(w + j, p.width - j, weight);
    // As the published code does in bf16: the normalised value is rounded before the weight.
#pragma unroll
    for (int e = 0; e < N; e++) v[e] = weight[e] * to_float(from_float<T>(v[e] * rstd));
    write<Aligned>(y + j, p.width - j, v);
  };
  const T* s = branch ? sum : x;
  for_runs<Threads, T, Aligned>(
      p.width, [&](int k, int64_t j) { finish(kept[k], j); },
      [&](int64_t j) { finish(read_run<Aligned>(s + j, p.width - j), j); });
}

template <int Threads, typename T, typename W, bool Aligned>
struct Backward {
  using Element = T;
  static constexpr int N = kRun<T>, kThreads = Threads;
  static constexpr bool kAligned = Aligned;
  struct Inputs {
    Run<T> s, dy;
  };

  const mm_rms_norm_backward_params& p;
  int64_t row;
  float rstd;

  __device__ __forceinline__ Inputs inputs(int64_t j) const {
    const int64_t at = row * p.width + j, left = p.width - j;
    return {read_run<Aligned>(static_cast<const T*>(p.sum) + at, left),
            read_run<Aligned>(static_cast<const T*>(p.dy) + at, left)};
  }

  // The part of w dy n, and dy n added to dw.
  __device__ __forceinline__ float dot(const Inputs& in, int64_t j, float (&dw)[N]) const {
    float s[N], g[N], w[N], sum = 0;
    unpack(in.s, s);
    unpack(in.dy, g);
    read_beside<Aligned>(static_cast<const W*>(p.weight) + j, p.width - j, w);
#pragma unroll
    for (int e = 0; e < N; e++) {
      const float part = g[e] * (s[e] * rstd);
      dw[e] += part;
      sum += part * w[e];
    }
    return sum;
  }

  __device__ __forceinline__ void finish(const Inputs& in, int64_t j, float mean) const {
    const int64_t at = row * p.width + j, left = p.width - j;
    const float alpha = p.dbranch ? p.alpha : 1.0f;
    float s[N], g[N], w[N], d[N] = {};
    unpack(in.s, s);
    unpack(in.dy, g);
    read_beside<Aligned>(static_cast<const W*>(p.weight) + j, left, w);
    if (p.dsum) read<Aligned>(static_cast<const T*>(p.dsum) + at, left, d);
#pragma unroll
    for (int e = 0; e < N; e++) {
      s[e] = rstd * (g[e] * w[e] - s[e] * rstd * mean) + d[e];
      d[e] = p.beta * s[e];
      s[e] *= alpha;
    }
    write<Aligned>(static_cast<T*>(p.dx) + at, left, s);
    if (p.dbranch) write<Aligned>(static_cast<T*>(p.dbranch) + at, left, d);
  }
};

}  // namespace

void rms_norm_forward(Context& context, const mm_rms_norm_forward_params& p) {
  with_row_shape(p.width, p.dtype, p.weight_dtype, aligned(p.x, p.branch, p.weight, p.sum, p.y),
                 [&]<int Threads, typename T, typename W, bool Aligned>() {
                   launch(context, "rms_norm_forward", forward_kernel<Threads, T, W, Aligned>,
                          row_grid<Threads>(p.rows, 1), kRowThreads, 0, p);
                 });
}

void rms_norm_backward(Context& context, const mm_rms_norm_backward_params& p) {
  const int64_t each = p.dweight ? kRowsPerSum : 1, groups = ceil_div(p.rows, each);
  Workspace<float> sums(context, p.dweight ? groups * p.width : 0);
  with_row_shape(p.width, p.dtype, p.weight_dtype, aligned(p.sum, p.weight, p.dy, p.dsum, p.dx, p.dbranch),
                 [&]<int Threads, typename T, typename W, bool Aligned>() {
                   launch(context, "rms_norm_backward",
                          row_backward_kernel<Backward<Threads, T, W, Aligned>, mm_rms_norm_backward_params>,
                          row_grid<Threads>(p.rows, each), kRowThreads, 0, p,
                          p.dweight ? static_cast<float*>(sums) : nullptr, each);
                 });
  if (p.dweight && p.rows > 0) add_row_sums(context, sums, groups, p.width, p.dweight, p.dweight_dtype);
}

}  // namespace mm::cuda
