// Lightning attention on every instruction set, against the recurrence in double precision and against
// itself.
#include <algorithm>
#include <utility>

#include "support.h"

namespace mm::test {
namespace {

struct Case {
  Buffer<int64_t> lengths;
  int64_t heads, dk, dv;
  Buffer<float> slopes;
  bool state_in, dstate_out;
};

// One token, whole and broken chunks, empty sequences, odd and unequal dimensions, decays from none to a
// factor that is 0 in fp32.
const Case kCases[] = {
    {{1}, 2, 4, 4, {0.5f, 0.01f}, false, false},   {{37, 64, 65}, 2, 16, 16, {0.25f, 0.002f}, true, true},
    {{300, 0, 5}, 1, 20, 12, {0.1f}, false, true}, {{1, 0, 1, 66}, 2, 5, 33, {0.02f, 0.3f}, true, true},
    {{70}, 2, 8, 8, {9.0f, 200.0f}, true, true},   {{129}, 3, 64, 64, {0.5f, 1e-5f, 0.0f}, true, false},
    {{80}, 1, 20, 128, {0.05f}, true, true},
};

struct Data {
  int64_t sequences, tokens = 0, longest = 0;
  Buffer<int32_t> offsets{0};
  Buffer<float> q, k, v, g, state, dstate;

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

struct Outputs {
  Buffer<float> o, state, dq, dk, dv, dstate;

  // Poisoned: what is not written shows.
  explicit Outputs(const Data& d)
      : o(d.v.size(), NAN),
        state(d.state.size(), NAN),
        dq(d.q.size(), NAN),
        dk(d.q.size(), NAN),
        dv(d.v.size(), NAN),
        dstate(d.state.size(), NAN) {}
};

Outputs outputs(mm_context* context, const Case& c, const Data& d) {
  Outputs out(d);
  const auto f = forward_params(c, d, out.o.data(), out.state.data());
  MM_EXPECT_OK(mm_lightning_attention_forward(context, &f));
  const auto b = backward_params(c, d, out.dq.data(), out.dk.data(), out.dv.data(), out.dstate.data());
  MM_EXPECT_OK(mm_lightning_attention_backward(context, &b));
  return out;
}

template <typename T>
void expect_same_bits(const Buffer<T>& a, const Buffer<T>& b, const char* what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(T)), 0) << what;
}

void expect_same_bits(const Outputs& a, const Outputs& b) {
  expect_same_bits(a.o, b.o, "o");
  expect_same_bits(a.state, b.state, "state");
  expect_same_bits(a.dq, b.dq, "dq");
  expect_same_bits(a.dk, b.dk, "dk");
  expect_same_bits(a.dv, b.dv, "dv");
  expect_same_bits(a.dstate, b.dstate, "dstate_in");
}

// Sets the threads of the pool, and sets them back.
class Threads {
 public:
  explicit Threads(int32_t threads) : before_(mm_get_threads()) { MM_EXPECT_OK(mm_set_threads(threads)); }
  ~Threads() { mm_set_threads(before_); }

 private:
  int32_t before_;
};

TEST(LightningAttention, EqualsTheRecurrence) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (const Case& c : kCases) {
      const Data d(c);
      const Reference want = reference(c, d);
      const Outputs got = outputs(context, c, d);
      expect_close(got.o, want.o, 1e-5, "o");
      expect_close(got.state, want.state, 1e-5, "state");
      expect_close(got.dq, want.dq, 1e-5, "dq");
      expect_close(got.dk, want.dk, 1e-5, "dk");
      expect_close(got.dv, want.dv, 1e-5, "dv");
      expect_close(got.dstate, want.dstate, 1e-5, "dstate_in");
    }
  }
}

// sum(g o) + sum(dstate state_out), which is linear in each of q, k, v and state_in alone.
double loss(mm_context* context, const Case& c, const Data& d) {
  Outputs out(d);
  const auto p = forward_params(c, d, out.o.data(), out.state.data());
  MM_EXPECT_OK(mm_lightning_attention_forward(context, &p));
  double total = 0;
  for (size_t i = 0; i < out.o.size(); i++) total += double(d.g[i]) * out.o[i];
  for (size_t i = 0; i < out.state.size(); i++) total += double(d.dstate[i]) * out.state[i];
  return total;
}

TEST(LightningAttention, GradientsAreDifferencesOfTheForwardPass) {
  const Case c{{70, 3}, 2, 12, 20, {0.2f, 0.01f}, true, true};
  for (const Target& target : all_targets()) {
    Context context(target);
    const Data d(c);
    const Outputs out = outputs(context, c, d);
    const std::pair<Buffer<float> Data::*, const Buffer<float>*> inputs[] = {
        {&Data::q, &out.dq}, {&Data::k, &out.dk}, {&Data::v, &out.dv}, {&Data::state, &out.dstate}};
    for (const auto& [input, gradient] : inputs) {
      const auto direction = Random(7).floats(int64_t((d.*input).size()));
      Data up = d, down = d;
      double want = 0, size = 0;
      for (size_t i = 0; i < direction.size(); i++) {
        (up.*input)[i] += direction[i], (down.*input)[i] -= direction[i];
        want += 2.0 * double((*gradient)[i]) * direction[i];
        size += std::fabs(double((*gradient)[i]) * direction[i]);
      }
      EXPECT_NEAR(loss(context, c, up) - loss(context, c, down), want, 1e-5 * size);
    }
  }
}

TEST(LightningAttention, ThreadsDoNotMatter) {
  // One head: its columns are shared out among the threads, to different blocks for each number of threads.
  const Case cases[] = {{{37, 64, 200}, 2, 16, 16, {0.25f, 0.002f}, true, true},
                        {{150}, 1, 96, 140, {0.01f}, true, true},
                        {{1, 150}, 1, 140, 72, {0.3f}, false, false}};
  for (const Target& target : all_targets()) {
    Context context(target);
    for (const Case& c : cases) {
      const Data d(c);
      const Outputs alone = [&] { return Threads(1), outputs(context, c, d); }();
      for (int32_t count : {2, 3, 16}) {
        Threads threads(count);
        expect_same_bits(outputs(context, c, d), alone);
      }
    }
  }
}

