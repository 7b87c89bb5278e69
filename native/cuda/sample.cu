// Choosing the next token of each row, a block a row. The uniform number is splitmix64's mix of seed and
// position, 53 bits, so a row's choice depends on nothing else in the batch.
// Nothing is sorted: with e = exp((z - max) / temperature), the smallest e that top_k or top_p keeps is found
// by bisection over its bits, whose order is that of the values; once few enough candidates are left they are
// held in shared memory. Mass is counted in integers, `unit` to the largest e, so that sums do not depend on
// their order. Against sums of the exact e the mass of any set is short by less than vocabulary / unit
// < 2^-61 vocabulary^2 (2^-25 for 200,000 words), the largest e weighing 1: a cut or the choice can differ
// from exact arithmetic only if it falls that near a boundary, or if the rounding of e itself decides.
#include <math.h>

#include "cuda/ops.h"

namespace mm::cuda {
namespace {

constexpr int kThreads = 1024;
constexpr int kWarps = kThreads / 32;
constexpr int kCandidates = 8192;
constexpr uint32_t kAboveOne = 0x3f800001u;  // the bits after those of 1.0f

using Mass = unsigned long long;

struct Tally {
  Mass mass;
  int64_t count;
};

struct Shared {
  float values[kWarps];
  int64_t indices[kWarps];
  Tally tallies[kWarps];
  Mass masses[kWarps];
  uint32_t candidates[kCandidates];  // bits of e
  int candidate_count;
  int bad;
};

struct Row {
  const float* z;
  int64_t words;
  float maximum, scale, unit;

  // Never NaN: of a row whose largest logit is infinite nothing is left.
  __device__ float e(int64_t i) const {
    const float value = expf((z[i] - maximum) * scale);
    return value > 0 ? value : 0.0f;
  }
  __device__ Mass mass(float value) const { return static_cast<Mass>(value * unit); }
};

__device__ __forceinline__ uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

__device__ double uniform(int64_t seed, int64_t position) {
  const uint64_t key = mix(static_cast<uint64_t>(seed) + 0x9e3779b97f4a7c15ull);
  return static_cast<double>(mix(key + 0x9e3779b97f4a7c15ull * (static_cast<uint64_t>(position) + 1)) >> 11) *
         0x1p-53;
}

template <typename T>
__device__ __forceinline__ T warp_total(T x) {
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) x += __shfl_xor_sync(0xffffffffu, x, mask);
  return x;
}

__device__ Tally block_total(Tally x, Shared& s) {
  const int lane = threadIdx.x % 32;
  x = {warp_total(x.mass), warp_total(x.count)};
  if (lane == 0) s.tallies[threadIdx.x / 32] = x;
  __syncthreads();
  x = s.tallies[lane];
  __syncthreads();
  return {warp_total(x.mass), warp_total(x.count)};
}

// The largest logit, the lowest id among equals; a NaN in the row makes it -1.
__device__ int64_t largest(const float* z, int64_t words, Shared& s) {
  float value = -INFINITY;
  int64_t index = INT64_MAX;
  if (threadIdx.x == 0) s.bad = 0;
  __syncthreads();
  for (int64_t i = threadIdx.x; i < words; i += kThreads) {
    const float x = z[i];
    if (x != x) s.bad = 1;
    if (x > value || (x == value && i < index)) value = x, index = i;
  }
  for (int round = 0; round < 2; round++) {
#pragma unroll
    for (int mask = 16; mask > 0; mask >>= 1) {
      const float other = __shfl_xor_sync(0xffffffffu, value, mask);
      const int64_t other_index = __shfl_xor_sync(0xffffffffu, index, mask);
      if (other > value || (other == value && other_index < index)) value = other, index = other_index;
    }
    if (round == 1) break;
    if (threadIdx.x % 32 == 0) s.values[threadIdx.x / 32] = value, s.indices[threadIdx.x / 32] = index;
    __syncthreads();
    value = s.values[threadIdx.x % 32], index = s.indices[threadIdx.x % 32];
  }
  return s.bad ? -1 : index;
}

__device__ Tally tally_row(const Row& row, uint32_t least, Shared& s) {
  Tally tally = {0, 0};
  for (int64_t i = threadIdx.x; i < row.words; i += kThreads) {
    const float e = row.e(i);
    if (__float_as_uint(e) >= least) tally.mass += row.mass(e), tally.count++;
  }
  return block_total(tally, s);
}

__device__ Tally tally_candidates(const Row& row, uint32_t least, Shared& s) {
  Tally tally = {0, 0};
  for (int i = threadIdx.x; i < s.candidate_count; i += kThreads) {
    if (s.candidates[i] >= least) tally.mass += row.mass(__uint_as_float(s.candidates[i])), tally.count++;
  }
  return block_total(tally, s);
}

// The e of [low, high) to shared memory, in any order.
__device__ void gather(const Row& row, uint32_t low, uint32_t high, Shared& s) {
  if (threadIdx.x == 0) s.candidate_count = 0;
  __syncthreads();
  for (int64_t i = threadIdx.x; i < row.words; i += kThreads) {
    const uint32_t bits = __float_as_uint(row.e(i));
    if (bits >= low && bits < high) s.candidates[atomicAdd(&s.candidate_count, 1)] = bits;
  }
  __syncthreads();
}

struct Cut {
  float value;  // the largest e for which what is at least as large is accepted
  Tally above;  // what is larger
};

// accept(tally): whether the words of the tally are enough; all of them must be.
template <typename Accept>
__device__ Cut find_cut(const Row& row, Shared& s, Accept accept) {
  uint32_t low = 0, high = kAboveOne;
  Tally above = {0, 0};
  int64_t from_low = row.words;
  const auto step = [&](auto tally_from) {
    const uint32_t middle = low + (high - low) / 2;
    const Tally tally = tally_from(middle);
    if (accept(tally)) {
      low = middle, from_low = tally.count;
    } else {
      high = middle, above = tally;
    }
  };
  while (high - low > 1 && from_low - above.count > kCandidates)
    step([&](uint32_t least) { return tally_row(row, least, s); });
  if (high - low > 1) {
    gather(row, low, high, s);
    const Tally beyond = above;
    while (high - low > 1) {
      step([&](uint32_t least) {
        const Tally tally = tally_candidates(row, least, s);
        return Tally{beyond.mass + tally.mass, beyond.count + tally.count};
      });
    }
  }
  return {__uint_as_float(low), above};
}

// The smallest e that is kept: from the largest downwards until top_k or top_p is reached.
__device__ float threshold(const Row& row, int64_t top_k, float top_p, Shared& s) {
  Cut cut = {0, {0, 0}};
  if (top_k > 0 && top_k < row.words)
    cut = find_cut(row, s, [&](const Tally& t) { return t.count >= top_k; });
  if (!(top_p < 1)) return cut.value;
  // top_p applies to the distribution that top_k leaves; of the words equal to the last one only some are of
  // it.
  const Mass kept = top_k > 0 && top_k < row.words
                        ? cut.above.mass + static_cast<Mass>(top_k - cut.above.count) * row.mass(cut.value)
                        : tally_row(row, 0, s).mass;
  const double enough = static_cast<double>(top_p) * static_cast<double>(kept);
  return find_cut(row, s, [&](const Tally& t) { return static_cast<double>(t.mass) >= enough; }).value;
}

__device__ __forceinline__ Mass kept_mass(const Row& row, int64_t i, float smallest) {
  const float e = row.e(i);
  return e >= smallest && e > 0 ? row.mass(e) : 0;
}

// The first id, in ascending order, with which the mass exceeds `number` of all. Equal values at the
// threshold are all kept. The range is cut in a piece a warp until it is one of 32 words. 0 if nothing is
// kept.
__device__ int64_t choose(const Row& row, float smallest, double number, Shared& s) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int64_t first = 0, last = row.words, piece = 0;
  Mass at = 0;
  do {
    piece = (last - first + 32 * kWarps - 1) / (32 * kWarps) * 32;
    const int64_t begin = first + warp * piece, end = min(begin + piece, last);
    Mass mass = 0;
    for (int64_t i = begin + lane; i < end; i += 32) mass += kept_mass(row, i, smallest);
    mass = warp_total(mass);
    if (lane == 0) s.masses[warp] = mass;
    __syncthreads();
    if (first == 0 && last == row.words) {
      const Mass kept = warp_total(s.masses[lane]);
      if (kept == 0) return 0;
      at = min(static_cast<Mass>(number * static_cast<double>(kept)), kept - 1);
    }
    int w = 0;
    for (; s.masses[w] <= at; w++) at -= s.masses[w];
    first += w * piece, last = min(first + piece, last);
    __syncthreads();
  } while (piece > 32);
  Mass mass = first + lane < last ? kept_mass(row, first + lane, smallest) : 0;
  for (int delta = 1; delta < 32; delta *= 2) {
    const Mass before = __shfl_up_sync(0xffffffffu, mass, delta);
    if (lane >= delta) mass += before;
  }
  return first + __ffs(static_cast<int>(__ballot_sync(0xffffffffu, mass > at))) - 1;
}

