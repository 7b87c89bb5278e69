// Packed sequences: offsets are followed only after they have been checked.
#pragma once

#include "runtime/error.h"

namespace mm::MM_ISA_NS {

// offsets [sequences + 1] rise, each sequence has at most `longest` tokens, and all lie within `tokens`.
inline void check_offsets(const char* name, const int32_t* offsets, int64_t sequences, int64_t tokens,
                          int64_t longest) {
  MM_REQUIRE(offsets[0] >= 0, "%s starts with %d", name, offsets[0]);
  for (int64_t i = 0; i < sequences; i++) {
    const int64_t length = int64_t{offsets[i + 1]} - offsets[i];
    MM_REQUIRE(length >= 0, "%s falls from %d to %d at sequence %lld", name, offsets[i], offsets[i + 1],
               static_cast<long long>(i));
    MM_REQUIRE(length <= longest, "%s: sequence %lld has %lld tokens, max_seqlen is %lld", name,
               static_cast<long long>(i), static_cast<long long>(length), static_cast<long long>(longest));
  }
  MM_REQUIRE(offsets[sequences] <= tokens, "%s ends with %d, there are %lld tokens", name, offsets[sequences],
             static_cast<long long>(tokens));
}

}  // namespace mm::MM_ISA_NS
