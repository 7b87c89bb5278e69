// Causal softmax attention of packed sequences, forward and backward.
//
//   s = scale q k^T, masked;  lse = log sum exp s;  p = exp(s - lse);  o = p v;  delta = o . do
//   dv = p^T do;  ds = p (do v^T - delta);  dq = scale ds k;  dk = scale ds^T q
//
// q, o, dq [tokens_q, heads, d], k, v, dk, dv [tokens_k, kv_heads, d]; tiles and rows: attention.cuh.
// Forward: a block takes a tile of query rows over the keys that they see, once, with a running maximum.
// Backward: a block of dk, dv owns a tile of keys and goes over the query rows that see them, of all heads of
// the group, in ascending order; a block of dq owns a tile of query rows and goes over their keys. Both
// compute scores anew; nothing is added up between blocks, so that a result is the same each time. A warp
// owns rows of all its products: weights go from one product to the next in registers.
// bf16: p and ds are rounded to bf16 as operands of tensor cores, sums are fp32. Rows without any key give
// o = 0, lse = -inf and no gradient.
#include "cuda/attention.cuh"
#include "cuda/ops.h"

namespace mm::cuda {
namespace {

using namespace attention;

constexpr int kBackwardWarps = 4, kBackwardThreads = 32 * kBackwardWarps;
constexpr int kDeltaThreads = 128;

// What a block works on: tiles of one key/value head follow each other.
struct Place {
  int tile, kv_head, sequence;
  __device__ __forceinline__ Place(int tiles, int kv_heads) {
    const int block = static_cast<int>(blockIdx.x);
    tile = block % tiles;
    kv_head = block / tiles % kv_heads;
    sequence = block / tiles / kv_heads;
  }
};

template <typename Params>
__device__ __forceinline__ bool read_sequence(const Params& p, int sequence, int64_t longest_k,
                                              int32_t* fault, Sequence& s) {
  return read_offsets(p.cu_seqlens_q, sequence, p.tokens_q, p.max_seqlen_q, fault, s.first_q, s.queries) &&
         read_offsets(p.cu_seqlens_k, sequence, p.tokens_k, longest_k, fault, s.first_k, s.keys);
}

// Where lse and delta of a query row are: [heads, tokens_q].
__device__ __forceinline__ int64_t statistic(const Shape& shape, const Sequence& s, int64_t tokens_q,
                                             int kv_head, int row) {
  const int token = shape.group.quotient(row), head = row - token * shape.group.divisor;
  return (static_cast<int64_t>(kv_head) * shape.group.divisor + head) * tokens_q + s.first_q + token;
}

template <typename Tile, int Warps>
__global__ void __launch_bounds__(32 * Warps, 8 / Warps)
    forward_kernel(const mm_attention_forward_params p, const Shape shape, int tiles, int32_t* fault) {
  using T = typename Tile::Data;
  constexpr int kTileRows = Warps * Tile::kWarpRows;
  const Place place(tiles, shape.kv_heads);
  Sequence s;
  if (!read_sequence(p, place.sequence, p.tokens_k, fault, s)) return;
  const auto q = query_rows<const T>(shape, p.q, p.q_token_stride, p.q_head_stride, s, place.kv_head);
  const int first = (tiles - 1 - place.tile) * kTileRows;  // those with the most keys go first
  if (first >= q.count) return;
  const Positions<Tile> positions(shape, s, first, q.count);
  const AttendMemory<Tile, Warps> memory;
  load<Tile, kTileRows, 32 * Warps>(memory.q, shape, q, first);
  const int last = min(first + kTileRows, q.count) - 1;
  const int begin = shape.first_key(s.position(shape.group.quotient(first))) / Tile::kKeys * Tile::kKeys;
  const int end = s.position(shape.group.quotient(last)) + 1;
  State<Tile> state;
  attend(state, memory, shape, positions,
         key_rows<const T>(p.k, p.k_token_stride, p.k_head_stride, s, place.kv_head),
         key_rows<const T>(p.v, p.v_token_stride, p.v_head_stride, s, place.kv_head), begin, end);
  const auto o = query_rows<T>(shape, p.o, p.o_token_stride, p.o_head_stride, s, place.kv_head);
#pragma unroll
  for (int r = 0; r < Tile::kRows; r++) {
    const float sum = row_sum(state.sum[r]);
    const int row = first + warp() * Tile::kWarpRows + lane() / 4 + 8 * r;
    if (row >= q.count) continue;
    Tile::store(state.o, r, sum > 0 ? 1.0f / sum : 0.0f, o.at(shape, row), shape.d, shape.vector);
    if (p.lse && lane() % 4 == 0) {
      p.lse[statistic(shape, s, p.tokens_q, place.kv_head, row)] =
          sum > 0 ? state.maximum[r] * kLn2 + logf(sum) : -INFINITY;
    }
  }
}

// delta [heads, tokens_q] = o . do; a warp a row.
template <typename T>
__global__ void __launch_bounds__(kDeltaThreads)
    delta_kernel(const mm_attention_backward_params p, float* delta) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * (kDeltaThreads / 32) + warp();
  if (row >= p.tokens_q * p.heads) return;
  const int64_t token = row / p.heads, head = row % p.heads;
  const int64_t at = token * p.o_token_stride + head * p.o_head_stride;
  const T *o = static_cast<const T*>(p.o) + at, *g = static_cast<const T*>(p.d_o) + at;
  float sum = 0;
  for (int i = lane(); i < p.head_dim; i += 32) sum += to_float(o[i]) * to_float(g[i]);
  sum = warp_sum(sum);
  if (lane() == 0) delta[head * p.tokens_q + token] = sum;
}

// Shared memory of a block of backward: what it owns, two operands, and two buffers for what streams by.
template <typename Tile>
struct BackwardMemory {
  using Element = typename Tile::Element;
  static constexpr int kTileRows = kBackwardWarps * Tile::kWarpRows;
  static constexpr int kOwned = kTileRows * Tile::kStride, kStreamed = Tile::kStream * Tile::kStride;
  static constexpr int kStatistics = 3 * Tile::kStream;
  static constexpr int64_t kBytes =
      (2 * kOwned + 4 * kStreamed) * static_cast<int64_t>(sizeof(Element)) + 2 * kStatistics * 4;
  Element *owned_a, *owned_b, *streamed;
  float* statistics;
  __device__ __forceinline__ BackwardMemory()
      : owned_a(shared_memory<Element>()),
        owned_b(owned_a + kOwned),
        streamed(owned_b + kOwned),
        statistics(reinterpret_cast<float*>(streamed + 4 * kStreamed)) {}
  __device__ __forceinline__ Element* a(int stage) const { return streamed + 2 * stage * kStreamed; }
  __device__ __forceinline__ Element* b(int stage) const { return a(stage) + kStreamed; }
  __device__ __forceinline__ float* lse(int stage) const { return statistics + stage * kStatistics; }
  __device__ __forceinline__ float* delta(int stage) const { return lse(stage) + Tile::kStream; }
  __device__ __forceinline__ int* position(int stage) const {
    return reinterpret_cast<int*>(delta(stage) + Tile::kStream);
  }
};

// Calls compute(i, stage) for the tiles begin, begin + kStream, ... below end, while load(i, stage) brings
// the next one.
template <typename Tile, typename Load, typename Compute>
__device__ __forceinline__ void stream(int begin, int end, const Load& load_tile, const Compute& compute) {
  if (begin < end) load_tile(begin, 0);
  copy_async_commit();
  int stage = 0;
  for (int i = begin; i < end; i += Tile::kStream) {
    if (i + Tile::kStream < end) load_tile(i + Tile::kStream, stage ^ 1);
    copy_async_commit();
    copy_async_wait<1>();
    __syncthreads();
    compute(i, stage);
    __syncthreads();
    stage ^= 1;
  }
}

template <int Fragments>
__device__ __forceinline__ void clear(float (&o)[Fragments][4]) {
#pragma unroll
  for (auto& x : o) x[0] = x[1] = x[2] = x[3] = 0.0f;
}

// dk and dv of a tile of keys: s^T = k q^T, dp^T = v do^T.
template <typename Tile>
__global__ void __launch_bounds__(kBackwardThreads, 2)
    key_gradient_kernel(const mm_attention_backward_params p, const Shape shape, int tiles,
                        const float* delta, int32_t* fault) {
  using T = typename Tile::Data;
  using Memory = BackwardMemory<Tile>;
  constexpr int kStream = Tile::kStream, kFragments = Tile::template kFragments<kStream>;
  const Place place(tiles, shape.kv_heads);
  Sequence s;
  if (!read_sequence(p, place.sequence, p.max_seqlen_k, fault, s)) return;
  const int first = place.tile * Memory::kTileRows;
  if (first >= s.keys) return;
  const int kv = place.kv_head;
  const Memory m;
  load<Tile, Memory::kTileRows, kBackwardThreads>(
      m.owned_a, shape, key_rows<const T>(p.k, p.k_token_stride, p.k_head_stride, s, kv), first);
  load<Tile, Memory::kTileRows, kBackwardThreads>(
      m.owned_b, shape, key_rows<const T>(p.v, p.v_token_stride, p.v_head_stride, s, kv), first);
  const auto q = query_rows<const T>(shape, p.q, p.q_token_stride, p.q_head_stride, s, kv);
  const auto g = query_rows<const T>(shape, p.d_o, p.o_token_stride, p.o_head_stride, s, kv);
  const auto load_tile = [&](int row, int stage) {
    load<Tile, kStream, kBackwardThreads>(m.a(stage), shape, q, row);
    load<Tile, kStream, kBackwardThreads>(m.b(stage), shape, g, row);
    const int i = static_cast<int>(threadIdx.x);
    if (i >= kStream) return;
    const bool valid = row + i < q.count;
    const int64_t at = valid ? statistic(shape, s, p.tokens_q, kv, row + i) : 0;
    m.lse(stage)[i] = valid ? p.lse[at] * kLog2E : 0.0f;
    m.delta(stage)[i] = valid ? delta[at] : 0.0f;
    m.position(stage)[i] = valid ? s.position(shape.group.quotient(row + i)) : -1;
  };
  const int owned = warp() * Tile::kWarpRows, key = first + owned + lane() / 4;
  float dk[Tile::template kFragments<Tile::kDim>][4], dv[Tile::template kFragments<Tile::kDim>][4];
  clear(dk), clear(dv);
  const auto compute = [&](int, int stage) {
    float weights[kFragments][4], ds[kFragments][4];
    Tile::template scores<kStream>(weights, m.owned_a + owned * Tile::kStride, m.a(stage));
    Tile::template scores<kStream>(ds, m.owned_b + owned * Tile::kStride, m.b(stage));
#pragma unroll
    for (int x = 0; x < kFragments; x++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const int c = Tile::column(x, e);
        const bool seen = shape.sees(m.position(stage)[c], key + 8 * Tile::row(e));
        const float weight = seen ? exp2_of(weights[x][e] * shape.scale_log2 - m.lse(stage)[c]) : 0.0f;
        weights[x][e] = weight;
        ds[x][e] = weight * (ds[x][e] - m.delta(stage)[c]);
      }
    }
    Tile::template accumulate<kStream>(dv, weights, m.b(stage));
    Tile::template accumulate<kStream>(dk, ds, m.a(stage));
  };
  // The query tokens that see a key of the tile.
  const int offset = s.position(0), last = min(first + Memory::kTileRows, s.keys) - 1;
  const int begin = max(first - offset, 0) * shape.group.divisor;
  const int64_t tokens = shape.window > 0 ? min(int64_t{last} + shape.window - offset + 1, int64_t{s.queries})
                                          : int64_t{s.queries};
  stream<Tile>(begin / kStream * kStream, static_cast<int>(tokens) * shape.group.divisor, load_tile, compute);
  const auto to_k = key_rows<T>(p.dk, p.dk_token_stride, p.dk_head_stride, s, kv);
  const auto to_v = key_rows<T>(p.dv, p.dv_token_stride, p.dv_head_stride, s, kv);
#pragma unroll
  for (int r = 0; r < Tile::kRows; r++) {
    if (key + 8 * r >= s.keys) continue;
    Tile::store(dk, r, shape.scale, to_k.at(shape, key + 8 * r), shape.d, shape.vector);
    Tile::store(dv, r, 1.0f, to_v.at(shape, key + 8 * r), shape.d, shape.vector);
  }
}

