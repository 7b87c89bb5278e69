/* Log-probabilities, entropy and cross-entropy, from logits or from hidden states through the LM head in
 * chunks of the vocabulary; the policy losses of the MiniMax-M1 report (equations 1 to 7). */
#ifndef MINIMAX_LOSS_H
#define MINIMAX_LOSS_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* logp[r] = logits[r, target] - lse[r];  entropy[r] = -sum p log p.  logits [rows, vocabulary] fp32.
 * Rows with target MM_IGNORE_LABEL get logp 0; their lse and entropy are computed. */
typedef struct mm_token_logprob_forward_params {
  int64_t struct_size;
  const float* logits;
  const int32_t* targets; /* [rows] */
  float* logp;            /* [rows] */
  float* lse;             /* [rows] */
  float* entropy;         /* [rows], optional */
  int64_t rows;
  int64_t vocabulary;
} mm_token_logprob_forward_params;

MM_API mm_status mm_token_logprob_forward(mm_context* context, const mm_token_logprob_forward_params* params);

/* dlogits = dlogp * (onehot(target) - p) - dentropy * p * (log p + entropy); ignored rows get only the
 * latter. */
typedef struct mm_token_logprob_backward_params {
  int64_t struct_size;
  const float* logits;
  const int32_t* targets;
  const float* lse;
  const float* entropy;  /* needed with dentropy */
  const float* dlogp;    /* [rows] */
  const float* dentropy; /* [rows], optional */
  float* dlogits;
  int64_t rows;
  int64_t vocabulary;
} mm_token_logprob_backward_params;

MM_API mm_status mm_token_logprob_backward(mm_context* context,
                                           const mm_token_logprob_backward_params* params);

/* The same of logits = hidden w^T, multiplied in fp32, which never exist as a whole.
 * hidden [rows, width], w [vocabulary, width]. */
typedef struct mm_lm_head_forward_params {
  int64_t struct_size;
  const void* hidden;
  const void* w;
  const int32_t* targets;
  float* logp;
  float* lse;
  float* entropy; /* optional */
  int64_t rows;
  int64_t width;
  int64_t vocabulary;
  mm_dtype hidden_dtype;
  mm_dtype w_dtype;
} mm_lm_head_forward_params;

MM_API mm_status mm_lm_head_forward(mm_context* context, const mm_lm_head_forward_params* params);

typedef struct mm_lm_head_backward_params {
  int64_t struct_size;
  const void* hidden;
  const void* w;
  const int32_t* targets;
  const float* lse;
  const float* entropy;
  const float* dlogp;
  const float* dentropy; /* optional */
  void* dhidden;         /* [rows, width], optional */
  void* dw;              /* [vocabulary, width], optional; accumulated */
  int64_t rows;
  int64_t width;
  int64_t vocabulary;
  mm_dtype hidden_dtype; /* of hidden and dhidden */
  mm_dtype w_dtype;
  mm_dtype dw_dtype;
  int32_t reserved;
} mm_lm_head_backward_params;

MM_API mm_status mm_lm_head_backward(mm_context* context, const mm_lm_head_backward_params* params);

/* Whose objective is reported. The gradient is always weight * mask * advantage (see below). */
MM_ENUM(mm_policy_objective){
    MM_POLICY_OBJECTIVE_CLIPPED_SURROGATE =
        0,                                 /* PPO, GRPO, DAPO: min(r A, clip(r, 1-eps_low, 1+eps_high) A) */
    MM_POLICY_OBJECTIVE_WEIGHTED_LOGP = 1, /* REINFORCE, CISPO, unified: sg(weight) mask A logp */
};

/* r = exp(logp - old_logp);  weight = sg(clip(r, weight_min, weight_max));
 * mask = 0 where (A > 0 and r > 1 + mask_high) or (A < 0 and r < 1 - mask_low), else 1;
 * dlogp = -token_weight * (weight * mask * A - kl_beta * (1 - exp(ref - logp)))
 * loss = -sum token_weight * objective,  objective = the kind's own value - kl_beta * kl,
 * kl = exp(ref - logp) - (ref - logp) - 1.
 * PPO/GRPO/DAPO: weight_min 0, weight_max inf, masks = eps. REINFORCE: no clip, no mask. CISPO: weight_max =
 * cap, masks inf. token_weight carries the aggregation (1 / tokens of the group, ...); 0 leaves a token out.
 */
typedef struct mm_policy_loss_forward_params {
  int64_t struct_size;
  const float* logp;
  const float* old_logp;
  const float* ref_logp; /* optional; needed with kl_beta != 0 */
  const float* advantage;
  const float* token_weight;
  float* loss;      /* [1] */
  float* dlogp;     /* [tokens], gradient of the loss */
  float* ratio;     /* [tokens], optional */
  float* objective; /* [tokens], optional: before token_weight; 0 for tokens left out */
  int64_t tokens;
  float weight_min;
  float weight_max;
  float mask_low;
  float mask_high;
  float kl_beta;
  mm_policy_objective objective_kind;
} mm_policy_loss_forward_params;

MM_API mm_status mm_policy_loss_forward(mm_context* context, const mm_policy_loss_forward_params* params);

#ifdef __cplusplus
}
#endif

#endif
