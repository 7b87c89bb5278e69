// The experts' products on Hopper: those of product.cuh, of bf16, with wgmma.
//
// Blocks stay and take tile after tile of all experts'. A warpgroup feeds: what lies in rows as it is needed
// by TMA, rows that are gathered, or are few, by asynchronous copies; the others multiply, 64 rows each,
// while the next tile is on its way. Operands lie in shared memory as they are stored; wgmma takes either
// order. With pairing kColumns half of a tile's columns are of each of two products, which meet in a thread's
// registers. Results go through shared memory, so that they leave in whole lines.
//
// Where experts have few rows the product is bound by the weights, which then are cut into thin tiles, for
// all multiprocessors to have some. Depth is never split: in every tile an element is one chain over
// ascending k in steps of 16, so that a row's bits depend on nothing but itself.
#include <algorithm>

#include "cuda/gemm_sm90.h"
#include "cuda/hopper.cuh"

namespace mm::cuda {
namespace {

constexpr int kK = 64;
constexpr int kGroup = 128;                          // threads of a warpgroup
constexpr int kPanelElements = 64 * kPanel;          // 64 rows of 64
constexpr int kStagedRows = 16, kStagedBytes = 128;  // of a warp's results on their way to memory

// kBlocks: of a multiprocessor.
struct WideTile {
  static constexpr int kM = 128, kN = 256, kStages = 4, kBlocks = 1;
};
struct ThinTile {
  static constexpr int kM = 64, kN = 64, kStages = 6, kBlocks = 2;
};
template <typename Tile>
constexpr int kThreads = kGroup + Tile::kM / 64 * kGroup;

template <typename Tile>
struct Stage {
  bf16 a[Tile::kM / 64][kPanelElements];
  bf16 b[Tile::kN / 64][kPanelElements];
};
template <typename Tile>
struct Shared {
  Stage<Tile> stages[Tile::kStages];
  char staging[Tile::kM / kStagedRows][kStagedRows * kStagedBytes];
  Barrier full[Tile::kStages], empty[Tile::kStages];
};

struct Maps {
  TensorMap a, second_a, b, second_b;
};

// How operands lie (k across the stored rows?) and are fetched (gathered?).
template <bool kAcrossA, bool kAcrossB, bool kGatheredA, bool kGatheredB>
struct Layout {
  static constexpr bool a_across = kAcrossA, b_across = kAcrossB, a_gathered = kGatheredA,
                        b_gathered = kGatheredB;
};

// Stored rows of b that TMA takes at once where k runs along them: a product's part of the tile, 64 at most.
template <typename Tile>
__host__ __device__ constexpr int box_rows(const Product& p) {
  return p.pairing == Pairing::kColumns && Tile::kN < 128 ? Tile::kN / 2 : 64;
}

template <int kStages>
struct Position {
  int stage = 0;
  unsigned phase = 0;
  __device__ __forceinline__ void next() {
    if (++stage == kStages) stage = 0, phase ^= 1u;
  }
};

// Tile `index` of all of them; false if its expert has fewer.
template <typename Tile>
__device__ bool find_tile(const Product& p, int64_t index, int64_t tiles_m, int64_t tiles, TilePlace& place) {
  constexpr int kM = Tile::kM;
  const int64_t columns = p.pairing == Pairing::kColumns ? Tile::kN / 2 : Tile::kN;
  int64_t tile_m, tile_n;
  rasterise(index % tiles, tiles_m, (p.n + columns - 1) / columns, tile_m, tile_n);
  place = {0, 0, p.m, p.k, 0, tile_n * columns};
  if (p.grouping == Grouping::kRows && !find_expert(p, kM, tile_m, place)) return false;
  if (p.grouping == Grouping::kDepth) {
    place.expert = index / tiles;
    place.first = clamped_offset(p, place.expert);
    place.k = clamped_offset(p, place.expert + 1) - place.first;
    if (place.k <= 0) return false;
  }
  place.row = tile_m * kM;
  return true;
}

__device__ __forceinline__ int steps_of(const Product& p, const TilePlace& place) {
  const int steps = static_cast<int>((place.k + kK - 1) / kK);
  return p.pairing == Pairing::kDepth ? 2 * steps : steps;
}

// Copies 64 stored rows of 64 elements into a panel, each where its index says, by all threads of the group;
// a row from `end` on, or what lies behind `width`, is zero.
__device__ __forceinline__ void gather_panel(bf16* panel, const Product& p, const Operand& operand,
                                             const TilePlace& place, const bf16* data, int64_t row,
                                             int64_t end, int64_t column, int64_t width) {
  const int piece = threadIdx.x % 8;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const int r = static_cast<int>(threadIdx.x % kGroup) / 8 + 16 * i;
    const bool valid = row + r < end && column + 8 * piece < width;
    const bf16* from =
        valid ? data + stored_row(p, operand, place, row + r) * operand.stride + column + 8 * piece : data;
    copy_async(panel + r * kPanel + (piece ^ (r % 8)) * 8, from, valid);
  }
}

// Loads one step of a tile.
template <typename Tile, typename L>
__device__ void load_step(Shared<Tile>& s, const Position<Tile::kStages>& at, const Product& p,
                          const Maps& maps, const TilePlace& place, bool second, int64_t k) {
  constexpr int kM = Tile::kM, kN = Tile::kN;
  Stage<Tile>& stage = s.stages[at.stage];
  Barrier* full = &s.full[at.stage];
  if constexpr (!L::a_gathered || !L::b_gathered) {
    if (threadIdx.x % kGroup == 0) {
      barrier_expect(full, (L::a_gathered ? 0 : static_cast<int>(sizeof stage.a)) +
                               (L::b_gathered ? 0 : static_cast<int>(sizeof stage.b)));
      const int depth = static_cast<int>(place.first + k), expert = static_cast<int>(place.expert);
      if constexpr (!L::a_gathered) {
        const TensorMap* map = second ? &maps.second_a : &maps.a;
        for (int i = 0; i < kM / 64; i++) {
          const int row = static_cast<int>(place.row) + 64 * i;
          if constexpr (L::a_across)
            load_box(stage.a[i], map, full, row, depth, 0);
          else
            load_box(stage.a[i], map, full, static_cast<int>(k), static_cast<int>(place.first) + row, 0);
        }
      }
      if constexpr (!L::b_gathered && L::b_across) {
        const bool deep = p.grouping == Grouping::kDepth;
        const TensorMap* map = second ? &maps.second_b : &maps.b;
        for (int i = 0; i < kN / 64; i++) {
          const int column = static_cast<int>(place.column) + 64 * i;
          load_box(stage.b[i], map, full, column, deep ? depth : static_cast<int>(k), deep ? 0 : expert);
        }
      } else if constexpr (!L::b_gathered) {
        const int rows = box_rows<Tile>(p), half = p.pairing == Pairing::kColumns ? kN / 2 : kN;
        for (int row = 0; row < kN; row += rows) {
          const bool upper = row >= half;
          const TensorMap* map = upper || second ? &maps.second_b : &maps.b;
          load_box(stage.b[0] + row * kPanel, map, full, static_cast<int>(k),
                   static_cast<int>(place.column) + (upper ? row - half : row), expert);
        }
      }
    }
  } else if (threadIdx.x % kGroup == 0) {
    barrier_arrive(full);
  }
  if constexpr (L::a_gathered) {
    const auto* data = static_cast<const bf16*>(second ? p.a.second : p.a.data);
    for (int i = 0; i < kM / 64; i++) {
      if constexpr (L::a_across)
        gather_panel(stage.a[i], p, p.a, place, data, k, place.k, place.row + 64 * i, p.m);
      else
        gather_panel(stage.a[i], p, p.a, place, data, place.row + 64 * i, place.m, k, p.k);
    }
  }
  if constexpr (L::b_gathered) {
    const auto* data = static_cast<const bf16*>(p.b.data);
    for (int i = 0; i < kN / 64; i++)
      gather_panel(stage.b[i], p, p.b, place, data, k, place.k, place.column + 64 * i, p.n);
  }
  if constexpr (L::a_gathered || L::b_gathered) copy_async_arrive(full);
}

template <typename Tile, typename L>
__device__ void feed(Shared<Tile>& s, const Product& p, const Maps& maps, int64_t tiles_m, int64_t tiles,
                     int64_t all_tiles) {
  Position<Tile::kStages> at;
  for (int64_t index = blockIdx.x; index < all_tiles; index += gridDim.x) {
    TilePlace place;
    if (!find_tile<Tile>(p, index, tiles_m, tiles, place)) continue;
    const int steps = steps_of(p, place), single = p.pairing == Pairing::kDepth ? steps / 2 : steps;
    for (int step = 0; step < steps; step++, at.next()) {
      barrier_wait(&s.empty[at.stage], at.phase ^ 1u);
      const bool second = step >= single;
      load_step<Tile, L>(s, at, p, maps, place, second, int64_t{kK} * (second ? step - single : step));
    }
  }
}

// Rows of depth behind the expert's belong to the next one: clears them in this warpgroup's part of a. Its
// other operand may hold anything finite there.
__device__ __forceinline__ void clear_depth(bf16* panel, int left, int group) {
  for (int piece = left * 8 + static_cast<int>(threadIdx.x) % kGroup; piece < kK * 8; piece += kGroup)
    reinterpret_cast<uint4*>(panel)[piece] = make_uint4(0, 0, 0, 0);
  shared_writes_done();
  warpgroup_barrier(1 + group);
}

template <typename Tile, typename L>
__device__ __forceinline__ void multiply_step(float (&sums)[Tile::kN / 2], const Stage<Tile>& stage,
                                              int group) {
  constexpr int kN = Tile::kN;
  wgmma_begin();
#pragma unroll
  for (int k = 0; k < kK; k += 16) {
    if constexpr (L::a_across && L::b_across)
      wgmma<kN>(sums, mn_major(stage.a[group], k, 0), mn_major(stage.b[0], k, 8192));
    else if constexpr (L::b_across)
      wgmma<kN>(sums, k_major(stage.a[group], k), mn_major(stage.b[0], k, 8192));
    else
      wgmma<kN>(sums, k_major(stage.a[group], k), k_major(stage.b[0], k));
  }
  wgmma_commit();
}

__device__ __forceinline__ void release(Barrier* empty) {
  __syncwarp();
  if (threadIdx.x % 32 == 0) barrier_arrive(empty);
}

// Where a piece of 16 bytes of a row of results lies, such that a warp's writes, four bytes or eight a
// thread, and its reads find all banks.
template <typename T>
__device__ __forceinline__ int staged(int row, int piece) {
  return row * kStagedBytes + (piece ^ (sizeof(T) == 2 ? row % 8 : row % 4 * 2)) * 16;
}

__device__ __forceinline__ uint32_t packed(float2 x) { return pack_bf16(x.x, x.y); }
__device__ __forceinline__ uint32_t packed(uint32_t x) { return x; }

// The thread's values, value(c, upper) of columns 8 c + 2 (lane % 4) and the next, through shared memory to
// `to`: the warp's 16 rows, of which there are `rows`, by kColumns columns, of which there are `columns`.
template <typename T, int kColumns, typename F>
__device__ __forceinline__ void send_rows(char* staging, T* to, int64_t stride, int64_t rows, int64_t columns,
                                          F&& value) {
  static_assert(kColumns * sizeof(T) <= kStagedBytes);
  constexpr int kPiece = 16 / sizeof(T), kPieces = kColumns / kPiece, kAtOnce = 32 / kPieces;
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int c = 0; c < kColumns / 8; c++) {
#pragma unroll
    for (int upper = 0; upper < 2; upper++) {
      const int row = lane / 4 + 8 * upper;
      if constexpr (sizeof(T) == 2)
        *reinterpret_cast<uint32_t*>(staging + staged<T>(row, c) + lane % 4 * 4) = packed(value(c, upper));
      else
        *reinterpret_cast<float2*>(staging + staged<T>(row, 2 * c + lane % 4 / 2) + lane % 2 * 8) =
            value(c, upper);
    }
  }
  __syncwarp();
#pragma unroll
  for (int first = 0; first < kStagedRows; first += kAtOnce) {
    const int row = first + lane / kPieces, piece = lane % kPieces;
    if (row < rows && piece * kPiece < columns)
      *reinterpret_cast<uint4*>(to + row * stride + piece * kPiece) =
          *reinterpret_cast<const uint4*>(staging + staged<T>(row, piece));
  }
  __syncwarp();
}

