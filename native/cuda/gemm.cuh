// Tiles of matrix products: of one product, or of the experts' products with sizes that only the device
// knows.
//
//   c [m, n] (+)= sum_k a(m, k) b(n, k)
//
// A block computes a tile of c and runs over the whole depth: bf16 operands (b also int8) on tensor cores,
// fed by asynchronous copies through kStages buffers of swizzled shared memory; any others with fp32
// arithmetic. In every instance an element is one chain over ascending k, in steps of 16 that begin at
// multiples of 16 (of 1 in fp32). So its bits depend on nothing but its row of a and its row of b, and the
// instance is free to follow the sizes.
//
// Operands are stored rows with k along them ([m, k], [n, k]) or across ([k, m], [k, n]: transposed). In
// shared memory they lie as they are stored; ldmatrix transposes. A thread's columns are in both halves of
// the tile, at the same place in each: with pairing kColumns the halves are two products side by side, whose
// elements meet in the epilogue (gate and up).
#pragma once

#include "cuda/gemm.h"
#include "cuda/mma.cuh"

namespace mm::cuda {

struct Operand {
  const void* data;
  const void* second;  // with a pairing
  mm_dtype dtype;
  int64_t stride;         // elements between stored rows
  bool transposed;        // k runs across the stored rows
  bool sorted;            // stored rows are sorted rows: those of an expert begin at its offset
  const int32_t* gather;  // optional: sorted row r is stored row gather[r] / top_k
  int64_t expert_stride;  // elements between the experts' matrices, 0 where `sorted`
};

// What the experts' sorted rows are: one product; rows of c (a is sorted); or the depth (a and b are sorted,
// c has a matrix for each expert, of which that of an expert without rows stays as it is).
enum class Grouping { kNone, kRows, kDepth };
// kColumns: the upper half of a tile's columns is of b.second. kDepth: after a and b come a.second and
// b.second, in one chain.
enum class Pairing { kNone, kColumns, kDepth };
enum class Epilogue {
  kStore,           // c (+)= scale * product
  kSwiglu,          // gate and up from the two products, c = silu(gate) up
  kSwigluBackward,  // the product is the gradient of silu(gate) up, without the weight of the slot
};

struct Product {
  Operand a, b;
  int64_t m, n, k;  // of one product; m or k is `rows` where it is grouped
  Pairing pairing;

  Grouping grouping;
  const int32_t* offsets;  // [experts + 1]
  int64_t experts, rows;   // rows of all experts
  int64_t top_k;
  int32_t* fault;

  void* c;
  mm_dtype c_dtype;
  int64_t c_stride, c_expert_stride;
  bool accumulate;
  bool pairs;                 // neighbours in rows of c, gate, .. may be read and written two at once
  const float* scale;         // optional, [experts, n], as second_scale is
  const float* second_scale;  // of b.second