__global__ void __launch_bounds__(kThreads) sample_rows(mm_sample_params p, float unit, int32_t* fault) {
  Shared& s = *shared_memory<Shared>();
  const int64_t r = blockIdx.x;
  const float* z = p.logits + r * p.vocabulary;
  const int64_t best = largest(z, p.vocabulary, s);
  if (best < 0) {
    if (threadIdx.x != 0) return;
    *fault = static_cast<int32_t>(Fault::kProbabilities);
    p.token[r] = 0, p.logp[r] = NAN;
    return;
  }
  Row row = {z, p.vocabulary, z[best], 1.0f, unit};
  const double total = static_cast<double>(tally_row(row, 0, s).mass) / static_cast<double>(unit);
  const float lse = row.maximum + static_cast<float>(log(total)), temperature = p.temperature[r];
  int64_t token = best;
  if (temperature > 0) {
    if (temperature != 1) row.scale = 1.0f / temperature;
    const bool cut = p.top_k[r] > 0 || p.top_p[r] < 1;
    const float smallest = cut ? threshold(row, p.top_k[r], p.top_p[r], s) : 0.0f;
    // The largest e is 1.
    token = choose(row, fmaxf(smallest, p.min_p[r]), uniform(p.seed[r], p.position[r]), s);
  }
  if (threadIdx.x != 0) return;
  p.token[r] = static_cast<int32_t>(token);
  p.logp[r] = z[token] - lse;
}

// A power of two, as large as the mass of a row of equal logits allows.
float unit_of(int64_t vocabulary) {
  int bits = 0;
  while ((int64_t{1} << bits) < vocabulary) bits++;
  return ldexpf(1.0f, 62 - bits);
}

}  // namespace

void sample(Context& context, const mm_sample_params& p) {
  launch(context, "sample", sample_rows, dim3(static_cast<unsigned>(p.rows)), kThreads, sizeof(Shared), p,
         unit_of(p.vocabulary), context.fault);
}

}  // namespace mm::cuda
