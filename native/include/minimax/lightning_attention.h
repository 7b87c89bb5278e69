/* Lightning attention: linear attention with a per-head decay lambda = exp(-slope), no normaliser.
 *
 *   S_t = lambda S_{t-1} + k_t^T v_t ;  o_t = q_t S_t       S [dk, dv], key index first
 *
 * Sequences are packed: tokens of sequence i are rows cu_seqlens[i] .. cu_seqlens[i+1]-1. q, k, v, o and
 * their gradients are [tokens, heads, d] with a token and a head stride, so that q, k and v may be views into
 * one projection. State starts anew at each boundary, from state_in where given. States are a pool [slots,
 * heads, dk, dv] in fp32; state_slots[i] says which slot sequence i uses (null: slot i).
 */
#ifndef MINIMAX_LIGHTNING_ATTENTION_H
#define MINIMAX_LIGHTNING_ATTENTION_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mm_lightning_attention_forward_params {
  int64_t struct_size;
  const void* q;
  const void* k;
  const void* v;
  void* o;
  const float* slopes;        /* [heads], >= 0 */
  const int32_t* cu_seqlens;  /* [sequences + 1] */
  const int32_t* state_slots; /* [sequences], optional */
  const float* state_in;      /* optional pool */
  float* state_out;           /* optional pool; may be state_in */
  int64_t sequences;
  int64_t tokens;
  int64_t max_seqlen; /* host: no sequence is longer */
  int64_t heads;
  int64_t dim_k;
  int64_t dim_v;
  int64_t q_token_stride, q_head_stride;
  int64_t k_token_stride, k_head_stride;
  int64_t v_token_stride, v_head_stride;
  int64_t o_token_stride, o_head_stride;
  mm_dtype dtype; /* of q, k, v, o */
  int32_t reserved;
} mm_lightning_attention_forward_params;

MM_API mm_status mm_lightning_attention_forward(mm_context* context,
                                                const mm_lightning_attention_forward_params* params);

/* Scans forwards for dq and backwards for dk and dv; no state of the forward pass is stored. */
typedef struct mm_lightning_attention_backward_params {
  int64_t struct_size;
  const void* q;
  const void* k;
  const void* v;
  const void* d_o; /* gradient of o */
  void* dq;
  void* dk;
  void* dv;
  const float* slopes;
  const int32_t* cu_seqlens;
  const float* state_in;   /* optional, [sequences, heads, dk, dv] */
  const float* dstate_out; /* optional, [sequences, heads, dk, dv]: gradient of the final state */
  float* dstate_in;        /* optional, [sequences, heads, dk, dv]: gradient of the initial state */
  int64_t sequences;
  int64_t tokens;
  int64_t max_seqlen;
  int64_t heads;
  int64_t dim_k;
  int64_t dim_v;
  int64_t q_token_stride, q_head_stride;
  int64_t k_token_stride, k_head_stride;
  int64_t v_token_stride, v_head_stride;
  int64_t o_token_stride, o_head_stride; /* of d_o */
  int64_t dq_token_stride, dq_head_stride;
  int64_t dk_token_stride, dk_head_stride;
  int64_t dv_token_stride, dv_head_stride;
  mm_dtype dtype;
  int32_t reserved;
} mm_lightning_attention_backward_params;

MM_API mm_status mm_lightning_attention_backward(mm_context* context,
                                                 const mm_lightning_attention_backward_params* params);

/* One token for each of `batch` sequences, states updated in place. No slot may appear twice. */
typedef struct mm_lightning_attention_decode_params {
  int64_t struct_size;
  const void* q;
  const void* k;
  const void* v;
  void* o;
  const float* slopes;
  const int32_t* state_slots; /* [batch] */
  float* state;               /* pool [slots, heads, dk, dv] */
  int64_t batch;
  int64_t heads;
  int64_t dim_k;
  int64_t dim_v;
  int64_t q_token_stride, q_head_stride;
  int64_t k_token_stride, k_head_stride;
  int64_t v_token_stride, v_head_stride;
  int64_t o_token_stride, o_head_stride;
  mm_dtype dtype;
  int32_t reserved;
} mm_lightning_attention_decode_params;

MM_API mm_status mm_lightning_attention_decode(mm_context* context,
                                               const mm_lightning_attention_decode_params* params);

#ifdef __cplusplus
}
#endif

#endif
