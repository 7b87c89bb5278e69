// Softmax attention of new tokens over the paged cache, and the write into it.
//
// Caches [pages, page_size, kv_heads, d]; q, o [tokens_q, heads, d]; tiles and rows: attention.cuh.
// Keys are cut into splits of kSplit, counted from position 0. Each split gives a row a maximum, a sum and an
// output of its own; these are merged in ascending order of splits, by one formula, wherever that happens: by
// a block that goes over all splits, or by merge_kernel from the parts of blocks that had one split each.
// Which of the two it is depends on sizes the host knows, and a row's value on neither: not on how many
// tokens come with it, and not on the maxima, so that a recorded graph may be used for shorter sequences. A
// split that a row sees nothing of is left out. A page is read once for all query heads that share the head,
// and for up to 64 rows (32 in fp32) of a chunk.
#include "cuda/attention.cuh"
#include "cuda/elementwise.cuh"
#include "cuda/ops.h"

namespace mm::cuda {
namespace {

using namespace attention;

constexpr int kSplit = 256;
constexpr int kWarps = 4, kThreads = 32 * kWarps;
constexpr int64_t kMostPartBytes = int64_t{512} << 20;

// Adds a part to what a row has: maximum, sum and `count` outputs. The same roundings in every kernel.
struct Merge {
  float old_factor, new_factor;
  __device__ __forceinline__ Merge(float& maximum, float& sum, float new_maximum, float new_sum) {
    const float largest = fmaxf(maximum, new_maximum), base = largest == -INFINITY ? 0.0f : largest;
    old_factor = exp2_of(maximum - base);
    new_factor = exp2_of(new_maximum - base);
    maximum = largest;
    sum = (*this)(sum, new_sum);
  }
  __device__ __forceinline__ float operator()(float old, float add) const {
    return __fmaf_rn(old, old_factor, __fmul_rn(add, new_factor));
  }
};

// Rows of one sequence in pages.
template <typename T>
struct PageRows {
  const T* base;  // of the key/value head in the first row of page 0
  const int32_t* pages;
  Divider page_size;
  int64_t stride;
  int count;
  int32_t* fault;
  __device__ __forceinline__ const T* at(const Shape&, int key) const {
    if (key >= count) return nullptr;
    const int index = page_size.quotient(key), page = pages[index];
    if (page < 0) {
      *fault = static_cast<int32_t>(Fault::kCacheSlot);
      return nullptr;
    }
    return base + (static_cast<int64_t>(page) * page_size.divisor + key - index * page_size.divisor) * stride;
  }
};

// Where blocks leave their parts: [parts, tokens_q * heads] of maximum and sum, and of d outputs.
struct Parts {
  float2* statistics;
  float* o;
  int64_t rows;
  int count;  // one a split, or one for all
};

// False if the sequence cannot be, which is told.
__device__ __forceinline__ bool read_sequence(const mm_attention_decode_params& p, int sequence,
                                              int32_t* fault, Sequence& s) {
  s.first_k = 0;
  s.keys = p.kv_lens[sequence];
  if (!read_offsets(p.cu_seqlens_q, sequence, p.tokens_q, p.max_seqlen_q, fault, s.first_q, s.queries))
    return false;
  if (s.keys >= s.queries && s.keys <= p.max_kv_len && s.keys <= p.max_pages * p.page_size) return true;
  *fault = static_cast<int32_t>(Fault::kCacheSlot);
  return false;
}

// What a thread's rows have from the splits before, for a block that goes over all of them: too much for
// registers beside a split's own. Shared memory behind what attend() uses, [values][threads].
template <typename Tile>
struct Kept {
  static constexpr int kFragments = Tile::template kFragments<Tile::kDim>;
  static constexpr int64_t kBytes = int64_t{4} * kFragments * kThreads * sizeof(float);
  float maximum[Tile::kRows], sum[Tile::kRows];
  float* o;
  __device__ __forceinline__ explicit Kept(const AttendMemory<Tile, kWarps>& memory)
      : o(reinterpret_cast<float*>(memory.v + AttendMemory<Tile, kWarps>::kKey) + threadIdx.x) {
#pragma unroll
    for (int r = 0; r < Tile::kRows; r++) maximum[r] = -INFINITY, sum[r] = 0.0f;
  }
  // Merges a split's state with what is kept, and keeps the result.
  __device__ __forceinline__ void add_to(State<Tile>& state, bool first) {
#pragma unroll
    for (int r = 0; r < Tile::kRows; r++) {
      const Merge merge(maximum[r], sum[r], state.maximum[r], state.sum[r]);
      state.maximum[r] = maximum[r], state.sum[r] = sum[r];
#pragma unroll
      for (int i = 0; i < 4 * kFragments; i++) {
        if (Tile::row(i % 4) != r) continue;
        float& value = state.o[i / 4][i % 4];
        value = merge(first ? 0.0f : o[i * kThreads], value);
        o[i * kThreads] = value;
      }
    }
  }
};

template <typename Tile>
__global__ void __launch_bounds__(kThreads, 2)
    decode_kernel(const mm_attention_decode_params p, const Shape shape, const Divider page_size, int tiles,
                  const Parts parts, int32_t* fault) {
  using T = typename Tile::Data;
  using Memory = AttendMemory<Tile, kWarps>;
  constexpr int kRows = Tile::kRows;
  const int block = static_cast<int>(blockIdx.x), part = block % parts.count,
            tile = block / parts.count % tiles;
  const int unit = block / parts.count / tiles, kv = unit % shape.kv_heads, sequence = unit / shape.kv_heads;
  Sequence s;
  if (!read_sequence(p, sequence, fault, s)) return;
  const auto q = query_rows<const T>(shape, p.q, p.q_token_stride, p.q_head_stride, s, kv);
  const int first = tile * Memory::kTileRows;
  if (first >= q.count) return;
  const int last = min(first + Memory::kTileRows, q.count) - 1;
  const int end = s.position(shape.group.quotient(last)) + 1;
  const int start = shape.first_key(s.position(shape.group.quotient(first))) / Tile::kKeys * Tile::kKeys;
  const int first_split = parts.count > 1 ? part : start / kSplit;
  const int end_split = parts.count > 1 ? part + 1 : (end + kSplit - 1) / kSplit;
  if (first_split * kSplit >= end || end_split * kSplit <= start) return;

  const Memory memory;
  load<Tile, Memory::kTileRows, kThreads>(memory.q, shape, q, first);
  const int64_t stride = p.kv_heads * p.head_dim, head = kv * p.head_dim;
  const int32_t* pages = p.block_table + sequence * p.max_pages;
  const PageRows<T> keys = {static_cast<const T*>(p.k_cache) + head, pages, page_size, stride, s.keys, fault};
  const PageRows<T> values = {
      static_cast<const T*>(p.v_cache) + head, pages, page_size, stride, s.keys, fault};
  const Positions<Tile> positions(shape, s, first, q.count);
  Kept<Tile> kept(memory);
  State<Tile> state;
#pragma unroll 1
  for (int split = first_split; split < end_split; split++) {
    state = State<Tile>();
    attend(state, memory, shape, positions, keys, values, max(split * kSplit, start),
           min((split + 1) * kSplit, end));
#pragma unroll
    for (int r = 0; r < kRows; r++) state.sum[r] = row_sum(state.sum[r]);
    if (parts.count == 1) kept.add_to(state, split == first_split);
  }
#pragma unroll
  for (int r = 0; r < kRows; r++) {
    const int row = first + warp() * Tile::kWarpRows + lane() / 4 + 8 * r;
    if (row >= q.count) continue;
    const int token = shape.group.quotient(row);
    const int64_t head_of_row = int64_t{kv} * shape.group.divisor + row - token * shape.group.divisor;
    const int64_t at = part * parts.rows + (s.first_q + token) * p.heads + head_of_row;
    if (lane() % 4 == 0) parts.statistics[at] = make_float2(state.maximum[r], state.sum[r]);
    float* to = parts.o + at * shape.d;
#pragma unroll
    for (int x = 0; x < Tile::template kFragments<Tile::kDim>; x++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const int column = Tile::output_column(x, e);
        if (Tile::row(e) == r && column < shape.d) to[column] = state.o[x][e];
      }
    }
  }
}

// o from the parts; a warp a row (token, head).
template <typename T>
__global__ void __launch_bounds__(kThreads)
    merge_kernel(const mm_attention_decode_params p, const Shape shape, int64_t blocks_a_sequence,
                 const Parts parts, int32_t* fault) {
  constexpr int kValues = kMaxHeadDim / 32;
  const int sequence = static_cast<int>(blockIdx.x / blocks_a_sequence);
  const int64_t row = blockIdx.x % blocks_a_sequence * kWarps + warp();
  Sequence s;
  if (!read_sequence(p, sequence, fault, s) || row >= s.queries * p.heads) return;
  const int64_t token = row / p.heads, head = row % p.heads;
  const int position = s.position(static_cast<int>(token));
  const int first = parts.count > 1 ? shape.first_key(position) / kSplit : 0;
  const int last = parts.count > 1 ? position / kSplit : 0;
  float maximum = -INFINITY, sum = 0, o[kValues] = {};
  for (int part = first; part <= last; part++) {
    const int64_t at = part * parts.rows + (s.first_q + token) * p.heads + head;
    const float2 add = parts.statistics[at];
    const Merge merge(maximum, sum, add.x, add.y);
#pragma unroll
    for (int i = 0; i < kValues; i++) {
      const int column = lane() + 32 * i;
      if (column < shape.d) o[i] = merge(o[i], parts.o[at * shape.d + column]);
    }
  }
  T* to = static_cast<T*>(p.o) + (s.first_q + token) * p.o_token_stride + head * p.o_head_stride;
  const float inverse = sum > 0 ? 1.0f / sum : 0.0f;
#pragma unroll
  for (int i = 0; i < kValues; i++) {
    const int column = lane() + 32 * i;
    if (column < shape.d) to[column] = from_float<T>(o[i] * inverse);
  }
}

// Copies rows of `width` units of 4 or 16 bytes, or of one element.
template <typename Unit>
__global__ void __launch_bounds__(kElementwiseThreads)
    cache_write_kernel(const mm_kv_cache_write_params p, int64_t width, int64_t unit_elements,
                       int32_t* fault) {
  const int64_t count = p.tokens * p.kv_heads * width;
  for (int64_t i = first_element(); i < count; i += element_step()) {
    const int64_t column = i % width, head = i / width % p.kv_heads, token = i / width / p.kv_heads;
    const int64_t slot = p.slots[token];
    if (slot < 0) {
      *fault = static_cast<int32_t>(Fault::kCacheSlot);
      continue;
    }
    const int64_t to = (slot * p.kv_heads + head) * width + column;
    const int64_t k = (token * p.k_token_stride + head * p.k_head_stride) / unit_elements + column;
    const int64_t v = (token * p.v_token_stride + head * p.v_head_stride) / unit_elements + column;
    static_cast<Unit*>(p.k_cache)[to] = static_cast<const Unit*>(p.k)[k];
    static_cast<Unit*>(p.v_cache)[to] = static_cast<const Unit*>(p.v)[v];
  }
}

// One part a split where the rows of one tile are all there are: then there are too few blocks without, and
// parts are small. A chunk has enough blocks, and its parts would be many.
int64_t part_count(const mm_attention_decode_params& p, int64_t tiles) {
  const int64_t splits = ceil_div(p.max_kv_len, kSplit);
  const int64_t bytes = splits * p.tokens_q * p.heads * (p.head_dim + 2) * 4;
  return tiles == 1 && bytes <= kMostPartBytes && splits > 1 ? splits : 1;
}

}  // namespace

