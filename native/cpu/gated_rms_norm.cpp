// y = sigmoid(gate) w n, n = x rstd: what follows lightning attention.
//
//   dn = dy sigmoid(gate) w;  dx = rstd (dn - n mean(dn n));  dgate = dy w n sigmoid'(gate);  dw = sum dy
//   sigmoid(gate) n
#include "cpu/ops.h"
#include "cpu/row_sum.h"

namespace mm::MM_ISA_NS {
namespace {

constexpr int64_t kRowsPerTask = 16;

template <typename T, typename W>
void forward_row(const mm_gated_rms_norm_forward_params& p, int64_t r) {
  const T* x = static_cast<const T*>(p.x) + r * p.width;
  const T* gate = static_cast<const T*>(p.gate) + r * p.width;
  const W* w = static_cast<const W*>(p.weight);
  T* y = static_cast<T*>(p.y) + r * p.width;
  vfloat squares = {};
  for_lanes(p.width, [&](int64_t j, int64_t n) {
    const vfloat v = load_n(x + j, n);
    squares += v * v;
  });
  const float rstd = 1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(p.width) + p.eps);
  if (p.rstd) p.rstd[r] = rstd;
  for_lanes(p.width, [&](int64_t j, int64_t n) {
    store_n(y + j, sigmoid(load_n(gate + j, n)) * load_n(w + j, n) * load_n(x + j, n) * rstd, n);
  });
}

template <typename T, typename W>
void backward_row(const mm_gated_rms_norm_backward_params& p, int64_t r, float* dweight) {
  const T* x = static_cast<const T*>(p.x) + r * p.width;
  const T* gate = static_cast<const T*>(p.gate) + r * p.width;
  const T* dy = static_cast<const T*>(p.dy) + r * p.width;
  const W* w = static_cast<const W*>(p.weight);
  T* dx = static_cast<T*>(p.dx) + r * p.width;
  T* dgate = static_cast<T*>(p.dgate) + r * p.width;
  const float rstd = p.rstd[r];
  float* gated = static_cast<float*>(thread_scratch(p.width * sizeof(float)));  // dy sigmoid(gate)
  vfloat dots = {};
  for_lanes(p.width, [&](int64_t j, int64_t n) {
    const vfloat g = load_n(dy + j, n), s = sigmoid(load_n(gate + j, n)), normal = load_n(x + j, n) * rstd;
    const vfloat weight = load_n(w + j, n);
    store_n(gated + j, g * s, n);
    dots += g * s * weight * normal;
    store_n(dgate + j, g * weight * normal * s * (1.0f - s), n);
    if (dweight) store_n(dweight + j, load_n(dweight + j, n) + g * s * normal, n);
  });
  const float mean = sum(dots) / static_cast<float>(p.width);
  for_lanes(p.width, [&](int64_t j, int64_t n) {
    store_n(dx + j, rstd * (load_n(gated + j, n) * load_n(w + j, n) - load_n(x + j, n) * rstd * mean), n);
  });
}

template <typename T, typename W>
void forward(const mm_gated_rms_norm_forward_params& p) {
  parallel_for(ceil_div(p.rows, kRowsPerTask), [&](int64_t task) {
    const int64_t end = min64(p.rows, (task + 1) * kRowsPerTask);
    for (int64_t r = task * kRowsPerTask; r < end; r++) forward_row<T, W>(p, r);
  });
}

template <typename T, typename W>
void backward(const mm_gated_rms_norm_backward_params& p) {
  sum_over_rows(p.rows, p.width, p.dweight, p.dweight_dtype,
                [&](int64_t r, float* dweight) { backward_row<T, W>(p, r, dweight); });
}

}  // namespace

void gated_rms_norm_forward(mm_context&, const mm_gated_rms_norm_forward_params& p) {
  if (p.dtype == MM_DTYPE_F32) {
    p.weight_dtype == MM_DTYPE_F32 ? forward<float, float>(p) : forward<float, bf16>(p);
  } else {
    p.weight_dtype == MM_DTYPE_F32 ? forward<bf16, float>(p) : forward<bf16, bf16>(p);
  }
}

void gated_rms_norm_backward(mm_context&, const mm_gated_rms_norm_backward_params& p) {
  if (p.dtype == MM_DTYPE_F32) {
    p.weight_dtype == MM_DTYPE_F32 ? backward<float, float>(p) : backward<float, bf16>(p);
  } else {
    p.weight_dtype == MM_DTYPE_F32 ? backward<bf16, float>(p) : backward<bf16, bf16>(p);
  }
}

}  // namespace mm::MM_ISA_NS
