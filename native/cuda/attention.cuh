// What softmax attention over packed keys and over pages have in common: tiles, the rows they are loaded
// from, and the pass of a block of query rows over keys with a running maximum.
//
// The query rows of one sequence and key/value head are counted token by token, with the group of query heads
// that share the head innermost: row = token * group + g. A block takes a tile of them, so that keys and
// values are read once for the whole group. A warp owns whole rows of a product: 16 with tensor cores
// (TensorTile, bf16), 8 without (SimtTile, fp32 arithmetic). In both, four neighbouring threads share a row;
// thread t has the rows t / 4 + 8 r of its warp, r < kRows, and the columns that column() says. A row's bits
// do not depend on where in a tile it lies, nor on the rows beside it: a key that it must not see adds
// exactly nothing.
#pragma once

#include "cuda/context.h"
#include "cuda/mma.cuh"

namespace mm::cuda::attention {

constexpr float kLog2E = 1.4426950408889634f, kLn2 = 0.6931471805599453f;
constexpr int kMaxHeadDim = 256;

__device__ __forceinline__ float exp2_of(float x) {
#if MM_HOST_SHIM
  return std::exp2(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

__device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x % 32); }
__device__ __forceinline__ int warp() { return static_cast<int>(threadIdx.x / 32); }

// Over the four threads that share a row; all get the result, the same in each.
__device__ __forceinline__ float row_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}
__device__ __forceinline__ float row_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}

// Division by a number known to the host, nearly always a power of two.
struct Divider {
  int divisor, shift;  // shift < 0: no power of two
  explicit Divider(int64_t value) : divisor(static_cast<int>(value)), shift(-1) {
    for (int i = 0; i < 31; i++) {
      if (value == int64_t{1} << i) shift = i;
    }
  }
  __device__ __forceinline__ int quotient(int x) const { return shift >= 0 ? x >> shift : x / divisor; }
};

// bf16 with tensor cores; D is the head dimension rounded up, the rest holds zeros.
template <int D>
struct TensorTile {
  using Data = bf16;     // in global memory
  using Element = bf16;  // in shared memory
  static constexpr int kDim = D, kWarpRows = 16, kRows = 2, kKeys = 64, kStream = 32;
  static constexpr int kStride = D + 8;  // eight rows lie in different banks
  static constexpr int kForwardWarps = D > 128 ? 4 : 8;
  template <int N>
  static constexpr int kFragments = N / 8;  // of four values, for N columns

  static __device__ __forceinline__ int row(int e) { return e / 2; }
  static __device__ __forceinline__ int column(int x, int e) { return 8 * x + 2 * (lane() % 4) + e % 2; }

  // s [16, N] = a [16, D] b [N, D]^T, of this warp's rows a.
  template <int N>
  static __device__ __forceinline__ void scores(float (&s)[N / 8][4], const bf16* a, const bf16* b) {
#pragma unroll
    for (int x = 0; x < N / 8; x++) s[x][0] = s[x][1] = s[x][2] = s[x][3] = 0.0f;
    a += lane() % 16 * kStride + lane() / 16 * 8;
    b += (lane() % 8 + lane() / 16 * 8) * kStride + lane() / 8 % 2 * 8;
#pragma unroll
    for (int k = 0; k < D; k += 16) {
      uint32_t left[4];
      load_matrices(left, a + k);
#pragma unroll
      for (int n = 0; n < N; n += 16) {
        uint32_t right[4];
        load_matrices(right, b + n * kStride + k);
        mma_bf16(s[n / 8], left, {right[0], right[1]});
        mma_bf16(s[n / 8 + 1], left, {right[2], right[3]});
      }
    }
  }

  // o [16, D] += p [16, N] b [N, D]; p is rounded to bf16.
  template <int N>
  static __device__ __forceinline__ void accumulate(float (&o)[D / 8][4], const float (&p)[N / 8][4],
                                                    const bf16* b) {
    b += lane() % 16 * kStride + lane() / 16 * 8;
#pragma unroll
    for (int k = 0; k < N; k += 16) {
      const float(&low)[4] = p[k / 8], (&high)[4] = p[k / 8 + 1];
      const uint32_t left[4] = {pack_bf16(low[0], low[1]), pack_bf16(low[2], low[3]),
                                pack_bf16(high[0], high[1]), pack_bf16(high[2], high[3])};
#pragma unroll
      for (int n = 0; n < D; n += 16) {
        uint32_t right[4];
        load_matrices_transposed(right, b + k * kStride + n);
        mma_bf16(o[n / 8], left, {right[0], right[1]});
        mma_bf16(o[n / 8 + 1], left, {right[2], right[3]});
      }
    }
  }

