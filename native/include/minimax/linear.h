/* Linear maps without bias, weight [out, in] as in PyTorch; activations of the model; embedding. */
#ifndef MINIMAX_LINEAR_H
#define MINIMAX_LINEAR_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y[r, o] = sum_i x[r, i] w[o, i]            x [rows, in], w [out, in], y [rows, out]
 * Accumulates in fp32. Two bf16 operands may be multiplied in bf16 (products exact, sums fp32) unless
 * fp32_compute is 1: then both are widened first, as the LM head and the router need it.
 * The value of a row depends on neither the other rows nor their number nor the number of threads. */
typedef struct mm_linear_forward_params {
  int64_t struct_size;
  const void* x;
  const void* w;
  void* y;
  int64_t rows;
  int64_t in_features;
  int64_t out_features;
  mm_dtype x_dtype;
  mm_dtype w_dtype;
  mm_dtype y_dtype;
  int32_t fp32_compute;
} mm_linear_forward_params;

MM_API mm_status mm_linear_forward(mm_context* context, const mm_linear_forward_params* params);

/* dx[r, i] = sum_o dy[r, o] w[o, i]          (dx null: skipped; += if accumulate_dx)
 * dw[o, i] = sum_r dy[r, o] x[r, i]          (dw null: skipped; += if accumulate_dw) */
typedef struct mm_linear_backward_params {
  int64_t struct_size;
  const void* x;  /* may be null if dw is */
  const void* w;  /* may be null if dx is */
  const void* dy; /* [rows, out] */
  void* dx;
  void* dw;
  int64_t rows;
  int64_t in_features;
  int64_t out_features;
  mm_dtype x_dtype;
  mm_dtype w_dtype;
  mm_dtype dy_dtype;
  mm_dtype dx_dtype;
  mm_dtype dw_dtype;
  int32_t accumulate_dx;
  int32_t accumulate_dw;
  int32_t fp32_compute;
} mm_linear_backward_params;

MM_API mm_status mm_linear_backward(mm_context* context, const mm_linear_backward_params* params);

/* y = x * sigmoid(x), elementwise; y may be x. */
typedef struct mm_silu_forward_params {
  int64_t struct_size;
  const void* x;
  void* y;
  int64_t count;
  mm_dtype dtype; /* of x and y */
  int32_t reserved;
} mm_silu_forward_params;

MM_API mm_status mm_silu_forward(mm_context* context, const mm_silu_forward_params* params);

/* dx = dy * silu'(x); dx may be dy. */
typedef struct mm_silu_backward_params {
  int64_t struct_size;
  const void* x;
  const void* dy;
  void* dx;
  int64_t count;
  mm_dtype dtype; /* of x, dy and dx */
  int32_t reserved;
} mm_silu_backward_params;

MM_API mm_status mm_silu_backward(mm_context* context, const mm_silu_backward_params* params);

/* y = silu(gate) * up, elementwise; y may be gate or up. */
typedef struct mm_swiglu_forward_params {
  int64_t struct_size;
  const void* gate;
  const void* up;
  void* y;
  int64_t count;
  mm_dtype dtype;
  int32_t reserved;
} mm_swiglu_forward_params;

MM_API mm_status mm_swiglu_forward(mm_context* context, const mm_swiglu_forward_params* params);

typedef struct mm_swiglu_backward_params {
  int64_t struct_size;
  const void* gate;
  const void* up;
  const void* dy;
  void* dgate;
  void* dup;
  int64_t count;
  mm_dtype dtype;
  int32_t reserved;
} mm_swiglu_backward_params;

MM_API mm_status mm_swiglu_backward(mm_context* context, const mm_swiglu_backward_params* params);

/* y[r, :] = table[ids[r], :]                 table [vocabulary, width]; an id out of range is an error */
typedef struct mm_embedding_forward_params {
  int64_t struct_size;
  const void* table;
  const int32_t* ids;
  void* y;
  int64_t rows;
  int64_t vocabulary;
  int64_t width;
  mm_dtype dtype; /* of table and y */
  int32_t reserved;
} mm_embedding_forward_params;

MM_API mm_status mm_embedding_forward(mm_context* context, const mm_embedding_forward_params* params);

/* dtable[ids[r], :] += dy[r, :], rows in ascending order */
typedef struct mm_embedding_backward_params {
  int64_t struct_size;
  const void* dy;
  const int32_t* ids;
  void* dtable;
  int64_t rows;
  int64_t vocabulary;
  int64_t width;
  mm_dtype dy_dtype;
  mm_dtype dtable_dtype;
} mm_embedding_backward_params;

MM_API mm_status mm_embedding_backward(mm_context* context, const mm_embedding_backward_params* params);

#ifdef __cplusplus
}
#endif

#endif
