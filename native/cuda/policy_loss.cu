// The policy losses of the report, equations 1 to 7: one gradient, weight mask A, and each method's own
// value. A thread a token; the sums of the blocks are added by one block in a fixed order.
#include "cuda/ops.h"

namespace mm::cuda {
namespace {

constexpr int kThreads = 256;

__device__ __forceinline__ double clip(double x, double low, double high) { return fmin(fmax(x, low), high); }

// In double, as positive and negative advantages nearly cancel. Adds nothing where token_weight is 0,
// whatever else stands there.
__device__ double token(const mm_policy_loss_forward_params& p, int64_t t) {
  const double a = p.advantage[t], logp = p.logp[t], r = exp(logp - static_cast<double>(p.old_logp[t]));
  if (p.ratio) p.ratio[t] = static_cast<float>(r);
  const double low = p.mask_low, high = p.mask_high, beta = p.kl_beta;
  const bool masked = (a > 0 && r > 1.0 + high) || (a < 0 && r < 1.0 - low);
  const double weight = masked ? 0.0 : clip(r, p.weight_min, p.weight_max);
  double objective = p.objective_kind == MM_POLICY_OBJECTIVE_CLIPPED_SURROGATE
                         ? fmin(r * a, clip(r, 1.0 - low, 1.0 + high) * a)
                         : weight * a * logp;
  double gradient = weight * a;
  if (beta != 0) {
    const double difference = static_cast<double>(p.ref_logp[t]) - logp, ratio = exp(difference);
    objective -= beta * (ratio - difference - 1);
    gradient -= beta * (1 - ratio);
  }
  const double token_weight = p.token_weight[t];
  const bool counts = token_weight != 0;
  if (p.objective) p.objective[t] = counts ? static_cast<float>(objective) : 0.0f;
  p.dlogp[t] = counts ? static_cast<float>(-token_weight * gradient) : 0.0f;
  return counts ? -token_weight * objective : 0.0;
}

__global__ void __launch_bounds__(kThreads)
    token_losses(const __grid_constant__ mm_policy_loss_forward_params p, double* sums) {
  const int64_t t = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const double sum = block_sum<kThreads>(t < p.tokens ? token(p, t) : 0.0, shared_memory<double>());
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads) add_losses(const double* sums, int64_t count, float* loss) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) sum += sums[i];
  sum = block_sum<kThreads>(sum, shared_memory<double>());
  if (threadIdx.x == 0) *loss = static_cast<float>(sum);
}

}  // namespace

void policy_loss_forward(Context& context, const mm_policy_loss_forward_params& p) {
  constexpr int64_t scratch = kThreads / 32 * sizeof(double);
  const int64_t blocks = ceil_div(p.tokens, kThreads);
  Workspace<double> sums(context, blocks);
  launch(context, "policy_loss_forward", token_losses, dim3(static_cast<unsigned>(blocks)), kThreads, scratch,
         p, sums);
  launch(context, "policy_loss_forward: sum", add_losses, dim3(1), kThreads, scratch, sums, blocks, p.loss);
}

}  // namespace mm::cuda
