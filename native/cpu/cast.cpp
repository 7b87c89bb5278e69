// Conversion of storage, and y = alpha x + beta y.
#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

constexpr int64_t kBlock = 16384;

template <typename X, typename Y, typename F>
void map(int64_t count, const void* x, void* y, F f) {
  parallel_for(ceil_div(count, kBlock), [&](int64_t block) {
    const int64_t end = min64(count, (block + 1) * kBlock);
    const X* in = static_cast<const X*>(x);
    Y* out = static_cast<Y*>(y);
    int64_t i = block * kBlock;
    for (; i + kLanes <= end; i += kLanes) store(out + i, f(load(in + i), out + i));
    if (i < end) {
      Y part[kLanes] = {};
      memcpy(part, out + i, (end - i) * sizeof(Y));
      store_part(out + i, f(load_part(in + i, end - i), part), end - i);
    }
  });
}

template <typename F>
void map(int64_t count, const void* x, mm_dtype x_dtype, void* y, mm_dtype y_dtype, F f) {
  if (x_dtype == MM_DTYPE_F32) {
    y_dtype == MM_DTYPE_F32 ? map<float, float>(count, x, y, f) : map<float, bf16>(count, x, y, f);
  } else {
    y_dtype == MM_DTYPE_F32 ? map<bf16, float>(count, x, y, f) : map<bf16, bf16>(count, x, y, f);
  }
}

}  // namespace

void cast(mm_context&, const mm_cast_params& p) {
  map(p.count, p.x, p.x_dtype, p.y, p.y_dtype, [](vfloat x, auto*) { return x; });
}

void axpby(mm_context&, const mm_axpby_params& p) {
  if (p.beta == 0) {
    map(p.count, p.x, p.x_dtype, p.y, p.y_dtype, [&](vfloat x, auto*) { return p.alpha * x; });
  } else {
    map(p.count, p.x, p.x_dtype, p.y, p.y_dtype,
        [&](vfloat x, auto* y) { return p.alpha * x + p.beta * load(y); });
  }
}

}  // namespace mm::MM_ISA_NS
