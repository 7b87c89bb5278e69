// The load-balancing loss over the rows of all layers: experts * sum_e f_e P_e.
#include "cpu/moe.h"
#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

constexpr int64_t kRows = 128;  // rows of a task

// Rows of all layers in one line: row r is token r % tokens of layer r / tokens.
const float* row_of(const float* const* logits, int64_t row, int64_t tokens, int64_t experts) {
  return logits[row / tokens] + row % tokens * experts;
}

int64_t counted_tokens(const int32_t* mask, int64_t tokens) {
  if (!mask) return tokens;
  int64_t count = 0;
  for (int64_t t = 0; t < tokens; t++) count += mask[t] != 0;
  return count;
}

void softmax(const float* logits, int64_t experts, int64_t row, float* p) {
  const float largest = largest_logit(logits, experts, row);
  float total = 0;
  for (int64_t e = 0; e < experts; e += kLanes) {
    const int64_t n = min64(kLanes, experts - e);
    store_part(p + e, exp(load_part(logits + e, n) - largest), n);
    for (int64_t i = 0; i < n; i++) total += p[e + i];
  }
  for (int64_t e = 0; e < experts; e++) p[e] /= total;
}

}  // namespace

void moe_aux_loss_forward(mm_context&, const mm_moe_aux_loss_forward_params& p) {
  const int64_t rows = p.layers * p.tokens, blocks = ceil_div(rows, kRows), experts = p.experts;
  // Sums of the blocks: probabilities, then picks; added up in ascending order.
  Buffer<double> sums(blocks * 2 * experts);
  parallel_for(blocks, [&](int64_t block) {
    double *mass = sums + block * 2 * experts, *picked = mass + experts;
    memset(mass, 0, 2 * experts * sizeof(double));
    float* probability = static_cast<float*>(thread_scratch((experts + p.top_k) * sizeof(float)));
    int32_t* picks = reinterpret_cast<int32_t*>(probability + experts);
    const int64_t end = min64(rows, (block + 1) * kRows);
    for (int64_t r = block * kRows; r < end; r++) {
      if (p.token_mask && !p.token_mask[r % p.tokens]) continue;
      const float* logits = row_of(p.logits, r, p.tokens, experts);
      softmax(logits, experts, r, probability);
      pick_experts(logits, experts, p.top_k, picks);
      for (int64_t e = 0; e < experts; e++) mass[e] += probability[e];
      for (int64_t i = 0; i < p.top_k; i++) picked[picks[i]]++;
    }
  });
  // Without a row there is nothing to balance: f, P and the loss are 0.
  const double count = static_cast<double>(max64(1, p.layers * counted_tokens(p.token_mask, p.tokens)));
  double loss = 0;
  for (int64_t e = 0; e < experts; e++) {
    double mass = 0, picked = 0;
    for (int64_t block = 0; block < blocks; block++) {
      mass += sums[block * 2 * experts + e];
      picked += sums[block * 2 * experts + experts + e];
    }
    p.fraction[e] = static_cast<float>(picked / count);
    p.probability[e] = static_cast<float>(mass / count);
    loss += picked / count * (mass / count);
  }
  *p.loss = static_cast<float>(static_cast<double>(experts) * loss);
}

// dlogits_e = dloss experts / rows * p_e (f_e - sum_j f_j p_j)
void moe_aux_loss_backward(mm_context&, const mm_moe_aux_loss_backward_params& p) {
  const int64_t rows = p.layers * p.tokens, experts = p.experts;
  const int64_t counted = max64(1, p.layers * counted_tokens(p.token_mask, p.tokens));
  const float scale = static_cast<float>(static_cast<double>(p.dloss) * static_cast<double>(experts) /
                                         static_cast<double>(counted));
  parallel_for(ceil_div(rows, kRows), [&](int64_t block) {
    const int64_t end = min64(rows, (block + 1) * kRows);
    for (int64_t r = block * kRows; r < end; r++) {
      float* dlogits = p.dlogits[r / p.tokens] + r % p.tokens * experts;
      if (p.token_mask && !p.token_mask[r % p.tokens]) {
        memset(dlogits, 0, experts * sizeof(float));
        continue;
      }
      softmax(row_of(p.logits, r, p.tokens, experts), experts, r, dlogits);
      float mean = 0;
      for (int64_t e = 0; e < experts; e++) mean += p.fraction[e] * dlogits[e];
      for (int64_t e = 0; e < experts; e++) dlogits[e] *= scale * (p.fraction[e] - mean);
    }
  });
}

}  // namespace mm::MM_ISA_NS
