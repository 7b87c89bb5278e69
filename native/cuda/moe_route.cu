// Routing: the experts of each token, their weights, and the slots sorted by expert.
// p_e / (sum of the picked p) is the softmax over the picked logits alone, as the denominator of p cancels;
// so weights need neither the other experts nor p itself, and a single expert's weight is exactly 1. A warp a
// token.
// The sort is a stable counting sort without atomics. The slots are cut into segments of a warp each, which
// goes over 32 slots at a time: count [experts, segments], scan the segments of each expert, scan the
// experts, place. A few slots, as in decoding, are one segment: a single block then routes and sorts in one
// kernel. What is wrong with recorded picks is reported, and sorted as if it was in range.
#include "cuda/moe.cuh"
#include "cuda/ops.h"

namespace mm::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kScanThreads = 1024;
constexpr int64_t kSegmentSlots = 512;            // at least, where there are more segments than one
constexpr int64_t kMaxCounts = int64_t{1} << 18;  // experts * segments, if there are not more experts

__device__ __forceinline__ int32_t in_range(int32_t expert, int64_t experts) {
  return expert >= 0 && expert < experts ? expert : 0;
}

// Recorded picks must name distinct experts.
__device__ void check_picks(const int32_t* picks, int64_t experts, int64_t top_k, int32_t* fault) {
  for (int64_t i = threadIdx.x % 32; i < top_k; i += 32) {
    bool bad = picks[i] < 0 || picks[i] >= experts;
    for (int64_t j = 0; j < i; j++) bad |= picks[i] == picks[j];
    if (bad) *fault = static_cast<int32_t>(Fault::kExpertIndex);
  }
}

// The softmax over the picked logits of a row.
struct PickedSoftmax {
  const float* logits;
  const int32_t* picks;
  int64_t experts;
  float largest = -INFINITY, total = 0;

  __device__ PickedSoftmax(const float* row, const int32_t* row_picks, int64_t count, int64_t top_k,
                           int32_t* fault)
      : logits(row), picks(row_picks), experts(count) {
    const int64_t lane = threadIdx.x % 32;
    for (int64_t i = lane; i < top_k; i += 32) largest = fmaxf(largest, logit(i));
    largest = warp_max(largest);
    if (largest == -INFINITY) *fault = static_cast<int32_t>(Fault::kRouterLogits);
    for (int64_t i = lane; i < top_k; i += 32) total += expf(logit(i) - largest);
    total = warp_sum(total);
  }

  __device__ float logit(int64_t i) const { return logits[in_range(picks[i], experts)]; }
  __device__ float weight(int64_t i) const { return expf(logit(i) - largest) / total; }
};

__device__ void route_row(const mm_moe_route_forward_params& p, int64_t token, int32_t* fault) {
  const int lane = threadIdx.x % 32;
  const float* logits = p.logits + token * p.experts;
  int32_t* picks = p.expert_index + token * p.top_k;
  float* weights = p.expert_weight + token * p.top_k;
  largest_logit(logits, p.experts, fault);
  if (p.replay) {
    check_picks(picks, p.experts, p.top_k, fault);
  } else {
    Pick pick = no_pick();
    for (int64_t i = 0; i < p.top_k; i++) {
      pick = next_pick(logits, p.experts, pick);
      if (lane == 0) picks[i] = pick.expert;
    }
    __syncwarp();
  }
  const PickedSoftmax softmax(logits, picks, p.experts, p.top_k, fault);
  for (int64_t i = lane; i < p.top_k; i += 32) weights[i] = softmax.weight(i);
}

__global__ void __launch_bounds__(kThreads) route_rows(mm_moe_route_forward_params p, int32_t* fault) {
  const int64_t token = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (token < p.tokens) route_row(p, token, fault);
}

// ---- sort

// Of the slots that a warp goes over at once, those of the same expert.
struct Group {
  int32_t expert;  // -1 beyond the end
  int rank, size;

  __device__ Group(const mm_moe_route_forward_params& p, int64_t slot, int64_t last) {
    const int lane = threadIdx.x % 32;
    expert = slot < last ? in_range(p.expert_index[slot], p.experts) : -1;
    const unsigned mask = __match_any_sync(0xffffffffu, expert);
    rank = __popc(mask & ((1u << lane) - 1));
    size = __popc(mask);
  }
  __device__ bool leads() const { return expert >= 0 && rank == 0; }
};

