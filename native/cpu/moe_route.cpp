// Routing: the experts of each token, their weights, and the slots sorted by expert.
// p_e / (sum of the picked p) is the softmax over the picked logits alone, as the denominator of p cancels;
// so weights need neither the other experts nor p itself, and a single expert's weight is exactly 1.
#include "cpu/moe.h"
#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

constexpr int64_t kRows = 64;  // tokens of a task

template <typename F>
void for_each_token(int64_t tokens, F f) {
  parallel_for(ceil_div(tokens, kRows), [&](int64_t block) {
    const int64_t end = min64(tokens, (block + 1) * kRows);
    for (int64_t t = block * kRows; t < end; t++) f(t);
  });
}

// Recorded picks must name distinct experts.
void check_picks(const int32_t* picks, int64_t experts, int64_t top_k, int64_t row) {
  for (int64_t i = 0; i < top_k; i++) {
    MM_REQUIRE(picks[i] >= 0 && picks[i] < experts, "row %lld picks expert %d of %lld",
               static_cast<long long>(row), picks[i], static_cast<long long>(experts));
    for (int64_t j = 0; j < i; j++) {
      MM_REQUIRE(picks[i] != picks[j], "row %lld picks expert %d twice", static_cast<long long>(row),
                 picks[i]);
    }
  }
}

// weights[i] = softmax over i of logits[picks[i]]
void weigh(const float* logits, const int32_t* picks, int64_t top_k, int64_t row, float* weights) {
  float largest = -__builtin_inff();
  for (int64_t i = 0; i < top_k; i++) largest = logits[picks[i]] > largest ? logits[picks[i]] : largest;
  MM_REQUIRE(largest > -__builtin_inff(), "every expert that row %lld picks has probability 0",
             static_cast<long long>(row));
  float total = 0;
  for (int64_t i = 0; i < top_k; i += kLanes) {
    const int64_t n = min64(kLanes, top_k - i);
    vfloat v = {};
    for (int64_t j = 0; j < n; j++) v[j] = logits[picks[i + j]] - largest;
    store_part(weights + i, exp(v), n);
    for (int64_t j = 0; j < n; j++) total += weights[i + j];
  }
  for (int64_t i = 0; i < top_k; i++) weights[i] /= total;
}

// Counting sort of the slots by expert, which keeps the slots of an expert in ascending order.
void sort_slots(const mm_moe_route_forward_params& p) {
  const int64_t slots = p.tokens * p.top_k;
  int32_t* offsets = p.expert_offsets;
  memset(offsets, 0, (p.experts + 1) * sizeof(int32_t));
  for (int64_t s = 0; s < slots; s++) offsets[p.expert_index[s] + 1]++;
  for (int64_t e = 0; e < p.experts; e++) offsets[e + 1] += offsets[e];
  Buffer<int32_t> next(p.experts);
  memcpy(next, offsets, p.experts * sizeof(int32_t));
  for (int64_t s = 0; s < slots; s++) {
    const int32_t row = next[p.expert_index[s]]++;
    p.row_slot[row] = static_cast<int32_t>(s);
    p.slot_row[s] = row;
  }
}

}  // namespace

void moe_route_forward(mm_context&, const mm_moe_route_forward_params& p) {
  for_each_token(p.tokens, [&](int64_t t) {
    const float* logits = p.logits + t * p.experts;
    int32_t* picks = p.expert_index + t * p.top_k;
    largest_logit(logits, p.experts, t);
    if (p.replay) {
      check_picks(picks, p.experts, p.top_k, t);
    } else {
      pick_experts(logits, p.experts, p.top_k, picks);
    }
    weigh(logits, picks, p.top_k, t, p.expert_weight + t * p.top_k);
  });
  sort_slots(p);
}

// dlogit of pick i = weight_i (dweight_i - sum_j weight_j dweight_j); the other experts do not take part.
void moe_route_backward(mm_context&, const mm_moe_route_backward_params& p) {
  for_each_token(p.tokens, [&](int64_t t) {
    const float *logits = p.logits + t * p.experts, *dweight = p.dweight + t * p.top_k;
    const int32_t* picks = p.expert_index + t * p.top_k;
    float* dlogits = p.dlogits + t * p.experts;
    float* weights = static_cast<float*>(thread_scratch(p.top_k * sizeof(float)));
    check_picks(picks, p.experts, p.top_k, t);
    weigh(logits, picks, p.top_k, t, weights);
    float mean = 0;
    for (int64_t i = 0; i < p.top_k; i++) mean += weights[i] * dweight[i];
    memset(dlogits, 0, p.experts * sizeof(float));
    for (int64_t i = 0; i < p.top_k; i++) dlogits[picks[i]] = weights[i] * (dweight[i] - mean);
  });
}

}  // namespace mm::MM_ISA_NS