  static __device__ __forceinline__ int output_column(int x, int e) { return column(x, e); }

  // This thread's part of row r, times the factor.
  static __device__ __forceinline__ void store(const float (&o)[D / 8][4], int r, float factor, bf16* to,
                                               int d, bool vector) {
#pragma unroll
    for (int x = 0; x < D / 8; x++) {
      const int c = column(x, 0);
      const float low = o[x][2 * r] * factor, high = o[x][2 * r + 1] * factor;
      if (vector) {
        if (c < d) *reinterpret_cast<uint32_t*>(to + c) = pack_bf16(low, high);
      } else {
        if (c < d) to[c] = from_float<bf16>(low);
        if (c + 1 < d) to[c + 1] = from_float<bf16>(high);
      }
    }
  }
};

// fp32 arithmetic, of either type.
template <typename T, int D>
struct SimtTile {
  using Data = T;
  using Element = float;
  static constexpr int kDim = D, kWarpRows = 8, kRows = 1, kKeys = 32, kStream = 16;
  static constexpr int kStride = D + 4;
  static constexpr int kForwardWarps = 4;
  template <int N>
  static constexpr int kFragments = N / 16;

  static __device__ __forceinline__ int row(int) { return 0; }
  static __device__ __forceinline__ int column(int x, int e) { return 16 * x + 4 * e + lane() % 4; }

  template <int N>
  static __device__ __forceinline__ void scores(float (&s)[N / 16][4], const float* a, const float* b) {
#pragma unroll
    for (int x = 0; x < N / 16; x++) s[x][0] = s[x][1] = s[x][2] = s[x][3] = 0.0f;
    a += lane() / 4 * kStride;
    b += lane() % 4 * kStride;
#pragma unroll 4
    for (int k = 0; k < D; k += 4) {
      const float4 left = *reinterpret_cast<const float4*>(a + k);
#pragma unroll
      for (int x = 0; x < N / 16; x++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          const float4 right = *reinterpret_cast<const float4*>(b + (16 * x + 4 * e) * kStride + k);
          s[x][e] += left.x * right.x + left.y * right.y + left.z * right.z + left.w * right.w;
        }
      }
    }
  }

  template <int N>
  static __device__ __forceinline__ void accumulate(float (&o)[D / 16][4], const float (&p)[N / 16][4],
                                                    const float* b) {
    b += lane() % 4 * 4;
#pragma unroll
    for (int x = 0; x < N / 16; x++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
#pragma unroll 1
        for (int from = 0; from < 4; from++) {
          const float weight = __shfl_sync(0xffffffffu, p[x][e], lane() / 4 * 4 + from);
          const float* values = b + (16 * x + 4 * e + from) * kStride;
#pragma unroll
          for (int y = 0; y < D / 16; y++) {
            const float4 v = *reinterpret_cast<const float4*>(values + 16 * y);
            o[y][0] += weight * v.x;
            o[y][1] += weight * v.y;
            o[y][2] += weight * v.z;
            o[y][3] += weight * v.w;
          }
        }
      }
    }
  }

  static __device__ __forceinline__ int output_column(int x, int e) { return 16 * x + lane() % 4 * 4 + e; }

  static __device__ __forceinline__ void store(const float (&o)[D / 16][4], int, float factor, T* to, int d,
                                               bool vector) {
#pragma unroll
    for (int x = 0; x < D / 16; x++) {
      if (sizeof(T) == 4 && vector) {
        if (output_column(x, 0) < d) {
          *reinterpret_cast<float4*>(to + output_column(x, 0)) =
              make_float4(o[x][0] * factor, o[x][1] * factor, o[x][2] * factor, o[x][3] * factor);
        }
        continue;
      }
#pragma unroll
      for (int e = 0; e < 4; e++) {
        if (output_column(x, e) < d) to[output_column(x, e)] = from_float<T>(o[x][e] * factor);
      }
    }
  }
};