  // SwiGLU, [rows, n] each in the dtype of a.
  void* gate;  // written if not null, or read by backward; as up is
  void* up;
  const int32_t* row_slot;
  const float* weight;  // [slots]
  void* dgate;          // weight * ..
  void* dup;            // weight * ..; and c = weight * silu(gate) up
  float* dots;          // [rows, ceil(n / kDotColumns)]: parts of silu(gate) up . product
};

struct LargeTile {
  static constexpr int kM = 128, kN = 128, kK = 64, kWarpsM = 2, kWarpsN = 4, kStages = 3;
};
struct MediumTile {
  static constexpr int kM = 64, kN = 64, kK = 64, kWarpsM = 2, kWarpsN = 2, kStages = 4;
};
// For decoding, which reads b and does little else.
struct NarrowTile {
  static constexpr int kM = 16, kN = 32, kK = 128, kWarpsM = 1, kWarpsN = 2, kStages = 6;
};

// Columns whose part of a row's dot product one entry of `dots` holds.
constexpr int kTensorDotColumns = 8, kFloatDotColumns = 4;

// ---- which tile

struct TilePlace {
  int64_t expert;
  int64_t first;        // sorted row where the expert begins
  int64_t m, k;         // of this product
  int64_t row, column;  // where the tile begins; the column that of one of a pair
};

__device__ __forceinline__ int64_t clamped_offset(const Product& p, int64_t expert) {
  const int64_t offset = p.offsets[expert];
  if (offset >= 0 && offset <= p.rows) return offset;
  *p.fault = static_cast<int32_t>(Fault::kExpertIndex);
  return offset < 0 ? 0 : p.rows;
}

// Finds the expert whose rows tile `tile` of all experts' holds; false if there are fewer tiles. Every warp
// does it on its own, 32 experts at once.
__device__ __forceinline__ bool find_expert(const Product& p, int tile_rows, int64_t& tile,
                                            TilePlace& place) {
  const int lane = threadIdx.x % 32;
  for (int64_t base = 0; base < p.experts; base += 32) {
    const int64_t expert = base + lane;
    int begin = 0, count = 0;
    if (expert < p.experts) {
      const int64_t end = clamped_offset(p, expert + 1);
      begin = static_cast<int>(clamped_offset(p, expert));
      count = max(static_cast<int>(end) - begin, 0);
      if (end < begin || (expert == 0 && begin != 0) || (expert + 1 == p.experts && end != p.rows))
        *p.fault = static_cast<int32_t>(Fault::kExpertIndex);
    }
    const int tiles = (count + tile_rows - 1) / tile_rows;
    int64_t end = tiles;
    for (int delta = 1; delta < 32; delta *= 2) {
      const int64_t before = __shfl_up_sync(0xffffffffu, end, static_cast<unsigned>(delta));
      if (lane >= delta) end += before;
    }
    const unsigned beyond = __ballot_sync(0xffffffffu, end > tile);
    if (beyond) {
      const int owner = __ffs(static_cast<int>(beyond)) - 1;
      tile -= __shfl_sync(0xffffffffu, end - tiles, owner);
      place.expert = base + owner;
      place.first = __shfl_sync(0xffffffffu, begin, owner);
      place.m = __shfl_sync(0xffffffffu, count, owner);
      return true;
    }
    tile -= __shfl_sync(0xffffffffu, end, 31);
  }
  return false;
}

// Tiles that run at the same time are neighbours, eight rows of tiles high, so that they share what the
// second cache holds.
__device__ __forceinline__ void rasterise(int64_t index, int64_t tiles_m, int64_t tiles_n, int64_t& tile_m,
                                          int64_t& tile_n) {
  constexpr int64_t kHeight = 8;
  const int64_t band = index / (kHeight * tiles_n), within = index - band * kHeight * tiles_n;
  const int64_t height = min(kHeight, tiles_m - band * kHeight);
  tile_n = within / height;
  tile_m = band * kHeight + within - tile_n * height;
}

// False if there is nothing to do.
__device__ __forceinline__ bool find_tile(const Product& p, int tile_rows, int tile_columns, int64_t tiles_m,
                                          TilePlace& place) {
  const int64_t columns = p.pairing == Pairing::kColumns ? tile_columns / 2 : tile_columns;
  int64_t tile_m, tile_n;
  rasterise(blockIdx.x, tiles_m, (p.n + columns - 1) / columns, tile_m, tile_n);
  place = {0, 0, p.m, p.k, 0, tile_n * columns};
  if (p.grouping == Grouping::kRows && !find_expert(p, tile_rows, tile_m, place)) return false;
  if (p.grouping == Grouping::kDepth) {
    place.expert = blockIdx.y;
    place.first = clamped_offset(p, place.expert);
    place.k = clamped_offset(p, place.expert + 1) - place.first;
    if (place.k <= 0) return false;
  }
  place.row = tile_m * tile_rows;
  return true;
}

// ---- operands

__device__ __forceinline__ int64_t stored_row(const Product& p, const Operand& operand,
                                              const TilePlace& place, int64_t row) {
  if (operand.sorted) row += place.first;
  if (!operand.gather) return row;
  const int32_t slot = operand.gather[row];
  if (static_cast<uint32_t>(slot) < static_cast<uint64_t>(p.rows))
    return static_cast<uint32_t>(slot) / static_cast<uint32_t>(p.top_k);
  *p.fault = static_cast<int32_t>(Fault::kExpertIndex);
  return 0;
}

// What a tile reads of an operand: indices (of m or n) begin .. end, of which those beyond the tile's first
// `half` are of the second matrix.
template <typename T>
struct Source {
  const T* data;
  const T* second;
  int64_t begin, end;
  int half;

