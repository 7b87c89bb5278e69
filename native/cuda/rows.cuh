// Rows that are normalised: which threads share a row, and sums over rows for the gradients of weights.
//
// A row of up to 1,024 elements is a warp's, a wider one a block's; a thread keeps up to 32 of its elements
// in registers (for each operand) and reads those beyond a second time. The shape follows from the width
// alone.
#pragma once

#include "cuda/runs.cuh"

namespace mm::cuda {

constexpr int kRowThreads = 256;
constexpr int64_t kWarpWidth = 1024;
constexpr int64_t kRowsPerSum = 16;  // rows that one group adds up for the gradient of the weight

// Runs that a thread keeps; in odd storage none, there the code would be long and the time is not.
template <typename T, bool Aligned>
constexpr int kKept = Aligned ? 32 / kRun<T> : 0;
template <typename T, bool Aligned>
constexpr int kSlots = Aligned ? kKept<T, Aligned> : 1;  // an array has at least one element

// A group of threads that work on one row.
template <int Threads>
struct Group {
  static constexpr int kGroups = kRowThreads / Threads;  // in a block
  static __device__ __forceinline__ int64_t index() {
    return static_cast<int64_t>(blockIdx.x) * kGroups + threadIdx.x / Threads;
  }
  static __device__ __forceinline__ int thread() { return static_cast<int>(threadIdx.x) % Threads; }
  // Every thread gets the sum.
  static __device__ __forceinline__ float sum(float x) {
    if constexpr (Threads == 32) {
      return warp_sum(x);
    } else {
      __shared__ float scratch[Threads / 32];
      return block_sum<Threads>(x, scratch);
    }
  }
};

// Calls kept(k, j) for the runs at j that the thread keeps as number k, and beyond(j) for its others.
template <int Threads, typename T, bool Aligned, typename K, typename B>
__device__ __forceinline__ void for_runs(int64_t width, K kept, B beyond) {
  constexpr int N = kRun<T>;
  const int64_t first = Group<Threads>::thread() * N;
#pragma unroll
  for (int k = 0; k < kKept<T, Aligned>; k++) {
    const int64_t j = first + k * Threads * N;
    if (j < width) kept(k, j);
  }
  for (int64_t j = first + kKept<T, Aligned> * Threads * N; j < width; j += Threads * N) beyond(j);
}

// N fp32 values of a row of sums, of which `left` are there.
template <int N>
__device__ __forceinline__ void read_part(const float* part, int64_t left, float (&v)[N]) {
#pragma unroll
  for (int e = 0; e < N; e++) v[e] = e < left ? part[e] : 0.0f;
}
template <int N>
__device__ __forceinline__ void write_part(float* part, int64_t left, const float (&v)[N]) {
#pragma unroll
  for (int e = 0; e < N; e++) {
    if (e < left) part[e] = v[e];
  }
}

// Backward of a norm, row after row of a group's. Row{p, r, rstd} has inputs(j), dot(inputs, j, dw) and
// finish(inputs, j, mean); sums [groups, width]: each group's part of dw, or null.
template <typename Row, typename Params>
__global__ void __launch_bounds__(kRowThreads, 1)
    row_backward_kernel(const Params p, float* sums, int64_t rows_each) {
  using T = typename Row::Element;
  constexpr int N = kRun<T>, Threads = Row::kThreads;
  constexpr bool Aligned = Row::kAligned;
  const int64_t first = Group<Threads>::index() * rows_each, end = min(p.rows, first + rows_each);
  if (first >= p.rows) return;
  float* part = sums ? sums + Group<Threads>::index() * p.width : nullptr;
  float dw[kSlots<T, Aligned>][N] = {};
  for (int64_t r = first; r < end; r++) {
    const Row row = {p, r, p.rstd[r]};
    typename Row::Inputs kept[kSlots<T, Aligned>];
    float dots = 0;
    for_runs<Threads, T, Aligned>(
        p.width,
        [&](int k, int64_t j) {
          kept[k] = row.inputs(j);
          dots += row.dot(kept[k], j, dw[k]);
        },
        [&](int64_t j) {
          float beyond[N] = {};
          if (part && r > first) read_part(part + j, p.width - j, beyond);
          dots += row.dot(row.inputs(j), j, beyond);
          if (part) write_part(part + j, p.width - j, beyond);
        });
    const float mean = Group<Threads>::sum(dots) / static_cast<float>(p.width);
    for_runs<Threads, T, Aligned>(
        p.width, [&](int k, int64_t j) { row.finish(kept[k], j, mean); },
        [&](int64_t j) { row.finish(row.inputs(j), j, mean); });
  }
  if (!part) return;
  for_runs<Threads, T, Aligned>(
      p.width, [&](int k, int64_t j) { write_part(part + j, p.width - j, dw[k]); }, [](int64_t) {});
}

// dweight += the sum over `count` rows of `sums` [count, width]: 32 columns a block, eight stretches of rows
// each, added in order.
template <typename W>
__global__ void __launch_bounds__(kRowThreads)
    add_row_sums_kernel(const float* sums, int64_t count, int64_t width, W* dweight) {
  constexpr int kStretches = kRowThreads / 32;
  __shared__ float parts[kRowThreads];
  const int lane = threadIdx.x % 32, stretch = threadIdx.x / 32;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * 32 + lane;
  const int64_t rows = (count + kStretches - 1) / kStretches;
  const int64_t end = min(count, (stretch + 1) * rows);
  float sum = 0;
  if (column < width) {
#pragma unroll 8
    for (int64_t r = stretch * rows; r < end; r++) sum += sums[r * width + column];
  }
  parts[threadIdx.x] = sum;
  __syncthreads();
  if (stretch > 0 || column >= width) return;
  for (int s = 1; s < kStretches; s++) sum += parts[s * 32 + lane];
  dweight[column] = from_float<W>(to_float(dweight[column]) + sum);
}

inline void add_row_sums(Context& context, const float* sums, int64_t count, int64_t width, void* dweight,
                         mm_dtype dtype) {
  with_type(dtype, [&]<typename W>() {
    launch(context, "add_row_sums", add_row_sums_kernel<W>, dim3(static_cast<unsigned>(ceil_div(width, 32))),
           kRowThreads, 0, sums, count, width, static_cast<W*>(dweight));
  });
}

// Calls f<Threads, T, W, Aligned>() for rows of that width.
template <typename F>
void with_row_shape(int64_t width, mm_dtype dtype, mm_dtype weight_dtype, bool pointers_aligned, F&& f) {
  with_types(dtype, weight_dtype, [&]<typename T, typename W>() {
    with_alignment(pointers_aligned && width % kRun<T> == 0, [&]<bool Aligned>() {
      width <= kWarpWidth ? f.template operator()<32, T, W, Aligned>()
                          : f.template operator()<kRowThreads, T, W, Aligned>();
    });
  });
}

// Blocks for `rows` rows, `each` of them a group.
template <int Threads>
dim3 row_grid(int64_t rows, int64_t each) {
  return dim3(static_cast<unsigned>(ceil_div(ceil_div(rows, each), Group<Threads>::kGroups)));
}

}  // namespace mm::cuda