// What is the same for all blocks.
struct Shape {
  Divider group;  // query heads to a key/value head
  int kv_heads, d, window;
  float scale, scale_log2;  // scores are taken in units of log 2
  bool vector;              // all rows are aligned to 16 bytes
  template <typename Params>
  explicit Shape(const Params& p)
      : group(p.heads / p.kv_heads),
        kv_heads(static_cast<int>(p.kv_heads)),
        d(static_cast<int>(p.head_dim)),
        window(p.window < 1 << 30 ? static_cast<int>(p.window) : 0),
        scale(p.scale),
        scale_log2(p.scale * kLog2E),
        vector(false) {}

  // The first key that a query at the position sees; it sees those up to its own.
  __device__ __forceinline__ int first_key(int position) const {
    return window > 0 && position > window ? position - window : 0;
  }
  __device__ __forceinline__ bool sees(int position, int key) const {
    return key <= position && (window == 0 || key >= position - window);
  }
};

// One sequence of a packed batch; rows count from its first token and key.
struct Sequence {
  int first_q, queries, first_k, keys;
  // Of a query token among the keys: the last query sees the last key.
  __device__ __forceinline__ int position(int token) const { return keys - queries + token; }
};

// False, and told, if the offsets of the sequence are impossible.
__device__ __forceinline__ bool read_offsets(const int32_t* offsets, int sequence, int64_t tokens,
                                             int64_t longest, int32_t* fault, int& first, int& length) {
  first = offsets[sequence];
  const int64_t end = offsets[sequence + 1];
  length = static_cast<int>(end - first);
  const bool good = first >= 0 && end >= first && end <= tokens && length <= longest;
  if (!good) *fault = static_cast<int32_t>(Fault::kOffsets);
  return good;
}

// Rows of q, o, ... of one sequence and key/value head.
template <typename T>
struct QueryRows {
  T* base;  // of the sequence's first token and the group's first head
  int64_t token_stride, head_stride;
  int count;
  __device__ __forceinline__ T* at(const Shape& shape, int row) const {
    const int token = shape.group.quotient(row), head = row - token * shape.group.divisor;
    return row < count ? base + token * token_stride + head * head_stride : nullptr;
  }
};
template <typename T, typename Void>
__device__ __forceinline__ QueryRows<T> query_rows(const Shape& shape, Void* data, int64_t token_stride,
                                                   int64_t head_stride, const Sequence& s, int kv_head) {
  return {static_cast<T*>(data) + s.first_q * token_stride +
              static_cast<int64_t>(kv_head) * shape.group.divisor * head_stride,
          token_stride, head_stride, s.queries * shape.group.divisor};
}

// Rows of k, v, ... of one sequence and key/value head.
template <typename T>
struct KeyRows {
  T* base;
  int64_t token_stride;
  int count;
  __device__ __forceinline__ T* at(const Shape&, int key) const {
    return key < count ? base + key * token_stride : nullptr;
  }
};
template <typename T, typename Void>
__device__ __forceinline__ KeyRows<T> key_rows(Void* data, int64_t token_stride, int64_t head_stride,
                                               const Sequence& s, int kv_head) {
  return {static_cast<T*>(data) + s.first_k * token_stride + kv_head * head_stride, token_stride, s.keys};
}

// N rows from `first` on to shared memory, by the whole block; zeros where there is no row, and behind the
// head dimension. Asynchronous where the rows allow it: the caller commits.
template <typename Tile, int N, int Threads, typename Rows>
__device__ __forceinline__ void load(typename Tile::Element* to, const Shape& shape, const Rows& rows,
                                     int first) {
  using Element = typename Tile::Element;
  using Data = typename Tile::Data;
  constexpr bool kSame = sizeof(Element) == sizeof(Data);
  constexpr int kChunk = 16 / static_cast<int>(sizeof(Element)), kChunks = Tile::kDim / kChunk;
  if (kSame && shape.vector) {
#pragma unroll 2
    for (int i = static_cast<int>(threadIdx.x); i < N * kChunks; i += Threads) {
      const int column = i % kChunks * kChunk;
      const auto* from = rows.at(shape, first + i / kChunks);
      const bool valid = from && column < shape.d;
      copy_async(to + i / kChunks * Tile::kStride + column, valid ? from + column : rows.base, valid);
    }
    return;
  }
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < N * Tile::kDim; i += Threads) {
    const int column = i % Tile::kDim;
    const auto* from = rows.at(shape, first + i / Tile::kDim);
    to[i / Tile::kDim * Tile::kStride + column] =
        from_float<Element>(from && column < shape.d ? to_float(from[column]) : 0.0f);
  }
}

