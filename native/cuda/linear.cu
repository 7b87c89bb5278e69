// y = x w^T and its gradients, each one product. Two bf16 operands go through tensor cores even when fp32
// arithmetic is asked for: their products are exact and the sums are fp32 as it is.
#include "cuda/gemm.h"
#include "cuda/ops.h"

namespace mm::cuda {

void linear_forward(Context& context, const mm_linear_forward_params& p) {
  gemm(context, "linear_forward",
       {.a = p.x,
        .b = p.w,
        .c = p.y,
        .a_dtype = p.x_dtype,
        .b_dtype = p.w_dtype,
        .c_dtype = p.y_dtype,
        .m = p.rows,
        .n = p.out_features,
        .k = p.in_features,
        .a_stride = p.in_features,
        .b_stride = p.in_features,
        .c_stride = p.out_features});
}

void linear_backward(Context& context, const mm_linear_backward_params& p) {
  if (p.dx) {
    // dx = dy w
    gemm(context, "linear_backward dx",
         {.a = p.dy,
          .b = p.w,
          .c = p.dx,
          .a_dtype = p.dy_dtype,
          .b_dtype = p.w_dtype,
          .c_dtype = p.dx_dtype,
          .m = p.rows,
          .n = p.in_features,
          .k = p.out_features,
          .a_stride = p.out_features,
          .b_stride = p.in_features,
          .c_stride = p.in_features,
          .b_transposed = true,
          .accumulate = p.accumulate_dx != 0});
  }
  if (p.dw) {
    // dw = dy^T x
    gemm(context, "linear_backward dw",
         {.a = p.dy,
          .b = p.x,
          .c = p.dw,
          .a_dtype = p.dy_dtype,
          .b_dtype = p.x_dtype,
          .c_dtype = p.dw_dtype,
          .m = p.out_features,
          .n = p.in_features,
          .k = p.rows,
          .a_stride = p.out_features,
          .b_stride = p.in_features,
          .c_stride = p.in_features,
          .a_transposed = true,
          .b_transposed = true,
          .accumulate = p.accumulate_dw != 0});
  }
}

}  // namespace mm::cuda
