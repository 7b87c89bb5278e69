/* Choosing the next token. */
#ifndef MINIMAX_SAMPLING_H
#define MINIMAX_SAMPLING_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For each row: temperature 0 takes the largest logit (ties: the lowest id). Otherwise softmax(logits /
 * temperature), cut to the top_k largest (0: all), then to the smallest set of mass >= top_p (1: all), then
 * to p >= min_p * p_max (0: all), and one uniform number from (seed, position) chooses among the ids in
 * ascending order of id. The number depends on seed and position of the row only, never on the batch. logp is
 * that of the untempered, uncut softmax in fp32. */
typedef struct mm_sample_params {
  int64_t struct_size;
  const float* logits;      /* [rows, vocabulary] */
  const float* temperature; /* [rows] */
  const float* top_p;       /* [rows] */
  const float* min_p;       /* [rows] */
  const int32_t* top_k;     /* [rows] */
  const int64_t* seed;      /* [rows], used as 64 bits */
  const int64_t* position;  /* [rows] */
  int32_t* token;           /* [rows] */
  float* logp;              /* [rows] */
  int64_t rows;
  int64_t vocabulary;
} mm_sample_params;

MM_API mm_status mm_sample(mm_context* context, const mm_sample_params* params);

#ifdef __cplusplus
}
#endif

#endif
