// cast and axpby: elementwise, a thread an element.
#include "cuda/elementwise.cuh"
#include "cuda/ops.h"

namespace mm::cuda {
namespace {

template <typename X, typename Y>
__global__ void cast_kernel(const X* x, Y* y, int64_t count) {
  for (int64_t i = first_element(); i < count; i += element_step()) y[i] = from_float<Y>(to_float(x[i]));
}

template <typename X, typename Y>
__global__ void axpby_kernel(const X* x, Y* y, int64_t count, float alpha, float beta) {
  for (int64_t i = first_element(); i < count; i += element_step()) {
    const float scaled = alpha * to_float(x[i]);
    y[i] = from_float<Y>(beta == 0.0f ? scaled : scaled + beta * to_float(y[i]));
  }
}

}  // namespace

void cast(Context& context, const mm_cast_params& p) {
  with_types(p.x_dtype, p.y_dtype, [&]<typename X, typename Y>() {
    launch(context, "cast", cast_kernel<X, Y>, elementwise_grid(context, p.count), kElementwiseThreads, 0,
           static_cast<const X*>(p.x), static_cast<Y*>(p.y), p.count);
  });
}

void axpby(Context& context, const mm_axpby_params& p) {
  with_types(p.x_dtype, p.y_dtype, [&]<typename X, typename Y>() {
    launch(context, "axpby", axpby_kernel<X, Y>, elementwise_grid(context, p.count), kElementwiseThreads, 0,
           static_cast<const X*>(p.x), static_cast<Y*>(p.y), p.count, p.alpha, p.beta);
  });
}

}  // namespace mm::cuda
