// Rows of a table by id, and the gradient: rows are added in ascending order, whatever the number of blocks.
//
// Backward sorts (id, row) by id: a stable radix sort, eight bits a pass. A tile of 4,096 rows counts its
// digits; one block turns the counts [256 digits, tiles] into places; each tile moves its rows there. Then
// the threads at the first row of an id add all rows of that id, one after the other. An id outside the
// vocabulary sorts behind all others and is left out. Work: O(rows), not O(vocabulary).
#include <bit>

#include "cuda/ops.h"
#include "cuda/runs.cuh"

namespace mm::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kDigits = 256;  // a thread each
constexpr int kRounds = 16;
constexpr int64_t kTile = kThreads * kRounds;
constexpr int kScanThreads = 1024;

__device__ __forceinline__ bool valid(int32_t id, int64_t vocabulary, int32_t* fault) {
  if (id >= 0 && id < vocabulary) return true;
  *fault = static_cast<int32_t>(Fault::kEmbeddingId);
  return false;
}

template <bool Aligned, typename T>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(const mm_embedding_forward_params p, int32_t* fault) {
  constexpr int N = kRun<T>;
  const int64_t runs = (p.width + N - 1) / N;
  for (int64_t i = first_element(); i < p.rows * runs; i += element_step()) {
    const int64_t row = i / runs, j = i % runs * N, left = p.width - j;
    const int32_t id = p.ids[row];
    Run<T> run = {make_uint4(0, 0, 0, 0)};
    if (valid(id, p.vocabulary, fault))
      run = read_run<Aligned>(static_cast<const T*>(p.table) + id * p.width + j, left);
    write_run<Aligned>(static_cast<T*>(p.y) + row * p.width + j, left, run);
  }
}

// What is sorted: an id (or the vocabulary's size for a wrong one) and where it stood.
struct Sorted {
  int32_t* id;
  int32_t* row;
};

__global__ void __launch_bounds__(kThreads)
    take_ids_kernel(const int32_t* ids, Sorted to, int64_t rows, int64_t vocabulary, int32_t* fault) {
  for (int64_t r = first_element(); r < rows; r += element_step()) {
    to.id[r] = valid(ids[r], vocabulary, fault) ? ids[r] : static_cast<int32_t>(vocabulary);
    to.row[r] = static_cast<int32_t>(r);
  }
}

// counts [digits, tiles]
__global__ void __launch_bounds__(kThreads)
    count_kernel(const int32_t* id, int64_t rows, int shift, int32_t* counts) {
  __shared__ int32_t mine[kDigits];
  mine[threadIdx.x] = 0;
  __syncthreads();
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kTile;
  for (int64_t r = first + threadIdx.x; r < min(rows, first + kTile); r += kThreads)
    atomicAdd(&mine[(id[r] >> shift) & (kDigits - 1)], 1);
  __syncthreads();
  counts[static_cast<int64_t>(threadIdx.x) * gridDim.x + blockIdx.x] = mine[threadIdx.x];
}

// Each of `count` values becomes the sum of those before it; one block.
__global__ void __launch_bounds__(kScanThreads) scan_kernel(int32_t* values, int64_t count) {
  __shared__ int32_t sums[kScanThreads];
  const int64_t each = (count + kScanThreads - 1) / kScanThreads;
  const int64_t first = min(count, threadIdx.x * each), end = min(count, first + each);
  int32_t sum = 0;
  for (int64_t i = first; i < end; i++) sum += values[i];
  sums[threadIdx.x] = sum;
  __syncthreads();
  for (unsigned step = 1; step < kScanThreads; step *= 2) {
    const int32_t before = threadIdx.x >= step ? sums[threadIdx.x - step] : 0;
    __syncthreads();
    sums[threadIdx.x] += before;
    __syncthreads();
  }
  int32_t running = threadIdx.x > 0 ? sums[threadIdx.x - 1] : 0;
  for (int64_t i = first; i < end; i++) {
    const int32_t value = values[i];
    values[i] = running;
    running += value;
  }
}

// The threads of the warp that have the same digit.
__device__ __forceinline__ unsigned same_digit(int digit) {
  unsigned same = 0xffffffffu;
#pragma unroll
  for (int bit = 0; bit < 8; bit++) {
    const unsigned set = __ballot_sync(0xffffffffu, digit >> bit & 1);
    same &= digit >> bit & 1 ? set : ~set;
  }
  return same;
}