// counts[e * stride] += the slots of expert e in [first, last).
__device__ void count_slots(const mm_moe_route_forward_params& p, int64_t first, int64_t last,
                            int32_t* counts, int64_t stride) {
  for (int64_t base = first; base < last; base += 32) {
    const Group group(p, base + threadIdx.x % 32, last);
    if (group.leads()) counts[group.expert * stride] += group.size;
    __syncwarp();
  }
}

// Slots in ascending order to the rows offsets[e] + next[e * stride], which advances.
__device__ void place_slots(const mm_moe_route_forward_params& p, int64_t first, int64_t last,
                            const int32_t* offsets, int32_t* next, int64_t stride) {
  for (int64_t base = first; base < last; base += 32) {
    const int64_t slot = base + threadIdx.x % 32;
    const Group group(p, slot, last);
    int32_t row = 0;
    if (group.expert >= 0) row = offsets[group.expert] + next[group.expert * stride] + group.rank;
    __syncwarp();
    if (group.leads()) next[group.expert * stride] += group.size;
    __syncwarp();
    if (group.expert < 0) continue;
    p.row_slot[row] = static_cast<int32_t>(slot);
    p.slot_row[slot] = row;
  }
}

// The sum of the values of this thread and those before it in the warp.
__device__ int32_t warp_scan(int32_t sum) {
  for (int delta = 1; delta < 32; delta *= 2) {
    const int32_t other = __shfl_up_sync(0xffffffffu, sum, delta);
    if (static_cast<int>(threadIdx.x % 32) >= delta) sum += other;
  }
  return sum;
}

// Each value becomes the sum of those before it; returns the sum of all. By a block of kScanThreads.
__device__ int32_t block_scan(int32_t* values, int64_t count) {
  int32_t* sums = shared_memory<int32_t>();  // of the warps
  const int warp = threadIdx.x / 32;
  int32_t before = 0;
  for (int64_t base = 0; base < count; base += kScanThreads) {
    const int64_t i = base + threadIdx.x;
    const int32_t value = i < count ? values[i] : 0, sum = warp_scan(value);
    if (threadIdx.x % 32 == 31) sums[warp] = sum;
    __syncthreads();
    int32_t all = 0, warps_before = 0;
    for (int w = 0; w < kScanThreads / 32; w++) {
      if (w < warp) warps_before += sums[w];
      all += sums[w];
    }
    if (i < count) values[i] = before + warps_before + sum - value;
    before += all;
    __syncthreads();
  }
  return before;
}

struct Segments {
  int64_t count, slots;  // of each, a multiple of 32
};

__global__ void __launch_bounds__(kThreads)
    count_segments(mm_moe_route_forward_params p, Segments segments, int32_t* counts) {
  const int64_t segment = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (segment >= segments.count) return;
  const int64_t first = segment * segments.slots, last = min(first + segments.slots, p.tokens * p.top_k);
  count_slots(p, first, last, counts + segment, segments.count);
}

// A warp an expert; the expert's total goes where its offset will be.
__global__ void __launch_bounds__(kThreads)
    scan_segments(int32_t* counts, int64_t segments, int32_t* expert_offsets, int64_t experts) {
  const int64_t expert = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (expert >= experts) return;
  int32_t before = 0;
  for (int64_t base = 0; base < segments; base += 32) {
    const int64_t i = base + threadIdx.x % 32;
    const int32_t value = i < segments ? counts[expert * segments + i] : 0, sum = warp_scan(value);
    if (i < segments) counts[expert * segments + i] = before + sum - value;
    before += __shfl_sync(0xffffffffu, sum, 31);
  }
  if (threadIdx.x % 32 == 0) expert_offsets[expert] = before;
}

__global__ void __launch_bounds__(kScanThreads) scan_experts(int32_t* expert_offsets, int64_t experts) {
  const int32_t total = block_scan(expert_offsets, experts);
  if (threadIdx.x == 0) expert_offsets[experts] = total;
}

__global__ void __launch_bounds__(kThreads)
    place_segments(mm_moe_route_forward_params p, Segments segments, int32_t* next) {
  const int64_t segment = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (segment >= segments.count) return;
  const int64_t first = segment * segments.slots, last = min(first + segments.slots, p.tokens * p.top_k);
  place_slots(p, first, last, p.expert_offsets, next + segment, segments.count);
}

