// Entry of sampling.h.
#include "runtime/context.h"

namespace mm {
namespace {

void check(const mm_sample_params& p) {
  MM_REQUIRE_SIZE(rows);
  MM_REQUIRE_POSITIVE(vocabulary);
  MM_REQUIRE(p.rows == 0 || (p.logits && p.temperature && p.top_p && p.min_p && p.top_k && p.seed &&
                             p.position && p.token && p.logp),
             "an array is null");
}

}  // namespace
}  // namespace mm

MM_ENTRY(sample)
