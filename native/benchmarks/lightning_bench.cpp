// Lightning attention: lightning_bench [threads]
#include "bench.h"

using namespace mm::bench;

namespace {

void report_ns(const std::string& name, Seconds t) {
  std::printf("{\"case\": \"%s\", \"value\": %.4g, \"median\": %.4g, \"unit\": \"ns\"}\n", name.c_str(),
              t.best * 1e9, t.median * 1e9);
  std::fflush(stdout);
}

// q, k and v as views into one projection [n, heads, 3 d].
struct Inputs {
  std::vector<float> qkv, slopes;
  std::vector<int32_t> offsets;
  int64_t n, heads, d;

  Inputs(int64_t n, int64_t heads, int64_t d)
      : qkv(floats(n * heads * 3 * d)), slopes(heads), offsets{0, int32_t(n)}, n(n), heads(heads), d(d) {
    for (int64_t h = 0; h < heads; h++) slopes[h] = 0.5f / static_cast<float>(h + 1);
  }

  template <typename Params>
  Params params() const {
    Params p{};
    p.struct_size = sizeof p;
    p.q = qkv.data(), p.k = qkv.data() + d, p.v = qkv.data() + 2 * d;
    p.slopes = slopes.data();
    p.heads = heads, p.dim_k = p.dim_v = d;
    p.q_token_stride = p.k_token_stride = p.v_token_stride = heads * 3 * d;
    p.q_head_stride = p.k_head_stride = p.v_head_stride = 3 * d;
    p.o_token_stride = heads * d, p.o_head_stride = d;
    return p;
  }

  template <typename Params>
  Params sequence() const {
    Params p = params<Params>();
    p.cu_seqlens = offsets.data();
    p.sequences = 1, p.tokens = p.max_seqlen = n;
    return p;
  }

  std::string shape() const {
    return std::to_string(heads) + "x" + std::to_string(d) + "x" + std::to_string(n);
  }
};

void layer(mm_context* c, const Inputs& in) {
  std::vector<float> o(in.n * in.heads * in.d), dqkv(in.qkv.size());
  auto f = in.sequence<mm_lightning_attention_forward_params>();
  f.o = o.data();
  auto b = in.sequence<mm_lightning_attention_backward_params>();
  b.d_o = o.data(), b.dq = dqkv.data(), b.dk = dqkv.data() + in.d, b.dv = dqkv.data() + 2 * in.d;
  b.dq_token_stride = b.dk_token_stride = b.dv_token_stride = in.heads * 3 * in.d;
  b.dq_head_stride = b.dk_head_stride = b.dv_head_stride = 3 * in.d;
  const auto forward = [&] { ok(mm_lightning_attention_forward(c, &f)); };
  report_ms("lightning forward " + in.shape(), timed(forward));
  report_ms("lightning forward+backward " + in.shape(), timed([&] {
              forward();
              ok(mm_lightning_attention_backward(c, &b));
            }));
}

// All lengths take turns, so that what else the machine does meets them alike.
void tokens(mm_context* c, const std::vector<int64_t>& lengths) {
  constexpr int kRounds = 12;
  std::vector<Inputs> inputs;
  for (int64_t n : lengths) inputs.emplace_back(n, 4, 64);
  std::vector<float> o(lengths.back() * 4 * 64);
  std::vector<std::vector<double>> times(lengths.size());
  for (int round = 0; round <= kRounds; round++) {
    for (size_t i = 0; i < inputs.size(); i++) {
      auto p = inputs[i].sequence<mm_lightning_attention_forward_params>();
      p.o = o.data();
      const double time = seconds([&] { ok(mm_lightning_attention_forward(c, &p)); });
      if (round > 0) times[i].push_back(time / static_cast<double>(inputs[i].n));
    }
  }
  for (size_t i = 0; i < inputs.size(); i++)
    report_ns("lightning forward per token " + inputs[i].shape(), best(times[i]));
}

// One token of `batch` sequences. Every element of the state is read and written once.
void decode(mm_context* c, int64_t batch, int64_t heads, int64_t d) {
  const Inputs in(batch, heads, d);
  std::vector<float> o(batch * heads * d), state(batch * heads * d * d);
  std::vector<int32_t> slots(batch);
  for (int64_t b = 0; b < batch; b++) slots[b] = static_cast<int32_t>(b);
  auto p = in.params<mm_lightning_attention_decode_params>();
  p.o = o.data(), p.state = state.data(), p.state_slots = slots.data(), p.batch = batch;
  const Seconds t = timed([&] { ok(mm_lightning_attention_decode(c, &p)); });
  const std::string name = "lightning decode " + std::to_string(heads) + "x" + std::to_string(d) + " batch " +
                           std::to_string(batch);
  report_ns(name, t);
  report(name, t, 2e-9 * sizeof(float) * static_cast<double>(state.size()), "GB/s");
}

}  // namespace

int main(int argc, char** argv) {
  threads(argc, argv);
  mm_context* c = context();
  layer(c, Inputs(2048, 8, 64));
  layer(c, Inputs(2048, 8, 128));
  layer(c, Inputs(2048, 64, 128));
  tokens(c, {16384, 32768, 65536, 131072, 262144});
  for (int64_t batch : {1, 64}) {
    decode(c, batch, 8, 64);
    decode(c, batch, 64, 128);
  }
  mm_context_destroy(c);
}
