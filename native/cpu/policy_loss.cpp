// The policy losses of the report, equations 1 to 7: one gradient, weight mask A, and each method's own
// value.
#include <math.h>

#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

double clip(double x, double low, double high) { return fmin(fmax(x, low), high); }

// In double, as positive and negative advantages nearly cancel. Adds nothing where token_weight is 0,
// whatever else stands there.
double token(const mm_policy_loss_forward_params& p, int64_t t) {
  const bool counts = p.token_weight[t] != 0;
  const double a = p.advantage[t], logp = p.logp[t], r = __builtin_exp(logp - p.old_logp[t]);
  const bool masked = (a > 0 && r > 1.0 + p.mask_high) || (a < 0 && r < 1.0 - p.mask_low);
  const double weight = masked ? 0.0 : clip(r, p.weight_min, p.weight_max);
  double objective = p.objective_kind == MM_POLICY_OBJECTIVE_CLIPPED_SURROGATE
                         ? fmin(r * a, clip(r, 1.0 - p.mask_low, 1.0 + p.mask_high) * a)
                         : weight * a * logp;
  double gradient = weight * a;
  if (p.kl_beta != 0) {
    const double difference = p.ref_logp[t] - logp, ratio = __builtin_exp(difference);
    objective -= p.kl_beta * (ratio - difference - 1);
    gradient -= p.kl_beta * (1 - ratio);
  }
  if (p.ratio) p.ratio[t] = static_cast<float>(r);
  if (p.objective) p.objective[t] = counts ? static_cast<float>(objective) : 0.0f;
  p.dlogp[t] = counts ? static_cast<float>(-p.token_weight[t] * gradient) : 0.0f;
  return counts ? -p.token_weight[t] * objective : 0.0;
}

}  // namespace

void policy_loss_forward(mm_context&, const mm_policy_loss_forward_params& p) {
  double loss = 0;
  for (int64_t t = 0; t < p.tokens; t++) loss += token(p, t);
  *p.loss = static_cast<float>(loss);
}

}  // namespace mm::MM_ISA_NS