  // Row `r` of the tile, or null: where k is 0.
  __device__ __forceinline__ const T* row(const Product& p, const Operand& operand, const TilePlace& place,
                                          int r) const {
    const bool upper = r >= half;
    const int64_t index = begin + (upper ? r - half : r);
    if (index >= end) return nullptr;
    return (upper ? second : data) + stored_row(p, operand, place, index) * operand.stride;
  }
};

template <typename T>
__device__ __forceinline__ Source<T> source_of(const Operand& operand, const TilePlace& place, bool second,
                                               int64_t begin, int64_t end, int half) {
  const int64_t shift = place.expert * operand.expert_stride;
  const T *data = static_cast<const T*>(operand.data), *other = static_cast<const T*>(operand.second);
  return {(second ? other : data) + shift, other + shift, begin, end, half};
}
template <typename T>
__device__ __forceinline__ Source<T> source_of_a(const Product& p, const TilePlace& place, bool second,
                                                 int tile_rows) {
  return source_of<T>(p.a, place, second, place.row, place.m, tile_rows);
}
template <typename T>
__device__ __forceinline__ Source<T> source_of_b(const Product& p, const TilePlace& place, bool second,
                                                 int tile_columns) {
  const int half = p.pairing == Pairing::kColumns ? tile_columns / 2 : tile_columns;
  return source_of<T>(p.b, place, second, place.column, p.n, half);
}

// ---- epilogues

template <typename T>
__device__ __forceinline__ void store_pair(T* to, int64_t left, bool pairs, float first, float second) {
  if (left >= 2 && pairs) {
    if constexpr (sizeof(T) == 2)
      *reinterpret_cast<uint32_t*>(to) = pack_bf16(first, second);
    else
      *reinterpret_cast<float2*>(to) = make_float2(first, second);
    return;
  }
  if (left >= 1) to[0] = from_float<T>(first);
  if (left >= 2) to[1] = from_float<T>(second);
}

template <typename T>
__device__ __forceinline__ float2 load_pair(const T* from, int64_t left, bool pairs) {
  if (left >= 2 && pairs) {
    if constexpr (sizeof(T) == 2)
      return unpack_bf16(*reinterpret_cast<const uint32_t*>(from));
    else
      return *reinterpret_cast<const float2*>(from);
  }
  return make_float2(left >= 1 ? to_float(from[0]) : 0.0f, left >= 2 ? to_float(from[1]) : 0.0f);
}

template <typename T>
__device__ __forceinline__ float round_to(float x) {
  return to_float(from_float<T>(x));
}

template <typename C>
__device__ __forceinline__ void store_product(const Product& p, const TilePlace& place, int64_t row,
                                              int64_t column, float first, float second) {
  const int64_t left = p.n - column;
  if (left <= 0) return;
  if (p.scale) {
    const float* scale = p.scale + place.expert * p.n + column;
    first *= scale[0];
    if (left >= 2) second *= scale[1];
  }
  int64_t at = row * p.c_stride + column;
  if (p.grouping == Grouping::kRows) at += place.first * p.c_stride;
  if (p.grouping == Grouping::kDepth) at += place.expert * p.c_expert_stride;
  C* c = static_cast<C*>(p.c) + at;
  if (p.accumulate) {
    const float2 before = load_pair(c, left, p.pairs);
    first += before.x;
    second += before.y;
  }
  store_pair(c, left, p.pairs, first, second);
}

// Two elements of a row of the product.
__device__ __forceinline__ void store(const Product& p, const TilePlace& place, int64_t row, int64_t column,
                                      float first, float second) {
  p.c_dtype == MM_DTYPE_BF16 ? store_product<bf16>(p, place, row, column, first, second)
                             : store_product<float>(p, place, row, column, first, second);
}

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// Two elements of gate and up, which are rounded as they are stored before anything is made of them.
template <typename T>
__device__ __forceinline__ void swiglu(const Product& p, const TilePlace& place, int64_t row, int64_t column,
                                       float2 gate, float2 up) {
  const int64_t left = p.n - column;
  if (left <= 0) return;
  if (p.scale) {
    const int64_t at = place.expert * p.n + column;
    gate.x *= p.scale[at];
    up.x *= p.second_scale[at];
    if (left >= 2) {
      gate.y *= p.scale[at + 1];
      up.y *= p.second_scale[at + 1];
    }
  }
  gate = make_float2(round_to<T>(gate.x), round_to<T>(gate.y));
  up = make_float2(round_to<T>(up.x), round_to<T>(up.y));
  const int64_t at = (place.first + row) * p.n + column;
  if (p.gate) store_pair(static_cast<T*>(p.gate) + at, left, p.pairs, gate.x, gate.y);
  if (p.up) store_pair(static_cast<T*>(p.up) + at, left, p.pairs, up.x, up.y);
  store_pair(static_cast<T*>(p.c) + at, left, p.pairs, gate.x * sigmoid(gate.x) * up.x,
             gate.y * sigmoid(gate.y) * up.y);
}

// Gradients of two elements; returns their part of the row's dot product.
template <typename T>
__device__ __forceinline__ float swiglu_backward(const Product& p, const TilePlace& place, int64_t row,
                                                 int64_t column, float2 dh) {
  const int64_t left = p.n - column;
  if (left <= 0) return 0.0f;
  const int32_t slot = p.row_slot[place.first + row];
  if (static_cast<uint32_t>(slot) >= static_cast<uint64_t>(p.rows)) return 0.0f;  // told when it was gathered
  const float weight = p.weight[slot];
  const int64_t at = (place.first + row) * p.n + column;
  const float2 gate = load_pair(static_cast<const T*>(p.gate) + at, left, p.pairs),
               up = load_pair(static_cast<const T*>(p.up) + at, left, p.pairs);
  float h[2], dgate[2], dup[2];
  const float g[2] = {gate.x, gate.y}, u[2] = {up.x, up.y}, d[2] = {dh.x, dh.y};
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const float s = sigmoid(g[i]), weighted = weight * d[i];
    h[i] = g[i] * s * u[i];
    dgate[i] = weighted * u[i] * (s * (1.0f + g[i] * (1.0f - s)));
    dup[i] = weighted * (g[i] * s);
  }
  store_pair(static_cast<T*>(p.c) + at, left, p.pairs, weight * h[0], weight * h[1]);
  store_pair(static_cast<T*>(p.dgate) + at, left, p.pairs, dgate[0], dgate[1]);
  store_pair(static_cast<T*>(p.dup) + at, left, p.pairs, dup[0], dup[1]);
  return left >= 2 ? h[0] * d[0] + h[1] * d[1] : h[0] * d[0];
}

// ---- tensor cores