// dq of a tile of query rows: s = q k^T, dp = do v^T.
template <typename Tile>
__global__ void __launch_bounds__(kBackwardThreads, 2)
    query_gradient_kernel(const mm_attention_backward_params p, const Shape shape, int tiles,
                          const float* delta, int32_t* fault) {
  using T = typename Tile::Data;
  using Memory = BackwardMemory<Tile>;
  constexpr int kStream = Tile::kStream, kFragments = Tile::template kFragments<kStream>;
  const Place place(tiles, shape.kv_heads);
  Sequence s;
  if (!read_sequence(p, place.sequence, p.max_seqlen_k, fault, s)) return;
  const int kv = place.kv_head;
  const auto q = query_rows<const T>(shape, p.q, p.q_token_stride, p.q_head_stride, s, kv);
  const auto g = query_rows<const T>(shape, p.d_o, p.o_token_stride, p.o_head_stride, s, kv);
  const int first = (tiles - 1 - place.tile) * Memory::kTileRows;
  if (first >= q.count) return;
  const Memory m;
  load<Tile, Memory::kTileRows, kBackwardThreads>(m.owned_a, shape, q, first);
  load<Tile, Memory::kTileRows, kBackwardThreads>(m.owned_b, shape, g, first);
  const auto k = key_rows<const T>(p.k, p.k_token_stride, p.k_head_stride, s, kv);
  const auto v = key_rows<const T>(p.v, p.v_token_stride, p.v_head_stride, s, kv);
  const auto load_tile = [&](int key, int stage) {
    load<Tile, kStream, kBackwardThreads>(m.a(stage), shape, k, key);
    load<Tile, kStream, kBackwardThreads>(m.b(stage), shape, v, key);
  };
  const Positions<Tile> positions(shape, s, first, q.count);
  const int owned = warp() * Tile::kWarpRows, row = first + owned + lane() / 4;
  float lse[Tile::kRows], row_delta[Tile::kRows], dq[Tile::template kFragments<Tile::kDim>][4];
#pragma unroll
  for (int r = 0; r < Tile::kRows; r++) {
    const bool valid = row + 8 * r < q.count;
    const int64_t at = valid ? statistic(shape, s, p.tokens_q, kv, row + 8 * r) : 0;
    lse[r] = valid ? p.lse[at] * kLog2E : 0.0f;
    row_delta[r] = valid ? delta[at] : 0.0f;
  }
  clear(dq);
  const auto compute = [&](int key, int stage) {
    float ds[kFragments][4], weights[kFragments][4];
    if (!positions.active) return;
    Tile::template scores<kStream>(weights, m.owned_a + owned * Tile::kStride, m.a(stage));
    Tile::template scores<kStream>(ds, m.owned_b + owned * Tile::kStride, m.b(stage));
#pragma unroll
    for (int x = 0; x < kFragments; x++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const int r = Tile::row(e);
        const bool seen = shape.sees(positions.of[r], key + Tile::column(x, e));
        const float weight = seen ? exp2_of(weights[x][e] * shape.scale_log2 - lse[r]) : 0.0f;
        ds[x][e] = weight * (ds[x][e] - row_delta[r]);
      }
    }
    Tile::template accumulate<kStream>(dq, ds, m.a(stage));
  };
  const int last = min(first + Memory::kTileRows, q.count) - 1;
  const int begin = shape.first_key(s.position(shape.group.quotient(first))) / kStream * kStream;
  stream<Tile>(begin, s.position(shape.group.quotient(last)) + 1, load_tile, compute);
  const auto to = query_rows<T>(shape, p.dq, p.dq_token_stride, p.dq_head_stride, s, kv);
