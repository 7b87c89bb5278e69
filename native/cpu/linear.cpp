// y = x w^T and its gradients, each one packed product.
#include "cpu/gemm.h"
#include "cpu/ops.h"

namespace mm::MM_ISA_NS {

void linear_forward(mm_context& context, const mm_linear_forward_params& p) {
  const Product product = {
      .rows = p.rows,
      .columns = p.out_features,
      .depth = p.in_features,
      .a = {p.x, p.x_dtype, p.in_features, false, nullptr},
      .b = {p.w, p.w_dtype, p.in_features, true, nullptr},
      .c = p.y,
      .c_dtype = p.y_dtype,
      .c_row_stride = p.out_features,
      .accumulate = false,
      .fp32_compute = p.fp32_compute != 0,
  };
  multiply(context, &product, 1);
}

void linear_backward(mm_context& context, const mm_linear_backward_params& p) {
  const Product products[] = {
      {
          // dx = dy w
          .rows = p.dx ? p.rows : 0,
          .columns = p.in_features,
          .depth = p.out_features,
          .a = {p.dy, p.dy_dtype, p.out_features, false, nullptr},
          .b = {p.w, p.w_dtype, p.in_features, false, nullptr},
          .c = p.dx,
          .c_dtype = p.dx_dtype,
          .c_row_stride = p.in_features,
          .accumulate = p.accumulate_dx != 0,
          .fp32_compute = p.fp32_compute != 0,
      },
      {
          // dw = dy^T x
          .rows = p.dw ? p.out_features : 0,
          .columns = p.in_features,
          .depth = p.rows,
          .a = {p.dy, p.dy_dtype, p.out_features, true, nullptr},
          .b = {p.x, p.x_dtype, p.in_features, false, nullptr},
          .c = p.dw,
          .c_dtype = p.dw_dtype,
          .c_row_stride = p.in_features,
          .accumulate = p.accumulate_dw != 0,
          .fp32_compute = p.fp32_compute != 0,
      },
  };
  multiply(context, products, 2);
}

}  // namespace mm::MM_ISA_NS
