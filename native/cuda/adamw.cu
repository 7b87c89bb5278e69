// AdamW over many tensors: a launch takes up to 64 of them, their pointers as parameters of the kernel; a
// block takes 4,096 elements of one.
#include <math.h>

#include <algorithm>

#include "cuda/ops.h"
#include "cuda/runs.cuh"

namespace mm::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kTensors = 64;  // of a launch: parameters have 4 KiB
constexpr int kBlock = 4096;

struct Tensors {
  float* master[kTensors];
  const float* grad[kTensors];
  float* m[kTensors];
  float* v[kTensors];
  bf16* model[kTensors];
  int64_t count[kTensors];
  float weight_decay[kTensors];
  int32_t end[kTensors];  // blocks of this tensor and of those before it
};
static_assert(sizeof(Tensors) <= 3840);

struct Step {
  float learning_rate, beta1, beta2, eps, grad_scale;
  float first_correction, second_correction;  // 1 / (1 - beta^step)
};

template <bool Aligned>
__device__ __forceinline__ void update(const Tensors& t, int tensor, int64_t i, int64_t left, const Step& s) {
  float w[4], g[4], m[4], v[4];
  read<Aligned>(t.master[tensor] + i, left, w);
  read<Aligned>(t.grad[tensor] + i, left, g);
  read<Aligned>(t.m[tensor] + i, left, m);
  read<Aligned>(t.v[tensor] + i, left, v);
  const float keep = 1.0f - s.learning_rate * t.weight_decay[tensor];
#pragma unroll
  for (int e = 0; e < 4; e++) {
    const float scaled = g[e] * s.grad_scale;
    m[e] = s.beta1 * m[e] + (1.0f - s.beta1) * scaled;
    v[e] = s.beta2 * v[e] + (1.0f - s.beta2) * scaled * scaled;
    const float step = m[e] * s.first_correction / (sqrtf(v[e] * s.second_correction) + s.eps);
    w[e] = w[e] * keep - s.learning_rate * step;
  }
  write<Aligned>(t.master[tensor] + i, left, w);
  write<Aligned>(t.m[tensor] + i, left, m);
  write<Aligned>(t.v[tensor] + i, left, v);
  bf16* model = t.model[tensor];
  if (!model) return;
  if (Aligned && left >= 4) {
    *reinterpret_cast<uint2*>(model + i) = make_uint2(pack_bf16(w[0], w[1]), pack_bf16(w[2], w[3]));
  } else {
#pragma unroll
    for (int e = 0; e < 4; e++) {
      if (e < left) model[i + e] = from_float<bf16>(w[e]);
    }
  }
}

template <bool Aligned>
__global__ void __launch_bounds__(kThreads) adamw_kernel(const __grid_constant__ Tensors t, const Step s) {
  const int block = static_cast<int>(blockIdx.x);
  int low = 0, high = kTensors - 1;  // the first tensor that ends behind the block
  while (low < high) {
    const int middle = (low + high) / 2;
    t.end[middle] > block ? high = middle : low = middle + 1;
  }
  const int64_t first = int64_t{block - (low ? t.end[low - 1] : 0)} * kBlock;
  const int64_t end = min(t.count[low], first + kBlock);
#pragma unroll 2
  for (int64_t i = first + threadIdx.x * 4; i < end; i += kThreads * 4)
    update<Aligned>(t, low, i, end - i, s);
}

}  // namespace

void adamw_step(Context& context, const mm_adamw_step_params& p) {
  const double step = static_cast<double>(p.step);
  const Step s = {p.learning_rate,
                  p.beta1,
                  p.beta2,
                  p.eps,
                  p.grad_scale,
                  static_cast<float>(1.0 / (1.0 - pow(p.beta1, step))),
                  static_cast<float>(1.0 / (1.0 - pow(p.beta2, step)))};
  for (int64_t begin = 0; begin < p.tensors; begin += kTensors) {
    Tensors t{};
    int64_t blocks = 0;
    bool is_aligned = true;
    for (int i = 0; i < kTensors; i++) {
      if (const int64_t n = begin + i; n < p.tensors && p.counts[n] > 0) {
        t.master[i] = p.master[n], t.grad[i] = p.grad[n], t.m[i] = p.m[n], t.v[i] = p.v[n];
        t.model[i] = p.model ? static_cast<bf16*>(p.model[n]) : nullptr;
        t.count[i] = p.counts[n], t.weight_decay[i] = p.weight_decay[n];
        is_aligned = is_aligned && aligned(t.master[i], t.grad[i], t.m[i], t.v[i], t.model[i]);
        blocks += ceil_div(t.count[i], kBlock);
      }
      t.end[i] = static_cast<int32_t>(blocks);
    }
    with_alignment(is_aligned, [&]<bool Aligned>() {
      launch(context, "adamw", adamw_kernel<Aligned>, dim3(static_cast<unsigned>(blocks)), kThreads, 0, t, s);
    });
  }
}

}  // namespace mm::cuda