#pragma unroll
  for (int r = 0; r < Tile::kRows; r++) {
    if (row + 8 * r >= q.count) continue;
    Tile::store(dq, r, shape.scale, to.at(shape, row + 8 * r), shape.d, shape.vector);
  }
}

bool vector_rows(const mm_attention_forward_params& p) {
  return whole_chunks(p.dtype, p.head_dim) && aligned(p.dtype, p.q, p.q_token_stride, p.q_head_stride) &&
         aligned(p.dtype, p.k, p.k_token_stride, p.k_head_stride) &&
         aligned(p.dtype, p.v, p.v_token_stride, p.v_head_stride) &&
         aligned(p.dtype, p.o, p.o_token_stride, p.o_head_stride);
}

bool vector_rows(const mm_attention_backward_params& p) {
  return whole_chunks(p.dtype, p.head_dim) && aligned(p.dtype, p.q, p.q_token_stride, p.q_head_stride) &&
         aligned(p.dtype, p.k, p.k_token_stride, p.k_head_stride) &&
         aligned(p.dtype, p.v, p.v_token_stride, p.v_head_stride) &&
         aligned(p.dtype, p.d_o, p.o_token_stride, p.o_head_stride) &&
         aligned(p.dtype, p.dq, p.dq_token_stride, p.dq_head_stride) &&
         aligned(p.dtype, p.dk, p.dk_token_stride, p.dk_head_stride) &&
         aligned(p.dtype, p.dv, p.dv_token_stride, p.dv_head_stride);
}

}  // namespace

