// Matrix products: of one product, or of the experts' products with sizes that only the device
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

// Two elements of gate and up, which are rounded as they are stored before anything is made of them.
struct Activated {
  float2 gate, up, h;
};

template <typename T>
__device__ __forceinline__ Activated activated(const Product& p, const TilePlace& place, int64_t column,
                                               float2 gate, float2 up) {
  const int64_t left = p.n - column;
  if (p.scale && left > 0) {
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
  return {gate, up, make_float2(gate.x * sigmoid(gate.x) * up.x, gate.y * sigmoid(gate.y) * up.y)};
}

template <typename T>
__device__ __forceinline__ void swiglu(const Product& p, const TilePlace& place, int64_t row, int64_t column,
                                       float2 gate, float2 up) {
  const int64_t left = p.n - column;
  if (left <= 0) return;
  const Activated x = activated<T>(p, place, column, gate, up);
  const int64_t at = (place.first + row) * p.n + column;
  if (p.gate) store_pair(static_cast<T*>(p.gate) + at, left, p.pairs, x.gate.x, x.gate.y);
  if (p.up) store_pair(static_cast<T*>(p.up) + at, left, p.pairs, x.up.x, x.up.y);
  store_pair(static_cast<T*>(p.c) + at, left, p.pairs, x.h.x, x.h.y);
}

// Gradients of two elements, h times the weight of its slot, and their part of the row's dot product.
struct Gradients {
  float2 h, dgate, dup;
  float dot;
};

// False where there is none: behind the columns, or of a slot that does not exist.
template <typename T>
__device__ __forceinline__ bool find_gradients(const Product& p, const TilePlace& place, int64_t row,
                                               int64_t column, float2 dh, Gradients& found) {
  found = {};
  const int64_t left = p.n - column;
  if (left <= 0) return false;
  const int32_t slot = p.row_slot[place.first + row];
  if (static_cast<uint32_t>(slot) >= static_cast<uint64_t>(p.rows))
    return false;  // told when it was gathered
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
  found = {make_float2(weight * h[0], weight * h[1]), make_float2(dgate[0], dgate[1]),
           make_float2(dup[0], dup[1]), left >= 2 ? h[0] * d[0] + h[1] * d[1] : h[0] * d[0]};
  return true;
}

// Stores the gradients of two elements; returns their part of the row's dot product.
template <typename T>
__device__ __forceinline__ float swiglu_backward(const Product& p, const TilePlace& place, int64_t row,
                                                 int64_t column, float2 dh) {
  Gradients x;
  if (!find_gradients<T>(p, place, row, column, dh, x)) return 0.0f;
  const int64_t left = p.n - column, at = (place.first + row) * p.n + column;
  store_pair(static_cast<T*>(p.c) + at, left, p.pairs, x.h.x, x.h.y);
  store_pair(static_cast<T*>(p.dgate) + at, left, p.pairs, x.dgate.x, x.dgate.y);
  store_pair(static_cast<T*>(p.dup) + at, left, p.pairs, x.dup.x, x.dup.y);
  return x.dot;
}

}  // namespace mm::cuda
