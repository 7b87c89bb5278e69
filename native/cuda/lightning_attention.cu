// Lightning attention: o_t = q_t S_t, S_t = lambda S_{t-1} + k_t^T v_t.
//
// The output and every gradient are one scan over rows x, y [n, depth] and z [n, width] of a head with a
// state S [depth, width], forwards or backwards through the sequence, g being the gradient of o:
//
//   o :  x = q  y = k  z = v  forwards   S is the state
//   dq:  x = g  y = v  z = k  forwards   S is the state, transposed
//   dk:  x = v  y = g  z = q  backwards  S is the gradient of the state, transposed
//   dv:  x = k  y = q  z = g  backwards  S is the gradient of the state
//
// It goes by chunks of m rows; a and b count the rows of a chunk in the direction of the scan:
//
//   out_a = lambda^(a+1-e) x_a S + sum_{b<=a} lambda^(a-b) (x_a . y_b) z_b
//   S    <- lambda^m S + sum_b lambda^(m-1-b+e) y_b^T z_b
//
// e = 0 forwards, 1 backwards. Powers of lambda are exp of numbers <= 0 only: no slope, however large,
// overflows. Every sequence has its own grid of chunks, from where the scan begins, and columns of z, out and
// S are independent of each other. So a block of threads takes a block of columns of one scan, how many
// depends on the GPU, and no element depends on that or on what else is in the batch. The scans of dk and dv
// share inputs, which the second finds in the L2 cache, but are blocks of their own: each contracts the
// gradient of the state over the dimension whose columns the other is cut by.
//
// bf16: one pass over the rows, products by tensor cores. The state is in registers in fp32, as the sums of
// its own update; a rounded copy in shared memory is the operand of x S. Rounded are also lambda^(a-b) x_a .
// y_b and lambda^(m-1-b+e) y_b, as in the published code. A warp owns 16 rows of the chunk and a quarter of
// the rows of S; tiles of the next chunk arrive while this one is worked on.
//
// fp32: the same by plain arithmetic, everything in shared memory, chunks of 32.
#include <algorithm>

#include "cuda/elementwise.cuh"
#include "cuda/mma.cuh"
#include "cuda/ops.h"

namespace mm::cuda {
namespace {

// ---- which rows a block of threads works on ----

// Rows of all heads: element (token, head, j) at token * token_stride + head * head_stride + j.
struct Rows {
  void* data;
  int64_t token_stride, head_stride;
};

struct Scan {
  Rows x, y, z, out;
  int depth, width;
  bool backwards;
  int64_t state_row, state_column;  // S[i, j] of a head at i * state_row + j * state_column
  const float* state_in;            // pools, optional
  float* state_out;
};

constexpr int kMostScans = 3;

struct Scans {
  Scan scan[kMostScans];
  int count;
  int64_t sequences, heads, tokens, max_seqlen, column_blocks, state_size;
  const float* slopes;
  const int32_t* cu_seqlens;
  const int32_t* state_slots;
  int32_t* fault;
};

// Rows of one head of one sequence in the order of the scan.
template <typename T>
struct View {
  T* first;
  int64_t stride;

