/* Causal softmax attention with grouped key/value heads: query head h reads kv head h / (heads / kv_heads).
 * With fewer queries than keys the mask is aligned bottom-right. Strides in elements; packed sequences. */
#ifndef MINIMAX_ATTENTION_H
#define MINIMAX_ATTENTION_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* o_t = sum_j softmax_j(scale * q_t . k_j) v_j    q, o [tokens_q, heads, d], k, v [tokens_k, kv_heads, d] */
typedef struct mm_attention_forward_params {
  int64_t struct_size;
  const void* q;
  const void* k;
  const void* v;
  void* o;
  float* lse; /* [heads, tokens_q], optional: log-sum-exp of the scaled scores, what backward needs */
  const int32_t* cu_seqlens_q; /* [sequences + 1] */
  const int32_t* cu_seqlens_k; /* [sequences + 1] */
  int64_t sequences;
  int64_t tokens_q;
  int64_t tokens_k;
  int64_t max_seqlen_q; /* host */
  int64_t max_seqlen_k; /* host */
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  int64_t window; /* keys further back than this are not attended to; 0: no limit */
  int64_t q_token_stride, q_head_stride;
  int64_t k_token_stride, k_head_stride;
  int64_t v_token_stride, v_head_stride;
  int64_t o_token_stride, o_head_stride;
  float scale;
  mm_dtype dtype; /* of q, k, v, o */
} mm_attention_forward_params;

MM_API mm_status mm_attention_forward(mm_context* context, const mm_attention_forward_params* params);

typedef struct mm_attention_backward_params {
  int64_t struct_size;
  const void* q;
  const void* k;
  const void* v;
  const void* o;
  const void* d_o;
  const float* lse;
  void* dq;
  void* dk;
  void* dv;
  const int32_t* cu_seqlens_q;
  const int32_t* cu_seqlens_k;
  int64_t sequences;
  int64_t tokens_q;
  int64_t tokens_k;
  int64_t max_seqlen_q;
  int64_t max_seqlen_k;
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  int64_t window;
  int64_t q_token_stride, q_head_stride;
  int64_t k_token_stride, k_head_stride;
  int64_t v_token_stride, v_head_stride;
  int64_t o_token_stride, o_head_stride; /* of o and d_o */
  int64_t dq_token_stride, dq_head_stride;
  int64_t dk_token_stride, dk_head_stride;
  int64_t dv_token_stride, dv_head_stride;
  float scale;
  mm_dtype dtype;
} mm_attention_backward_params;

MM_API mm_status mm_attention_backward(mm_context* context, const mm_attention_backward_params* params);

/* Writes k and v of new tokens into the paged cache: token t goes to page slots[t] / page_size, row
 * slots[t] % page_size. Caches [pages, page_size, kv_heads, d]. */
typedef struct mm_kv_cache_write_params {
  int64_t struct_size;
  const void* k;
  const void* v;
  void* k_cache;
  void* v_cache;
  const int64_t* slots; /* [tokens] */
  int64_t tokens;
  int64_t kv_heads;
  int64_t head_dim;
  int64_t k_token_stride, k_head_stride;
  int64_t v_token_stride, v_head_stride;
  mm_dtype dtype;
  int32_t reserved;
} mm_kv_cache_write_params;

MM_API mm_status mm_kv_cache_write(mm_context* context, const mm_kv_cache_write_params* params);

/* Attention of new tokens (one a sequence, or a chunk) over the paged cache, which already holds them: the
 * last query of sequence i is at position kv_lens[i] - 1. A token's value is the same in a chunk or alone. */
typedef struct mm_attention_decode_params {
  int64_t struct_size;
  const void* q;
  const void* k_cache;
  const void* v_cache;
  void* o;
  const int32_t* cu_seqlens_q; /* [sequences + 1] */
  const int32_t* kv_lens;      /* [sequences] */
  const int32_t* block_table;  /* [sequences, max_pages] page numbers */
  int64_t sequences;
  int64_t tokens_q;
  int64_t max_seqlen_q; /* host */
  int64_t max_kv_len;   /* host */
  int64_t max_pages;
  int64_t page_size;
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  int64_t window;
  int64_t q_token_stride, q_head_stride;
  int64_t o_token_stride, o_head_stride;
  float scale;
  mm_dtype dtype;
} mm_attention_decode_params;

MM_API mm_status mm_attention_decode(mm_context* context, const mm_attention_decode_params* params);

#ifdef __cplusplus
}
#endif

#endif
