// Lightning attention: lightning_bench [threads]
#include "bench.h"

using namespace mm::bench;

namespace {

struct Run {
  std::vector<float> qkv, o, dqkv, slopes;
  std::vector<int32_t> offsets;
  mm_lightning_attention_forward_params f{};
  mm_lightning_attention_backward_params b{};

  Run(int64_t n, int64_t heads, int64_t d)
      : qkv(floats(n * heads * 3 * d)),
        o(floats(n * heads * d)),
        dqkv(qkv),
        slopes(heads),
        offsets{0, int32_t(n)} {
    for (int64_t h = 0; h < heads; h++) slopes[h] = 0.5f / static_cast<float>(h + 1);
    f.struct_size = sizeof f;
    f.q = qkv.data(), f.k = qkv.data() + d, f.v = qkv.data() + 2 * d, f.o = o.data();
    f.slopes = slopes.data(), f.cu_seqlens = offsets.data();
    f.sequences = 1, f.tokens = f.max_seqlen = n, f.heads = heads, f.dim_k = f.dim_v = d;
    f.q_token_stride = f.k_token_stride = f.v_token_stride = heads * 3 * d;
    f.q_head_stride = f.k_head_stride = f.v_head_stride = 3 * d;
    f.o_token_stride = heads * d, f.o_head_stride = d;
    b.struct_size = sizeof b;
    b.q = f.q, b.k = f.k, b.v = f.v, b.d_o = f.o;
    b.dq = dqkv.data(), b.dk = dqkv.data() + d, b.dv = dqkv.data() + 2 * d;
    b.slopes = f.slopes, b.cu_seqlens = f.cu_seqlens;
    b.sequences = 1, b.tokens = b.max_seqlen = n, b.heads = heads, b.dim_k = b.dim_v = d;
    b.q_token_stride = b.k_token_stride = b.v_token_stride = heads * 3 * d;
    b.q_head_stride = b.k_head_stride = b.v_head_stride = 3 * d;
    b.dq_token_stride = b.dk_token_stride = b.dv_token_stride = heads * 3 * d;
    b.dq_head_stride = b.dk_head_stride = b.dv_head_stride = 3 * d;
    b.o_token_stride = heads * d, b.o_head_stride = d;
  }
};

}  // namespace

int main(int argc, char** argv) {
  threads(argc, argv);
  mm_context* c = context();
  for (int64_t d : {64, 128}) {
    Run run(2048, 8, d);
    const std::string shape = " 8x" + std::to_string(d) + "x2048";
    report_ms("lightning forward" + shape, timed([&] { ok(mm_lightning_attention_forward(c, &run.f)); }));
    report_ms("lightning forward+backward" + shape, timed([&] {
                ok(mm_lightning_attention_forward(c, &run.f));
                ok(mm_lightning_attention_backward(c, &run.b));
              }));
  }
  for (int64_t n = 16384; n <= 262144; n *= 2) {
    Run run(n, 4, 64);
    const Seconds t = timed([&] { ok(mm_lightning_attention_forward(c, &run.f)); }, 1.0);
    std::printf(
        "{\"case\": \"lightning forward a token 4x64x%lld\", \"value\": %.4g, \"median\": %.4g, \"unit\": "
        "\"ns\"}\n",
        static_cast<long long>(n), t.best / n * 1e9, t.median / n * 1e9);
  }
  mm_context_destroy(c);
}