  __device__ View() {}
  __device__ View(const Rows& rows, int64_t token, int64_t head, int64_t column, bool backwards)
      : first(static_cast<T*>(rows.data) + token * rows.token_stride + head * rows.head_stride + column),
        stride(backwards ? -rows.token_stride : rows.token_stride) {}
  __device__ T* row(int64_t i) const { return first + i * stride; }
};

template <typename T>
struct Task {
  View<const T> x, y, z;
  View<T> out;
  int length, depth, width;  // width: the columns of this block
  int late;                  // e
  float slope;
  int64_t state_row, state_column;
  const float* state_in;
  float* state_out;
};

// False if there is nothing to do, or something wrong, which is reported.
template <typename T>
__device__ bool find_task(const Scans& s, int columns, Task<T>& t) {
  int64_t index = blockIdx.x;
  const int column = static_cast<int>(index % s.column_blocks) * columns;
  index /= s.column_blocks;
  const Scan& scan = s.scan[index % s.count];
  index /= s.count;
  const int64_t head = index % s.heads, sequence = index / s.heads;
  const int64_t first = s.cu_seqlens[sequence], length = s.cu_seqlens[sequence + 1] - first;
  const int64_t slot = s.state_slots ? s.state_slots[sequence] : sequence;
  const bool good_offsets = first >= 0 && length >= 0 && length <= s.max_seqlen && first + length <= s.tokens;
  if (!good_offsets) *s.fault = static_cast<int32_t>(Fault::kOffsets);
  if (slot < 0) *s.fault = static_cast<int32_t>(Fault::kCacheSlot);
  if (!good_offsets || slot < 0 || column >= scan.width) return false;

  const int64_t token = scan.backwards ? first + length - 1 : first;
  t.x = View<const T>(scan.x, token, head, 0, scan.backwards);
  t.y = View<const T>(scan.y, token, head, 0, scan.backwards);
  t.z = View<const T>(scan.z, token, head, column, scan.backwards);
  t.out = View<T>(scan.out, token, head, column, scan.backwards);
  t.length = static_cast<int>(length);
  t.depth = scan.depth;
  t.width = min(columns, scan.width - column);
  t.late = scan.backwards ? 1 : 0;
  t.slope = s.slopes[head];
  t.state_row = scan.state_row;
  t.state_column = scan.state_column;
  const int64_t at = (slot * s.heads + head) * s.state_size + column * scan.state_column;
  t.state_in = scan.state_in ? scan.state_in + at : nullptr;
  t.state_out = scan.state_out ? scan.state_out + at : nullptr;
  return true;
}

template <typename T>
__device__ __forceinline__ float initial_state(const Task<T>& t, int i, int j) {
  const bool given = t.state_in && i < t.depth && j < t.width;
  return given ? t.state_in[i * t.state_row + j * t.state_column] : 0.0f;
}

template <typename T>
__device__ __forceinline__ void final_state(const Task<T>& t, int i, int j, float value) {
  if (i < t.depth && j < t.width) t.state_out[i * t.state_row + j * t.state_column] = value;
}

// power[p] = lambda^p for p = 0..last; barriers are the caller's.
__device__ __forceinline__ void fill_powers(float slope, int last, float* power) {
  for (int p = threadIdx.x; p <= last; p += blockDim.x) power[p] = expf(-slope * static_cast<float>(p));
}

// ---- bf16 ----

constexpr int kChunk = 64;
constexpr int kWarps = kChunk / 16;
constexpr int kThreads = 32 * kWarps;

// A tile of rows of Columns values, in pieces of 8 values that lie such that the same piece of 8 consecutive
// rows is in 8 different groups of banks.
template <int Columns>
__device__ __forceinline__ int place(int row, int piece) {
  return row * Columns + 8 * (piece ^ (Columns >= 64 ? row % 8 : row / 2 % 4));
}

// Shared memory for depths up to D and W columns, in values of bf16.
template <int D, int W>
struct Layout {
  static constexpr int kX = 0, kY = kX + kChunk * D, kZ = kY + kChunk * D, kStage = kZ + kChunk * W;
  static constexpr int kState = 2 * kStage, kPowers = kState + D * W;
  static constexpr int kBytes = 2 * kPowers + 4 * (kChunk + 1);
};

// The warp's part of S [D, W]: rows warp * D / 4 .. + D / 4 - 1, as tiles of 16 x 8 in the layout of
// mma_bf16.
template <int D, int W>
using StatePart = float[D / 64][W / 8][4];

// f(row, column, value) of the even columns; the next column's value is the next in memory.
template <int D, int W, typename F>
__device__ __forceinline__ void each_pair(StatePart<D, W>& state, F f) {
  const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, i = threadIdx.x % 4;
#pragma unroll
  for (int m = 0; m < D / 64; m++) {
#pragma unroll
    for (int n = 0; n < W / 8; n++) {
#pragma unroll
      for (int upper = 0; upper < 2; upper++) {
        f(warp * (D / 4) + 16 * m + 8 * upper + g, 8 * n + 2 * i, &state[m][n][2 * upper]);
      }
    }
  }
}

// Rows first..first + m - 1 of a view to a tile; zeros beyond, and beyond `width` columns.
template <int Columns, bool Vector>
__device__ __forceinline__ void load_tile(const View<const bf16>& view, int first, int m, int width,
                                          bf16* tile) {
  if constexpr (Vector) {
    constexpr int kPieces = Columns / 8, kRows = kThreads / kPieces;  // at once
    const int piece = threadIdx.x % kPieces;
    int row = threadIdx.x / kPieces;
    const bf16* from = view.row(first + row) + 8 * piece;
#pragma unroll 4
    for (int step = 0; step < kChunk / kRows; step++) {
      copy_async(tile + place<Columns>(row, piece), from, row < m && 8 * piece < width);
      row += kRows;
      from += kRows * view.stride;
    }
  } else {
#pragma unroll 1
    for (int p = threadIdx.x; p < kChunk * Columns; p += kThreads) {
      const int row = p / Columns, column = p % Columns;
      const bool valid = row < m && column < width;
      tile[place<Columns>(row, column / 8) + column % 8] = valid ? view.row(first + row)[column] : bf16{0};
    }
  }
}

template <int D, int W, bool Vector>
__device__ __forceinline__ void load_chunk(const Task<bf16>& t, int chunk, bf16* memory) {
  using L = Layout<D, W>;
  bf16* stage = memory + chunk % 2 * L::kStage;
  const int first = chunk * kChunk, m = min(kChunk, t.length - first);
  load_tile<D, Vector>(t.x, first, m, t.depth, stage + L::kX);
  load_tile<D, Vector>(t.y, first, m, t.depth, stage + L::kY);
  load_tile<W, Vector>(t.z, first, m, t.width, stage + L::kZ);
}

// Two neighbouring tiles of 8 columns; b is both operands.
__device__ __forceinline__ void mma_pair(float (&left)[4], float (&right)[4], const uint32_t (&a)[4],
                                         const uint32_t (&b)[4]) {
  const uint32_t first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
  mma_bf16(left, a, first);
  mma_bf16(right, a, second);
}

// This thread's address for load_matrices of the 16 x 16 values at row r and piece p (8 columns) of a tile;
// the four 8 x 8 matrices come by rows first (operand a; b of two tiles if transposed while loaded) or by
// columns first (b of two tiles; a if transposed).
template <int Columns>
__device__ __forceinline__ const bf16* rows_first(const bf16* tile, int r, int p) {
  const int lane = threadIdx.x % 32;
  return tile + place<Columns>(r + lane % 16, p + lane / 16);
}
template <int Columns>
__device__ __forceinline__ const bf16* columns_first(const bf16* tile, int r, int p) {
  const int lane = threadIdx.x % 32;
  return tile + place<Columns>(r + lane % 8 + lane / 16 * 8, p + lane / 8 % 2);
}

// scores = x y^T as far as the warp's rows look back, out = x S.
template <int D, int W>
__device__ __forceinline__ void multiply_x(const bf16* x, const bf16* y, const bf16* state,
                                           float (&scores)[kChunk / 8][4], float (&out)[W / 8][4]) {
  const int warp = threadIdx.x / 32;
#pragma unroll 2
  for (int k = 0; k < D / 16; k++) {
    uint32_t a[4], b[4];
    load_matrices(a, rows_first<D>(x, 16 * warp, 2 * k));
#pragma unroll
    for (int n = 0; n < kChunk / 16; n++) {
      if (n > warp) continue;
      load_matrices(b, columns_first<D>(y, 16 * n, 2 * k));
      mma_pair(scores[2 * n], scores[2 * n + 1], a, b);
    }
#pragma unroll
    for (int n = 0; n < W / 16; n++) {
      load_matrices_transposed(b, rows_first<W>(state, 16 * k, 2 * n));
      mma_pair(out[2 * n], out[2 * n + 1], a, b);
    }
  }
}

// scores[a, b] *= lambda^(a-b), 0 for b > a; out[a] *= lambda^(a+1-e).
template <int W>
__device__ __forceinline__ void decay_products(const float* power, int late, float (&scores)[kChunk / 8][4],
                                               float (&out)[W / 8][4]) {
  const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, i = threadIdx.x % 4;
#pragma unroll
  for (int e = 0; e < 4; e++) {
    const int row = 16 * warp + g + e / 2 * 8;
    const float factor = power[row + 1 - late];
#pragma unroll
    for (int n = 0; n < W / 8; n++) out[n][e] *= factor;
#pragma unroll
    for (int n = 0; n < kChunk / 8; n++) {
      const int back = row - (8 * n + 2 * i + e % 2);
      scores[n][e] = back >= 0 ? scores[n][e] * power[back] : 0.0f;
    }
  }
}

// out += scores z
template <int W>
__device__ __forceinline__ void multiply_scores(const float (&scores)[kChunk / 8][4], const bf16* z,
                                                float (&out)[W / 8][4]) {
  const int warp = threadIdx.x / 32;
#pragma unroll
  for (int k = 0; k < kChunk / 16; k++) {
    if (k > warp) continue;
    const float(&left)[4] = scores[2 * k], (&right)[4] = scores[2 * k + 1];
    const uint32_t a[4] = {pack_bf16(left[0], left[1]), pack_bf16(left[2], left[3]),
                           pack_bf16(right[0], right[1]), pack_bf16(right[2], right[3])};
    uint32_t b[4];
#pragma unroll
    for (int n = 0; n < W / 16; n++) {
      load_matrices_transposed(b, rows_first<W>(z, 16 * k, 2 * n));
      mma_pair(out[2 * n], out[2 * n + 1], a, b);
    }
  }
}

__device__ __forceinline__ uint32_t scale_pair(uint32_t pair, float low, float high) {
  const float2 values = unpack_bf16(pair);
  return pack_bf16(values.x * low, values.y * high);
}

// S = lambda^m S + sum_b lambda^(last-b) y_b^T z_b; rows of y and z from m on are 0.
template <int D, int W>
__device__ __forceinline__ void update_state(const bf16* y, const bf16* z, const float* power, int m,
                                             int last, StatePart<D, W>& state) {
  const int warp = threadIdx.x / 32, i = threadIdx.x % 4;
  each_pair<D, W>(state, [&](int, int, float* value) { value[0] *= power[m], value[1] *= power[m]; });
#pragma unroll
  for (int k = 0; k < kChunk / 16; k++) {
    float factor[4];
#pragma unroll
    for (int e = 0; e < 4; e++) factor[e] = power[max(last - (16 * k + 2 * i + e / 2 * 8 + e % 2), 0)];
    uint32_t a[D / 64][4], b[4];
#pragma unroll
    for (int t = 0; t < D / 64; t++) {
      load_matrices_transposed(a[t], columns_first<D>(y, 16 * k, 2 * (warp * (D / 64) + t)));
#pragma unroll
      for (int e = 0; e < 4; e++) a[t][e] = scale_pair(a[t][e], factor[e / 2 * 2], factor[e / 2 * 2 + 1]);
    }
#pragma unroll
    for (int n = 0; n < W / 16; n++) {
      load_matrices_transposed(b, rows_first<W>(z, 16 * k, 2 * n));
#pragma unroll
      for (int t = 0; t < D / 64; t++) mma_pair(state[t][2 * n], state[t][2 * n + 1], a[t], b);
    }
  }
}

// Thread i of four holds pair i of four groups of 8 values; afterwards all four pairs of group i.
__device__ __forceinline__ void gather_groups(uint32_t (&pairs)[4]) {
#pragma unroll
  for (int distance = 1; distance <= 2; distance++) {
    const bool upper = threadIdx.x & distance;
#pragma unroll
    for (int n = 0; n < 4; n++) {
      if (n & distance) continue;
      uint32_t &low = pairs[n], &high = pairs[n + distance];
      const uint32_t got = __shfl_xor_sync(0xffffffffu, upper ? low : high, distance);
      (upper ? low : high) = got;
    }
  }
}

// The warp's 16 rows of the chunk.
template <int W, bool Vector>
__device__ __forceinline__ void write_rows(const float (&out)[W / 8][4], const View<bf16>& view, int first,
                                           int m, int width) {
  const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, i = threadIdx.x % 4;
#pragma unroll
  for (int upper = 0; upper < 2; upper++) {
    const int row = 16 * warp + g + 8 * upper;
#pragma unroll
    for (int n = 0; n < W / 8; n += 4) {
      uint32_t pairs[4];
#pragma unroll
      for (int e = 0; e < 4; e++) pairs[e] = pack_bf16(out[n + e][2 * upper], out[n + e][2 * upper + 1]);
      gather_groups(pairs);
      const int column = 8 * (n + i);
      if (row >= m) continue;
      bf16* at = view.row(first + row) + column;
      if constexpr (Vector) {
        if (column < width) {
          *reinterpret_cast<uint4*>(at) = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
        }
      } else {
#pragma unroll
        for (int e = 0; e < 8; e++) {
          if (column + e < width) at[e] = {static_cast<uint16_t>(pairs[e / 2] >> (e % 2 * 16))};
        }
      }
    }
  }
}

template <int D, int W>
__device__ __forceinline__ void copy_state(StatePart<D, W>& state, bf16* tile) {
  each_pair<D, W>(state, [&](int row, int column, const float* value) {
    bf16* at = tile + place<W>(row, column / 8) + column % 8;
    *reinterpret_cast<uint32_t*>(at) = pack_bf16(value[0], value[1]);
  });
}

// Vector: pieces of 8 values can be moved at once.
template <int D, int W, bool Vector>
__global__ void __launch_bounds__(kThreads) bf16_scan_kernel(const __grid_constant__ Scans s) {
  using L = Layout<D, W>;
  Task<bf16> t;
  if (!find_task(s, W, t)) return;
  bf16* memory = shared_memory<bf16>();
  float* power = reinterpret_cast<float*>(memory + L::kPowers);
  StatePart<D, W> state;
  if (t.length > 0) load_chunk<D, W, Vector>(t, 0, memory);
  copy_async_commit();
  fill_powers(t.slope, kChunk, power);
  each_pair<D, W>(state, [&](int row, int column, float* value) {
    value[0] = initial_state(t, row, column), value[1] = initial_state(t, row, column + 1);
  });
  copy_state<D, W>(state, memory + L::kState);

  for (int chunk = 0; chunk * kChunk < t.length; chunk++) {
    copy_async_wait<0>();
    __syncthreads();  // the chunk and the copy of the state are there, and the other stage has been read
    if ((chunk + 1) * kChunk < t.length) load_chunk<D, W, Vector>(t, chunk + 1, memory);
    copy_async_commit();
    const bf16* stage = memory + chunk % 2 * L::kStage;
    const int m = min(kChunk, t.length - chunk * kChunk);
    float out[W / 8][4] = {}, scores[kChunk / 8][4] = {};
    multiply_x<D, W>(stage + L::kX, stage + L::kY, memory + L::kState, scores, out);
    decay_products<W>(power, t.late, scores, out);
    multiply_scores<W>(scores, stage + L::kZ, out);
    write_rows<W, Vector>(out, t.out, chunk * kChunk, m, t.width);
    update_state<D, W>(stage + L::kY, stage + L::kZ, power, m, m - 1 + t.late, state);
    __syncthreads();  // the copy of the state has been read
    copy_state<D, W>(state, memory + L::kState);
  }
  if (!t.state_out) return;
  each_pair<D, W>(state, [&](int row, int column, const float* value) {
    final_state(t, row, column, value[0]), final_state(t, row, column + 1, value[1]);
  });
}

// ---- fp32 ----

constexpr int kPlainChunk = 32;
constexpr int kPlainColumns = 32;
constexpr int kPlainThreads = 256;  // thread (r, c) of 32 x 8

// Rows of x and y in shared memory: whole float4s, a row starting 4 banks after the one before.
__host__ __device__ constexpr int plain_row(int depth) { return (depth + 31) / 32 * 32 + 4; }
constexpr int kScoreRow = kPlainChunk + 4;

struct PlainTiles {
  float *x, *y, *z, *scores, *state, *power;

