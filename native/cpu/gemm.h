// The blocked and packed matrix product behind every linear map and every expert: C (+)= op(A) op(B).
#pragma once

#include "cpu/vec.h"

namespace mm::MM_ISA_NS {

// A stored row-major matrix, or its transpose. With `gather`, row r of the stored matrix is row gather[r] of
// the data.
struct Operand {
  const void* data;
  mm_dtype dtype;
  int64_t row_stride;
  bool transposed;
  const int32_t* gather;
};

// op(A) is [rows, depth], op(B) [depth, columns], C [rows, columns] row-major.
// An element of C is one chain of fused multiply-adds in ascending depth, cut into fixed blocks of it, so its
// value depends on nothing but its row of op(A) and its column of op(B).
// B may be the transpose of int8, without gather and without accumulating: the chain runs over the integers,
// and column_scale multiplies its result.
struct Product {
  int64_t rows;
  int64_t columns;
  int64_t depth;
  Operand a;
  Operand b;
  void* c;
  mm_dtype c_dtype;
  int64_t c_row_stride;
  bool accumulate;    // C += instead of C =
  bool fp32_compute;  // widen bf16 operands even where bf16 products are to be had
  const float* column_scale = nullptr;
};

// Whether two bf16 operands are multiplied by the machine's bf16 dot product.
bool has_bf16_kernel(const mm_context& context);

// Runs the products (of any sizes, none writing what another reads or writes) on the pool, all tiles at once.
void multiply(mm_context& context, const Product* products, int64_t count);

}  // namespace mm::MM_ISA_NS