TEST(LightningAttention, NeighboursInTheBatchDoNotMatter) {
  const Case c{{37, 64, 0, 200}, 2, 16, 24, {0.25f, 0.002f}, true, true};
  const Data d(c);
  for (const Target& target : all_targets()) {
    Context context(target);
    const Outputs packed = outputs(context, c, d);
    Outputs separate(d);
    for (int64_t s = 0; s < d.sequences; s++) {
      const Buffer<int32_t> offsets{d.offsets[s], d.offsets[s + 1]}, slot{int32_t(s)};
      auto f = forward_params(c, d, separate.o.data(), separate.state.data());
      f.cu_seqlens = offsets.data(), f.sequences = 1, f.state_slots = slot.data();
      MM_EXPECT_OK(mm_lightning_attention_forward(context, &f));
      const int64_t at = s * c.heads * c.dk * c.dv;
      auto b = backward_params(c, d, separate.dq.data(), separate.dk.data(), separate.dv.data(),
                               separate.dstate.data() + at);
      b.cu_seqlens = offsets.data(), b.sequences = 1, b.state_in += at, b.dstate_out += at;
      MM_EXPECT_OK(mm_lightning_attention_backward(context, &b));
    }
    expect_same_bits(packed, separate);
  }
}

TEST(LightningAttention, LaterTokensDoNotMatter) {
  const Case c{{200}, 2, 16, 24, {0.25f, 0.002f}, true, true};
  const Data d(c);
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<float> whole(d.v.size(), NAN);
    auto p = forward_params(c, d, whole.data(), nullptr);
    MM_EXPECT_OK(mm_lightning_attention_forward(context, &p));
    for (int32_t length : {1, 63, 64, 65, 130}) {
      const Buffer<int32_t> offsets{0, length};
      Buffer<float> prefix(length * c.heads * c.dv, NAN);
      p.o = prefix.data(), p.cu_seqlens = offsets.data();
      MM_EXPECT_OK(mm_lightning_attention_forward(context, &p));
      EXPECT_EQ(std::memcmp(prefix.data(), whole.data(), prefix.size() * 4), 0) << length;
    }
  }
}

// [tokens, heads, 3 d + gap]: q, k and v beside each other, then elements that belong to nobody.
template <typename T>
struct Projection {
  int64_t heads, d, row;
  Buffer<T> values;

  Projection(const Case& c, int64_t tokens, int64_t gap, T fill)
      : heads(c.heads), d(c.dk), row(3 * d + gap), values(tokens * heads * row, fill) {}
  T* part(int64_t index) { return values.data() + index * d; }
  T& at(int64_t index, int64_t i) { return values[i / d * row + index * d + i % d]; }
  int64_t token_stride() const { return heads * row; }
};

TEST(LightningAttention, ReadsAndWritesViewsIntoOneProjection) {
  const Case c{{100, 30}, 2, 24, 24, {0.25f, 0.002f}, true, true};
  const Data d(c);
  const int64_t gap = 5;
  Projection<float> qkv(c, d.tokens, gap, NAN), dqkv(c, d.tokens, gap, 7.0f), o(c, d.tokens, gap, 7.0f);
  const int64_t count = int64_t(d.q.size());
  for (int64_t i = 0; i < count; i++) {
    qkv.at(0, i) = d.q[i], qkv.at(1, i) = d.k[i], qkv.at(2, i) = d.v[i];
  }
  for (const Target& target : all_targets()) {
    Context context(target);
    const Outputs want = outputs(context, c, d);
    Outputs got(d);
    auto f = forward_params(c, d, o.part(1), got.state.data());
    f.q = qkv.part(0), f.k = qkv.part(1), f.v = qkv.part(2);
    f.q_token_stride = f.k_token_stride = f.v_token_stride = f.o_token_stride = qkv.token_stride();
    f.q_head_stride = f.k_head_stride = f.v_head_stride = f.o_head_stride = qkv.row;
    MM_EXPECT_OK(mm_lightning_attention_forward(context, &f));
    auto b = backward_params(c, d, dqkv.part(0), dqkv.part(1), dqkv.part(2), got.dstate.data());
    b.q = f.q, b.k = f.k, b.v = f.v;
    b.q_token_stride = b.k_token_stride = b.v_token_stride = qkv.token_stride();
    b.q_head_stride = b.k_head_stride = b.v_head_stride = qkv.row;
    b.dq_token_stride = b.dk_token_stride = b.dv_token_stride = qkv.token_stride();
    b.dq_head_stride = b.dk_head_stride = b.dv_head_stride = qkv.row;
    MM_EXPECT_OK(mm_lightning_attention_backward(context, &b));
    for (int64_t i = 0; i < count; i++) {
      got.o[i] = o.at(1, i);
      got.dq[i] = dqkv.at(0, i), got.dk[i] = dqkv.at(1, i), got.dv[i] = dqkv.at(2, i);
    }
    expect_same_bits(got, want);
    for (int64_t row = 0; row < d.tokens * c.heads; row++) {
      for (int64_t i = 0; i < gap; i++) {
        ASSERT_EQ(dqkv.values[row * dqkv.row + 3 * dqkv.d + i], 7.0f);
        ASSERT_EQ(o.values[row * o.row + 3 * o.d + i], 7.0f);
      }
      for (int64_t i = 0; i < o.d; i++) ASSERT_EQ(o.values[row * o.row + i], 7.0f);
    }
  }
}

struct Decode {
  mm_lightning_attention_decode_params p{};

