// Tiles of products in fp32 arithmetic, of operands in any dtype and order (see product.cuh).
#pragma once

#include "cuda/product.cuh"

namespace mm::cuda {

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

}  // namespace mm::cuda
