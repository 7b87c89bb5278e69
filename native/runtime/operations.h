// The one list of operations. A line here declares the entry in every backend's table, the function of every
// instruction set of the CPU backend and its guarded wrapper.
#pragma once

#include "minimax/minimax.h"

#define MM_OPERATIONS(X)          \
  X(cast)                         \
  X(axpby)                        \
  X(linear_forward)               \
  X(linear_backward)              \
  X(silu_forward)                 \
  X(silu_backward)                \
  X(swiglu_forward)               \
  X(swiglu_backward)              \
  X(embedding_forward)            \
  X(embedding_backward)           \
  X(rms_norm_forward)             \
  X(rms_norm_backward)            \
  X(gated_rms_norm_forward)       \
  X(gated_rms_norm_backward)      \
  X(rope_forward)                 \
  X(lightning_attention_forward)  \
  X(lightning_attention_backward) \
  X(lightning_attention_decode)   \
  X(attention_forward)            \
  X(attention_backward)           \
  X(kv_cache_write)               \
  X(attention_decode)             \
  X(moe_route_forward)            \
  X(moe_route_backward)           \
  X(moe_experts_forward)          \
  X(moe_experts_backward)         \
  X(moe_aux_loss_forward)         \
  X(moe_aux_loss_backward)        \
  X(shared_mlp_combine_forward)   \
  X(shared_mlp_combine_backward)  \
  X(token_logprob_forward)        \
  X(token_logprob_backward)       \
  X(lm_head_forward)              \
  X(lm_head_backward)             \
  X(policy_loss_forward)          \
  X(adamw_step)                   \
  X(grad_norm)                    \
  X(sample)