  __device__ PlainTiles(float* memory, int row)
      : x(memory),
        y(x + kPlainChunk * row),
        z(y + kPlainChunk * row),
        scores(z + kPlainChunk * kPlainColumns),
        state(scores + kPlainChunk * kScoreRow),
        power(state + row * kPlainColumns) {}
};

constexpr int64_t plain_bytes(int depth) {
  const int row = plain_row(depth);
  return 4 * (2 * kPlainChunk * row + kPlainChunk * (kPlainColumns + kScoreRow) + row * kPlainColumns +
              kPlainChunk + 1);
}

__device__ __forceinline__ float4 load4(const float* p) { return *reinterpret_cast<const float4*>(p); }

// sum += f v
__device__ __forceinline__ void add_scaled(float4& sum, float f, float4 v) {
  sum.x += f * v.x, sum.y += f * v.y, sum.z += f * v.z, sum.w += f * v.w;
}

__device__ __forceinline__ void load_plain(const View<const float>& view, int first, int m, int width,
                                           int row_size, float* tile) {
#pragma unroll 1
  for (int p = threadIdx.x; p < kPlainChunk * row_size; p += kPlainThreads) {
    const int row = p / row_size, column = p % row_size;
    tile[p] = row < m && column < width ? view.row(first + row)[column] : 0.0f;
  }
}

// scores[a, b] = lambda^(a-b) x_a . y_b, 0 for b > a: thread (r, c) has a = r and b = c, c + 8, ...
__device__ __forceinline__ void plain_scores(const PlainTiles& w, int row) {
  const int a = threadIdx.x / 8, c = threadIdx.x % 8;
  float sums[kPlainChunk / 8] = {};
  for (int k = 0; k < row - 4; k += 4) {
    const float4 x = load4(w.x + a * row + k);
#pragma unroll
    for (int n = 0; n < kPlainChunk / 8; n++) {
      const float4 y = load4(w.y + (c + 8 * n) * row + k);
      sums[n] += x.x * y.x, sums[n] += x.y * y.y, sums[n] += x.z * y.z, sums[n] += x.w * y.w;
    }
  }
#pragma unroll
  for (int n = 0; n < kPlainChunk / 8; n++) {
    const int b = c + 8 * n;
    w.scores[a * kScoreRow + b] = b <= a ? sums[n] * w.power[a - b] : 0.0f;
  }
}

// Thread (r, c) has row r and columns 4 c .. 4 c + 3.
__device__ __forceinline__ float4 plain_out(const PlainTiles& w, int row, int late) {
  const int a = threadIdx.x / 8, column = threadIdx.x % 8 * 4;
  float4 from_state = make_float4(0, 0, 0, 0), out = from_state;
  for (int k = 0; k < row - 4; k++) {
    add_scaled(from_state, w.x[a * row + k], load4(w.state + k * kPlainColumns + column));
  }
  add_scaled(out, w.power[a + 1 - late], from_state);
  for (int b = 0; b < kPlainChunk; b++) {
    add_scaled(out, w.scores[a * kScoreRow + b], load4(w.z + b * kPlainColumns + column));
  }
  return out;
}

// Thread (r, c) has rows 4 r .. 4 r + 3 of each 128, and columns 4 c .. 4 c + 3.
__device__ __forceinline__ void plain_state(const PlainTiles& w, int row, int m, int late) {
  const int column = threadIdx.x % 8 * 4;
  for (int i = threadIdx.x / 8 * 4; i < row - 4; i += 128) {
    float4 sums[4] = {};
#pragma unroll
    for (int e = 0; e < 4; e++) {
      add_scaled(sums[e], w.power[m], load4(w.state + (i + e) * kPlainColumns + column));
    }
    for (int b = 0; b < m; b++) {
      const float factor = w.power[m - 1 - b + late];
      const float4 y = load4(w.y + b * row + i), z = load4(w.z + b * kPlainColumns + column);
      add_scaled(sums[0], factor * y.x, z), add_scaled(sums[1], factor * y.y, z);
      add_scaled(sums[2], factor * y.z, z), add_scaled(sums[3], factor * y.w, z);
    }
#pragma unroll
    for (int e = 0; e < 4; e++) {
      *reinterpret_cast<float4*>(w.state + (i + e) * kPlainColumns + column) = sums[e];
    }
  }
}

__device__ __forceinline__ void write_plain(float4 out, const Task<float>& t, int first, int m) {
  const int a = threadIdx.x / 8, column = threadIdx.x % 8 * 4;
  if (a >= m) return;
  const float values[4] = {out.x, out.y, out.z, out.w};
#pragma unroll
  for (int e = 0; e < 4; e++) {
    if (column + e < t.width) t.out.row(first + a)[column + e] = values[e];
  }
}

__global__ void __launch_bounds__(kPlainThreads) fp32_scan_kernel(const __grid_constant__ Scans s) {
  Task<float> t;
  if (!find_task(s, kPlainColumns, t)) return;
  const int row = plain_row(t.depth);
  const PlainTiles w(shared_memory<float>(), row);
  fill_powers(t.slope, kPlainChunk, w.power);
  for (int p = threadIdx.x; p < row * kPlainColumns; p += kPlainThreads) {
    w.state[p] = initial_state(t, p / kPlainColumns, p % kPlainColumns);
  }
  for (int first = 0; first < t.length; first += kPlainChunk) {
    const int m = min(kPlainChunk, t.length - first);
    load_plain(t.x, first, m, t.depth, row, w.x);
    load_plain(t.y, first, m, t.depth, row, w.y);
    load_plain(t.z, first, m, t.width, kPlainColumns, w.z);
    __syncthreads();
    plain_scores(w, row);
    __syncthreads();
    write_plain(plain_out(w, row, t.late), t, first, m);
    __syncthreads();  // the state has been read
    plain_state(w, row, m, t.late);
    __syncthreads();  // and the tiles
  }
  if (!t.state_out) return;
  __syncthreads();
  for (int p = threadIdx.x; p < row * kPlainColumns; p += kPlainThreads) {
    final_state(t, p / kPlainColumns, p % kPlainColumns, w.state[p]);
  }
}

// ---- launches ----

constexpr int kMostDim = 256;

Rows rows(const void* data, int64_t token_stride, int64_t head_stride) {
  return {const_cast<void*>(data), token_stride, head_stride};
}

template <typename Params>
Scans common(Context& context, const Params& p) {
  Scans s{};
  s.sequences = p.sequences, s.heads = p.heads, s.tokens = p.tokens, s.max_seqlen = p.max_seqlen;
  s.state_size = p.dim_k * p.dim_v;
  s.slopes = p.slopes, s.cu_seqlens = p.cu_seqlens, s.fault = context.fault;
  return s;
}

bool moves_by_8(const Rows& r) {
  return reinterpret_cast<uintptr_t>(r.data) % 16 == 0 && r.token_stride % 8 == 0 && r.head_stride % 8 == 0;
}

bool moves_by_8(const Scans& s) {
  for (int i = 0; i < s.count; i++) {
    const Scan& scan = s.scan[i];
    if (scan.depth % 8 != 0 || scan.width % 8 != 0) return false;
    for (const Rows* r : {&scan.x, &scan.y, &scan.z, &scan.out}) {
      if (!moves_by_8(*r)) return false;
    }
  }
  return true;
}

dim3 scan_grid(const char* name, Scans& s, int width, int columns) {
  s.column_blocks = ceil_div(width, columns);
  const int64_t blocks = s.sequences * s.heads * s.count * s.column_blocks;
  MM_REQUIRE(blocks <= 0x7fffffff, "%s: %lld sequences of %lld heads are too many", name,
             static_cast<long long>(s.sequences), static_cast<long long>(s.heads));
  return dim3(blocks);
}

template <int D, int W, bool Vector>
void launch_bf16(Context& context, const char* name, Scans& s, int width) {
  const dim3 grid = scan_grid(name, s, width, W);
  launch(context, name, bf16_scan_kernel<D, W, Vector>, grid, kThreads, Layout<D, W>::kBytes, s);
}

// Blocks of 64 columns, or of 32 where that leaves no multiprocessor idle: every block computes the scores
// anew.
template <int D>
void launch_bf16(Context& context, const char* name, Scans& s, int width) {
  const int64_t blocks = s.sequences * s.heads * s.count * ceil_div(width, 64);
  if (!moves_by_8(s)) {
    launch_bf16<D, 32, false>(context, name, s, width);
  } else if (D <= 128 && width > 32 && 2 * blocks > context.multiprocessors) {
    launch_bf16<std::min(D, 128), 64, true>(context, name, s, width);
  } else {
    launch_bf16<D, 32, true>(context, name, s, width);
  }
}

void launch_scans(Context& context, const char* name, mm_dtype dtype, Scans& s) {
  int depth = 0, width = 0;
  for (int i = 0; i < s.count; i++) {
    depth = std::max(depth, s.scan[i].depth);
    width = std::max(width, s.scan[i].width);
  }
  if (dtype == MM_DTYPE_F32)
    launch(context, name, fp32_scan_kernel, scan_grid(name, s, width, kPlainColumns), kPlainThreads,
           plain_bytes(depth), s);
  else if (depth <= 64)
    launch_bf16<64>(context, name, s, width);
  else if (depth <= 128)
    launch_bf16<128>(context, name, s, width);
  else
    launch_bf16<256>(context, name, s, width);
}

template <typename Params>
void check_dims(const char* name, const Params& p) {
  if (p.dim_k <= kMostDim && p.dim_v <= kMostDim) return;
  fail(MM_STATUS_UNSUPPORTED, "%s: dim_k is %lld and dim_v %lld; on a GPU each may be %d", name,
       static_cast<long long>(p.dim_k), static_cast<long long>(p.dim_v), kMostDim);
}

}  // namespace

void lightning_attention_forward(Context& context, const mm_lightning_attention_forward_params& p) {
  constexpr const char* kName = "lightning_attention_forward";
  check_dims(kName, p);
  Scans s = common(context, p);
  s.state_slots = p.state_slots;
  s.count = 1;
  s.scan[0] = {.x = rows(p.q, p.q_token_stride, p.q_head_stride),
               .y = rows(p.k, p.k_token_stride, p.k_head_stride),
               .z = rows(p.v, p.v_token_stride, p.v_head_stride),
               .out = rows(p.o, p.o_token_stride, p.o_head_stride),
               .depth = static_cast<int>(p.dim_k),
               .width = static_cast<int>(p.dim_v),
               .backwards = false,
               .state_row = p.dim_v,
               .state_column = 1,
               .state_in = p.state_in,
               .state_out = p.state_out};
  launch_scans(context, kName, p.dtype, s);
}

void lightning_attention_backward(Context& context, const mm_lightning_attention_backward_params& p) {
  constexpr const char* kName = "lightning_attention_backward";
  check_dims(kName, p);
  const Rows q = rows(p.q, p.q_token_stride, p.q_head_stride);
  const Rows k = rows(p.k, p.k_token_stride, p.k_head_stride);
  const Rows v = rows(p.v, p.v_token_stride, p.v_head_stride);
  const Rows g = rows(p.d_o, p.o_token_stride, p.o_head_stride);
  const Rows dq = rows(p.dq, p.dq_token_stride, p.dq_head_stride);
  const Rows dk = rows(p.dk, p.dk_token_stride, p.dk_head_stride);
  const Rows dv = rows(p.dv, p.dv_token_stride, p.dv_head_stride);
  const int dim_k = static_cast<int>(p.dim_k), dim_v = static_cast<int>(p.dim_v);
  Scans s = common(context, p);
  s.count = 3;
  s.scan[0] = {g, v, k, dq, dim_v, dim_k, false, 1, dim_v, p.state_in, nullptr};
  s.scan[1] = {v, g, q, dk, dim_v, dim_k, true, 1, dim_v, p.dstate_out, nullptr};
  s.scan[2] = {k, q, g, dv, dim_k, dim_v, true, dim_v, 1, p.dstate_out, p.dstate_in};
  launch_scans(context, kName, p.dtype, s);
}

}  // namespace mm::cuda