// The query rows of this thread, and what its warp knows of its own.
template <typename Tile>
struct Positions {
  int of[Tile::kRows];  // -1 where there is no row
  int lowest, highest;  // in the warp
  bool active;          // whether the warp has rows at all
  __device__ __forceinline__ Positions(const Shape& shape, const Sequence& s, int first_row, int count) {
    const int start = first_row + warp() * Tile::kWarpRows;
#pragma unroll
    for (int r = 0; r < Tile::kRows; r++) {
      const int row = start + lane() / 4 + 8 * r;
      of[r] = row < count ? s.position(shape.group.quotient(row)) : -1;
    }
    active = start < count;
    lowest = s.position(shape.group.quotient(start));
    highest = s.position(shape.group.quotient(min(start + Tile::kWarpRows, count) - 1));
  }
  // Whether every row of the warp sees all of the keys.
  __device__ __forceinline__ bool see_all(const Shape& shape, int key, int count) const {
    return key + count - 1 <= lowest && (shape.window == 0 || key >= highest - shape.window);
  }
};

// Of this thread's rows: maximum and sum of exp2(score - maximum), and the output before division by it.
template <typename Tile>
struct State {
  float maximum[Tile::kRows], sum[Tile::kRows];
  float o[Tile::template kFragments<Tile::kDim>][4];
  __device__ __forceinline__ State() {
#pragma unroll
    for (int r = 0; r < Tile::kRows; r++) maximum[r] = -INFINITY, sum[r] = 0.0f;
#pragma unroll
    for (auto& x : o) x[0] = x[1] = x[2] = x[3] = 0.0f;
  }
};

// Turns scores of keys key .. key + kKeys into weights, and takes the state to the new maximum.
template <typename Tile, int Fragments>
__device__ __forceinline__ void absorb(State<Tile>& state, float (&s)[Fragments][4], const Shape& shape,
                                       const Positions<Tile>& positions, int key) {
  const bool see_all = positions.see_all(shape, key, Tile::kKeys);
  float base[Tile::kRows], factor[Tile::kRows], sum[Tile::kRows];
#pragma unroll
  for (int r = 0; r < Tile::kRows; r++) base[r] = -INFINITY, sum[r] = 0.0f;
#pragma unroll
  for (int x = 0; x < Fragments; x++) {
#pragma unroll
    for (int e = 0; e < 4; e++) {
      const int r = Tile::row(e);
      s[x][e] = see_all || shape.sees(positions.of[r], key + Tile::column(x, e))
                    ? __fmul_rn(s[x][e], shape.scale_log2)
                    : -INFINITY;
      base[r] = fmaxf(base[r], s[x][e]);
    }
  }
#pragma unroll
  for (int r = 0; r < Tile::kRows; r++) {
    const float largest = fmaxf(state.maximum[r], row_max(base[r]));
    base[r] = largest == -INFINITY ? 0.0f : largest;  // nothing seen yet: all weights are 0
    factor[r] = exp2_of(state.maximum[r] - base[r]);
    state.maximum[r] = largest;
  }
#pragma unroll
  for (int x = 0; x < Fragments; x++) {
#pragma unroll
    for (int e = 0; e < 4; e++) {
      s[x][e] = exp2_of(s[x][e] - base[Tile::row(e)]);
      sum[Tile::row(e)] += s[x][e];
    }
  }
#pragma unroll
  for (int r = 0; r < Tile::kRows; r++) state.sum[r] = fmaf(state.sum[r], factor[r], sum[r]);
#pragma unroll
  for (auto& x : state.o) {
#pragma unroll
    for (int e = 0; e < 4; e++) x[e] *= factor[Tile::row(e)];
  }
}

// Shared memory of a block that attends.
template <typename Tile, int Warps>
struct AttendMemory {
  static constexpr int kTileRows = Warps * Tile::kWarpRows;
  static constexpr int kQuery = kTileRows * Tile::kStride, kKey = Tile::kKeys * Tile::kStride;
  static constexpr int64_t kBytes =
      (kQuery + 2 * kKey) * static_cast<int64_t>(sizeof(typename Tile::Element));
  typename Tile::Element *q, *k, *v;
  __device__ __forceinline__ AttendMemory()
      : q(shared_memory<typename Tile::Element>()), k(q + kQuery), v(k + kKey) {}
};

