// Rotary embedding of halves. Angles are fp32 products rounded to fp32, as in the published code: at far
// positions an angle formed in double would not agree with it.
#include <math.h>

#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

constexpr int64_t kTokensPerTask = 32;

template <typename T>
void rotate(const mm_rope_forward_params& p, int64_t token, float* cosine, float* sine) {
  const int64_t half = p.rotary_dim / 2;
  for (int64_t m = 0; m < half; m++) {
    const float angle = static_cast<float>(p.positions[token]) * p.inv_freq[m];
    cosine[m] = cosf(angle);
    sine[m] = p.inverse ? -sinf(angle) : sinf(angle);
  }
  for (int64_t h = 0; h < p.heads; h++) {
    const T* x = static_cast<const T*>(p.x) + token * p.x_token_stride + h * p.x_head_stride;
    T* y = static_cast<T*>(p.y) + token * p.y_token_stride + h * p.y_head_stride;
    for (int64_t m = 0; m < half; m++) {
      const float a = load_one(x + m), b = load_one(x + m + half);
      store_one(y + m, a * cosine[m] - b * sine[m]);
      store_one(y + m + half, b * cosine[m] + a * sine[m]);
    }
    if (x != y) memcpy(y + p.rotary_dim, x + p.rotary_dim, (p.head_dim - p.rotary_dim) * sizeof(T));
  }
}

}  // namespace

void rope_forward(mm_context&, const mm_rope_forward_params& p) {
  parallel_for(ceil_div(p.tokens, kTokensPerTask), [&](int64_t task) {
    float* cosine = static_cast<float*>(thread_scratch(p.rotary_dim * sizeof(float)));
    float* sine = cosine + p.rotary_dim / 2;
    const int64_t end = min64(p.tokens, (task + 1) * kTokensPerTask);
    for (int64_t t = task * kTokensPerTask; t < end; t++) {
      p.dtype == MM_DTYPE_F32 ? rotate<float>(p, t, cosine, sine) : rotate<bf16>(p, t, cosine, sine);
    }
  });
}

}  // namespace mm::MM_ISA_NS