// What a warp writes of its tile: row `row` of the product and the 15 behind it.
struct Slice {
  char* staging;
  int64_t row, rows;
};

// Products of experts' rows, which are fp32.
template <int kN>
__device__ __forceinline__ void finish_rows(const Product& p, const TilePlace& place, const Slice& s,
                                            const float (&sums)[kN / 2]) {
#pragma unroll
  for (int block = 0; block < kN / 32; block++) {
    const int64_t column = place.column + 32 * block;
    send_rows<float, 32>(s.staging, static_cast<float*>(p.c) + (place.first + s.row) * p.c_stride + column,
                         p.c_stride, s.rows, p.n - column, [&](int c, int upper) {
                           const int at = 16 * block + 4 * c + 2 * upper;
                           return make_float2(sums[at], sums[at + 1]);
                         });
  }
}

// Gradients of weights, added to what is there.
template <int kN>
__device__ __forceinline__ void finish_weights(const Product& p, const TilePlace& place, const Slice& s,
                                               const float (&sums)[kN / 2]) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int upper = 0; upper < 2; upper++) {
    const int row = lane / 4 + 8 * upper;
#pragma unroll
    for (int c = 0; c < kN / 8; c++) {
      if (row < s.rows)
        store(p, place, s.row + row, place.column + 8 * c + 2 * (lane % 4), sums[4 * c + 2 * upper],
              sums[4 * c + 2 * upper + 1]);
    }
  }
}