void attention_decode(Context& context, const mm_attention_decode_params& p) {
  Shape shape(p);
  const int64_t row = p.kv_heads * p.head_dim;
  shape.vector = whole_chunks(p.dtype, p.head_dim) &&
                 aligned(p.dtype, p.q, p.q_token_stride, p.q_head_stride) &&
                 aligned(p.dtype, p.k_cache, row, 0) && aligned(p.dtype, p.v_cache, row, 0);
  if (p.page_size > 0x7fffffff)
    fail(MM_STATUS_UNSUPPORTED, "page_size is %lld", static_cast<long long>(p.page_size));
  if (p.tokens_q == 0 || p.sequences == 0 || p.max_seqlen_q == 0) return;
  with_tile<128>(p.dtype, p.head_dim, [&]<typename Tile>() {
    using Memory = AttendMemory<Tile, kWarps>;
    const int64_t tiles = query_tiles(p, Memory::kTileRows), parts = part_count(p, tiles);
    const int64_t rows = p.tokens_q * p.heads;
    Workspace<float2> statistics(context, parts * rows);
    Workspace<float> o(context, parts * rows * p.head_dim);
    const Parts where = {statistics, o, rows, static_cast<int>(parts)};
    launch(context, "attention_decode", decode_kernel<Tile>,
           grid_of(parts * tiles * p.kv_heads * p.sequences), kThreads,
           Memory::kBytes + (parts == 1 ? Kept<Tile>::kBytes : 0), p, shape, Divider(p.page_size),
           static_cast<int>(tiles), where, context.fault);
    const int64_t blocks = ceil_div(p.max_seqlen_q * p.heads, kWarps);
    launch(context, "attention_merge", merge_kernel<typename Tile::Data>, grid_of(blocks * p.sequences),
           kThreads, 0, p, shape, blocks, where, context.fault);
  });
}

void kv_cache_write(Context& context, const mm_kv_cache_write_params& p) {
  const int64_t size = p.dtype == MM_DTYPE_F32 ? 4 : 2, row = p.kv_heads * p.head_dim;
  const auto write = [&]<typename Unit>() {
    const int64_t elements = static_cast<int64_t>(sizeof(Unit)) / size, width = p.head_dim / elements;
    launch(context, "kv_cache_write", cache_write_kernel<Unit>,
           elementwise_grid(context, p.tokens * p.kv_heads * width), kElementwiseThreads, 0, p, width,
           elements, context.fault);
  };
  if (whole_chunks(p.dtype, p.head_dim) && aligned(p.dtype, p.k, p.k_token_stride, p.k_head_stride) &&
      aligned(p.dtype, p.v, p.v_token_stride, p.v_head_stride) && aligned(p.dtype, p.k_cache, row, 0) &&
      aligned(p.dtype, p.v_cache, row, 0))
    return write.template operator()<uint4>();
  size == 4 ? write.template operator()<uint32_t>() : write.template operator()<uint16_t>();
}

}  // namespace mm::cuda