// Where 16 bytes of a row lie, counted in 16 bytes: eight neighbouring rows, read at the same place, are in
// different banks.
template <int kChunks>
__device__ __forceinline__ int swizzled(int row, int chunk) {
  constexpr int kSpread = kChunks < 8 ? kChunks : 8;
  return row * kChunks + (chunk ^ (row / (8 / kSpread) % kSpread));
}

// Copies a tile of kIndices of an operand by kDepth to shared memory, as it is stored, 16 bytes at once.
template <typename T, int kIndices, int kDepth, int kThreads, bool kTransposed>
struct TileCopy {
  static constexpr int kElements = 16 / sizeof(T);
  static constexpr int kStored = kTransposed ? kDepth : kIndices;
  static constexpr int kChunks = (kTransposed ? kIndices : kDepth) / kElements;
  static constexpr int kStep = kThreads / kChunks;
  static constexpr int kCopies = kStored / kStep;
  static_assert(kThreads % kChunks == 0 && kStored % kStep == 0);

  const T* rows[kTransposed ? 1 : kCopies];  // this thread's, null where there is nothing; or its column

  __device__ __forceinline__ void begin(const Product& p, const Operand& operand, const TilePlace& place,
                                        const Source<T>& source) {
    const int chunk = threadIdx.x % kChunks;
    if constexpr (kTransposed) {
      const int64_t index = source.begin + chunk * kElements;
      rows[0] = index < source.end ? source.data + index : nullptr;
    } else {
#pragma unroll
      for (int i = 0; i < kCopies; i++) {
        const T* row = source.row(p, operand, place, static_cast<int>(threadIdx.x) / kChunks + i * kStep);
        rows[i] = row ? row + chunk * kElements : nullptr;
      }
    }
  }

  // Depth k .. k + kDepth of `depth`.
  __device__ __forceinline__ void run(const Product& p, const Operand& operand, const TilePlace& place,
                                      void* to, int64_t k, int64_t depth) const {
    const int chunk = threadIdx.x % kChunks;
    uint4* shared = static_cast<uint4*>(to);
#pragma unroll
    for (int i = 0; i < kCopies; i++) {
      const int r = static_cast<int>(threadIdx.x) / kChunks + i * kStep;
      const T* from;
      if constexpr (kTransposed) {
        from = rows[0] && k + r < depth ? rows[0] + stored_row(p, operand, place, k + r) * operand.stride
                                        : nullptr;
      } else {
        from = rows[i] && k + chunk * kElements < depth ? rows[i] + k : nullptr;
      }
      copy_async(shared + swizzled<kChunks>(r, chunk), from ? from : operand.data, from != nullptr);
    }
  }
};

// The same element by element, for any alignment, with k along the rows of shared memory however the operand
// is stored.
template <typename T, int kIndices, int kDepth, int kThreads>
struct ElementCopy {
  static constexpr int kElements = 16 / sizeof(T);

  Source<T> source;

  __device__ __forceinline__ void begin(const Product&, const Operand&, const TilePlace&,
                                        const Source<T>& from) {
    source = from;
  }

  __device__ __forceinline__ void run(const Product& p, const Operand& operand, const TilePlace& place,
                                      void* to, int64_t k, int64_t depth) const {
    T* shared = static_cast<T*>(to);
    for (int i = threadIdx.x; i < kIndices * kDepth; i += kThreads) {
      const int r = operand.transposed ? i % kIndices : i / kDepth,
                d = operand.transposed ? i / kIndices : i % kDepth;
      T value = {};
      if (k + d < depth) {
        if (operand.transposed) {
          if (source.begin + r < source.end) {
            const int64_t row = stored_row(p, operand, place, k + d);
            value = source.data[row * operand.stride + source.begin + r];
          }
        } else if (const T* row = source.row(p, operand, place, r)) {
          value = row[k + d];
        }
      }
      shared[swizzled<kDepth / kElements>(r, d / kElements) * kElements + d % kElements] = value;
    }
  }
};

// Fragments of a [16, 16] from shared memory.
template <int kIndices, int kDepth, bool kTransposed>
__device__ __forceinline__ void load_a(uint32_t (&a)[4], const uint4* shared, int row, int k) {
  const int matrix = threadIdx.x % 32 / 8, r = threadIdx.x % 8;
  if constexpr (kTransposed)
    load_matrices_transposed(a,
                             shared + swizzled<kIndices / 8>(k + matrix / 2 * 8 + r, row / 8 + matrix % 2));
  else
    load_matrices(a, shared + swizzled<kDepth / 8>(row + matrix % 2 * 8 + r, k / 8 + matrix / 2));
}