// Takes the block's query rows, in m.q (possibly still on their way), over the keys begin .. end; begin is a
// multiple of kKeys. Values arrive during the product with the keys, the next keys during that with the
// values. Sums are left to be added over the four threads of a row.
template <typename Tile, int Warps, typename Rows>
__device__ __forceinline__ void attend(State<Tile>& state, const AttendMemory<Tile, Warps>& m,
                                       const Shape& shape, const Positions<Tile>& positions, const Rows& keys,
                                       const Rows& values, int begin, int end) {
  constexpr int kKeys = Tile::kKeys, kThreads = 32 * Warps;
  if (begin < end) load<Tile, kKeys, kThreads>(m.k, shape, keys, begin);
  copy_async_commit();
  for (int key = begin; key < end; key += kKeys) {
    copy_async_wait<0>();
    __syncthreads();
    load<Tile, kKeys, kThreads>(m.v, shape, values, key);
    copy_async_commit();
    float s[Tile::template kFragments<kKeys>][4];
    if (positions.active) {
      Tile::template scores<kKeys>(s, m.q + warp() * Tile::kWarpRows * Tile::kStride, m.k);
    }
    copy_async_wait<0>();
    __syncthreads();
    if (key + kKeys < end) load<Tile, kKeys, kThreads>(m.k, shape, keys, key + kKeys);
    copy_async_commit();
    if (positions.active) {
      absorb(state, s, shape, positions, key);
      Tile::template accumulate<kKeys>(state.o, s, m.v);
    }
  }
}

// Whether rows of this pointer and these strides, in elements, begin at multiples of 16 bytes.
inline bool aligned(mm_dtype dtype, const void* data, int64_t token_stride, int64_t head_stride) {
  const int64_t chunk = dtype == MM_DTYPE_F32 ? 4 : 8;
  return reinterpret_cast<uintptr_t>(data) % 16 == 0 && token_stride % chunk == 0 && head_stride % chunk == 0;
}
// Whether they end there, too.
inline bool whole_chunks(mm_dtype dtype, int64_t d) { return d % (dtype == MM_DTYPE_F32 ? 4 : 8) == 0; }

// Calls f<Tile>() with the tile for a head dimension; tensor cores up to `tensor_dim`.
template <int TensorDim, typename F>
void with_tile(mm_dtype dtype, int64_t d, F&& f) {
  if (d > kMaxHeadDim) {
    fail(MM_STATUS_UNSUPPORTED, "head_dim is %lld; the CUDA kernels go up to %d", static_cast<long long>(d),
         kMaxHeadDim);
  }
  if (dtype == MM_DTYPE_F32) {
    if (d <= 32) return f.template operator()<SimtTile<float, 32>>();
    if (d <= 64) return f.template operator()<SimtTile<float, 64>>();
    if (d <= 128) return f.template operator()<SimtTile<float, 128>>();
    return f.template operator()<SimtTile<float, 256>>();
  }
  if (d <= 32) return f.template operator()<TensorTile<32>>();
  if (d <= 64) return f.template operator()<TensorTile<64>>();
  if (d <= 128) return f.template operator()<TensorTile<128>>();
  if constexpr (TensorDim >= 256) return f.template operator()<TensorTile<256>>();
  return f.template operator()<SimtTile<bf16, 256>>();
}

// Blocks of a one-dimensional grid.
inline dim3 grid_of(int64_t blocks) {
  if (blocks > 0x7fffffff) {
    fail(MM_STATUS_UNSUPPORTED, "attention would need %lld blocks; a grid has at most 2147483647",
         static_cast<long long>(blocks));
  }
  return dim3(static_cast<unsigned>(blocks));
}

// Tiles of query rows that the longest sequence has for one key/value head; rows are counted in 31 bits.
template <typename Params>
int64_t query_tiles(const Params& p, int64_t tile_rows) {
  const int64_t rows = p.max_seqlen_q * (p.heads / p.kv_heads);
  if (rows > 0x7fffffff - tile_rows) {
    fail(MM_STATUS_UNSUPPORTED, "%lld tokens with %lld query heads to a key/value head: too many rows",
         static_cast<long long>(p.max_seqlen_q), static_cast<long long>(p.heads / p.kv_heads));
  }
  return ceil_div(rows, tile_rows);
}

}  // namespace mm::cuda::attention