  Decode(const Case& c, const void* q, const void* k, const void* v, void* o, const int32_t* slots,
         float* state, int64_t batch) {
    p.struct_size = sizeof p;
    p.q = q, p.k = k, p.v = v, p.o = o;
    p.slopes = c.slopes.data(), p.state_slots = slots, p.state = state;
    p.batch = batch, p.heads = c.heads, p.dim_k = c.dk, p.dim_v = c.dv;
    p.q_token_stride = p.k_token_stride = c.heads * c.dk, p.q_head_stride = p.k_head_stride = c.dk;
    p.v_token_stride = p.o_token_stride = c.heads * c.dv, p.v_head_stride = p.o_head_stride = c.dv;
  }
};

TEST(LightningAttention, PiecesAndDecodeContinueFromSlots) {
  for (int64_t dv : {16, 149}) {
    const Case c{{90}, 2, 12, dv, {0.25f, 0.002f}, false, false};
    const Data d(c);
    const Reference r = reference(c, d);
    for (const Target& target : all_targets()) {
      Context context(target);
      Buffer<float> o(d.v.size(), NAN), pool(3 * c.heads * c.dk * c.dv, 0.0f);
      const Buffer<int32_t> slot{2};
      auto p = forward_params(c, d, o.data(), pool.data());
      p.state_in = pool.data(), p.state_slots = slot.data();
      for (int32_t start : {0, 33}) {
        const Buffer<int32_t> offsets{start, start == 0 ? 33 : 70};
        p.cu_seqlens = offsets.data();
        MM_EXPECT_OK(mm_lightning_attention_forward(context, &p));
      }
      for (int64_t t = 70; t < 90; t++) {
        const int64_t qk = t * c.heads * c.dk, v = t * c.heads * c.dv;
        const Decode e(c, &d.q[qk], &d.k[qk], &d.v[v], &o[v], slot.data(), pool.data(), 1);
        MM_EXPECT_OK(mm_lightning_attention_decode(context, &e.p));
      }
      expect_close(o, r.o, 1e-5, "o");
      expect_close(Buffer<float>(pool.end() - c.heads * c.dk * c.dv, pool.end()), r.state, 1e-5, "state");
      for (int64_t i = 0; i < 2 * c.heads * c.dk * c.dv; i++) ASSERT_EQ(pool[i], 0.0f);
    }
  }
}

TEST(LightningAttention, DecodeRowsDoNotMatterToEachOther) {
  const Case c{Buffer<int64_t>(9, 1), 3, 48, 80, {9.0f, 0.1f, 0.0f}, true, false};
  const Data d(c);
  const Buffer<int32_t> slots{4, 0, 8, 2, 1, 3, 7, 5, 6};
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<float> together(d.v.size(), NAN), alone(d.v.size(), NAN);
    Buffer<float> pool = d.state, pool_alone = d.state;
    const Decode all(c, d.q.data(), d.k.data(), d.v.data(), together.data(), slots.data(), pool.data(), 9);
    MM_EXPECT_OK(mm_lightning_attention_decode(context, &all.p));
    for (int64_t i = 0; i < 9; i++) {
      const int64_t qk = i * c.heads * c.dk, v = i * c.heads * c.dv;
      const Decode one(c, &d.q[qk], &d.k[qk], &d.v[v], &alone[v], &slots[i], pool_alone.data(), 1);
      MM_EXPECT_OK(mm_lightning_attention_decode(context, &one.p));
    }
    expect_same_bits(together, alone, "o");
    expect_same_bits(pool, pool_alone, "state");
  }
}

Buffer<uint16_t> halves(const Buffer<float>& x) {
  Buffer<uint16_t> y(x.size());
  for (size_t i = 0; i < x.size(); i++) y[i] = to_bf16(x[i]);
  return y;
}

void round(Buffer<float>& x) {
  for (float& value : x) value = from_bf16(to_bf16(value));
}

// What remains of bf16 is one rounding of the result.
void expect_rounded(const Buffer<uint16_t>& got, const std::vector<double>& want, const char* what) {
  double largest = 1;
  for (double value : want) largest = std::fmax(largest, std::fabs(value));
  for (size_t i = 0; i < got.size(); i++) {
    ASSERT_NEAR(from_bf16(got[i]), want[i], std::fabs(want[i]) * 0x1p-8 + 1e-5 * largest) << what << " " << i;
  }
}

// The case's data in bf16: every input rounded, and the floats the same numbers.
struct HalfData : Data {
  Buffer<uint16_t> q16, k16, v16, g16;

  explicit HalfData(const Case& c) : Data(c) {
    for (auto* x : {&q, &k, &v, &g}) round(*x);
    q16 = halves(q), k16 = halves(k), v16 = halves(v), g16 = halves(g);
  }
};

struct HalfOutputs {
  Buffer<uint16_t> o, dq, dk, dv;
  Buffer<float> state, dstate;

  explicit HalfOutputs(const Data& d)
      : o(d.v.size(), 0x7fc0),
        dq(d.q.size(), 0x7fc0),
        dk(d.q.size(), 0x7fc0),
        dv(d.v.size(), 0x7fc0),
        state(d.state.size(), NAN),
        dstate(d.state.size(), NAN) {}
};

mm_lightning_attention_forward_params forward_params(const Case& c, const HalfData& d, HalfOutputs& out) {
  auto p = forward_params(c, d, nullptr, out.state.data());
  p.q = d.q16.data(), p.k = d.k16.data(), p.v = d.v16.data(), p.o = out.o.data(), p.dtype = MM_DTYPE_BF16;
  return p;
}

mm_lightning_attention_backward_params backward_params(const Case& c, const HalfData& d, HalfOutputs& out) {
  auto p = backward_params(c, d, nullptr, nullptr, nullptr, out.dstate.data());
  p.q = d.q16.data(), p.k = d.k16.data(), p.v = d.v16.data(), p.d_o = d.g16.data();
  p.dq = out.dq.data(), p.dk = out.dk.data(), p.dv = out.dv.data(), p.dtype = MM_DTYPE_BF16;
  return p;
}