// Of b, two blocks of 8 columns, `apart` from each other, by 16.
template <typename T, int kIndices, int kDepth, bool kTransposed>
__device__ __forceinline__ void load_b(uint32_t (&b)[4], const uint4* shared, int column, int apart, int k) {
  const int matrix = threadIdx.x % 32 / 8, r = threadIdx.x % 8;
  if constexpr (sizeof(T) == 1) {
    static_assert(!kTransposed);
    const int g = threadIdx.x % 32 / 4, pair = 2 * (threadIdx.x % 4);
    const int8_t* bytes = reinterpret_cast<const int8_t*>(shared);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int at = k + i % 2 * 8 + pair;
      const int8_t* two = bytes + 16 * swizzled<kDepth / 16>(column + i / 2 * apart + g, at / 16) + at % 16;
      const uint32_t word = *reinterpret_cast<const uint16_t*>(two);
      b[i] = pack_bf16(static_cast<float>(static_cast<int8_t>(word)),
                       static_cast<float>(static_cast<int8_t>(word >> 8)));
    }
  } else if constexpr (kTransposed) {
    load_matrices_transposed(
        b, shared + swizzled<kIndices / 8>(k + matrix % 2 * 8 + r, (column + matrix / 2 * apart) / 8));
  } else {
    load_matrices(b, shared + swizzled<kDepth / 8>(column + matrix / 2 * apart + r, k / 8 + matrix % 2));
  }
}

template <typename Tile>
constexpr int kTileThreads = int{Tile::kWarpsM} * Tile::kWarpsN * 32;
template <typename Tile, typename B>
constexpr int64_t kTileShared =
    (2 * Tile::kM + int{sizeof(B)} * Tile::kN) * int64_t{Tile::kK} * Tile::kStages;

template <typename Tile, typename B, bool kVector, bool kTransposedA, bool kTransposedB, Epilogue kEpilogue>
__global__ void __launch_bounds__(kTileThreads<Tile>, 1)
    tensor_product_kernel(const Product p, int64_t tiles_m) {
  constexpr int kM = Tile::kM, kN = Tile::kN, kK = Tile::kK, kStages = Tile::kStages;
  constexpr int kThreads = kTileThreads<Tile>;
  constexpr int kBlocksM = kM / Tile::kWarpsM / 16, kPairsN = kN / Tile::kWarpsN / 16;
  constexpr int kWordsA = kM * kK * 2 / 16, kWordsB = kN * kK * int{sizeof(B)} / 16;
  TilePlace place;
  if (!find_tile(p, kM, kN, tiles_m, place)) return;

  uint4* shared = shared_memory<uint4>();
  std::conditional_t<kVector, TileCopy<bf16, kM, kK, kThreads, kTransposedA>,
                     ElementCopy<bf16, kM, kK, kThreads>>
      copy_a;
  std::conditional_t<kVector, TileCopy<B, kN, kK, kThreads, kTransposedB>, ElementCopy<B, kN, kK, kThreads>>
      copy_b;
  // The depth is that of one of a pair, in steps of kK; each of the pair has its own.
  const int steps = static_cast<int>((place.k + kK - 1) / kK);
  const int all_steps = p.pairing == Pairing::kDepth ? 2 * steps : steps;
  const auto begin = [&](bool second) {
    copy_a.begin(p, p.a, place, source_of_a<bf16>(p, place, second, kM));
    copy_b.begin(p, p.b, place, source_of_b<B>(p, place, second, kN));
  };
  const auto copy = [&](int step) {
    if (step < all_steps) {
      if (step == steps) begin(true);
      const int64_t k = int64_t{kK} * (step < steps ? step : step - steps);
      uint4* to = shared + step % kStages * (kWordsA + kWordsB);
      copy_a.run(p, p.a, place, to, k, place.k);
      copy_b.run(p, p.b, place, to + kWordsA, k, place.k);
    }
    copy_async_commit();
  };

  begin(false);
#pragma unroll
  for (int step = 0; step < kStages - 1; step++) copy(step);

  const int warp = threadIdx.x / 32;
  const int warp_row = warp / Tile::kWarpsN * (kM / Tile::kWarpsM),
            warp_column = warp % Tile::kWarpsN * (kN / Tile::kWarpsN / 2);
  float sums[kBlocksM][2 * kPairsN][4] = {};  // block j of columns and block j + kPairsN are a pair
  for (int step = 0; step < all_steps; step++) {
    copy_async_wait<kStages - 2>();
    __syncthreads();
    copy(step + kStages - 1);
    const uint4 *a = shared + step % kStages * (kWordsA + kWordsB), *b = a + kWordsA;
#pragma unroll
    for (int k = 0; k < kK; k += 16) {
      uint32_t left[kBlocksM][4], right[kPairsN][4];
#pragma unroll
      for (int i = 0; i < kBlocksM; i++) load_a<kM, kK, kTransposedA>(left[i], a, warp_row + 16 * i, k);
#pragma unroll
      for (int j = 0; j < kPairsN; j++)
        load_b<B, kN, kK, kTransposedB>(right[j], b, warp_column + 8 * j, kN / 2, k);
#pragma unroll
      for (int i = 0; i < kBlocksM; i++) {
#pragma unroll
        for (int j = 0; j < kPairsN; j++) {
          const uint32_t lower[2] = {right[j][0], right[j][1]}, upper[2] = {right[j][2], right[j][3]};
          mma_bf16(sums[i][j], left[i], lower);
          mma_bf16(sums[i][j + kPairsN], left[i], upper);
        }
      }
    }
  }

  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < kBlocksM; i++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int64_t row = place.row + warp_row + 16 * i + 8 * half + lane / 4;
      const bool inside = row < place.m;
#pragma unroll
      for (int j = 0; j < kPairsN; j++) {
        const int64_t column = place.column + warp_column + 8 * j + 2 * (lane % 4);
        const float* one = sums[i][j] + 2 * half;
        const float* two = sums[i][j + kPairsN] + 2 * half;
        if constexpr (kEpilogue == Epilogue::kStore) {
          if (inside) {
            store(p, place, row, column, one[0], one[1]);
            store(p, place, row, column + kN / 2, two[0], two[1]);
          }
        } else if constexpr (kEpilogue == Epilogue::kSwiglu) {
          if (inside)
            swiglu<bf16>(p, place, row, column, make_float2(one[0], one[1]), make_float2(two[0], two[1]));
        } else {
#pragma unroll
          for (int side = 0; side < 2; side++) {
            const float* dh = side ? two : one;
            const int64_t at = column + side * (kN / 2);
            float dot = inside ? swiglu_backward<bf16>(p, place, row, at, make_float2(dh[0], dh[1])) : 0.0f;
            dot += __shfl_xor_sync(0xffffffffu, dot, 1);
            dot += __shfl_xor_sync(0xffffffffu, dot, 2);
            const int64_t groups = (p.n + kTensorDotColumns - 1) / kTensorDotColumns;
            if (inside && lane % 4 == 0 && at < p.n)
              p.dots[(place.first + row) * groups + at / kTensorDotColumns] = dot;
          }
        }
      }
    }
  }
}

