/* Rotary position embedding, halves (not neighbours), on the first rotary_dim features of each head. */
#ifndef MINIMAX_ROPE_H
#define MINIMAX_ROPE_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* angle = fp32(position) * inv_freq[m], rounded to fp32 as in the published code;
 * y[m] = x[m] cos - x[m + R/2] sin;  y[m + R/2] = x[m + R/2] cos + x[m] sin;  the other features are copied.
 * x, y [tokens, heads, head_dim] with strides; y may be x (equal strides). Backward is the same call with
 * inverse = 1 on the gradients. */
typedef struct mm_rope_forward_params {
  int64_t struct_size;
  const void* x;
  void* y;
  const int32_t* positions; /* [tokens] */
  const float* inv_freq;    /* [rotary_dim / 2] */
  int64_t tokens;
  int64_t heads;
  int64_t head_dim;
  int64_t rotary_dim;
  int64_t x_token_stride;
  int64_t x_head_stride;
  int64_t y_token_stride;
  int64_t y_head_stride;
  mm_dtype dtype;
  int32_t inverse;
} mm_rope_forward_params;

MM_API mm_status mm_rope_forward(mm_context* context, const mm_rope_forward_params* params);

#ifdef __cplusplus
}
#endif

#endif