HalfOutputs outputs(mm_context* context, const Case& c, const HalfData& d) {
  HalfOutputs out(d);
  const auto f = forward_params(c, d, out);
  MM_EXPECT_OK(mm_lightning_attention_forward(context, &f));
  const auto b = backward_params(c, d, out);
  MM_EXPECT_OK(mm_lightning_attention_backward(context, &b));
  return out;
}

void expect_same_bits(const HalfOutputs& a, const HalfOutputs& b) {
  expect_same_bits(a.o, b.o, "o");
  expect_same_bits(a.state, b.state, "state");
  expect_same_bits(a.dq, b.dq, "dq");
  expect_same_bits(a.dk, b.dk, "dk");
  expect_same_bits(a.dv, b.dv, "dv");
  expect_same_bits(a.dstate, b.dstate, "dstate_in");
}

// A CPU widens bf16; a GPU's tensor cores take it, so that operands are rounded on the way.
TEST(LightningAttention, RoundsBf16OnceOnly) {
  const Case c{{100, 37}, 2, 20, 20, {0.25f, 0.002f}, true, true};
  const HalfData d(c);
  const Reference want = reference(c, d);
  for (const Target& target : all_targets()) {
    if (target.device != MM_DEVICE_KIND_CPU) continue;
    Context context(target);
    const HalfOutputs got = outputs(context, c, d);
    expect_rounded(got.o, want.o, "o");
    expect_close(got.state, want.state, 1e-5, "state");
    expect_rounded(got.dq, want.dq, "dq");
    expect_rounded(got.dk, want.dk, "dk");
    expect_rounded(got.dv, want.dv, "dv");
    expect_close(got.dstate, want.dstate, 1e-5, "dstate_in");
  }
}

// The plain way in bf16 for one output: out_a = x_a S + sum_{b<=a} (x_a . y_b) z_b by blocks as published,
// where the products of a block are rounded: x y^T, decayed y and what is added to the state. (A block is 64
// tokens here, 256 there: short sequences shall have several.) The rows are those of all heads, the state is
// one for each sequence and head, [depth, width] or transposed.
struct PlainScan {
  const Buffer<float>&x, &y, &z;
  int64_t depth, width;
  bool backwards, transposed;

  void run(const Case& c, const Data& d, const Buffer<float>* start, std::vector<double>& out,
           std::vector<double>& end) const {
    out.resize(d.tokens * c.heads * width), end.resize(d.state.size());
    for (int64_t s = 0; s < d.sequences; s++) {
      for (int64_t h = 0; h < c.heads; h++) head(c, d, s, h, start, out, end);
    }
  }

 private:
  static float bf16(float value) { return from_bf16(to_bf16(value)); }

  void head(const Case& c, const Data& d, int64_t s, int64_t h, const Buffer<float>* start,
            std::vector<double>& out, std::vector<double>& end) const {
    const int64_t at = (s * c.heads + h) * depth * width, n = d.offsets[s + 1] - d.offsets[s];
    const auto place = [&](int64_t i, int64_t j) {
      return at + (transposed ? j * depth + i : i * width + j);
    };
    const auto row = [&](int64_t t) {
      return (backwards ? d.offsets[s + 1] - 1 - t : d.offsets[s] + t) * c.heads + h;
    };
    std::vector<float> power(65);
    for (int p = 0; p <= 64; p++) power[p] = std::exp(-c.slopes[h] * float(p));
    std::vector<float> S(depth * width);
    for (int64_t i = 0; i < depth * width; i++) {
      S[i] = start ? (*start)[place(i / width, i % width)] : 0.0f;
    }
    const int64_t e = backwards ? 1 : 0;
    for (int64_t first = 0; first < n; first += 64) {
      const int64_t m = std::min<int64_t>(64, n - first);
      for (int64_t a = 0; a < m; a++) {
        const float* xa = &x[row(first + a) * depth];
        std::vector<float> sums(width);
        for (int64_t i = 0; i < depth; i++) {
          for (int64_t j = 0; j < width; j++) sums[j] += xa[i] * power[a + 1 - e] * S[i * width + j];
        }
        for (int64_t b = 0; b <= a; b++) {
          float score = 0;
          for (int64_t i = 0; i < depth; i++) score += xa[i] * y[row(first + b) * depth + i];
          score = bf16(score) * power[a - b];
          for (int64_t j = 0; j < width; j++) sums[j] += score * z[row(first + b) * width + j];
        }
        for (int64_t j = 0; j < width; j++) out[row(first + a) * width + j] = bf16(sums[j]);
      }
      std::vector<float> added(depth * width);
      for (int64_t b = 0; b < m; b++) {
        for (int64_t i = 0; i < depth; i++) {
          const float key = bf16(y[row(first + b) * depth + i] * power[m - 1 - b + e]);
          for (int64_t j = 0; j < width; j++) added[i * width + j] += key * z[row(first + b) * width + j];
        }
      }
      for (int64_t i = 0; i < depth * width; i++) S[i] = power[m] * S[i] + bf16(added[i]);
    }
    for (int64_t i = 0; i < depth * width; i++) end[place(i / width, i % width)] = S[i];
  }
};

Reference plain(const Case& c, const Data& d) {
  Reference r;
  std::vector<double> unused;
  const Buffer<float>* state = c.state_in ? &d.state : nullptr;
  const Buffer<float>* dstate = c.dstate_out ? &d.dstate : nullptr;
  PlainScan{d.q, d.k, d.v, c.dk, c.dv, false, false}.run(c, d, state, r.o, r.state);
  PlainScan{d.g, d.v, d.k, c.dv, c.dk, false, true}.run(c, d, state, r.dq, unused);
  PlainScan{d.v, d.g, d.q, c.dv, c.dk, true, true}.run(c, d, dstate, r.dk, unused);
  PlainScan{d.k, d.q, d.g, c.dk, c.dv, true, false}.run(c, d, dstate, r.dv, r.dstate);
  return r;
}