// Everything at once, where the slots are few.
__global__ void __launch_bounds__(kScanThreads)
    route_and_sort(mm_moe_route_forward_params p, int32_t* next, int32_t* fault) {
  const int warp = threadIdx.x / 32;
  for (int64_t e = threadIdx.x; e < p.experts; e += kScanThreads) p.expert_offsets[e] = next[e] = 0;
  for (int64_t token = warp; token < p.tokens; token += kScanThreads / 32) route_row(p, token, fault);
  __syncthreads();
  if (warp == 0) count_slots(p, 0, p.tokens * p.top_k, p.expert_offsets, 1);
  __syncthreads();
  const int32_t total = block_scan(p.expert_offsets, p.experts);
  if (threadIdx.x == 0) p.expert_offsets[p.experts] = total;
  if (warp == 0) place_slots(p, 0, p.tokens * p.top_k, p.expert_offsets, next, 1);
}

// ---- backward

// dlogit of pick i = weight_i (dweight_i - sum_j weight_j dweight_j); the other experts do not take part.
__global__ void __launch_bounds__(kThreads)
    route_rows_backward(mm_moe_route_backward_params p, int32_t* fault) {
  const int64_t token = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (token >= p.tokens) return;
  const int32_t* picks = p.expert_index + token * p.top_k;
  const float* dweight = p.dweight + token * p.top_k;
  float* dlogits = p.dlogits + token * p.experts;
  check_picks(picks, p.experts, p.top_k, fault);
  const PickedSoftmax softmax(p.logits + token * p.experts, picks, p.experts, p.top_k, fault);
  float mean = 0;
  for (int64_t i = lane; i < p.top_k; i += 32) mean += softmax.weight(i) * dweight[i];
  mean = warp_sum(mean);
  for (int64_t e = lane; e < p.experts; e += 32) dlogits[e] = 0;
  __syncwarp();
  for (int64_t i = lane; i < p.top_k; i += 32)
    dlogits[in_range(picks[i], p.experts)] = softmax.weight(i) * (dweight[i] - mean);
}

dim3 grid_of(int64_t warps) { return dim3(static_cast<unsigned>(ceil_div(warps, kWarps))); }

Segments segments_of(int64_t slots, int64_t experts) {
  const int64_t most = max(int64_t{1}, kMaxCounts / experts);
  const int64_t of_each = ceil_div(max(kSegmentSlots, ceil_div(slots, most)), 32) * 32;
  return {ceil_div(slots, of_each), of_each};
}

}  // namespace

void moe_route_forward(Context& context, const mm_moe_route_forward_params& p) {
  constexpr int64_t scan_bytes = kScanThreads / 32 * sizeof(int32_t);
  const Segments segments = segments_of(p.tokens * p.top_k, p.experts);
  Workspace<int32_t> counts(context, p.experts * max(segments.count, int64_t{1}));
  if (segments.count <= 1) {
    launch(context, "moe_route_forward", route_and_sort, dim3(1), kScanThreads, scan_bytes, p, counts,
           context.fault);
    return;
  }
  launch(context, "moe_route_forward", route_rows, grid_of(p.tokens), kThreads, 0, p, context.fault);
  zero(context.stream, counts, p.experts * segments.count * static_cast<int64_t>(sizeof(int32_t)));
  const dim3 grid = grid_of(segments.count);
  launch(context, "moe_route_forward: count", count_segments, grid, kThreads, 0, p, segments, counts);
  launch(context, "moe_route_forward: scan", scan_segments, grid_of(p.experts), kThreads, 0, counts,
         segments.count, p.expert_offsets, p.experts);
  launch(context, "moe_route_forward: offsets", scan_experts, dim3(1), kScanThreads, scan_bytes,
         p.expert_offsets, p.experts);
  launch(context, "moe_route_forward: place", place_segments, grid, kThreads, 0, p, segments, counts);
}

void moe_route_backward(Context& context, const mm_moe_route_backward_params& p) {
  launch(context, "moe_route_backward", route_rows_backward, grid_of(p.tokens), kThreads, 0, p,
         context.fault);
}

}  // namespace mm::cuda
