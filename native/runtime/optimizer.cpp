// Entries of optimizer.h.
#include "runtime/context.h"

namespace mm {
namespace {

void check(const mm_adamw_step_params& p) {
  MM_REQUIRE_SIZE(tensors);
  MM_REQUIRE_POSITIVE(step);
  MM_REQUIRE(p.tensors == 0 || (p.master && p.grad && p.m && p.v && p.counts && p.weight_decay),
             "an array is null");
  for (int64_t t = 0; t < p.tensors; t++) {
    MM_REQUIRE(p.counts[t] >= 0, "counts[%lld] is %lld", static_cast<long long>(t),
               static_cast<long long>(p.counts[t]));
    MM_REQUIRE(p.counts[t] == 0 || (p.master[t] && p.grad[t] && p.m[t] && p.v[t]),
               "a pointer of tensor %lld is null", static_cast<long long>(t));
  }
}

void check(const mm_grad_norm_params& p) {
  MM_REQUIRE_SIZE(tensors);
  MM_REQUIRE_POINTER(norm);
  MM_REQUIRE(p.tensors == 0 || (p.grad && p.counts), "grad or counts is null");
  for (int64_t t = 0; t < p.tensors; t++) {
    MM_REQUIRE(p.counts[t] >= 0 && (p.counts[t] == 0 || p.grad[t]), "grad or count of tensor %lld is wrong",
               static_cast<long long>(t));
  }
}

}  // namespace
}  // namespace mm

MM_ENTRY(adamw_step)
MM_ENTRY(grad_norm)
