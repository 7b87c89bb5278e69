// AdamW over many tensors in one call: blocks of all of them form one list of tasks.
#include <math.h>

#include "cpu/elementwise.h"
#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

constexpr int64_t kBlock = 8192;

inline vfloat square_root(vfloat v) {
  for (int i = 0; i < kLanes; i++) v[i] = __builtin_sqrtf(v[i]);
  return v;
}

struct Correction {
  float first, second;  // 1 / (1 - beta^step)
};

void update(const mm_adamw_step_params& p, int64_t tensor, int64_t begin, int64_t end, Correction c) {
  float *master = p.master[tensor], *m = p.m[tensor], *v = p.v[tensor];
  const float* grad = p.grad[tensor];
  bf16* model = p.model ? static_cast<bf16*>(p.model[tensor]) : nullptr;
  const float keep = 1.0f - p.learning_rate * p.weight_decay[tensor];
  for (int64_t i = begin; i < end; i += kLanes) {
    const int64_t n = min64(kLanes, end - i);
    const vfloat g = load_n(grad + i, n) * p.grad_scale;
    const vfloat first = p.beta1 * load_n(m + i, n) + (1.0f - p.beta1) * g;
    const vfloat second = p.beta2 * load_n(v + i, n) + (1.0f - p.beta2) * g * g;
    const vfloat step = first * c.first / (square_root(second * c.second) + p.eps);
    const vfloat value = load_n(master + i, n) * keep - p.learning_rate * step;
    store_n(m + i, first, n);
    store_n(v + i, second, n);
    store_n(master + i, value, n);
    if (model) store_n(model + i, value, n);
  }
}

}  // namespace

void adamw_step(mm_context&, const mm_adamw_step_params& p) {
  const double step = static_cast<double>(p.step);
  const Correction correction = {static_cast<float>(1.0 / (1.0 - pow(p.beta1, step))),
                                 static_cast<float>(1.0 / (1.0 - pow(p.beta2, step)))};
  int64_t total = 0;
  for (int64_t t = 0; t < p.tensors; t++) total += ceil_div(p.counts[t], kBlock);
  struct Task {
    int64_t tensor, begin;
  };
  Buffer<Task> tasks(total);
  int64_t n = 0;
  for (int64_t t = 0; t < p.tensors; t++) {
    for (int64_t begin = 0; begin < p.counts[t]; begin += kBlock) tasks[n++] = {t, begin};
  }
  parallel_for(total, [&](int64_t i) {
    const Task task = tasks[i];
    update(p, task.tensor, task.begin, min64(p.counts[task.tensor], task.begin + kBlock), correction);
  });
}

}  // namespace mm::MM_ISA_NS
