// Log-probability of a target and entropy of each row of logits, and their gradient. Forward: a block a row,
// in two passes. Backward: elementwise, a block for kPiece words of a row.
#include "cuda/ops.h"

namespace mm::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int64_t kPiece = 8 * kThreads;

__device__ __forceinline__ bool in_range(int32_t target, int64_t vocabulary) {
  return target >= 0 && target < vocabulary;
}

__global__ void __launch_bounds__(kThreads) forward_row(mm_token_logprob_forward_params p, int32_t* fault) {
  double* scratch = shared_memory<double>();
  const int64_t r = blockIdx.x;
  const float* z = p.logits + r * p.vocabulary;
  float maximum = -INFINITY;
  for (int64_t i = threadIdx.x; i < p.vocabulary; i += kThreads) maximum = fmaxf(maximum, z[i]);
  maximum = block_max<kThreads>(maximum, reinterpret_cast<float*>(scratch));
  // Sums in double: the losses of a policy nearly cancel, and see the last bit of a log-probability.
  double total = 0, weighted = 0;
  for (int64_t i = threadIdx.x; i < p.vocabulary; i += kThreads) {
    const float shifted = z[i] - maximum, e = expf(shifted);
    total += static_cast<double>(e);
    if (e > 0) weighted += static_cast<double>(e) * static_cast<double>(shifted);
  }
  total = block_sum<kThreads>(total, scratch);
  weighted = block_sum<kThreads>(weighted, scratch);
  if (threadIdx.x != 0) return;
  const double log_total = log(total), lse = static_cast<double>(maximum) + log_total;
  const int32_t target = p.targets[r];
  const bool ignored = target == MM_IGNORE_LABEL;
  if (!ignored && !in_range(target, p.vocabulary)) {
    *fault = static_cast<int32_t>(Fault::kTarget);
    p.logp[r] = NAN;
  } else {
    p.logp[r] = ignored ? 0.0f : static_cast<float>(static_cast<double>(z[target]) - lse);
  }
  p.lse[r] = static_cast<float>(lse);
  // -sum p log p = log total - sum e (z - max) / total
  if (p.entropy) p.entropy[r] = static_cast<float>(log_total - weighted / total);
}

__global__ void __launch_bounds__(kThreads)
    backward_piece(mm_token_logprob_backward_params p, int64_t pieces, int32_t* fault) {
  const int64_t r = blockIdx.x / pieces, first = blockIdx.x % pieces * kPiece;
  const int64_t last = min(first + kPiece, p.vocabulary);
  const float* z = p.logits + r * p.vocabulary;
  float* d = p.dlogits + r * p.vocabulary;
  const int32_t target = p.targets[r];
  const bool ignored = target == MM_IGNORE_LABEL;
  if (!ignored && !in_range(target, p.vocabulary)) *fault = static_cast<int32_t>(Fault::kTarget);
  const float lse = p.lse[r], dlogp = ignored ? 0.0f : p.dlogp[r];
  const float dentropy = p.dentropy ? p.dentropy[r] : 0.0f, entropy = dentropy != 0 ? p.entropy[r] : 0.0f;
  for (int64_t i = first + threadIdx.x; i < last; i += kThreads) {
    const float log_p = z[i] - lse, probability = expf(log_p);
    float g = -dlogp * probability;
    if (dentropy != 0 && probability > 0) g -= dentropy * (probability * (log_p + entropy));
    d[i] = i == target ? g + dlogp : g;
  }
}

}  // namespace

void token_logprob_forward(Context& context, const mm_token_logprob_forward_params& p) {
  launch(context, "token_logprob_forward", forward_row, dim3(static_cast<unsigned>(p.rows)), kThreads,
         kThreads / 32 * sizeof(double), p, context.fault);
}

void token_logprob_backward(Context& context, const mm_token_logprob_backward_params& p) {
  const int64_t pieces = ceil_div(p.vocabulary, kPiece);
  launch(context, "token_logprob_backward", backward_piece, dim3(static_cast<unsigned>(p.rows * pieces)),
         kThreads, 0, p, pieces, context.fault);
}

}  // namespace mm::cuda
