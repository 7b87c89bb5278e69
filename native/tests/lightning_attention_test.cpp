// Lightning attention on every instruction set, against the recurrence in double precision and against
// itself.
#include "support.h"

namespace mm::test {
namespace {

struct Case {
  std::vector<int64_t> lengths;
  int64_t heads, dk, dv;
  std::vector<float> slopes;
  bool state_in, dstate_out;
};

const Case kCases[] = {
    {{1}, 2, 4, 4, {0.5f, 0.01f}, false, false},
    {{37, 64, 65}, 2, 16, 16, {0.25f, 0.002f}, true, true},
    {{300, 0, 5}, 1, 20, 12, {0.1f}, false, true},
    {{70}, 2, 8, 8, {9.0f, 40.0f}, true, true},
    {{129}, 3, 64, 64, {0.5f, 1e-5f, 0.0f}, true, false},
};

struct Data {
  int64_t sequences, tokens = 0, longest = 0;
  std::vector<int32_t> offsets{0};
  std::vector<float> q, k, v, g, state, dstate;

  explicit Data(const Case& c) : sequences(int64_t(c.lengths.size())) {
    for (int64_t n : c.lengths) {
      tokens += n, longest = std::max(longest, n);
      offsets.push_back(int32_t(tokens));
    }
    Random random(tokens + c.dk);
    q = random.floats(tokens * c.heads * c.dk), k = random.floats(tokens * c.heads * c.dk);
    v = random.floats(tokens * c.heads * c.dv), g = random.floats(tokens * c.heads * c.dv);
    state = random.floats(sequences * c.heads * c.dk * c.dv), dstate = random.floats(state.size());
  }
};

struct Reference {
  std::vector<double> o, state, dq, dk, dv, dstate;
};

// Token by token; the gradients by running the recurrence backwards over stored states.
Reference reference(const Case& c, const Data& d) {
  const int64_t H = c.heads, K = c.dk, V = c.dv;
  Reference r;
  r.o.resize(d.v.size()), r.dq.resize(d.q.size()), r.dk.resize(d.q.size()), r.dv.resize(d.v.size());
  r.state.resize(d.state.size()), r.dstate.resize(d.state.size());
  for (int64_t s = 0; s < d.sequences; s++) {
    for (int64_t h = 0; h < H; h++) {
      const double lambda = std::exp(-double(c.slopes[h]));
      const int64_t at = (s * H + h) * K * V;
      std::vector<std::vector<double>> states;
      std::vector<double> S(K * V);
      for (int64_t i = 0; i < K * V; i++) S[i] = c.state_in ? d.state[at + i] : 0;
      for (int64_t t = d.offsets[s]; t < d.offsets[s + 1]; t++) {
        for (int64_t i = 0; i < K; i++) {
          for (int64_t j = 0; j < V; j++) {
            double& x = S[i * V + j];
            x = lambda * x + double(d.k[(t * H + h) * K + i]) * d.v[(t * H + h) * V + j];
            r.o[(t * H + h) * V + j] += d.q[(t * H + h) * K + i] * x;
          }
        }
        states.push_back(S);
      }
      for (int64_t i = 0; i < K * V; i++) r.state[at + i] = S[i];
      std::vector<double> G(K * V);
      for (int64_t i = 0; i < K * V; i++) G[i] = c.dstate_out ? d.dstate[at + i] : 0;
      for (int64_t t = d.offsets[s + 1] - 1; t >= d.offsets[s]; t--) {
        const auto& now = states[t - d.offsets[s]];
        for (int64_t i = 0; i < K; i++) {
          for (int64_t j = 0; j < V; j++) {
            const double g = d.g[(t * H + h) * V + j];
            G[i * V + j] += d.q[(t * H + h) * K + i] * g;
            r.dq[(t * H + h) * K + i] += now[i * V + j] * g;
            r.dk[(t * H + h) * K + i] += G[i * V + j] * d.v[(t * H + h) * V + j];
            r.dv[(t * H + h) * V + j] += G[i * V + j] * d.k[(t * H + h) * K + i];
            G[i * V + j] *= lambda;
          }
        }
      }
      for (int64_t i = 0; i < K * V; i++) r.dstate[at + i] = G[i];
    }
  }
  return r;
}

mm_lightning_attention_forward_params forward_params(const Case& c, const Data& d, float* o,
                                                     float* state_out) {
  mm_lightning_attention_forward_params p{};
  p.struct_size = sizeof p;
  p.q = d.q.data(), p.k = d.k.data(), p.v = d.v.data(), p.o = o;
  p.slopes = c.slopes.data(), p.cu_seqlens = d.offsets.data();
  p.state_in = c.state_in ? d.state.data() : nullptr, p.state_out = state_out;
  p.sequences = d.sequences, p.tokens = d.tokens, p.max_seqlen = d.longest;
  p.heads = c.heads, p.dim_k = c.dk, p.dim_v = c.dv;
  p.q_token_stride = p.k_token_stride = c.heads * c.dk, p.q_head_stride = p.k_head_stride = c.dk;
  p.v_token_stride = p.o_token_stride = c.heads * c.dv, p.v_head_stride = p.o_head_stride = c.dv;
  return p;
}

mm_lightning_attention_backward_params backward_params(const Case& c, const Data& d, float* dq, float* dk,
                                                       float* dv, float* dstate_in) {
  mm_lightning_attention_backward_params p{};
  p.struct_size = sizeof p;
  p.q = d.q.data(), p.k = d.k.data(), p.v = d.v.data(), p.d_o = d.g.data(), p.dq = dq, p.dk = dk, p.dv = dv;
  p.slopes = c.slopes.data(), p.cu_seqlens = d.offsets.data();
  p.state_in = c.state_in ? d.state.data() : nullptr;
  p.dstate_out = c.dstate_out ? d.dstate.data() : nullptr, p.dstate_in = dstate_in;
  p.sequences = d.sequences, p.tokens = d.tokens, p.max_seqlen = d.longest;
  p.heads = c.heads, p.dim_k = c.dk, p.dim_v = c.dv;
  p.q_token_stride = p.k_token_stride = p.dq_token_stride = p.dk_token_stride = c.heads * c.dk;
  p.q_head_stride = p.k_head_stride = p.dq_head_stride = p.dk_head_stride = c.dk;
  p.v_token_stride = p.o_token_stride = p.dv_token_stride = c.heads * c.dv;
  p.v_head_stride = p.o_head_stride = p.dv_head_stride = c.dv;
  return p;
}

TEST(LightningAttention, ForwardEqualsTheRecurrence) {
  for (mm_isa isa : isas()) {
    Context context(isa);
    for (const Case& c : kCases) {
      const Data d(c);
      const Reference r = reference(c, d);
      std::vector<float> o(d.v.size(), NAN), state(d.state.size(), NAN);
      const auto p = forward_params(c, d, o.data(), state.data());
      MM_EXPECT_OK(mm_lightning_attention_forward(context, &p));
      expect_close(o, r.o, 1e-5, "o");
      expect_close(state, r.state, 1e-5, "state");
    }
  }
}

TEST(LightningAttention, BackwardEqualsTheRecurrence) {
  for (mm_isa isa : isas()) {
    Context context(isa);
    for (const Case& c : kCases) {
      const Data d(c);
      const Reference r = reference(c, d);
      std::vector<float> dq(d.q.size(), NAN), dk(d.q.size(), NAN), dv(d.v.size(), NAN),
          ds(d.state.size(), NAN);
      const auto p = backward_params(c, d, dq.data(), dk.data(), dv.data(), ds.data());
      MM_EXPECT_OK(mm_lightning_attention_backward(context, &p));
      expect_close(dq, r.dq, 1e-5, "dq");
      expect_close(dk, r.dk, 1e-5, "dk");
      expect_close(dv, r.dv, 1e-5, "dv");
      expect_close(ds, r.dstate, 1e-5, "dstate_in");
    }
  }
}

TEST(LightningAttention, PackedEqualsSeparateAndThreadsDoNotMatter) {
  const Case c{{37, 64, 200}, 2, 16, 16, {0.25f, 0.002f}, false, false};
  const Data d(c);
  for (mm_isa isa : isas()) {
    Context context(isa);
    std::vector<float> packed(d.v.size(), NAN), separate(d.v.size(), NAN);
    mm_set_threads(2);
    auto p = forward_params(c, d, packed.data(), nullptr);
    MM_EXPECT_OK(mm_lightning_attention_forward(context, &p));
    mm_set_threads(1);
    for (int64_t s = 0; s < d.sequences; s++) {
      const int32_t offsets[] = {d.offsets[s], d.offsets[s + 1]};
      p.cu_seqlens = offsets, p.sequences = 1, p.o = separate.data();
      MM_EXPECT_OK(mm_lightning_attention_forward(context, &p));
    }
    EXPECT_EQ(std::memcmp(packed.data(), separate.data(), packed.size() * 4), 0);
    mm_set_threads(2);
  }
}

TEST(LightningAttention, PiecesAndDecodeContinueFromSlots) {
  const Case c{{90}, 2, 16, 16, {0.25f, 0.002f}, false, false};
  const Data d(c);
  const Reference r = reference(c, d);
  for (mm_isa isa : isas()) {
    Context context(isa);
    std::vector<float> o(d.v.size(), NAN), pool(3 * c.heads * c.dk * c.dv, 0.0f);
    const int32_t slot[] = {2};
    auto p = forward_params(c, d, o.data(), pool.data());
    p.state_in = pool.data(), p.state_slots = slot, p.sequences = 1;
    for (int32_t start : {0, 33}) {
      const int32_t offsets[] = {start, start == 0 ? 33 : 70};
      p.cu_seqlens = offsets;
      MM_EXPECT_OK(mm_lightning_attention_forward(context, &p));
    }
    for (int64_t t = 70; t < 90; t++) {
      mm_lightning_attention_decode_params e{};
      e.struct_size = sizeof e;
      const int64_t row = t * c.heads * c.dk;
      e.q = d.q.data() + row, e.k = d.k.data() + row, e.v = d.v.data() + row, e.o = o.data() + row;
      e.slopes = c.slopes.data(), e.state_slots = slot, e.state = pool.data();
      e.batch = 1, e.heads = c.heads, e.dim_k = c.dk, e.dim_v = c.dv;
      e.q_head_stride = e.k_head_stride = e.v_head_stride = e.o_head_stride = c.dk;
      MM_EXPECT_OK(mm_lightning_attention_decode(context, &e));
    }
    expect_close(o, r.o, 1e-5, "o");
    expect_close(std::vector<float>(pool.end() - c.heads * c.dk * c.dv, pool.end()), r.state, 1e-5, "state");
    for (int64_t i = 0; i < 2 * c.heads * c.dk * c.dv; i++) ASSERT_EQ(pool[i], 0.0f);
  }
}

TEST(LightningAttention, ReadsBf16FromOneProjection) {
  const Case c{{100}, 2, 16, 16, {0.25f, 0.002f}, false, false};
  Data d(c);
  const int64_t H = c.heads, D = c.dk;
  std::vector<uint16_t> qkv(100 * H * 3 * D), o(100 * H * D, 0x7fc0);
  for (int64_t i = 0; i < 100 * H; i++) {
    for (int64_t j = 0; j < D; j++) {
      d.q[i * D + j] = from_bf16(qkv[(i * 3 + 0) * D + j] = to_bf16(d.q[i * D + j]));
      d.k[i * D + j] = from_bf16(qkv[(i * 3 + 1) * D + j] = to_bf16(d.k[i * D + j]));
      d.v[i * D + j] = from_bf16(qkv[(i * 3 + 2) * D + j] = to_bf16(d.v[i * D + j]));
    }
  }
  const Reference r = reference(c, d);
  for (mm_isa isa : isas()) {
    Context context(isa);
    auto p = forward_params(c, d, nullptr, nullptr);
    p.q = qkv.data(), p.k = qkv.data() + D, p.v = qkv.data() + 2 * D, p.o = o.data();
    p.q_token_stride = p.k_token_stride = p.v_token_stride = H * 3 * D;
    p.q_head_stride = p.k_head_stride = p.v_head_stride = 3 * D;
    p.dtype = MM_DTYPE_BF16;
    MM_EXPECT_OK(mm_lightning_attention_forward(context, &p));
    // One rounding of the result: half an ulp of bf16.
    for (size_t i = 0; i < o.size(); i++)
      ASSERT_NEAR(from_bf16(o[i]), r.o[i], std::fabs(r.o[i]) * 0x1p-8 + 1e-4) << i;
  }
}

}  // namespace
}  // namespace mm::test