void attention_forward(Context& context, const mm_attention_forward_params& p) {
  Shape shape(p);
  shape.vector = vector_rows(p);
  with_tile<256>(p.dtype, p.head_dim, [&]<typename Tile>() {
    constexpr int kWarps = Tile::kForwardWarps;
    const int64_t tiles = query_tiles(p, kWarps * Tile::kWarpRows);
    launch(context, "attention_forward", forward_kernel<Tile, kWarps>,
           grid_of(tiles * p.kv_heads * p.sequences), 32 * kWarps, AttendMemory<Tile, kWarps>::kBytes, p,
           shape, static_cast<int>(tiles), context.fault);
  });
}

void attention_backward(Context& context, const mm_attention_backward_params& p) {
  Shape shape(p);
  shape.vector = vector_rows(p);
  with_tile<128>(p.dtype, p.head_dim, [&]<typename Tile>() {
    using Memory = BackwardMemory<Tile>;
    Workspace<float> delta(context, p.heads * p.tokens_q);
    launch(context, "attention_delta", delta_kernel<typename Tile::Data>,
           grid_of(ceil_div(p.tokens_q * p.heads, kDeltaThreads / 32)), kDeltaThreads, 0, p, delta);
    const int64_t key_tiles = ceil_div(p.max_seqlen_k, Memory::kTileRows);
    launch(context, "attention_key_gradient", key_gradient_kernel<Tile>,
           grid_of(key_tiles * p.kv_heads * p.sequences), kBackwardThreads, Memory::kBytes, p, shape,
           static_cast<int>(key_tiles), delta, context.fault);
    const int64_t tiles = query_tiles(p, Memory::kTileRows);
    launch(context, "attention_query_gradient", query_gradient_kernel<Tile>,
           grid_of(tiles * p.kv_heads * p.sequences), kBackwardThreads, Memory::kBytes, p, shape,
           static_cast<int>(tiles), delta, context.fault);
  });
}

}  // namespace mm::cuda
