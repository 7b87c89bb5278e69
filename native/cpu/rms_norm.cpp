// RMSNorm over the last axis, with an optional residual sum before it.
//
//   s = alpha x + beta branch (or x);  n = s rstd;  y = w n        rows are independent of each other
//   ds = rstd (w dy - n mean(w dy n)) + dsum;  dw = sum over rows of dy n
#include "cpu/ops.h"
#include "cpu/row_sum.h"

namespace mm::MM_ISA_NS {
namespace {

constexpr int64_t kRowsPerTask = 16;

// As the published code does in bf16: the normalised value is rounded before the weight.
inline vfloat rounded(vfloat v, const float*) { return v; }
inline vfloat rounded(vfloat v, const bf16*) {
  bf16 narrow[kLanes];
  store(narrow, v);
  return load(narrow);
}

template <typename T, typename W>
void forward_row(const mm_rms_norm_forward_params& p, int64_t r) {
  const T* x = static_cast<const T*>(p.x) + r * p.width;
  const T* s = x;
  if (p.branch) {
    const T* branch = static_cast<const T*>(p.branch) + r * p.width;
    T* sum = static_cast<T*>(p.sum) + r * p.width;
    for_lanes(p.width, [&](int64_t j, int64_t n) {
      store_n(sum + j, p.alpha * load_n(x + j, n) + p.beta * load_n(branch + j, n), n);
    });
    s = sum;
  }
  vfloat squares = {};
  for_lanes(p.width, [&](int64_t j, int64_t n) {
    const vfloat v = load_n(s + j, n);
    squares += v * v;
  });
  const float rstd = 1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(p.width) + p.eps);
  if (p.rstd) p.rstd[r] = rstd;
  const W* w = static_cast<const W*>(p.weight);
  T* y = static_cast<T*>(p.y) + r * p.width;
  for_lanes(p.width, [&](int64_t j, int64_t n) {
    store_n(y + j, load_n(w + j, n) * rounded(load_n(s + j, n) * rstd, s), n);
  });
}

template <typename T, typename W>
void backward_row(const mm_rms_norm_backward_params& p, int64_t r, float* dweight) {
  const T* s = static_cast<const T*>(p.sum) + r * p.width;
  const T* dy = static_cast<const T*>(p.dy) + r * p.width;
  const T* dsum = p.dsum ? static_cast<const T*>(p.dsum) + r * p.width : nullptr;
  const W* w = static_cast<const W*>(p.weight);
  T* dx = static_cast<T*>(p.dx) + r * p.width;
  T* dbranch = p.dbranch ? static_cast<T*>(p.dbranch) + r * p.width : nullptr;
  const float rstd = p.rstd[r], alpha = dbranch ? p.alpha : 1.0f;
  vfloat dots = {};
  for_lanes(p.width, [&](int64_t j, int64_t n) {
    const vfloat g = load_n(dy + j, n), normal = load_n(s + j, n) * rstd;
    dots += g * load_n(w + j, n) * normal;
    if (dweight) store_n(dweight + j, load_n(dweight + j, n) + g * normal, n);
  });
  const float mean = sum(dots) / static_cast<float>(p.width);
  for_lanes(p.width, [&](int64_t j, int64_t n) {
    const vfloat normal = load_n(s + j, n) * rstd;
    vfloat ds = rstd * (load_n(dy + j, n) * load_n(w + j, n) - normal * mean);
    if (dsum) ds += load_n(dsum + j, n);
    store_n(dx + j, alpha * ds, n);
    if (dbranch) store_n(dbranch + j, p.beta * ds, n);
  });
}

template <typename T, typename W>
void forward(const mm_rms_norm_forward_params& p) {
  parallel_for(ceil_div(p.rows, kRowsPerTask), [&](int64_t task) {
    const int64_t end = min64(p.rows, (task + 1) * kRowsPerTask);
    for (int64_t r = task * kRowsPerTask; r < end; r++) forward_row<T, W>(p, r);
  });
}

template <typename T, typename W>
void backward(const mm_rms_norm_backward_params& p) {
  sum_over_rows(p.rows, p.width, p.dweight, p.dweight_dtype,
                [&](int64_t r, float* dweight) { backward_row<T, W>(p, r, dweight); });
}

}  // namespace

void rms_norm_forward(mm_context&, const mm_rms_norm_forward_params& p) {
  if (p.dtype == MM_DTYPE_F32) {
    p.weight_dtype == MM_DTYPE_F32 ? forward<float, float>(p) : forward<float, bf16>(p);
  } else {
    p.weight_dtype == MM_DTYPE_F32 ? forward<bf16, float>(p) : forward<bf16, bf16>(p);
  }
}

void rms_norm_backward(mm_context&, const mm_rms_norm_backward_params& p) {
  if (p.dtype == MM_DTYPE_F32) {
    p.weight_dtype == MM_DTYPE_F32 ? backward<float, float>(p) : backward<float, bf16>(p);
  } else {
    p.weight_dtype == MM_DTYPE_F32 ? backward<bf16, float>(p) : backward<bf16, bf16>(p);
  }
}

}  // namespace mm::MM_ISA_NS
