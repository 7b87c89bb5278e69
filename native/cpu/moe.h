// What routing and the auxiliary loss share: the choice of the experts of a row.
#pragma once

#include "cpu/vec.h"

namespace mm::MM_ISA_NS {

// The largest logit of a row. There is no softmax of a row with a NaN, or of one whose largest is infinite.
inline float largest_logit(const float* logits, int64_t experts, int64_t row) {
  float largest = -__builtin_inff();
  for (int64_t e = 0; e < experts; e++) {
    if (logits[e] != logits[e]) {
      fail(MM_STATUS_INVALID_ARGUMENT, "the router logit of row %lld, expert %lld is NaN",
           static_cast<long long>(row), static_cast<long long>(e));
    }
    largest = logits[e] > largest ? logits[e] : largest;
  }
  MM_REQUIRE(__builtin_isfinite(largest), "the largest router logit of row %lld is %g",
             static_cast<long long>(row), static_cast<double>(largest));
  return largest;
}

// The top_k experts in descending order of their logits, which is that of the probabilities without their
// rounding; among equals the lower index comes first.
inline void pick_experts(const float* logits, int64_t experts, int64_t top_k, int32_t* picks) {
  for (int64_t e = 0; e < experts; e++) {
    int64_t place = min64(e, top_k);
    for (; place > 0 && logits[e] > logits[picks[place - 1]]; place--) {
      if (place < top_k) picks[place] = picks[place - 1];
    }
    if (place < top_k) picks[place] = static_cast<int32_t>(e);
  }
}

}  // namespace mm::MM_ISA_NS