double number(float x) { return x; }
double number(uint16_t x) { return from_bf16(x); }

// The largest error is at most twice the plain way's, and so is its root mean square.
template <typename T>
void expect_no_worse(const Buffer<T>& got, const std::vector<double>& plain, const std::vector<double>& want,
                     const char* what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  double largest = 0, largest_plain = 0, squares = 0, squares_plain = 0;
  for (size_t i = 0; i < want.size(); i++) {
    const double error = std::fabs(number(got[i]) - want[i]), error_plain = std::fabs(plain[i] - want[i]);
    largest = std::isnan(error) ? INFINITY : std::fmax(largest, error);
    largest_plain = std::fmax(largest_plain, error_plain);
    squares += error * error, squares_plain += error_plain * error_plain;
  }
  EXPECT_LE(largest, 2 * largest_plain) << what;
  EXPECT_LE(squares, 4 * squares_plain) << what;
}

// Whole and broken tiles, boundaries inside, n = 1, sizes that no tile has, rows that cannot be read 16 bytes
// at a time, decays from none to a factor that is 0 in fp32, one head alone (which a GPU cuts finer), few
// heads and sequences of several segments, which begin and end at their boundaries or not.
const Case kBf16Cases[] = {
    {{100, 37}, 2, 20, 20, {0.25f, 0.002f}, true, true},
    {{130, 0, 1, 64}, 2, 64, 64, {0.5f, 0.0f}, true, true},
    {{70, 9}, 1, 128, 128, {0.003f}, true, false},
    {{131}, 1, 128, 128, {0.01f}, false, true},
    {{90, 65}, 1, 96, 40, {0.02f}, true, true},
    {{70}, 3, 16, 16, {9.0f, 200.0f, 1e-5f}, true, true},
    {{66}, 1, 140, 40, {0.05f}, true, true},
    {{66}, 1, 256, 24, {0.02f}, false, true},
    {{600, 0, 257, 1, 256, 512}, 1, 64, 64, {0.002f}, true, true},
    {{530}, 1, 128, 64, {0.0f}, false, false},
    {{300, 40}, 1, 64, 128, {0.001f}, true, false},
    {{20, 1100}, 2, 128, 128, {9.0f, 0.003f}, false, true},
};

TEST(LightningAttention, Bf16ScansNoWorseThanThePlainWay) {
  for (const Case& c : kBf16Cases) {
    const HalfData d(c);
    const Reference want = reference(c, d), published = plain(c, d);
    for (const Target& target : all_targets()) {
      Context context(target);
      const HalfOutputs got = outputs(context, c, d);
      expect_no_worse(got.o, published.o, want.o, "o");
      expect_no_worse(got.state, published.state, want.state, "state");
      expect_no_worse(got.dq, published.dq, want.dq, "dq");
      expect_no_worse(got.dk, published.dk, want.dk, "dk");
      expect_no_worse(got.dv, published.dv, want.dv, "dv");
      expect_no_worse(got.dstate, published.dstate, want.dstate, "dstate_in");
    }
  }
}

TEST(LightningAttention, Bf16NeighboursInTheBatchDoNotMatter) {
  const Case cases[] = {{{37, 64, 0, 140}, 2, 32, 64, {0.25f, 0.002f}, true, true},
                        {{600, 256, 0, 257}, 1, 64, 64, {0.002f}, true, true}};
  for (const Case& c : cases) {
    const HalfData d(c);
    for (const Target& target : all_targets()) {
      Context context(target);
      const HalfOutputs packed = outputs(context, c, d);
      HalfOutputs separate(d);
      for (int64_t s = 0; s < d.sequences; s++) {
        const Buffer<int32_t> offsets{d.offsets[s], d.offsets[s + 1]}, slot{int32_t(s)};
        auto f = forward_params(c, d, separate);
        f.cu_seqlens = offsets.data(), f.sequences = 1, f.state_slots = slot.data();
        f.max_seqlen = c.lengths[s];
        MM_EXPECT_OK(mm_lightning_attention_forward(context, &f));
        const int64_t at = s * c.heads * c.dk * c.dv;
        auto b = backward_params(c, d, separate);
        b.cu_seqlens = offsets.data(), b.sequences = 1, b.max_seqlen = c.lengths[s];
        b.state_in += at, b.dstate_out += at, b.dstate_in += at;
        MM_EXPECT_OK(mm_lightning_attention_backward(context, &b));
      }
      expect_same_bits(packed, separate);
    }
  }
}

// So many heads that the widest blocks of columns are taken, on a GPU of up to 132 multiprocessors or on the
// shim's 4; then the first alone.
TEST(LightningAttention, Bf16NumberOfHeadsDoesNotMatter) {
  const int64_t heads = std::getenv("MINIMAX_CUDA_MANAGED") ? 67 : 3;
  for (int64_t dk : {64, 128}) {
    const Case c{{20}, heads, dk, 64, Buffer<float>(heads, 0.1f), true, true};
    const HalfData d(c);
    for (const Target& target : all_targets()) {
      Context context(target);
      HalfOutputs all(d), one(d);
      for (HalfOutputs* out : {&all, &one}) {
        auto f = forward_params(c, d, *out);
        auto b = backward_params(c, d, *out);
        f.heads = b.heads = out == &all ? heads : 1;
        MM_EXPECT_OK(mm_lightning_attention_forward(context, &f));
        MM_EXPECT_OK(mm_lightning_attention_backward(context, &b));
      }
      const auto expect_first_head = [&](const Buffer<uint16_t>& a, const Buffer<uint16_t>& b,
                                         int64_t width) {
        for (int64_t t = 0; t < d.tokens; t++) {
          const int64_t row = t * c.heads * width;
          ASSERT_EQ(std::memcmp(&a[row], &b[row], width * 2), 0) << t;
        }
      };
      expect_first_head(all.o, one.o, c.dv);
      expect_first_head(all.dq, one.dq, c.dk);
      expect_first_head(all.dk, one.dk, c.dk);
      expect_first_head(all.dv, one.dv, c.dv);
      EXPECT_EQ(std::memcmp(all.state.data(), one.state.data(), c.dk * c.dv * 4), 0);
      EXPECT_EQ(std::memcmp(all.dstate.data(), one.dstate.data(), c.dk * c.dv * 4), 0);
    }
  }
}

