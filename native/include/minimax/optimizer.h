/* AdamW and the global gradient norm over many tensors in one call. */
#ifndef MINIMAX_OPTIMIZER_H
#define MINIMAX_OPTIMIZER_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* g = grad * grad_scale; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2;
 * master -= lr * (m / (1-b1^step) / (sqrt(v / (1-b2^step)) + eps) + weight_decay[i] * master)
 * All fp32 but `model`, the bf16 copy that the layers read, written where its pointer is not null. */
typedef struct mm_adamw_step_params {
  int64_t struct_size;
  float* const* master; /* host arrays of `tensors` pointers, as grad, m, v and model */
  const float* const* grad;
  float* const* m;
  float* const* v;
  void* const* model;        /* optional array; entries may be null */
  const int64_t* counts;     /* host [tensors] */
  const float* weight_decay; /* host [tensors] */
  int64_t tensors;
  int64_t step; /* 1 for the first */
  float learning_rate;
  float beta1;
  float beta2;
  float eps;
  float grad_scale;
  int32_t reserved;
} mm_adamw_step_params;

MM_API mm_status mm_adamw_step(mm_context* context, const mm_adamw_step_params* params);

/* norm = sqrt(sum of squares over all tensors), fp64 partial sums in a fixed order */
typedef struct mm_grad_norm_params {
  int64_t struct_size;
  const float* const* grad; /* host array */
  const int64_t* counts;    /* host */
  int64_t tensors;
  double* norm; /* host [1] */
} mm_grad_norm_params;

MM_API mm_status mm_grad_norm(mm_context* context, const mm_grad_norm_params* params);

#ifdef __cplusplus
}
#endif

#endif