template <int kN>
__device__ __forceinline__ void finish_swiglu(const Product& p, const TilePlace& place, const Slice& s,
                                              const float (&sums)[kN / 2]) {
  constexpr int kBlock = kN / 2 < 64 ? kN / 2 : 64, kUp = kN / 4;  // where the other product's sums are
#pragma unroll
  for (int block = 0; block < kN / 2 / kBlock; block++) {
    const int64_t column = place.column + kBlock * block, at = (place.first + s.row) * p.n + column;
    const auto values = [&](int c, int upper) {
      const int i = kBlock / 2 * block + 4 * c + 2 * upper;
      return activated<bf16>(p, place, column + 8 * c + 2 * (threadIdx.x % 4),
                             make_float2(sums[i], sums[i + 1]),
                             make_float2(sums[i + kUp], sums[i + kUp + 1]));
    };
    const auto send = [&](void* to, auto&& value) {
      send_rows<bf16, kBlock>(s.staging, static_cast<bf16*>(to) + at, p.n, s.rows, p.n - column, value);
    };
    if (p.gate) send(p.gate, [&](int c, int upper) { return values(c, upper).gate; });
    if (p.up) send(p.up, [&](int c, int upper) { return values(c, upper).up; });
    send(p.c, [&](int c, int upper) { return values(c, upper).h; });
  }
}

