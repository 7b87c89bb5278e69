// Which tile a product takes, and its launch.
#pragma once

#include "cuda/gemm_float.cuh"
#include "cuda/gemm_tensor.cuh"

namespace mm::cuda {

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