// ---- fp32 arithmetic

struct LargeFloatTile {
  static constexpr int kM = 128, kN = 128, kK = 8, kRows = 8;
};
struct MediumFloatTile {
  static constexpr int kM = 64, kN = 64, kK = 8, kRows = 4;
};
struct NarrowFloatTile {
  static constexpr int kM = 16, kN = 64, kK = 32, kRows = 1;
};
constexpr int kFloatColumns = 8;  // of a thread, four in each half of the tile

template <typename Tile>
constexpr int kFloatThreads = int{Tile::kM} * Tile::kN / kFloatColumns / Tile::kRows;
template <typename Tile>
constexpr int kFloatWords = (Tile::kM + Tile::kN + 8) * Tile::kK;  // of one of two buffers
template <typename Tile>
constexpr int64_t kFloatShared = 2 * 4 * kFloatWords<Tile>;

__device__ __forceinline__ float to_float(int8_t x) { return static_cast<float>(x); }

// A tile of an operand by way of registers, in any dtype and either order: to shared memory [kK][kIndices +
// 4].
template <int kIndices, int kK, int kThreads>
struct FloatCopy {
  static constexpr int kCount = kIndices * kK / kThreads;
  static_assert(kThreads % kK == 0 && kThreads % kIndices == 0);

  const void* rows[kCount];  // as in TileCopy
  float values[kCount];

  template <typename T>
  __device__ __forceinline__ void begin(const Product& p, const Operand& operand, const TilePlace& place,
                                        const Source<T>& source) {
    const int thread = threadIdx.x;
    if (operand.transposed) {
      const int64_t index = source.begin + thread % kIndices;
      rows[0] = index < source.end ? source.data + index : nullptr;
      return;
    }
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      const T* row = source.row(p, operand, place, thread / kK + i * (kThreads / kK));
      rows[i] = row ? row + thread % kK : nullptr;
    }
  }

  template <typename T>
  __device__ __forceinline__ void load_as(const Product& p, const Operand& operand, const TilePlace& place,
                                          int64_t k, int64_t depth) {
    const int thread = threadIdx.x;
    if (operand.transposed) {
      const T* column = static_cast<const T*>(rows[0]);
#pragma unroll
      for (int i = 0; i < kCount; i++) {
        const int64_t at = k + thread / kIndices + i * (kThreads / kIndices);
        values[i] = column && at < depth
                        ? to_float(column[stored_row(p, operand, place, at) * operand.stride])
                        : 0.0f;
      }
      return;
    }
    const bool inside = k + thread % kK < depth;
#pragma unroll
    for (int i = 0; i < kCount; i++)
      values[i] = rows[i] && inside ? to_float(static_cast<const T*>(rows[i])[k]) : 0.0f;
  }

  __device__ __forceinline__ void load(const Product& p, const Operand& operand, const TilePlace& place,
                                       int64_t k, int64_t depth) {
    if (operand.dtype == MM_DTYPE_F32)
      load_as<float>(p, operand, place, k, depth);
    else if (operand.dtype == MM_DTYPE_BF16)
      load_as<bf16>(p, operand, place, k, depth);
    else
      load_as<int8_t>(p, operand, place, k, depth);
  }

  __device__ __forceinline__ void store(const Operand& operand, float* shared) const {
    const int thread = threadIdx.x;
#pragma unroll
    for (int i = 0; i < kCount; i++) {
      const int index = operand.transposed ? thread % kIndices : thread / kK + i * (kThreads / kK),
                k = operand.transposed ? thread / kIndices + i * (kThreads / kIndices) : thread % kK;
      shared[k * (kIndices + 4) + index] = values[i];
    }
  }
};