TEST(LightningAttention, Bf16LaterTokensDoNotMatter) {
  const Case cases[] = {{{150}, 2, 32, 64, {0.25f, 0.002f}, true, true},
                        {{600}, 1, 64, 64, {0.002f}, true, true}};
  for (const Case& c : cases) {
    const HalfData d(c);
    for (const Target& target : all_targets()) {
      Context context(target);
      const HalfOutputs whole = outputs(context, c, d);
      for (int32_t length : {1, 15, 16, 17, 63, 64, 65, 130, 257, 513}) {
        if (length > c.lengths[0]) continue;
        const Buffer<int32_t> offsets{0, length};
        HalfOutputs prefix(d);
        auto p = forward_params(c, d, prefix);
        p.cu_seqlens = offsets.data(), p.max_seqlen = length;
        MM_EXPECT_OK(mm_lightning_attention_forward(context, &p));
        const int64_t count = length * c.heads * c.dv;
        EXPECT_EQ(std::memcmp(prefix.o.data(), whole.o.data(), count * 2), 0) << length;
        for (int64_t i = count; i < int64_t(whole.o.size()); i++) ASSERT_EQ(prefix.o[i], 0x7fc0);
      }
    }
  }
}

// Views whose rows begin at multiples of 16 bytes, or not.
TEST(LightningAttention, Bf16ViewsMayBeginAnywhere) {
  const Case c{{100, 30}, 2, 40, 40, {0.25f, 0.002f}, true, true};
  const HalfData d(c);
  const int64_t count = int64_t(d.q.size());
  for (const Target& target : all_targets()) {
    Context context(target);
    const HalfOutputs want = outputs(context, c, d);
    for (int64_t gap : {8, 5}) {
      Projection<uint16_t> qkv(c, d.tokens, gap, 0x7fc0), dqkv(c, d.tokens, gap, 7), o(c, d.tokens, gap, 7);
      for (int64_t i = 0; i < count; i++) {
        qkv.at(0, i) = d.q16[i], qkv.at(1, i) = d.k16[i], qkv.at(2, i) = d.v16[i];
      }
      HalfOutputs got(d);
      auto f = forward_params(c, d, got);
      f.q = qkv.part(0), f.k = qkv.part(1), f.v = qkv.part(2), f.o = o.part(1);
      f.q_token_stride = f.k_token_stride = f.v_token_stride = f.o_token_stride = qkv.token_stride();
      f.q_head_stride = f.k_head_stride = f.v_head_stride = f.o_head_stride = qkv.row;
      MM_EXPECT_OK(mm_lightning_attention_forward(context, &f));
      auto b = backward_params(c, d, got);
      b.q = f.q, b.k = f.k, b.v = f.v, b.dq = dqkv.part(0), b.dk = dqkv.part(1), b.dv = dqkv.part(2);
      b.q_token_stride = b.k_token_stride = b.v_token_stride = qkv.token_stride();
      b.q_head_stride = b.k_head_stride = b.v_head_stride = qkv.row;
      b.dq_token_stride = b.dk_token_stride = b.dv_token_stride = qkv.token_stride();
      b.dq_head_stride = b.dk_head_stride = b.dv_head_stride = qkv.row;
      MM_EXPECT_OK(mm_lightning_attention_backward(context, &b));
      for (int64_t i = 0; i < count; i++) {
        got.o[i] = o.at(1, i);
        got.dq[i] = dqkv.at(0, i), got.dk[i] = dqkv.at(1, i), got.dv[i] = dqkv.at(2, i);
      }
      expect_same_bits(got, want);
      for (int64_t row = 0; row < d.tokens * c.heads; row++) {
        for (int64_t i = 3 * o.d; i < o.row; i++) ASSERT_EQ(dqkv.values[row * dqkv.row + i], 7);
        for (int64_t i = 0; i < o.d; i++) ASSERT_EQ(o.values[row * o.row + i], 7);
        for (int64_t i = 2 * o.d; i < o.row; i++) ASSERT_EQ(o.values[row * o.row + i], 7);
      }
    }
  }
}

// Final states take the place of the initial ones, also where pieces are of several segments.
TEST(LightningAttention, Bf16PiecesContinueFromSlots) {
  const std::pair<Case, Buffer<int32_t>> cases[] = {
      {{{150}, 2, 64, 72, {0.25f, 0.002f}, false, false}, {0, 1, 65, 70, 150}},
      {{{900}, 1, 64, 64, {0.002f}, false, false}, {0, 257, 300, 900}}};
  for (const auto& [c, cuts] : cases) {
    const HalfData d(c);
    const Reference want = reference(c, d), published = plain(c, d);
    const int64_t size = c.heads * c.dk * c.dv;
    for (const Target& target : all_targets()) {
      Context context(target);
      HalfOutputs out(d);
      Buffer<float> pool(3 * size, 0.0f);
      const Buffer<int32_t> slot{1};
      auto p = forward_params(c, d, out);
      p.state_in = p.state_out = pool.data(), p.state_slots = slot.data();
      for (size_t piece = 0; piece + 1 < cuts.size(); piece++) {
        p.cu_seqlens = &cuts[piece];
        MM_EXPECT_OK(mm_lightning_attention_forward(context, &p));
      }
      expect_no_worse(out.o, published.o, want.o, "o");
      expect_no_worse(Buffer<float>(pool.begin() + size, pool.begin() + 2 * size), published.state,
                      want.state, "state");
      for (int64_t i = 0; i < size; i++) ASSERT_EQ(pool[i] + pool[2 * size + i], 0.0f);
    }
  }
}

