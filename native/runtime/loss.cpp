// Entries of loss.h.
#include "runtime/context.h"

namespace mm {
namespace {

void check(const mm_token_logprob_forward_params& p) {
  MM_REQUIRE_SIZE(rows);
  MM_REQUIRE_POSITIVE(vocabulary);
  MM_REQUIRE(p.rows == 0 || (p.logits && p.targets && p.logp && p.lse),
             "logits, targets, logp or lse is null");
}

void check(const mm_token_logprob_backward_params& p) {
  MM_REQUIRE_SIZE(rows);
  MM_REQUIRE_POSITIVE(vocabulary);
  MM_REQUIRE(p.rows == 0 || (p.logits && p.targets && p.lse && p.dlogp && p.dlogits),
             "logits, targets, lse, dlogp or dlogits is null");
  MM_REQUIRE(!p.dentropy || p.entropy, "dentropy is given, but entropy is null");
}

void check(const mm_lm_head_forward_params& p) {
  MM_REQUIRE_SIZE(rows);
  MM_REQUIRE_POSITIVE(width);
  MM_REQUIRE_POSITIVE(vocabulary);
  MM_REQUIRE_POINTER(w);
  MM_REQUIRE(p.rows == 0 || (p.hidden && p.targets && p.logp && p.lse),
             "hidden, targets, logp or lse is null");
  MM_REQUIRE_FLOAT(hidden_dtype);
  MM_REQUIRE_FLOAT(w_dtype);
}

void check(const mm_lm_head_backward_params& p) {
  MM_REQUIRE_SIZE(rows);
  MM_REQUIRE_POSITIVE(width);
  MM_REQUIRE_POSITIVE(vocabulary);
  MM_REQUIRE_POINTER(w);
  MM_REQUIRE(p.rows == 0 || (p.hidden && p.targets && p.lse && p.dlogp),
             "hidden, targets, lse or dlogp is null");
  MM_REQUIRE(!p.dentropy || p.entropy, "dentropy is given, but entropy is null");
  MM_REQUIRE_FLOAT(hidden_dtype);
  MM_REQUIRE_FLOAT(w_dtype);
  MM_REQUIRE_FLOAT(dw_dtype);
}

void check(const mm_policy_loss_forward_params& p) {
  MM_REQUIRE_SIZE(tokens);
  MM_REQUIRE_POINTER(loss);
  MM_REQUIRE(p.tokens == 0 || (p.logp && p.old_logp && p.advantage && p.token_weight && p.dlogp),
             "logp, old_logp, advantage, token_weight or dlogp is null");
  MM_REQUIRE(p.kl_beta == 0 || p.ref_logp, "kl_beta is not 0, but ref_logp is null");
  MM_REQUIRE(p.weight_min >= 0 && p.weight_min <= p.weight_max, "weight_min is %g, weight_max %g",
             p.weight_min, p.weight_max);
}

}  // namespace
}  // namespace mm

MM_ENTRY(token_logprob_forward)
MM_ENTRY(token_logprob_backward)
MM_ENTRY(lm_head_forward)
MM_ENTRY(lm_head_backward)
MM_ENTRY(policy_loss_forward)
