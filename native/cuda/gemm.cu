// The product of stored matrices of any dtypes and orders: which instance of gemm.cuh takes it.
#include "cuda/gemm_sm90.h"

namespace mm::cuda {

void multiply(Context& context, const char* name, const Product& p) {
  constexpr Epilogue kStore = Epilogue::kStore;
  if (multiply_sm90(context, name, p, kStore)) return;
  if (p.a.dtype != MM_DTYPE_BF16 || p.b.dtype == MM_DTYPE_F32) {
    launch_float<kStore>(context, name, p);
  } else if (p.b.dtype == MM_DTYPE_I8) {
    launch_tensor<int8_t, false, false, kStore>(context, name, p);
  } else if (p.a.transposed) {
    p.b.transposed ? launch_tensor<bf16, true, true, kStore>(context, name, p)
                   : launch_tensor<bf16, true, false, kStore>(context, name, p);
  } else {
    p.b.transposed ? launch_tensor<bf16, false, true, kStore>(context, name, p)
                   : launch_tensor<bf16, false, false, kStore>(context, name, p);
  }
}

void gemm(Context& context, const char* name, const Gemm& g) {
  if (g.m == 0 || g.n == 0 || (g.k == 0 && g.accumulate)) return;
  Product p{};
  p.a = {g.a, nullptr, g.a_dtype, g.a_stride, g.a_transposed, false, nullptr, 0};
  p.b = {g.b, nullptr, g.b_dtype, g.b_stride, g.b_transposed, false, nullptr, 0};
  p.m = g.m, p.n = g.n, p.k = g.k;
  p.fault = context.fault;
  p.c = g.c, p.c_dtype = g.c_dtype, p.c_stride = g.c_stride;
  p.accumulate = g.accumulate;
  p.pairs = g.c_stride % 2 == 0 && divisible(g.c, 2 * bytes_of(g.c_dtype));
  multiply(context, name, p);
}

}  // namespace mm::cuda
