// Entries of lightning_attention.h.
#include "runtime/context.h"

namespace mm {
namespace {

template <typename Params>
void check_sizes(const Params& p) {
  MM_REQUIRE_POSITIVE(heads);
  MM_REQUIRE_POSITIVE(dim_k);
  MM_REQUIRE_POSITIVE(dim_v);
  MM_REQUIRE_POINTER(slopes);
  MM_REQUIRE_FLOAT(dtype);
}

void check(const mm_lightning_attention_forward_params& p) {
  check_sizes(p);
  MM_REQUIRE_SIZE(sequences);
  MM_REQUIRE_SIZE(tokens);
  MM_REQUIRE_POINTER(cu_seqlens);
  MM_REQUIRE(p.tokens == 0 || (p.q && p.k && p.v && p.o), "q, k, v or o is null");
}

void check(const mm_lightning_attention_backward_params& p) {
  check_sizes(p);
  MM_REQUIRE_SIZE(sequences);
  MM_REQUIRE_SIZE(tokens);
  MM_REQUIRE_POINTER(cu_seqlens);
  MM_REQUIRE(p.tokens == 0 || (p.q && p.k && p.v && p.d_o && p.dq && p.dk && p.dv),
             "q, k, v, d_o, dq, dk or dv is null");
}

void check(const mm_lightning_attention_decode_params& p) {
  check_sizes(p);
  MM_REQUIRE_SIZE(batch);
  MM_REQUIRE(p.batch == 0 || (p.q && p.k && p.v && p.o && p.state && p.state_slots),
             "q, k, v, o, state or state_slots is null");
}

}  // namespace
}  // namespace mm

MM_ENTRY(lightning_attention_forward)
MM_ENTRY(lightning_attention_backward)
MM_ENTRY(lightning_attention_decode)