// The plain way in bf16, as decoding is published: the state rounded before each product with q, the result
// rounded.
void expect_decodes_no_worse(const Case& c) {
  Data d(c);
  for (auto* x : {&d.q, &d.k, &d.v}) round(*x);
  const auto q = halves(d.q), k = halves(d.k), v = halves(d.v);
  const Reference want = reference(c, d);
  double plain_error = 0;
  for (int64_t h = 0; h < c.heads; h++) {
    Buffer<float> S(c.dk * c.dv, 0.0f);
    for (int64_t t = 0; t < d.tokens; t++) {
      for (int64_t j = 0; j < c.dv; j++) {
        float o = 0;
        for (int64_t i = 0; i < c.dk; i++) {
          float& s = S[i * c.dv + j];
          s = std::exp(-c.slopes[h]) * s +
              d.k[(t * c.heads + h) * c.dk + i] * d.v[(t * c.heads + h) * c.dv + j];
          o += d.q[(t * c.heads + h) * c.dk + i] * from_bf16(to_bf16(s));
        }
        const double error = from_bf16(to_bf16(o)) - want.o[(t * c.heads + h) * c.dv + j];
        plain_error = std::fmax(plain_error, std::fabs(error));
      }
    }
  }
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<uint16_t> o(v.size(), 0x7fc0);
    Buffer<float> state(d.state.size(), 0.0f);
    const Buffer<int32_t> slot{0};
    for (int64_t t = 0; t < d.tokens; t++) {
      const int64_t qk = t * c.heads * c.dk, at = t * c.heads * c.dv;
      Decode e(c, &q[qk], &k[qk], &v[at], &o[at], slot.data(), state.data(), 1);
      e.p.dtype = MM_DTYPE_BF16;
      MM_EXPECT_OK(mm_lightning_attention_decode(context, &e.p));
    }
    double error = 0;
    for (size_t i = 0; i < o.size(); i++) {
      const double difference = std::fabs(from_bf16(o[i]) - want.o[i]);
      error = std::isnan(difference) ? INFINITY : std::fmax(error, difference);
    }
    EXPECT_LE(error, 2 * plain_error);
    expect_rounded(o, want.o, "o");
  }
}

TEST(LightningAttention, Bf16DecodesNoWorseThanThePlainWay) {
  expect_decodes_no_worse({{50}, 2, 20, 36, {0.25f, 0.002f}, false, false});
  expect_decodes_no_worse({{20}, 2, 128, 128, {0.25f, 0.002f}, false, false});
  expect_decodes_no_worse({{20}, 1, 149, 67, {0.01f}, false, false});
}

// States that can be read 16 bytes at a time, or not.
TEST(LightningAttention, DecodeStatesMayBeginAnywhere) {
  const Case c{Buffer<int64_t>(3, 1), 2, 37, 44, {0.1f, 0.0f}, true, false};
  const Data d(c);
  const Buffer<int32_t> slots{1, 0, 2};
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<float> want(d.v.size(), NAN), got = want, pool = d.state, moved(pool.size() + 1, 0.0f);
    std::copy(pool.begin(), pool.end(), moved.begin() + 1);
    const Decode a(c, d.q.data(), d.k.data(), d.v.data(), want.data(), slots.data(), pool.data(), 3);
    MM_EXPECT_OK(mm_lightning_attention_decode(context, &a.p));
    const Decode b(c, d.q.data(), d.k.data(), d.v.data(), got.data(), slots.data(), moved.data() + 1, 3);
    MM_EXPECT_OK(mm_lightning_attention_decode(context, &b.p));
    expect_same_bits(got, want, "o");
    expect_same_bits(Buffer<float>(moved.begin() + 1, moved.end()), pool, "state");
  }
}

template <typename Params>
using Entry = mm_status (*)(mm_context*, const Params*);

// The call with one field spoilt fails, and says why.
template <typename Params, typename F>
void expect_refused(Entry<Params> entry, Params p, const char* message, F spoil) {
  Context context;
  spoil(p);
  EXPECT_EQ(entry(context, &p), MM_STATUS_INVALID_ARGUMENT) << message;
  EXPECT_NE(std::strstr(mm_last_error(), message), nullptr) << message << " / " << mm_last_error();
}

