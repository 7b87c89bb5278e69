// Entries of moe.h.
#include "runtime/context.h"

namespace mm {
namespace {

template <typename Params>
void check_sizes(const Params& p) {
  MM_REQUIRE_SIZE(tokens);
  MM_REQUIRE_POSITIVE(experts);
  MM_REQUIRE(p.experts < (int64_t{1} << 31), "%lld experts", static_cast<long long>(p.experts));
}

template <typename Params>
void check_top_k(const Params& p) {
  check_sizes(p);
  MM_REQUIRE(p.top_k >= 1 && p.top_k <= p.experts, "top_k is %lld, with %lld experts",
             static_cast<long long>(p.top_k), static_cast<long long>(p.experts));
  MM_REQUIRE(p.tokens < (int64_t{1} << 31) / p.top_k, "%lld tokens times top_k %lld do not fit 32 bits",
             static_cast<long long>(p.tokens), static_cast<long long>(p.top_k));
}

void check(const mm_moe_route_forward_params& p) {
  check_top_k(p);
  MM_REQUIRE_POINTER(expert_offsets);
  if (p.tokens == 0) return;
  MM_REQUIRE_POINTER(logits);
  MM_REQUIRE_POINTER(expert_index);
  MM_REQUIRE_POINTER(expert_weight);
  MM_REQUIRE_POINTER(row_slot);
  MM_REQUIRE_POINTER(slot_row);
}

void check(const mm_moe_route_backward_params& p) {
  check_top_k(p);
  if (p.tokens == 0) return;
  MM_REQUIRE_POINTER(logits);
  MM_REQUIRE_POINTER(expert_index);
  MM_REQUIRE_POINTER(dweight);
  MM_REQUIRE_POINTER(dlogits);
}

template <typename Params>
void check_experts(const Params& p) {
  check_top_k(p);
  MM_REQUIRE_POSITIVE(width);
  MM_REQUIRE_POSITIVE(ffn);
  MM_REQUIRE_FLOAT(dtype);
  MM_REQUIRE_POINTER(expert_offsets);
  MM_REQUIRE_POINTER(w1);
  MM_REQUIRE_POINTER(w2);
  MM_REQUIRE_POINTER(w3);
  if (p.tokens == 0) return;
  MM_REQUIRE_POINTER(x);
  MM_REQUIRE_POINTER(expert_weight);
  MM_REQUIRE_POINTER(row_slot);
  MM_REQUIRE_POINTER(slot_row);
}

void check(const mm_moe_experts_forward_params& p) {
  check_experts(p);
  const bool int8 = p.weight_dtype == MM_DTYPE_I8;
  MM_REQUIRE(int8 || p.weight_dtype == p.dtype, "weight_dtype is %d; that of x, %d, and I8 are possible",
             static_cast<int>(p.weight_dtype), static_cast<int>(p.dtype));
  const int scales = (p.w1_scale != nullptr) + (p.w2_scale != nullptr) + (p.w3_scale != nullptr);
  MM_REQUIRE(scales == (int8 ? 3 : 0), "w1_scale, w2_scale and w3_scale are for I8, all three");
  MM_REQUIRE(p.tokens == 0 || p.y, "y is null");
}

void check(const mm_moe_experts_backward_params& p) {
  check_experts(p);
  const int gradients = (p.dw1 != nullptr) + (p.dw2 != nullptr) + (p.dw3 != nullptr);
  MM_REQUIRE(gradients == 0 || gradients == 3, "dw1, dw2 and dw3 are wanted all together or not at all");
  if (gradients) MM_REQUIRE_FLOAT(dw_dtype);
  if (p.tokens == 0) return;
  MM_REQUIRE_POINTER(gate);
  MM_REQUIRE_POINTER(up);
  MM_REQUIRE_POINTER(dy);
  MM_REQUIRE_POINTER(dweight);
}

template <typename Pointer>
void check_layers(const Pointer* logits, int64_t layers, const char* name) {
  MM_REQUIRE(layers == 0 || logits, "%s is null", name);
  for (int64_t i = 0; i < layers; i++) {
    MM_REQUIRE(logits[i], "%s of layer %lld is null", name, static_cast<long long>(i));
  }
}

void check(const mm_moe_aux_loss_forward_params& p) {
  check_top_k(p);
  MM_REQUIRE_SIZE(layers);
  MM_REQUIRE_POINTER(loss);
  MM_REQUIRE_POINTER(fraction);
  MM_REQUIRE_POINTER(probability);
  check_layers(p.logits, p.tokens ? p.layers : 0, "logits");
}

void check(const mm_moe_aux_loss_backward_params& p) {
  check_sizes(p);
  MM_REQUIRE_SIZE(layers);
  MM_REQUIRE_POINTER(fraction);
  check_layers(p.logits, p.tokens ? p.layers : 0, "logits");
  check_layers(p.dlogits, p.tokens ? p.layers : 0, "dlogits");
}

template <typename Params>
void check_combine(const Params& p) {
  MM_REQUIRE_SIZE(tokens);
  MM_REQUIRE_POSITIVE(width);
  MM_REQUIRE_FLOAT(dtype);
  if (p.tokens == 0) return;
  MM_REQUIRE_POINTER(sparse);
  MM_REQUIRE_POINTER(shared);
  MM_REQUIRE_POINTER(coefficient);
}

void check(const mm_shared_mlp_combine_forward_params& p) {
  check_combine(p);
  MM_REQUIRE(p.tokens == 0 || p.y, "y is null");
}

void check(const mm_shared_mlp_combine_backward_params& p) {
  check_combine(p);
  if (p.tokens == 0) return;
  MM_REQUIRE_POINTER(dy);
  MM_REQUIRE_POINTER(dsparse);
  MM_REQUIRE_POINTER(dshared);
  MM_REQUIRE_POINTER(dcoefficient);
}

}  // namespace
}  // namespace mm

MM_ENTRY(moe_route_forward)
MM_ENTRY(moe_route_backward)
MM_ENTRY(moe_experts_forward)
MM_ENTRY(moe_experts_backward)
MM_ENTRY(moe_aux_loss_forward)
MM_ENTRY(moe_aux_loss_backward)
MM_ENTRY(shared_mlp_combine_forward)
MM_ENTRY(shared_mlp_combine_backward)
