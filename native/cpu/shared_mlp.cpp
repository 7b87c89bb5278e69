// The combination of the sparse experts with the shared MLP: y = (1 - c) sparse + c shared, c a sigmoid per
// token.
#include "cpu/elementwise.h"
#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

constexpr int64_t kTokens = 16;  // of a task

template <typename F>
void for_each_token(int64_t tokens, F f) {
  parallel_for(ceil_div(tokens, kTokens), [&](int64_t block) {
    const int64_t end = min64(tokens, (block + 1) * kTokens);
    for (int64_t t = block * kTokens; t < end; t++) f(t);
  });
}

// 1 - c is the sigmoid of -x: no digits are lost where c is near 1.
struct Mix {
  explicit Mix(float x) : shared(sigmoid(splat(x))[0]), sparse(sigmoid(splat(-x))[0]) {}
  float shared, sparse;
};

template <typename T>
void forward(const mm_shared_mlp_combine_forward_params& p) {
  for_each_token(p.tokens, [&](int64_t t) {
    const Mix c(p.coefficient[t]);
    const T* sparse = static_cast<const T*>(p.sparse) + t * p.width;
    const T* shared = static_cast<const T*>(p.shared) + t * p.width;
    T* y = static_cast<T*>(p.y) + t * p.width;
    for (int64_t i = 0; i < p.width; i += kLanes) {
      const int64_t n = min64(kLanes, p.width - i);
      store_n(y + i, c.sparse * load_n(sparse + i, n) + c.shared * load_n(shared + i, n), n);
    }
  });
}

template <typename T>
void backward(const mm_shared_mlp_combine_backward_params& p) {
  for_each_token(p.tokens, [&](int64_t t) {
    const Mix c(p.coefficient[t]);
    const T* sparse = static_cast<const T*>(p.sparse) + t * p.width;
    const T* shared = static_cast<const T*>(p.shared) + t * p.width;
    const T* dy = static_cast<const T*>(p.dy) + t * p.width;
    T* dsparse = static_cast<T*>(p.dsparse) + t * p.width;
    T* dshared = static_cast<T*>(p.dshared) + t * p.width;
    vfloat slope = {};
    for (int64_t i = 0; i < p.width; i += kLanes) {
      const int64_t n = min64(kLanes, p.width - i);
      const vfloat d = load_n(dy + i, n);
      slope += d * (load_n(shared + i, n) - load_n(sparse + i, n));
      store_n(dsparse + i, c.sparse * d, n);
      store_n(dshared + i, c.shared * d, n);
    }
    p.dcoefficient[t] = c.shared * c.sparse * sum(slope);
  });
}

}  // namespace

void shared_mlp_combine_forward(mm_context&, const mm_shared_mlp_combine_forward_params& p) {
  p.dtype == MM_DTYPE_F32 ? forward<float>(p) : forward<bf16>(p);
}

void shared_mlp_combine_backward(mm_context&, const mm_shared_mlp_combine_backward_params& p) {
  p.dtype == MM_DTYPE_F32 ? backward<float>(p) : backward<bf16>(p);
}

}  // namespace mm::MM_ISA_NS
