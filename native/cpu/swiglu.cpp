// y = silu(gate) up and its gradients.
#include "cpu/elementwise.h"
#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

template <typename T>
void forward(const mm_swiglu_forward_params& p) {
  const T *gate = static_cast<const T*>(p.gate), *up = static_cast<const T*>(p.up);
  T* y = static_cast<T*>(p.y);
  for_each_vector(p.count, [&](int64_t i, int64_t n) {
    const vfloat g = load_n(gate + i, n);
    store_n(y + i, g * sigmoid(g) * load_n(up + i, n), n);
  });
}

template <typename T>
void backward(const mm_swiglu_backward_params& p) {
  const T *gate = static_cast<const T*>(p.gate), *up = static_cast<const T*>(p.up),
          *dy = static_cast<const T*>(p.dy);
  T *dgate = static_cast<T*>(p.dgate), *dup = static_cast<T*>(p.dup);
  for_each_vector(p.count, [&](int64_t i, int64_t n) {
    const vfloat g = load_n(gate + i, n), u = load_n(up + i, n), d = load_n(dy + i, n), s = sigmoid(g);
    store_n(dgate + i, d * u * s * (1.0f + g * (1.0f - s)), n);
    store_n(dup + i, d * g * s, n);
  });
}

}  // namespace

void swiglu_forward(mm_context&, const mm_swiglu_forward_params& p) {
  p.dtype == MM_DTYPE_F32 ? forward<float>(p) : forward<bf16>(p);
}

void swiglu_backward(mm_context&, const mm_swiglu_backward_params& p) {
  p.dtype == MM_DTYPE_F32 ? backward<float>(p) : backward<bf16>(p);
}

}  // namespace mm::MM_ISA_NS
