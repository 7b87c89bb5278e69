// Operations that have no kernel yet.
#include "cuda/ops.h"

namespace mm::cuda {

#define MM_PENDING(op) \
  void op(Context&, const mm_##op##_params&) { fail(MM_STATUS_UNSUPPORTED, #op " has no CUDA kernel yet"); }
MM_PENDING(lightning_attention_forward)
MM_PENDING(lightning_attention_backward)
MM_PENDING(lightning_attention_decode)
MM_PENDING(attention_forward)
MM_PENDING(attention_backward)
MM_PENDING(kv_cache_write)
MM_PENDING(attention_decode)
MM_PENDING(moe_route_forward)
MM_PENDING(moe_route_backward)
MM_PENDING(moe_aux_loss_forward)
MM_PENDING(moe_aux_loss_backward)
MM_PENDING(shared_mlp_combine_forward)
MM_PENDING(shared_mlp_combine_backward)
MM_PENDING(token_logprob_forward)
MM_PENDING(token_logprob_backward)
MM_PENDING(lm_head_forward)
MM_PENDING(lm_head_backward)
MM_PENDING(policy_loss_forward)
MM_PENDING(sample)

}  // namespace mm::cuda
