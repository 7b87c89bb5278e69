// Tiles of products on tensor cores, fed by asynchronous copies (see product.cuh).
#pragma once

#include "cuda/product.cuh"

namespace mm::cuda {

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

}  // namespace mm::cuda