template <int kN>
__device__ __forceinline__ void finish_swiglu_backward(const Product& p, const TilePlace& place,
                                                       const Slice& s, const float (&sums)[kN / 2]) {
  constexpr int kBlock = 32;
  const int lane = threadIdx.x % 32;
  const int64_t groups = (p.n + kTensorDotColumns - 1) / kTensorDotColumns;
#pragma unroll
  for (int block = 0; block < kN / kBlock; block++) {
    const int64_t first = place.column + kBlock * block, at = (place.first + s.row) * p.n + first;
    uint32_t h[kBlock / 8][2], dgate[kBlock / 8][2], dup[kBlock / 8][2];
#pragma unroll
    for (int c = 0; c < kBlock / 8; c++) {
#pragma unroll
      for (int upper = 0; upper < 2; upper++) {
        const int row = lane / 4 + 8 * upper, i = kBlock / 2 * block + 4 * c + 2 * upper;
        const int64_t column = first + 8 * c + 2 * (lane % 4);
        Gradients x{};
        if (row < s.rows)
          find_gradients<bf16>(p, place, s.row + row, column, make_float2(sums[i], sums[i + 1]), x);
        h[c][upper] = packed(x.h), dgate[c][upper] = packed(x.dgate), dup[c][upper] = packed(x.dup);
        float dot = x.dot;
        dot += __shfl_xor_sync(0xffffffffu, dot, 1);
        dot += __shfl_xor_sync(0xffffffffu, dot, 2);
        if (row < s.rows && lane % 4 == 0 && column < p.n)
          p.dots[(place.first + s.row + row) * groups + column / kTensorDotColumns] = dot;
      }
    }
    const auto send = [&](void* to, auto&& value) {
      send_rows<bf16, kBlock>(s.staging, static_cast<bf16*>(to) + at, p.n, s.rows, p.n - first, value);
    };
    send(p.c, [&](int c, int upper) { return h[c][upper]; });
    send(p.dgate, [&](int c, int upper) { return dgate[c][upper]; });
    send(p.dup, [&](int c, int upper) { return dup[c][upper]; });
  }
}

