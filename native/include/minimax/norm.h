/* RMSNorm with an optional residual sum before it, and the gated norm of the lightning block. */
#ifndef MINIMAX_NORM_H
#define MINIMAX_NORM_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* s = branch ? alpha * x + beta * branch : x
 * y = weight * (s / sqrt(mean(s^2) + eps))   over the last axis; x, branch, s, y [rows, width], weight
 * [width] Statistics in fp32; in bf16 the normalised value is rounded before it is multiplied by the weight,
 * as in the published code. */
typedef struct mm_rms_norm_forward_params {
  int64_t struct_size;
  const void* x;
  const void* branch; /* optional */
  const void* weight;
  void* sum; /* s; required with branch, else null */
  void* y;
  float* rstd; /* [rows], optional: 1 / sqrt(mean(s^2) + eps), what backward needs */
  int64_t rows;
  int64_t width;
  float eps;
  float alpha;
  float beta;
  mm_dtype dtype; /* of x, branch, sum, y */
  mm_dtype weight_dtype;
  int32_t reserved;
} mm_rms_norm_forward_params;

MM_API mm_status mm_rms_norm_forward(mm_context* context, const mm_rms_norm_forward_params* params);

/* ds = (gradient through the norm) + (dsum, if given);  dx = alpha * ds, dbranch = beta * ds (if not null;
 * without a branch alpha is 1). dweight += sum over rows. */
typedef struct mm_rms_norm_backward_params {
  int64_t struct_size;
  const void* sum; /* s of the forward pass (x when there was no branch) */
  const void* weight;
  const float* rstd;
  const void* dy;
  const void* dsum; /* optional: gradient that reaches s other than through the norm */
  void* dx;
  void* dbranch; /* optional */
  void* dweight; /* optional; accumulated */
  int64_t rows;
  int64_t width;
  float alpha;
  float beta;
  mm_dtype dtype; /* of sum, dy, dsum, dx, dbranch */
  mm_dtype weight_dtype;
  mm_dtype dweight_dtype;
  int32_t reserved;
} mm_rms_norm_backward_params;

MM_API mm_status mm_rms_norm_backward(mm_context* context, const mm_rms_norm_backward_params* params);

/* y = sigmoid(gate) * weight * (x / sqrt(mean(x^2) + eps)); x, gate, y [rows, width] */
typedef struct mm_gated_rms_norm_forward_params {
  int64_t struct_size;
  const void* x;
  const void* gate;
  const void* weight;
  void* y;
  float* rstd; /* [rows], optional */
  int64_t rows;
  int64_t width;
  float eps;
  mm_dtype dtype;
  mm_dtype weight_dtype;
  int32_t reserved;
} mm_gated_rms_norm_forward_params;

MM_API mm_status mm_gated_rms_norm_forward(mm_context* context,
                                           const mm_gated_rms_norm_forward_params* params);

typedef struct mm_gated_rms_norm_backward_params {
  int64_t struct_size;
  const void* x;
  const void* gate;
  const void* weight;
  const float* rstd;
  const void* dy;
  void* dx;
  void* dgate;
  void* dweight; /* optional; accumulated */
  int64_t rows;
  int64_t width;
  mm_dtype dtype;
  mm_dtype weight_dtype;
  mm_dtype dweight_dtype;
  int32_t reserved;
} mm_gated_rms_norm_backward_params;

MM_API mm_status mm_gated_rms_norm_backward(mm_context* context,
                                            const mm_gated_rms_norm_backward_params* params);

#ifdef __cplusplus
}
#endif

#endif