template <typename F>
__device__ __forceinline__ void with_operand_type(mm_dtype dtype, F&& f) {
  if (dtype == MM_DTYPE_F32)
    f(float{});
  else if (dtype == MM_DTYPE_BF16)
    f(bf16{});
  else
    f(int8_t{});
}

template <int kCount>
__device__ __forceinline__ void load_floats(float (&to)[kCount], const float* shared) {
  if constexpr (kCount % 4 == 0) {
#pragma unroll
    for (int i = 0; i < kCount; i += 4) {
      const float4 four = *reinterpret_cast<const float4*>(shared + i);
      to[i] = four.x, to[i + 1] = four.y, to[i + 2] = four.z, to[i + 3] = four.w;
    }
  } else {
#pragma unroll
    for (int i = 0; i < kCount; i++) to[i] = shared[i];
  }
}

template <typename Tile, Epilogue kEpilogue>
__global__ void __launch_bounds__(kFloatThreads<Tile>, 1)
    float_product_kernel(const Product p, int64_t tiles_m) {
  constexpr int kM = Tile::kM, kN = Tile::kN, kK = Tile::kK, kRows = Tile::kRows;
  constexpr int kThreads = kFloatThreads<Tile>;
  TilePlace place;
  if (!find_tile(p, kM, kN, tiles_m, place)) return;

  float* shared = shared_memory<float>();
  FloatCopy<kM, kK, kThreads> copy_a;
  FloatCopy<kN, kK, kThreads> copy_b;
  const int steps = static_cast<int>((place.k + kK - 1) / kK);
  const int all_steps = p.pairing == Pairing::kDepth ? 2 * steps : steps;
  const auto begin = [&](bool second) {
    with_operand_type(p.a.dtype, [&](auto type) {
      copy_a.begin(p, p.a, place, source_of_a<decltype(type)>(p, place, second, kM));
    });
    with_operand_type(p.b.dtype, [&](auto type) {
      copy_b.begin(p, p.b, place, source_of_b<decltype(type)>(p, place, second, kN));
    });
  };
  const auto load = [&](int step) {
    if (step == steps) begin(true);
    const int64_t k = int64_t{kK} * (step < steps ? step : step - steps);
    copy_a.load(p, p.a, place, k, place.k);
    copy_b.load(p, p.b, place, k, place.k);
  };
  const auto keep = [&](int step) {
    float* to = shared + step % 2 * kFloatWords<Tile>;
    copy_a.store(p.a, to);
    copy_b.store(p.b, to + kK * (kM + 4));
  };

  if (all_steps > 0) {
    begin(false);
    load(0);
    keep(0);
  }
  const int tile_row = threadIdx.x / (kN / kFloatColumns) * kRows,
            tile_column = threadIdx.x % (kN / kFloatColumns) * 4;
  float sums[kRows][kFloatColumns] = {};
  for (int step = 0; step < all_steps; step++) {
    __syncthreads();
    if (step + 1 < all_steps) load(step + 1);
    const float *a = shared + step % 2 * kFloatWords<Tile>, *b = a + kK * (kM + 4);
#pragma unroll
    for (int k = 0; k < kK; k++) {
      float left[kRows], lower[4], upper[4];
      load_floats(left, a + k * (kM + 4) + tile_row);
      load_floats(lower, b + k * (kN + 4) + tile_column);
      load_floats(upper, b + k * (kN + 4) + tile_column + kN / 2);
#pragma unroll
      for (int i = 0; i < kRows; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
          sums[i][j] = __fmaf_rn(left[i], lower[j], sums[i][j]);
          sums[i][j + 4] = __fmaf_rn(left[i], upper[j], sums[i][j + 4]);
        }
      }
    }
    if (step + 1 < all_steps) keep(step + 1);
  }

#pragma unroll
  for (int i = 0; i < kRows; i++) {
    const int64_t row = place.row + tile_row + i, column = place.column + tile_column;
    if (row >= place.m) continue;
    const float* one = sums[i];
    const float* two = sums[i] + 4;
    if constexpr (kEpilogue == Epilogue::kStore) {
      store(p, place, row, column, one[0], one[1]);
      store(p, place, row, column + 2, one[2], one[3]);
      store(p, place, row, column + kN / 2, two[0], two[1]);
      store(p, place, row, column + kN / 2 + 2, two[2], two[3]);
    } else if constexpr (kEpilogue == Epilogue::kSwiglu) {
      swiglu<float>(p, place, row, column, make_float2(one[0], one[1]), make_float2(two[0], two[1]));
      swiglu<float>(p, place, row, column + 2, make_float2(one[2], one[3]), make_float2(two[2], two[3]));
    } else {
#pragma unroll
      for (int side = 0; side < 2; side++) {
        const float* dh = side ? two : one;
        const int64_t at = column + side * (kN / 2);
        const float first = swiglu_backward<float>(p, place, row, at, make_float2(dh[0], dh[1])),
                    second = swiglu_backward<float>(p, place, row, at + 2, make_float2(dh[2], dh[3]));
        const int64_t groups = (p.n + kFloatDotColumns - 1) / kFloatDotColumns;
        if (at < p.n) p.dots[(place.first + row) * groups + at / kFloatDotColumns] = first + second;
      }
    }
  }
}

