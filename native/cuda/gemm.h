// The matrix product behind linear maps, the LM head and whatever else multiplies stored matrices.
#pragma once

#include "cuda/context.h"
#include "minimax/types.h"

namespace mm::cuda {

// c [m, n] (+)= sum_k a(m, k) b(n, k), fp32 sums. Two bf16 operands go through tensor cores, any fp32 operand
// through fp32 arithmetic. An element is one chain over ascending k, so its bits depend on nothing but its
// row of a and its row of b.
struct Gemm {
  const void* a;
  const void* b;
  void* c;
  mm_dtype a_dtype, b_dtype, c_dtype;
  int64_t m, n, k;
  int64_t a_stride, b_stride, c_stride;  // elements between stored rows
  bool a_transposed = false;             // false: a is stored [m, k]; true: [k, m]
  bool b_transposed = false;             // false: b is stored [n, k], as weights are; true: [k, n]
  bool accumulate = false;
};

void gemm(Context& context, const char* name, const Gemm& g);

}  // namespace mm::cuda
