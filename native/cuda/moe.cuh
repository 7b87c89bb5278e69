// What routing and the auxiliary loss share: the choice of the experts of a row of logits, by a warp. Any
// number of experts: the row is read again (from the caches) for every pick.
#pragma once

#include "cuda/context.h"

namespace mm::cuda {

struct Pick {
  float logit;
  int32_t expert;
};

__device__ __forceinline__ bool precedes(Pick a, Pick b) {
  return a.logit > b.logit || (a.logit == b.logit && a.expert < b.expert);
}

// The pick after `last` in descending order of the logits, the lower index first among equals; all threads
// get it. Where NaNs leave none, it is expert 0.
__device__ __forceinline__ Pick next_pick(const float* logits, int64_t experts, Pick last) {
  Pick best = {-INFINITY, INT32_MAX};
  for (int64_t e = threadIdx.x % 32; e < experts; e += 32) {
    const Pick candidate = {logits[e], static_cast<int32_t>(e)};
    if (precedes(last, candidate) && precedes(candidate, best)) best = candidate;
  }
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) {
    const Pick other = {__shfl_xor_sync(0xffffffffu, best.logit, mask),
                        __shfl_xor_sync(0xffffffffu, best.expert, mask)};
    if (precedes(other, best)) best = other;
  }
  if (best.expert == INT32_MAX) best.expert = 0;
  return best;
}

// What comes before every pick.
__device__ __forceinline__ Pick no_pick() { return {INFINITY, -1}; }

// The largest logit of a row; a row with a NaN, or whose largest is infinite, is a fault.
__device__ __forceinline__ float largest_logit(const float* logits, int64_t experts, int32_t* fault) {
  float largest = -INFINITY;
  bool nan = false;
  for (int64_t e = threadIdx.x % 32; e < experts; e += 32) {
    largest = fmaxf(largest, logits[e]);
    nan |= logits[e] != logits[e];
  }
  largest = warp_max(largest);
  if (nan || fabsf(largest) == INFINITY) *fault = static_cast<int32_t>(Fault::kRouterLogits);
  return largest;
}

// The sum of the e^(logit - largest) of a row.
__device__ __forceinline__ float softmax_total(const float* logits, int64_t experts, float largest) {
  float total = 0;
  for (int64_t e = threadIdx.x % 32; e < experts; e += 32) total += expf(logits[e] - largest);
  return warp_sum(total);
}

}  // namespace mm::cuda