template <typename Tile, typename L, Epilogue kEpilogue>
__device__ __forceinline__ void finish(Shared<Tile>& s, const Product& p, const TilePlace& place,
                                       const float (&sums)[Tile::kN / 2], int group) {
  constexpr int kN = Tile::kN;
  const int warp = 4 * group + static_cast<int>(threadIdx.x) / 32 % 4;
  const int64_t row = place.row + kStagedRows * warp;
  const Slice slice{s.staging[warp], row, place.m - row};
  if constexpr (kEpilogue == Epilogue::kSwiglu)
    finish_swiglu<kN>(p, place, slice, sums);
  else if constexpr (kEpilogue == Epilogue::kSwigluBackward)
    finish_swiglu_backward<kN>(p, place, slice, sums);
  else if constexpr (L::a_across)
    finish_weights<kN>(p, place, slice, sums);
  else
    finish_rows<kN>(p, place, slice, sums);
}

template <typename Tile, typename L, Epilogue kEpilogue>
__device__ void consume(Shared<Tile>& s, const Product& p, int64_t tiles_m, int64_t tiles, int64_t all_tiles,
                        int group) {
  Position<Tile::kStages> at;
  for (int64_t index = blockIdx.x; index < all_tiles; index += gridDim.x) {
    TilePlace place;
    if (!find_tile<Tile>(p, index, tiles_m, tiles, place)) continue;
    const int steps = steps_of(p, place);
    float sums[Tile::kN / 2];
#pragma unroll
    for (int i = 0; i < Tile::kN / 2; i++) sums[i] = 0.0f;
    int before = -1;  // the stage whose product may still run
    for (int step = 0; step < steps; step++, at.next()) {
      barrier_wait(&s.full[at.stage], at.phase);
      // The copies of other threads, seen by this one, are to be seen by wgmma.
      if constexpr (L::a_gathered || L::b_gathered) shared_writes_done();
      if constexpr (L::a_across && !L::a_gathered) {
        if (step == steps - 1 && place.k % kK)
          clear_depth(s.stages[at.stage].a[group], static_cast<int>(place.k % kK), group);
      }
      multiply_step<Tile, L>(sums, s.stages[at.stage], group);
      wgmma_wait<1>();
      if (before >= 0) release(&s.empty[before]);
      before = at.stage;
    }
    wgmma_wait<0>();
    if (before >= 0) release(&s.empty[before]);
    finish<Tile, L, kEpilogue>(s, p, place, sums, group);
  }
}

template <typename Tile, typename L, Epilogue kEpilogue>
__global__ void __launch_bounds__(kThreads<Tile>, Tile::kBlocks)
    product_kernel(const __grid_constant__ Product p, const __grid_constant__ Maps maps, int64_t tiles_m,
                   int64_t tiles, int64_t all_tiles) {
  auto& s = *reinterpret_cast<Shared<Tile>*>(
      (reinterpret_cast<uintptr_t>(shared_memory<char>()) + kAtomBytes - 1) / kAtomBytes * kAtomBytes);
  if (threadIdx.x == 0) {
    for (int i = 0; i < Tile::kStages; i++) {
      barrier_init(&s.full[i], 1 + (L::a_gathered || L::b_gathered ? kGroup : 0));
      barrier_init(&s.empty[i], Tile::kM / 64 * kGroup / 32);
    }
    barrier_init_done();
  }
  __syncthreads();
  const int group = static_cast<int>(threadIdx.x) / kGroup;
  // A wide tile's sums need what its feeding warpgroup can give.
  constexpr bool kWide = Tile::kM == 128;
  if (group == 0) {
    if constexpr (kWide) fewer_registers<56>();
    if (L::a_gathered || L::b_gathered || threadIdx.x < 32)
      feed<Tile, L>(s, p, maps, tiles_m, tiles, all_tiles);
  } else {
    if constexpr (kWide) more_registers<224>();
    consume<Tile, L, kEpilogue>(s, p, tiles_m, tiles, all_tiles, group - 1);
  }
}

// [experts or 1, rows, width] of an operand in boxes of 64 columns.
TensorMap map(const Product& p, const Operand& operand, const void* data, int64_t rows, int64_t width,
              int box = 64) {
  const bool experts = operand.expert_stride > 0;
  return make_tensor_map({data,
                          {width, rows, experts ? p.experts : 1},
                          {operand.stride, experts ? operand.expert_stride : operand.stride},
                          {kPanel, box, 1}});
}

