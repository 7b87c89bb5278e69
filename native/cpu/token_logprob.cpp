// Log-probability of a target and entropy of each row of logits, and their gradient. Rows are independent.
#include <math.h>

#include "cpu/elementwise.h"
#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

void forward_row(const mm_token_logprob_forward_params& p, int64_t r) {
  const float* z = p.logits + r * p.vocabulary;
  vfloat largest = splat(-INFINITY);
  float last = -INFINITY;
  int64_t i = 0;
  for (; i + kLanes <= p.vocabulary; i += kLanes) largest = max(largest, load(z + i));
  for (; i < p.vocabulary; i++) last = fmaxf(last, z[i]);
  const float maximum = fmaxf(last, max(largest));
  // Sums in double: the losses of a policy nearly cancel, and see the last bit of a log-probability.
  double total = 0, weighted = 0;
  for (i = 0; i < p.vocabulary; i += kLanes) {
    const int64_t n = min64(kLanes, p.vocabulary - i);
    const vfloat shifted = load_n(z + i, n) - maximum, e = exp(shifted);
    for (int l = 0; l < n; l++) {
      total += e[l];
      if (e[l] > 0) weighted += static_cast<double>(e[l]) * shifted[l];
    }
  }
  const double lse = maximum + log(total);
  p.lse[r] = static_cast<float>(lse);
  p.logp[r] = p.targets[r] == MM_IGNORE_LABEL ? 0.0f : static_cast<float>(z[p.targets[r]] - lse);
  // -sum p log p = log total - sum e (z - max) / total
  if (p.entropy) p.entropy[r] = static_cast<float>(log(total) - weighted / total);
}

void backward_row(const mm_token_logprob_backward_params& p, int64_t r) {
  const float* z = p.logits + r * p.vocabulary;
  float* d = p.dlogits + r * p.vocabulary;
  const bool ignored = p.targets[r] == MM_IGNORE_LABEL;
  const float dlogp = ignored ? 0.0f : p.dlogp[r], dentropy = p.dentropy ? p.dentropy[r] : 0.0f;
  const float entropy = dentropy != 0 ? p.entropy[r] : 0.0f;
  for (int64_t i = 0; i < p.vocabulary; i += kLanes) {
    const int64_t n = min64(kLanes, p.vocabulary - i);
    const vfloat log_p = load_n(z + i, n) - p.lse[r], probability = exp(log_p);
    vfloat g = -dlogp * probability;
    if (dentropy != 0) g -= dentropy * select(probability > 0.0f, probability * (log_p + entropy), vfloat{});
    store_n(d + i, g, n);
  }
  if (!ignored) d[p.targets[r]] += dlogp;
}

void require_targets(const int32_t* targets, int64_t rows, int64_t vocabulary) {
  for (int64_t r = 0; r < rows; r++) {
    MM_REQUIRE(targets[r] == MM_IGNORE_LABEL || (targets[r] >= 0 && targets[r] < vocabulary),
               "target %d at row %lld; the vocabulary has %lld", targets[r], static_cast<long long>(r),
               static_cast<long long>(vocabulary));
  }
}

}  // namespace

void token_logprob_forward(mm_context&, const mm_token_logprob_forward_params& p) {
  require_targets(p.targets, p.rows, p.vocabulary);
  parallel_for(p.rows, [&](int64_t r) { forward_row(p, r); });
}

void token_logprob_backward(mm_context&, const mm_token_logprob_backward_params& p) {
  require_targets(p.targets, p.rows, p.vocabulary);
  parallel_for(p.rows, [&](int64_t r) { backward_row(p, r); });
}

}  // namespace mm::MM_ISA_NS
