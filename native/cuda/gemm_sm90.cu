// The experts' products on Hopper: those of product.cuh, of bf16, with wgmma.
//
// Blocks stay and take tile after tile of all experts' (128 x 256, depth 64 a stage, four stages). A
// warpgroup feeds: what lies in rows as it is needed by TMA, rows that are gathered by asynchronous copies;
// two warpgroups multiply, 64 rows each, while the next tile is on its way. Operands lie in shared memory as
// they are stored; wgmma takes either order. With pairing kColumns a tile is 128 columns of each of two
// products, which meet in a thread's registers.
//
// One shape of tile and one chain over ascending k for every number of rows: a row's bits depend on nothing
// but itself.
#include <algorithm>

#include "cuda/gemm_sm90.h"
#include "cuda/hopper.cuh"

namespace mm::cuda {
namespace {

constexpr int kM = 128, kN = 256, kK = 64, kStages = 4;
constexpr int kGroup = 128;  // threads of a warpgroup
constexpr int kThreads = 3 * kGroup;
constexpr int kPanelElements = 64 * kPanel;  // 64 rows of 64

struct Stage {
  bf16 a[kM / 64][kPanelElements];
  bf16 b[kN / 64][kPanelElements];
};
struct Shared {
  Stage stages[kStages];
  Barrier full[kStages], empty[kStages];
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

struct Position {
  int stage = 0;
  unsigned phase = 0;
  __device__ __forceinline__ void next() {
    if (++stage == kStages) stage = 0, phase ^= 1u;
  }
};

// Tile `index` of all of them; false if its expert has fewer.
__device__ bool find_tile(const Product& p, int64_t index, int64_t tiles_m, int64_t tiles, TilePlace& place) {
  const int64_t columns = p.pairing == Pairing::kColumns ? kN / 2 : kN;
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
template <typename L>
__device__ void load_step(Shared& s, const Position& at, const Product& p, const Maps& maps,
                          const TilePlace& place, bool second, int64_t k) {
  Stage& stage = s.stages[at.stage];
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
      if constexpr (!L::b_gathered) {
        for (int i = 0; i < kN / 64; i++) {
          const bool upper = p.pairing == Pairing::kColumns && i >= kN / 128;
          const TensorMap* map = upper || second ? &maps.second_b : &maps.b;
          const int column = static_cast<int>(place.column) + 64 * (upper ? i - kN / 128 : i);
          if constexpr (!L::b_across)
            load_box(stage.b[i], map, full, static_cast<int>(k), column, expert);
          else
            load_box(stage.b[i], map, full, column,
                     p.grouping == Grouping::kDepth ? depth : static_cast<int>(k),
                     p.grouping == Grouping::kDepth ? 0 : expert);
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

template <typename L>
__device__ void feed(Shared& s, const Product& p, const Maps& maps, int64_t tiles_m, int64_t tiles,
                     int64_t all_tiles) {
  Position at;
  for (int64_t index = blockIdx.x; index < all_tiles; index += gridDim.x) {
    TilePlace place;
    if (!find_tile(p, index, tiles_m, tiles, place)) continue;
    const int steps = steps_of(p, place), single = p.pairing == Pairing::kDepth ? steps / 2 : steps;
    for (int step = 0; step < steps; step++, at.next()) {
      barrier_wait(&s.empty[at.stage], at.phase ^ 1u);
      const bool second = step >= single;
      load_step<L>(s, at, p, maps, place, second, int64_t{kK} * (second ? step - single : step));
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

template <typename L>
__device__ __forceinline__ void multiply_step(float (&sums)[kN / 2], const Stage& stage, int group) {
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

template <Epilogue kEpilogue>
__device__ __forceinline__ void finish(const Product& p, const TilePlace& place, const float (&sums)[kN / 2],
                                       int group) {
  const int lane = threadIdx.x % 32, warp = static_cast<int>(threadIdx.x) / 32 % 4;
#pragma unroll
  for (int upper = 0; upper < 2; upper++) {
    const int64_t row = place.row + 64 * group + 16 * warp + lane / 4 + 8 * upper;
    const bool inside = row < place.m;
#pragma unroll
    for (int c = 0; c < kN / 8; c++) {
      const int64_t column = place.column + 8 * c + 2 * (lane % 4);
      const float first = sums[4 * c + 2 * upper], second = sums[4 * c + 2 * upper + 1];
      if constexpr (kEpilogue == Epilogue::kStore) {
        if (inside) store(p, place, row, column, first, second);
      } else if constexpr (kEpilogue == Epilogue::kSwiglu) {
        constexpr int kUp = kN / 4;  // where the other product's sums are
        if (c < kN / 16 && inside) {
          swiglu<bf16>(p, place, row, column, make_float2(first, second),
                       make_float2(sums[(4 * c + 2 * upper + kUp) % (kN / 2)],
                                   sums[(4 * c + 2 * upper + 1 + kUp) % (kN / 2)]));
        }
      } else {
        float dot = inside ? swiglu_backward<bf16>(p, place, row, column, make_float2(first, second)) : 0.0f;
        dot += __shfl_xor_sync(0xffffffffu, dot, 1);
        dot += __shfl_xor_sync(0xffffffffu, dot, 2);
        const int64_t groups = (p.n + kTensorDotColumns - 1) / kTensorDotColumns;
        if (inside && lane % 4 == 0 && column < p.n)
          p.dots[(place.first + row) * groups + column / kTensorDotColumns] = dot;
      }
    }
  }
}

template <typename L, Epilogue kEpilogue>
__device__ void consume(Shared& s, const Product& p, int64_t tiles_m, int64_t tiles, int64_t all_tiles,
                        int group) {
  Position at;
  for (int64_t index = blockIdx.x; index < all_tiles; index += gridDim.x) {
    TilePlace place;
    if (!find_tile(p, index, tiles_m, tiles, place)) continue;
    const int steps = steps_of(p, place);
    float sums[kN / 2];
#pragma unroll
    for (int i = 0; i < kN / 2; i++) sums[i] = 0.0f;
    int before = -1;  // the stage whose product may still run
    for (int step = 0; step < steps; step++, at.next()) {
      barrier_wait(&s.full[at.stage], at.phase);
      // The copies of other threads, seen by this one, are to be seen by wgmma.
      if constexpr (L::a_gathered || L::b_gathered) shared_writes_done();
      if constexpr (L::a_across && !L::a_gathered) {
        if (step == steps - 1 && place.k % kK)
          clear_depth(s.stages[at.stage].a[group], static_cast<int>(place.k % kK), group);
      }
      multiply_step<L>(sums, s.stages[at.stage], group);
      wgmma_wait<1>();
      if (before >= 0) release(&s.empty[before]);
      before = at.stage;
    }
    wgmma_wait<0>();
    if (before >= 0) release(&s.empty[before]);
    finish<kEpilogue>(p, place, sums, group);
  }
}

template <typename L, Epilogue kEpilogue>
__global__ void __launch_bounds__(kThreads, 1)
    product_kernel(const __grid_constant__ Product p, const __grid_constant__ Maps maps, int64_t tiles_m,
                   int64_t tiles, int64_t all_tiles) {
  auto& s = *reinterpret_cast<Shared*>((reinterpret_cast<uintptr_t>(shared_memory<char>()) + kAtomBytes - 1) /
                                       kAtomBytes * kAtomBytes);
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; i++) {
      barrier_init(&s.full[i], 1 + (L::a_gathered || L::b_gathered ? kGroup : 0));
      barrier_init(&s.empty[i], 2 * kGroup / 32);
    }
    barrier_init_done();
  }
  __syncthreads();
  const int group = static_cast<int>(threadIdx.x) / kGroup;
  if (group == 0) {
    fewer_registers<56>();
    if (L::a_gathered || L::b_gathered || threadIdx.x < 32) feed<L>(s, p, maps, tiles_m, tiles, all_tiles);
  } else {
    more_registers<224>();
    consume<L, kEpilogue>(s, p, tiles_m, tiles, all_tiles, group - 1);
  }
}

// [experts or 1, rows, width] of an operand in boxes of 64 by 64.
TensorMap map(const Product& p, const Operand& operand, const void* data, int64_t rows, int64_t width) {
  const bool experts = operand.expert_stride > 0;
  return make_tensor_map({data,
                          {width, rows, experts ? p.experts : 1},
                          {operand.stride, experts ? operand.expert_stride : operand.stride},
                          {kPanel, 64, 1}});
}

// k rows, or k columns.
TensorMap map_a(const Product& p, const void* data) {
  return p.a.transposed ? map(p, p.a, data, p.rows, p.m) : map(p, p.a, data, p.rows, p.k);
}
TensorMap map_b(const Product& p, const void* data) {
  if (p.grouping == Grouping::kDepth) return map(p, p.b, data, p.rows, p.n);
  return p.b.transposed ? map(p, p.b, data, p.k, p.n) : map(p, p.b, data, p.n, p.k);
}

template <typename L, Epilogue kEpilogue>
void launch_product(Context& context, const char* name, const Product& p) {
  Maps maps{};
  if (!L::a_gathered) maps.a = map_a(p, p.a.data), maps.second_a = p.a.second ? map_a(p, p.a.second) : maps.a;
  if (!L::b_gathered) maps.b = map_b(p, p.b.data), maps.second_b = p.b.second ? map_b(p, p.b.second) : maps.b;
  const int64_t columns = p.pairing == Pairing::kColumns ? kN / 2 : kN;
  const int64_t tiles_m = count_tiles(p, kM), tiles = tiles_m * ceil_div(p.n, columns);
  const int64_t all_tiles = p.grouping == Grouping::kDepth ? tiles * p.experts : tiles;
  launch(context, name, product_kernel<L, kEpilogue>,
         dim3(std::min<int64_t>(all_tiles, context.multiprocessors)), kThreads, sizeof(Shared) + kAtomBytes,
         p, maps, tiles_m, tiles, all_tiles);
}

bool can_map(const Operand& operand) {
  return operand.dtype == MM_DTYPE_BF16 && divisible(operand.data, 16) && divisible(operand.second, 16) &&
         operand.stride % 8 == 0 && operand.expert_stride % 8 == 0;
}

}  // namespace

bool multiply_sm90(Context& context, const char* name, const Product& p, Epilogue epilogue) {
  const bool gathered_a = p.a.gather != nullptr, gathered_b = p.b.gather != nullptr;
  // The sizes that run along stored rows; the other one, the sorted rows, may be any.
  const bool whole = p.n % 8 == 0 && (p.grouping == Grouping::kDepth ? p.m : p.k) % 8 == 0;
  if (context.capability != 90 || p.grouping == Grouping::kNone || !whole || !can_map(p.a) || !can_map(p.b))
    return false;
  if (epilogue == Epilogue::kSwiglu)
    launch_product<Layout<false, false, true, false>, Epilogue::kSwiglu>(context, name, p);
  else if (epilogue == Epilogue::kSwigluBackward)
    launch_product<Layout<false, true, true, false>, Epilogue::kSwigluBackward>(context, name, p);
  else if (p.grouping == Grouping::kRows)
    p.b.transposed ? launch_product<Layout<false, true, false, false>, Epilogue::kStore>(context, name, p)
                   : launch_product<Layout<false, false, false, false>, Epilogue::kStore>(context, name, p);
  else if (gathered_a && !gathered_b)
    launch_product<Layout<true, true, true, false>, Epilogue::kStore>(context, name, p);
  else
    launch_product<Layout<true, true, false, true>, Epilogue::kStore>(context, name, p);
  return true;
}

}  // namespace mm::cuda