TEST(LightningAttention, RefusesBadArguments) {
  const Case c{{5, 6}, 2, 4, 4, {0.5f, 0.01f}, true, true};
  const Data d(c);
  Outputs out(d);
  using Forward = mm_lightning_attention_forward_params;
  const auto forward = [&](const char* message, auto spoil) {
    expect_refused<Forward>(mm_lightning_attention_forward,
                            forward_params(c, d, out.o.data(), out.state.data()), message, spoil);
  };
  const int32_t falling[] = {0, 8, 5}, beyond[] = {0, 5, 12}, before[] = {-1, 5, 11};
  const int32_t same[] = {1, 1}, negative[] = {0, -2};
  const float rising[] = {0.5f, -0.1f}, infinite[] = {INFINITY, 0.1f}, nan[] = {0.5f, NAN};
  forward("heads is 0", [](Forward& p) { p.heads = 0; });
  forward("dim_k is 0", [](Forward& p) { p.dim_k = 0; });
  forward("dim_v is -4", [](Forward& p) { p.dim_v = -4; });
  forward("tokens is -1", [](Forward& p) { p.tokens = -1; });
  forward("slopes is null", [](Forward& p) { p.slopes = nullptr; });
  forward("cu_seqlens is null", [](Forward& p) { p.cu_seqlens = nullptr; });
  forward("q, k, v or o is null", [](Forward& p) { p.v = nullptr; });
  forward("dtype is 7", [](Forward& p) { p.dtype = static_cast<mm_dtype>(7); });
  forward("o_token_stride is 3", [](Forward& p) { p.o_token_stride = 3; });
  forward("o_head_stride is 0", [](Forward& p) { p.o_head_stride = 0; });
  forward("cu_seqlens falls from 8 to 5", [&](Forward& p) { p.cu_seqlens = falling, p.max_seqlen = 8; });
  forward("cu_seqlens ends with 12", [&](Forward& p) { p.cu_seqlens = beyond, p.max_seqlen = 8; });
  forward("cu_seqlens starts with -1", [&](Forward& p) { p.cu_seqlens = before; });
  forward("sequence 1 has 6 tokens, max_seqlen is 5", [](Forward& p) { p.max_seqlen = 5; });
  forward("slot 1 appears twice", [&](Forward& p) { p.state_slots = same; });
  forward("state_slots[1] is -2", [&](Forward& p) { p.state_slots = negative; });
  forward("slope 1 is -0.1", [&](Forward& p) { p.slopes = rising; });
  forward("slope 0 is inf", [&](Forward& p) { p.slopes = infinite; });
  forward("slope 1 is nan", [&](Forward& p) { p.slopes = nan; });

  using Backward = mm_lightning_attention_backward_params;
  const auto backward = [&](const char* message, auto spoil) {
    expect_refused<Backward>(
        mm_lightning_attention_backward,
        backward_params(c, d, out.dq.data(), out.dk.data(), out.dv.data(), out.dstate.data()), message,
        spoil);
  };
  backward("d_o, dq, dk or dv is null", [](Backward& p) { p.dk = nullptr; });
  backward("dq_token_stride is 0", [](Backward& p) { p.dq_token_stride = 0; });
  backward("dk_head_stride is 2", [](Backward& p) { p.dk_head_stride = 2; });
  backward("dv_head_stride is 3", [](Backward& p) { p.dv_head_stride = 3; });
  backward("cu_seqlens falls from 8 to 5", [&](Backward& p) { p.cu_seqlens = falling, p.max_seqlen = 8; });
  backward("slope 1 is nan", [&](Backward& p) { p.slopes = nan; });

  using Params = mm_lightning_attention_decode_params;
  const int32_t slots[] = {0, 1};
  const auto decode = [&](const char* message, auto spoil) {
    expect_refused<Params>(
        mm_lightning_attention_decode,
        Decode(c, d.q.data(), d.k.data(), d.v.data(), out.o.data(), slots, out.state.data(), 2).p, message,
        spoil);
  };
  decode("batch is -1", [](Params& p) { p.batch = -1; });
  decode("state or state_slots is null", [](Params& p) { p.state = nullptr; });
  decode("slot 1 appears twice, at 0 and 1", [&](Params& p) { p.state_slots = same; });
  decode("o_token_stride is 3", [](Params& p) { p.o_token_stride = 3; });
  decode("slope 1 is -0.1", [&](Params& p) { p.slopes = rising; });
}

// A GPU tells at the next wait what it found in its memory, and leaves alone what it cannot place.
TEST(LightningAttention, TellsOfBadDataOnAGpu) {
  if (!has_cuda()) GTEST_SKIP() << "no CUDA backend";
  Context context(Target{MM_DEVICE_KIND_CUDA, MM_ISA_AUTO});
  const Case c{{5, 6}, 2, 4, 4, {0.5f, 0.01f}, true, true};
  const HalfData d(c);
  const auto expect_told = [&](const char* what, auto call) {
    EXPECT_EQ(call(), MM_STATUS_OK) << mm_last_error();
    EXPECT_EQ(mm_context_synchronize(context), MM_STATUS_INVALID_ARGUMENT) << what;
    EXPECT_NE(std::strstr(mm_last_error(), what), nullptr) << mm_last_error();
    EXPECT_EQ(mm_context_synchronize(context), MM_STATUS_OK) << mm_last_error();
  };
  const Buffer<int32_t> falling{0, 8, 5}, beyond{0, 5, 12}, before{-1, 5, 11}, long_one{0, 8, 11};
  const Buffer<int32_t> slots{0, -2};
  for (mm_dtype dtype : {MM_DTYPE_F32, MM_DTYPE_BF16}) {
    Outputs floats(d);
    HalfOutputs out(d);
    auto f = dtype == MM_DTYPE_F32 ? forward_params(c, d, floats.o.data(), floats.state.data())
                                   : forward_params(c, d, out);
    auto b = dtype == MM_DTYPE_F32 ? backward_params(c, d, floats.dq.data(), floats.dk.data(),
                                                     floats.dv.data(), floats.dstate.data())
                                   : backward_params(c, d, out);
    for (const auto* offsets : {&falling, &beyond, &before, &long_one}) {
      f.cu_seqlens = b.cu_seqlens = offsets->data();
      expect_told("cu_seqlens", [&] { return mm_lightning_attention_forward(context, &f); });
      expect_told("cu_seqlens", [&] { return mm_lightning_attention_backward(context, &b); });
    }
    f.cu_seqlens = d.offsets.data(), f.state_slots = slots.data();
    expect_told("slot", [&] { return mm_lightning_attention_forward(context, &f); });
    Decode decode(c, f.q, f.k, f.v, const_cast<void*>(f.o), slots.data(), floats.state.data(), 2);
    decode.p.dtype = dtype;
    expect_told("slot", [&] { return mm_lightning_attention_decode(context, &decode.p); });
    f.state_slots = nullptr, f.dim_v = 257, f.v_head_stride = f.o_head_stride = 257;
    f.v_token_stride = f.o_token_stride = 514;
    EXPECT_EQ(mm_lightning_attention_forward(context, &f), MM_STATUS_UNSUPPORTED);
    EXPECT_NE(std::strstr(mm_last_error(), "dim_v 257"), nullptr) << mm_last_error();
  }
}

}  // namespace
}  // namespace mm::test
