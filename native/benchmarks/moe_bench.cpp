// One MoE block: router, experts and their gradients. moe_bench [threads]
#include <string>

#include "bench.h"

using namespace mm::bench;

namespace {

struct Case {
  int64_t tokens, width, ffn, experts, top_k;
  mm_dtype dtype;
  std::string name() const {
    return std::string(dtype == MM_DTYPE_F32 ? "fp32" : "bf16") + " T " + std::to_string(tokens) + " d " +
           std::to_string(width) + " f " + std::to_string(ffn) + " " + std::to_string(experts) + " top " +
           std::to_string(top_k);
  }
};

// Values in [-0.5, 0.5) in the dtype.
std::vector<float> stored(int64_t count, mm_dtype dtype, uint64_t seed) {
  std::vector<float> values = floats(count, seed);
  for (float& value : values) value *= 0.5f;
  if (dtype == MM_DTYPE_F32) return values;
  std::vector<float> halves((count + 1) / 2);
  mm_context* c = context();
  mm_cast_params p{sizeof p, values.data(), halves.data(), count, MM_DTYPE_F32, MM_DTYPE_BF16};
  ok(mm_cast(c, &p));
  mm_context_destroy(c);
  return halves;
}

void run(mm_context* c, const Case& s) {
  const int64_t slots = s.tokens * s.top_k, weights = s.experts * s.width * s.ffn;
  auto x = stored(s.tokens * s.width, s.dtype, 1), dy = stored(s.tokens * s.width, s.dtype, 2),
       w1 = stored(weights, s.dtype, 3), w2 = stored(weights, s.dtype, 4), w3 = stored(weights, s.dtype, 5);
  auto router = floats(s.experts * s.width, 6);
  std::vector<float> y(x.size()), dx(x.size()), gate(slots * s.ffn), up(slots * s.ffn), dw1(weights),
      dw2(weights), dw3(weights), logits(s.tokens * s.experts), weight(slots), dweight(slots),
      dlogits(logits.size());
  std::vector<int32_t> picks(slots), offsets(s.experts + 1), row_slot(slots), slot_row(slots);

  mm_linear_forward_params l{};
  l.struct_size = sizeof l;
  l.x = x.data(), l.w = router.data(), l.y = logits.data();
  l.rows = s.tokens, l.in_features = s.width, l.out_features = s.experts;
  l.x_dtype = s.dtype, l.w_dtype = l.y_dtype = MM_DTYPE_F32, l.fp32_compute = 1;

  mm_moe_route_forward_params r{};
  r.struct_size = sizeof r;
  r.logits = logits.data(), r.expert_index = picks.data(), r.expert_weight = weight.data();
  r.expert_offsets = offsets.data(), r.row_slot = row_slot.data(), r.slot_row = slot_row.data();
  r.tokens = s.tokens, r.experts = s.experts, r.top_k = s.top_k;

  mm_moe_experts_forward_params f{};
  f.struct_size = sizeof f;
  f.x = x.data(), f.w1 = w1.data(), f.w2 = w2.data(), f.w3 = w3.data();
  f.expert_index = picks.data(), f.expert_weight = weight.data(), f.expert_offsets = offsets.data();
  f.row_slot = row_slot.data(), f.slot_row = slot_row.data();
  f.y = y.data();
  f.tokens = s.tokens, f.experts = s.experts, f.top_k = s.top_k, f.width = s.width, f.ffn = s.ffn;
  f.dtype = f.weight_dtype = s.dtype;

  auto forward = [&] {
    ok(mm_linear_forward(c, &l));
    ok(mm_moe_route_forward(c, &r));
    ok(mm_moe_experts_forward(c, &f));
  };
  const Seconds t = timed(forward);
  report_ms(s.name() + " forward", t);
  if (s.tokens == 1) {
    report(s.name() + " weights", t, 3e-9 * slots * s.width * s.ffn * (s.dtype == MM_DTYPE_F32 ? 4 : 2),
           "GB/s");
    // The same bytes as int8: what they stand for does not matter here.
    const auto scale = floats(s.experts * (s.width + s.ffn), 7);
    f.weight_dtype = MM_DTYPE_I8, f.w1_scale = f.w2_scale = f.w3_scale = scale.data();
    const Seconds int8 = timed(forward);
    report_ms(s.name() + " forward, int8 weights", int8);
    report(s.name() + " weights, int8", int8, 3e-9 * slots * s.width * s.ffn, "GB/s");
    return;
  }
  report(s.name() + " forward", t, 6e-9 * slots * s.width * s.ffn, "GFLOP/s");

  mm_moe_experts_backward_params b{};
  b.struct_size = sizeof b;
  b.x = f.x, b.w1 = f.w1, b.w2 = f.w2, b.w3 = f.w3;
  b.expert_index = f.expert_index, b.expert_weight = f.expert_weight, b.expert_offsets = f.expert_offsets;
  b.row_slot = f.row_slot, b.slot_row = f.slot_row;
  b.gate = f.gate = gate.data(), b.up = f.up = up.data();
  b.dy = dy.data(), b.dx = dx.data(), b.dw1 = dw1.data(), b.dw2 = dw2.data(), b.dw3 = dw3.data();
  b.dweight = dweight.data();
  b.tokens = f.tokens, b.experts = f.experts, b.top_k = f.top_k, b.width = f.width, b.ffn = f.ffn;
  b.dtype = s.dtype, b.dw_dtype = MM_DTYPE_F32;

  mm_moe_route_backward_params d{};
  d.struct_size = sizeof d;
  d.logits = logits.data(), d.expert_index = picks.data(), d.dweight = dweight.data(),
  d.dlogits = dlogits.data();
  d.tokens = s.tokens, d.experts = s.experts, d.top_k = s.top_k;

  const Seconds both = timed([&] {
    forward();
    ok(mm_moe_experts_backward(c, &b));
    ok(mm_moe_route_backward(c, &d));
  });
  report_ms(s.name() + " forward+backward", both);
  report(s.name() + " forward+backward", both, 18e-9 * slots * s.width * s.ffn, "GFLOP/s");
}

}  // namespace

int main(int argc, char** argv) {
  threads(argc, argv);
  mm_context* c = context();
  for (mm_dtype dtype : {MM_DTYPE_F32, MM_DTYPE_BF16}) {
    for (Case s :
         {Case{2048, 512, 768, 8, 2, dtype}, Case{64, 512, 768, 8, 2, dtype}, Case{1, 512, 768, 8, 2, dtype},
          Case{1, 2048, 3072, 8, 2, dtype}, Case{512, 128, 128, 8, 2, dtype}}) {
      run(c, s);
    }
  }
  mm_context_destroy(c);
}