// Places a tile's rows behind those of earlier tiles, and each behind those before it in the tile: 256 rows a
// round, for which every warp counts its digits and thread d then the warps of digit d.
__global__ void __launch_bounds__(kThreads)
    place_kernel(Sorted from, Sorted to, int64_t rows, int shift, const int32_t* places) {
  constexpr int kWarps = kThreads / 32;
  __shared__ int32_t next[kDigits];
  __shared__ int32_t warps[kWarps][kDigits];
  next[threadIdx.x] = places[static_cast<int64_t>(threadIdx.x) * gridDim.x + blockIdx.x];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kTile;
  for (int64_t r = first + threadIdx.x; r - threadIdx.x < min(rows, first + kTile); r += kThreads) {
    for (int w = 0; w < kWarps; w++) warps[w][threadIdx.x] = 0;
    __syncthreads();
    const bool there = r < rows;
    const int32_t id = there ? from.id[r] : 0;
    const int digit = (id >> shift) & (kDigits - 1);
    const unsigned same = same_digit(digit) & __ballot_sync(0xffffffffu, there);
    const int rank = __popc(same & ((1u << lane) - 1));
    if (there && rank == 0) warps[warp][digit] = __popc(same);
    __syncthreads();
    int32_t place = next[threadIdx.x];
    for (int w = 0; w < kWarps; w++) {
      const int32_t count = warps[w][threadIdx.x];
      warps[w][threadIdx.x] = place;
      place += count;
    }
    next[threadIdx.x] = place;
    __syncthreads();
    if (there) {
      const int32_t place_of_row = warps[warp][digit] + rank;
      to.id[place_of_row] = id;
      to.row[place_of_row] = from.row[r];
    }
    __syncthreads();
  }
}

// A block of the grid's x takes sorted positions, one of its y 256 runs of columns.
template <bool Aligned, typename D, typename T>
__global__ void __launch_bounds__(kThreads) add_kernel(const mm_embedding_backward_params p, Sorted sorted) {
  constexpr int N = kRun<D>, kAhead = 8;
  const int64_t i = blockIdx.x, j = (static_cast<int64_t>(blockIdx.y) * kThreads + threadIdx.x) * N;
  const int32_t id = sorted.id[i];
  if (id >= p.vocabulary || (i > 0 && sorted.id[i - 1] == id) || j >= p.width) return;
  const int64_t left = p.width - j;
  const D* dy = static_cast<const D*>(p.dy) + j;
  T* to = static_cast<T*>(p.dtable) + id * p.width + j;
  float sum[N];
#pragma unroll
  for (int e = 0; e < N; e++) sum[e] = e < left ? to_float(to[e]) : 0.0f;
  for (int64_t r = i; r < p.rows && sorted.id[r] == id; r += kAhead) {
    Run<D> runs[kAhead];  // read ahead: only the additions wait for each other
    bool there[kAhead];
#pragma unroll
    for (int a = 0; a < kAhead; a++) {
      there[a] = r + a < p.rows && sorted.id[r + a] == id;
      if (there[a]) runs[a] = read_run<Aligned>(dy + sorted.row[r + a] * p.width, left);
    }
#pragma unroll
    for (int a = 0; a < kAhead; a++) {
      if (!there[a]) continue;
      float d[N];
      unpack(runs[a], d);
#pragma unroll
      for (int e = 0; e < N; e++) sum[e] = to_float(from_float<T>(sum[e] + d[e]));
    }
  }
#pragma unroll
  for (int e = 0; e < N; e++) {
    if (e < left) to[e] = from_float<T>(sum[e]);
  }
}

}  // namespace

void embedding_forward(Context& context, const mm_embedding_forward_params& p) {
  with_type(p.dtype, [&]<typename T>() {
    with_alignment(aligned(p.table, p.y) && p.width % kRun<T> == 0, [&]<bool Aligned>() {
      launch(context, "embedding_forward", forward_kernel<Aligned, T>,
             elementwise_grid(context, p.rows * ceil_div(p.width, kRun<T>)), kThreads, 0, p, context.fault);
    });
  });
}

void embedding_backward(Context& context, const mm_embedding_backward_params& p) {
  MM_REQUIRE(p.rows < int64_t{1} << 31 && p.vocabulary < int64_t{1} << 31,
             "rows %lld, vocabulary %lld: more than 31 bits", static_cast<long long>(p.rows),
             static_cast<long long>(p.vocabulary));
  if (p.rows == 0) return;
  const int64_t tiles = ceil_div(p.rows, kTile);
  Workspace<int32_t> memory(context, 4 * p.rows), counts(context, kDigits * tiles);
  Sorted from = {memory, memory + p.rows}, to = {memory + 2 * p.rows, memory + 3 * p.rows};
  launch(context, "embedding take_ids", take_ids_kernel, elementwise_grid(context, p.rows), kThreads, 0,
         p.ids, from, p.rows, p.vocabulary, context.fault);
  const dim3 grid(static_cast<unsigned>(tiles));
  const int bits = std::bit_width(static_cast<uint64_t>(p.vocabulary));
  for (int shift = 0; shift < bits; shift += 8) {
    launch(context, "embedding count", count_kernel, grid, kThreads, 0, from.id, p.rows, shift, counts);
    launch(context, "embedding scan", scan_kernel, dim3(1), kScanThreads, 0, counts, kDigits * tiles);
    launch(context, "embedding place", place_kernel, grid, kThreads, 0, from, to, p.rows, shift, counts);
    std::swap(from, to);
  }
  with_types(p.dy_dtype, p.dtable_dtype, [&]<typename D, typename T>() {
    with_alignment(aligned(p.dy) && p.width % kRun<D> == 0, [&]<bool Aligned>() {
      const dim3 blocks(static_cast<unsigned>(p.rows),
                        static_cast<unsigned>(ceil_div(p.width, kThreads * kRun<D>)));
      launch(context, "embedding add", add_kernel<Aligned, D, T>, blocks, kThreads, 0, p, from);
    });
  });
}

}  // namespace mm::cuda
