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

template <typename Params>
void check_sequences(const Params& p) {
  check_sizes(p);
  MM_REQUIRE_SIZE(sequences);
  MM_REQUIRE_SIZE(tokens);
  MM_REQUIRE_SIZE(max_seqlen);
  MM_REQUIRE_POINTER(cu_seqlens);
}

// Rows that are written must not overlap, as they are written at the same time.
void check_strides(const char* name, int64_t tokens, int64_t token_stride, int64_t heads, int64_t head_stride,
                   int64_t width) {
  MM_REQUIRE(tokens <= 1 || token_stride >= width, "%s_token_stride is %lld, a row has %lld elements", name,
             static_cast<long long>(token_stride), static_cast<long long>(width));
  MM_REQUIRE(heads <= 1 || head_stride >= width, "%s_head_stride is %lld, a row has %lld elements", name,
             static_cast<long long>(head_stride), static_cast<long long>(width));
}

void check(const mm_lightning_attention_forward_params& p) {
  check_sequences(p);
  MM_REQUIRE(p.tokens == 0 || (p.q && p.k && p.v && p.o), "q, k, v or o is null");
  check_strides("o", p.tokens, p.o_token_stride, p.heads, p.o_head_stride, p.dim_v);
}

void check(const mm_lightning_attention_backward_params& p) {
  check_sequences(p);
  MM_REQUIRE(p.tokens == 0 || (p.q && p.k && p.v && p.d_o && p.dq && p.dk && p.dv),
             "q, k, v, d_o, dq, dk or dv is null");
  check_strides("dq", p.tokens, p.dq_token_stride, p.heads, p.dq_head_stride, p.dim_k);
  check_strides("dk", p.tokens, p.dk_token_stride, p.heads, p.dk_head_stride, p.dim_k);
  check_strides("dv", p.tokens, p.dv_token_stride, p.heads, p.dv_head_stride, p.dim_v);
}

void check(const mm_lightning_attention_decode_params& p) {
  check_sizes(p);
  MM_REQUIRE_SIZE(batch);
  MM_REQUIRE(p.batch == 0 || (p.q && p.k && p.v && p.o && p.state && p.state_slots),
             "q, k, v, o, state or state_slots is null");
  check_strides("o", p.batch, p.o_token_stride, p.heads, p.o_head_stride, p.dim_v);
}

}  // namespace
}  // namespace mm

MM_ENTRY(lightning_attention_forward)
MM_ENTRY(lightning_attention_backward)
MM_ENTRY(lightning_attention_decode)