// k rows, or k columns.
TensorMap map_a(const Product& p, const void* data) {
  return p.a.transposed ? map(p, p.a, data, p.rows, p.m) : map(p, p.a, data, p.rows, p.k);
}
template <typename Tile>
TensorMap map_b(const Product& p, const void* data) {
  if (p.grouping == Grouping::kDepth) return map(p, p.b, data, p.rows, p.n);
  return p.b.transposed ? map(p, p.b, data, p.k, p.n) : map(p, p.b, data, p.n, p.k, box_rows<Tile>(p));
}

template <typename Tile, typename L, Epilogue kEpilogue>
void launch_product(Context& context, const char* name, const Product& p) {
  Maps maps{};
  if (!L::a_gathered) maps.a = map_a(p, p.a.data), maps.second_a = p.a.second ? map_a(p, p.a.second) : maps.a;
  if (!L::b_gathered)
    maps.b = map_b<Tile>(p, p.b.data), maps.second_b = p.b.second ? map_b<Tile>(p, p.b.second) : maps.b;
  const int64_t columns = p.pairing == Pairing::kColumns ? Tile::kN / 2 : Tile::kN;
  const int64_t tiles_m = count_tiles(p, Tile::kM), tiles = tiles_m * ceil_div(p.n, columns);
  const int64_t all_tiles = p.grouping == Grouping::kDepth ? tiles * p.experts : tiles;
  launch(context, name, product_kernel<Tile, L, kEpilogue>,
         dim3(std::min<int64_t>(all_tiles, Tile::kBlocks * context.multiprocessors)), kThreads<Tile>,
         sizeof(Shared<Tile>) + kAtomBytes, p, maps, tiles_m, tiles, all_tiles);
}

// The products of experts' rows. A thin tile gathers all its rows, of which most may not be there.
template <typename Tile>
void launch_rows(Context& context, const char* name, const Product& p, Epilogue epilogue) {
  constexpr bool kGathered = Tile::kM == 64;
  if (epilogue == Epilogue::kSwiglu)
    launch_product<Tile, Layout<false, false, true, false>, Epilogue::kSwiglu>(context, name, p);
  else if (epilogue == Epilogue::kSwigluBackward)
    launch_product<Tile, Layout<false, true, true, false>, Epilogue::kSwigluBackward>(context, name, p);
  else if (p.b.transposed)
    launch_product<Tile, Layout<false, true, kGathered, false>, Epilogue::kStore>(context, name, p);
  else
    launch_product<Tile, Layout<false, false, kGathered, false>, Epilogue::kStore>(context, name, p);
}

bool can_map(const Operand& operand) {
  return operand.dtype == MM_DTYPE_BF16 && divisible(operand.data, 16) && divisible(operand.second, 16) &&
         operand.stride % 8 == 0 && operand.expert_stride % 8 == 0;
}

// Whether results can leave 16 bytes at a time, as rows do.
bool can_send(const Product& p, Epilogue epilogue) {
  if (p.grouping == Grouping::kDepth) return true;
  for (const void* to : {p.c, p.gate, p.up, p.dgate, p.dup}) {
    if (!divisible(to, 16)) return false;
  }
  return epilogue != Epilogue::kStore ||
         (p.c_dtype == MM_DTYPE_F32 && p.c_stride % 4 == 0 && !p.accumulate && !p.scale);
}

}  // namespace

bool multiply_sm90(Context& context, const char* name, const Product& p, Epilogue epilogue) {
  // The sizes that run along stored rows; the other one, the sorted rows, may be any.
  const bool whole = p.n % 8 == 0 && (p.grouping == Grouping::kDepth ? p.m : p.k) % 8 == 0;
  if (context.capability != 90 || p.grouping == Grouping::kNone || !whole || !can_map(p.a) || !can_map(p.b) ||
      !can_send(p, epilogue))
    return false;
  if (p.grouping == Grouping::kRows)
    ceil_div(p.rows, std::min(p.experts, p.rows)) <= ThinTile::kM
        ? launch_rows<ThinTile>(context, name, p, epilogue)
        : launch_rows<WideTile>(context, name, p, epilogue);
  else if (p.a.gather)
    launch_product<WideTile, Layout<true, true, true, false>, Epilogue::kStore>(context, name, p);
  else
    launch_product<WideTile, Layout<true, true, false, true>, Epilogue::kStore>(context, name, p);
  return true;
}

}  // namespace mm::cuda
