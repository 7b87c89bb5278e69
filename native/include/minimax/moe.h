/* Sparse mixture of experts: routing, dropless dispatch, grouped SwiGLU experts, combine, auxiliary loss;
 * and the combination with the shared MLP. */
#ifndef MINIMAX_MOE_H
#define MINIMAX_MOE_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* p = softmax(logits); the top_k largest p (ties: the lower expert index); weight = p / sum of the picked p.
 * Slot s = token * top_k + rank. Sorted rows group the slots by expert, ascending slot within an expert:
 * rows expert_offsets[e] .. expert_offsets[e+1]-1 belong to expert e, row_slot[row] is the slot of a row and
 * slot_row its inverse. */
typedef struct mm_moe_route_forward_params {
  int64_t struct_size;
  const float* logits;     /* [tokens, experts] */
  int32_t* expert_index;   /* [tokens, top_k], descending by probability */
  float* expert_weight;    /* [tokens, top_k] */
  int32_t* expert_offsets; /* [experts + 1] */
  int32_t* row_slot;       /* [tokens * top_k] */
  int32_t* slot_row;       /* [tokens * top_k] */
  int64_t tokens;
  int64_t experts;
  int64_t top_k;
  /* 1: expert_index is an input (a recorded choice is replayed) and only weights and sorting are computed. */
  int32_t replay;
  int32_t reserved;
} mm_moe_route_forward_params;

MM_API mm_status mm_moe_route_forward(mm_context* context, const mm_moe_route_forward_params* params);

/* dlogits = gradient through softmax and renormalisation of dweight (picked experts only differ from 0). */
typedef struct mm_moe_route_backward_params {
  int64_t struct_size;
  const float* logits;
  const int32_t* expert_index;
  const float* dweight; /* [tokens, top_k] */
  float* dlogits;       /* [tokens, experts] */
  int64_t tokens;
  int64_t experts;
  int64_t top_k;
} mm_moe_route_backward_params;

MM_API mm_status mm_moe_route_backward(mm_context* context, const mm_moe_route_backward_params* params);

/* For each row r of expert e with token t: gate = x_t W1^T, up = x_t W3^T, out = (silu(gate) * up) W2^T;
 * y_t = sum over the token's slots, in ascending expert index, of weight * out. Tokens are never dropped.
 * x, y [tokens, width]; w1, w3 [experts, ffn, width], w2 [experts, width, ffn]; gate, up [tokens * top_k,
 * ffn] are kept in sorted rows for backward (null when it is not needed).
 * Weights may be int8 with a scale for each of their rows, w = scale * int8: products are summed over the
 * integers, which both fp32 and bf16 hold exactly, and scaled once. There is no backward from those. */
typedef struct mm_moe_experts_forward_params {
  int64_t struct_size;
  const void* x;
  const void* w1;
  const void* w2;
  const void* w3;
  const int32_t* expert_index; /* the outputs of routing, as expert_weight .. slot_row are */
  const float* expert_weight;
  const int32_t* expert_offsets;
  const int32_t* row_slot;
  const int32_t* slot_row;
  void* gate; /* optional */
  void* up;   /* optional */
  void* y;
  int64_t tokens;
  int64_t experts;
  int64_t top_k;
  int64_t width;
  int64_t ffn;
  mm_dtype dtype;        /* of x, gate, up, y */
  mm_dtype weight_dtype; /* of w1, w2, w3: dtype or I8 */
  const float* w1_scale; /* [experts, ffn], for I8 only, as w2_scale and w3_scale are */
  const float* w2_scale; /* [experts, width] */
  const float* w3_scale; /* [experts, ffn] */
} mm_moe_experts_forward_params;

MM_API mm_status mm_moe_experts_forward(mm_context* context, const mm_moe_experts_forward_params* params);

typedef struct mm_moe_experts_backward_params {
  int64_t struct_size;
  const void* x;
  const void* w1;
  const void* w2;
  const void* w3;
  const int32_t* expert_index;
  const float* expert_weight;
  const int32_t* expert_offsets;
  const int32_t* row_slot;
  const int32_t* slot_row;
  const void* gate;
  const void* up;
  const void* dy;
  void* dx;  /* optional */
  void* dw1; /* optional, accumulated, as dw2 and dw3; all three or none */
  void* dw2;
  void* dw3;
  float* dweight; /* [tokens, top_k] */
  int64_t tokens;
  int64_t experts;
  int64_t top_k;
  int64_t width;
  int64_t ffn;
  mm_dtype dtype; /* of x, weights, gate, up, dy, dx */
  mm_dtype dw_dtype;
} mm_moe_experts_backward_params;

MM_API mm_status mm_moe_experts_backward(mm_context* context, const mm_moe_experts_backward_params* params);

/* Load-balancing loss over the rows of all layers at once: loss = experts * sum_e f_e P_e with f_e = picks of
 * e / rows, P_e = mean probability of e. Rows whose token_mask is 0 are left out of both. f is constant for
 * the gradient. Value is top_k at perfect balance. */
typedef struct mm_moe_aux_loss_forward_params {
  int64_t struct_size;
  const float* const* logits; /* host array of `layers` pointers to [tokens, experts] */
  const int32_t* token_mask;  /* [tokens], optional */
  float* loss;                /* [1] */
  float* fraction;            /* [experts]: f, what backward needs */
  float* probability;         /* [experts]: P */
  int64_t layers;
  int64_t tokens;
  int64_t experts;
  int64_t top_k;
} mm_moe_aux_loss_forward_params;

MM_API mm_status mm_moe_aux_loss_forward(mm_context* context, const mm_moe_aux_loss_forward_params* params);

typedef struct mm_moe_aux_loss_backward_params {
  int64_t struct_size;
  const float* const* logits; /* host array, as in forward */
  const int32_t* token_mask;
  const float* fraction;
  float* const* dlogits; /* host array of `layers` pointers to [tokens, experts]; written, not accumulated */
  int64_t layers;
  int64_t tokens;
  int64_t experts;
  float dloss; /* host: gradient of the loss */
  int32_t reserved;
} mm_moe_aux_loss_backward_params;

MM_API mm_status mm_moe_aux_loss_backward(mm_context* context, const mm_moe_aux_loss_backward_params* params);

/* c = sigmoid(coefficient[t]); y_t = (1 - c) * sparse_t + c * shared_t;  sparse, shared, y [tokens, width] */
typedef struct mm_shared_mlp_combine_forward_params {
  int64_t struct_size;
  const void* sparse;
  const void* shared;
  const float* coefficient; /* [tokens], before the sigmoid */
  void* y;
  int64_t tokens;
  int64_t width;
  mm_dtype dtype;
  int32_t reserved;
} mm_shared_mlp_combine_forward_params;

MM_API mm_status mm_shared_mlp_combine_forward(mm_context* context,
                                               const mm_shared_mlp_combine_forward_params* params);

typedef struct mm_shared_mlp_combine_backward_params {
  int64_t struct_size;
  const void* sparse;
  const void* shared;
  const float* coefficient;
  const void* dy;
  void* dsparse;
  void* dshared;
  float* dcoefficient; /* [tokens] */
  int64_t tokens;
  int64_t width;
  mm_dtype dtype;
  int32_t reserved;
} mm_shared_mlp_combine_backward_params;

MM_API mm_status mm_shared_mlp_combine_backward(mm_context* context,
                                                const mm_shared_mlp_combine_backward_params* params);

#ifdef __cplusplus
}
#endif

#endif
