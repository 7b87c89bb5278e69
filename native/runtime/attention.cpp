// Entries of attention.h.
#include "runtime/context.h"

namespace mm {
namespace {

template <typename Params>
void check_heads(const Params& p) {
  MM_REQUIRE_SIZE(sequences);
  MM_REQUIRE_SIZE(tokens_q);
  MM_REQUIRE_SIZE(max_seqlen_q);
  MM_REQUIRE_POSITIVE(heads);
  MM_REQUIRE_POSITIVE(kv_heads);
  MM_REQUIRE_POSITIVE(head_dim);
  MM_REQUIRE_SIZE(window);
  MM_REQUIRE(p.heads % p.kv_heads == 0, "%lld heads cannot share %lld kv_heads",
             static_cast<long long>(p.heads), static_cast<long long>(p.kv_heads));
  MM_REQUIRE_POINTER(cu_seqlens_q);
  MM_REQUIRE_FLOAT(dtype);
}

void check(const mm_attention_forward_params& p) {
  check_heads(p);
  MM_REQUIRE_SIZE(tokens_k);
  MM_REQUIRE_POINTER(cu_seqlens_k);
  MM_REQUIRE(p.tokens_q == 0 || (p.q && p.k && p.v && p.o), "q, k, v or o is null");
}

void check(const mm_attention_backward_params& p) {
  check_heads(p);
  MM_REQUIRE_SIZE(tokens_k);
  MM_REQUIRE_POINTER(cu_seqlens_k);
  MM_REQUIRE(p.tokens_q == 0 || (p.q && p.o && p.d_o && p.lse && p.dq), "q, o, d_o, lse or dq is null");
  MM_REQUIRE(p.tokens_k == 0 || (p.k && p.v && p.dk && p.dv), "k, v, dk or dv is null");
}

void check(const mm_attention_decode_params& p) {
  check_heads(p);
  MM_REQUIRE_POSITIVE(page_size);
  MM_REQUIRE_POSITIVE(max_pages);
  MM_REQUIRE(p.tokens_q == 0 || (p.q && p.k_cache && p.v_cache && p.o && p.kv_lens && p.block_table),
             "q, k_cache, v_cache, o, kv_lens or block_table is null");
}

void check(const mm_kv_cache_write_params& p) {
  MM_REQUIRE_SIZE(tokens);
  MM_REQUIRE_POSITIVE(kv_heads);
  MM_REQUIRE_POSITIVE(head_dim);
  MM_REQUIRE_FLOAT(dtype);
  MM_REQUIRE(p.tokens == 0 || (p.k && p.v && p.k_cache && p.v_cache && p.slots),
             "k, v, k_cache, v_cache or slots is null");
}

}  // namespace
}  // namespace mm

MM_ENTRY(attention_forward)
MM_ENTRY(attention_backward)
MM_ENTRY(attention_decode)
MM_ENTRY(kv_cache_write)