// ---- launch

inline int64_t bytes_of(mm_dtype dtype) { return dtype == MM_DTYPE_F32 ? 4 : dtype == MM_DTYPE_BF16 ? 2 : 1; }

inline bool divisible(const void* pointer, int64_t bytes) {
  return reinterpret_cast<uintptr_t>(pointer) % static_cast<uintptr_t>(bytes) == 0;
}

// Whether the operand can be copied 16 bytes at once; `along` elements are in a stored row.
inline bool is_vector(const Operand& operand, int64_t along) {
  const int64_t elements = 16 / bytes_of(operand.dtype);
  return divisible(operand.data, 16) && divisible(operand.second, 16) && operand.stride % elements == 0 &&
         operand.expert_stride % elements == 0 && along % elements == 0;
}

// How many rows of tiles there are, at most, if it is not known to the host.
inline int64_t count_tiles(const Product& p, int64_t tile_rows) {
  if (p.grouping != Grouping::kRows) return ceil_div(p.m, tile_rows);
  return p.rows / tile_rows + std::min(p.experts, p.rows);
}

template <typename Tile>
void launch_tile(Context& context, const char* name, const Product& p, void (*kernel)(const Product, int64_t),
                 int threads, int64_t shared) {
  const int64_t columns = p.pairing == Pairing::kColumns ? Tile::kN / 2 : Tile::kN;
  const int64_t tiles_m = count_tiles(p, Tile::kM);
  const dim3 grid(static_cast<unsigned>(tiles_m * ceil_div(p.n, columns)),
                  static_cast<unsigned>(p.grouping == Grouping::kDepth ? p.experts : 1));
  launch(context, name, kernel, grid, threads, shared, p, tiles_m);
}

template <typename Tile, typename B, bool kVector, bool kTransposedA, bool kTransposedB, Epilogue kEpilogue>
void launch_tensor(Context& context, const char* name, const Product& p) {
  launch_tile<Tile>(context, name, p,
                    tensor_product_kernel<Tile, B, kVector, kTransposedA, kTransposedB, kEpilogue>,
                    kTileThreads<Tile>, kTileShared<Tile, B>);
}

template <typename Tile, Epilogue kEpilogue>
void launch_float(Context& context, const char* name, const Product& p) {
  launch_tile<Tile>(context, name, p, float_product_kernel<Tile, kEpilogue>, kFloatThreads<Tile>,
                    kFloatShared<Tile>);
}

enum class TileSize { kNarrow, kMedium, kLarge };

// The largest tile of which there are enough, with rows to fill it.
inline TileSize tile_size(const Context& context, const Product& p) {
  const int64_t products = p.grouping == Grouping::kNone ? 1 : std::min(p.experts, p.rows);
  const int64_t rows = p.grouping == Grouping::kRows ? ceil_div(p.rows, products) : p.m;
  if (rows <= 16) return TileSize::kNarrow;
  const int64_t columns = p.pairing == Pairing::kColumns ? 2 * p.n : p.n;
  const bool enough = products * ceil_div(rows, 128) * ceil_div(columns, 128) >= context.multiprocessors;
  return enough && rows > 64 ? TileSize::kLarge : TileSize::kMedium;
}

template <Epilogue kEpilogue>
void launch_float(Context& context, const char* name, const Product& p) {
  const TileSize size = tile_size(context, p);
  if (size == TileSize::kNarrow)
    launch_float<NarrowFloatTile, kEpilogue>(context, name, p);
  else if (size == TileSize::kMedium)
    launch_float<MediumFloatTile, kEpilogue>(context, name, p);
  else
    launch_float<LargeFloatTile, kEpilogue>(context, name, p);
}

// A product of bf16 and B with the order of its operands known.
template <typename B, bool kTransposedA, bool kTransposedB, Epilogue kEpilogue>
void launch_tensor(Context& context, const char* name, const Product& p) {
  const bool vector = is_vector(p.a, kTransposedA ? p.m : p.k) && is_vector(p.b, kTransposedB ? p.n : p.k);
  // Few rows are those of a decoding step, which has neither transposed rows nor a backward.
  constexpr bool kDecodes = !kTransposedA && kEpilogue != Epilogue::kSwigluBackward;
  const TileSize size = tile_size(context, p);
  if constexpr (kDecodes) {
    if (size == TileSize::kNarrow) {
      vector ? launch_tensor<NarrowTile, B, true, kTransposedA, kTransposedB, kEpilogue>(context, name, p)
             : launch_tensor<NarrowTile, B, false, false, false, kEpilogue>(context, name, p);
      return;
    }
  }
  if (size == TileSize::kLarge && vector)
    launch_tensor<LargeTile, B, true, kTransposedA, kTransposedB, kEpilogue>(context, name, p);
  else if (vector)
    launch_tensor<MediumTile, B, true, kTransposedA, kTransposedB, kEpilogue>(context, name, p);
  else
    launch_tensor<MediumTile, B, false, false, false, kEpilogue>(context, name, p);
}

// Products whose epilogue is kStore, in gemm.cu.
void multiply(Context& context, const char* name, const Product& p);

}  // namespace mm::cuda
