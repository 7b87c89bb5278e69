// y = x sigmoid(x) and its gradient.
#include "cpu/elementwise.h"
#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

template <typename T>
void forward(const mm_silu_forward_params& p) {
  const T* x = static_cast<const T*>(p.x);
  T* y = static_cast<T*>(p.y);
  for_each_vector(p.count, [&](int64_t i, int64_t n) {
    const vfloat v = load_n(x + i, n);
    store_n(y + i, v * sigmoid(v), n);
  });
}

template <typename T>
void backward(const mm_silu_backward_params& p) {
  const T *x = static_cast<const T*>(p.x), *dy = static_cast<const T*>(p.dy);
  T* dx = static_cast<T*>(p.dx);
  for_each_vector(p.count, [&](int64_t i, int64_t n) {
    const vfloat v = load_n(x + i, n), s = sigmoid(v);
    store_n(dx + i, load_n(dy + i, n) * s * (1.0f + v * (1.0f - s)), n);
  });
}

}  // namespace

void silu_forward(mm_context&, const mm_silu_forward_params& p) {
  p.dtype == MM_DTYPE_F32 ? forward<float>(p) : forward<bf16>(p);
}

void silu_backward(mm_context&, const mm_silu_backward_params& p) {
  p.dtype == MM_DTYPE_F32 ? backward<float>(p) : backward<bf16>(p);
}

}  // namespace mm::MM_ISA_NS
