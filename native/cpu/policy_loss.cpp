// The policy losses of the report, equations 1 to 7: one gradient, weight mask A, and each method's own
// value.
#include <math.h>

#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

float clip(float x, float low, float high) { return fminf(fmaxf(x, low), high); }

// Adds nothing where token_weight is 0, whatever else stands there.
double token(const mm_policy_loss_forward_params& p, int64_t t) {
  const float a = p.advantage[t], logp = p.logp[t], r = expf(logp - p.old_logp[t]);
  const bool masked = (a > 0 && r > 1 + p.mask_high) || (a < 0 && r < 1 - p.mask_low);
  const float weight = masked ? 0.0f : clip(r, p.weight_min, p.weight_max);
  float objective = p.objective_kind == MM_POLICY_OBJECTIVE_CLIPPED_SURROGATE
                        ? fminf(r * a, clip(r, 1 - p.mask_low, 1 + p.mask_high) * a)
                        : weight * a * logp;
  float gradient = weight * a;
  if (p.kl_beta != 0) {
    const float difference = p.ref_logp[t] - logp, ratio = expf(difference);
    objective -= p.kl_beta * (ratio - difference - 1);
    gradient -= p.kl_beta * (1 - ratio);
  }
  if (p.ratio) p.ratio[t] = r;
  if (p.objective) p.objective[t] = objective;
  p.dlogp[t] = p.token_weight[t] == 0 ? 0.0f : -p.token_weight[t] * gradient;
  return p.token_weight[t] == 0 ? 0.0 : -static_cast<double>(p.token_weight[t]) * objective;
}

}  // namespace

void policy_loss_forward(mm_context&, const mm_policy_loss_forward_params& p) {
  double loss = 0;
  for (int64_t t = 0; t < p.tokens; t++) loss += token(p, t);
  *p.loss = static_cast<float>(loss);
}

}  // namespace mm::MM_ISA_NS
