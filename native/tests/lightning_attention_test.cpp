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
      const int32_t offsets[] = {d.offsets[s], d.offsets[s + 1]}, slot[] = {int32_t(s)};
      auto f = forward_params(c, d, separate.o.data(), separate.state.data());
      f.cu_seqlens = offsets, f.sequences = 1, f.state_slots = slot;
      MM_EXPECT_OK(mm_lightning_attention_forward(context, &f));
      const int64_t at = s * c.heads * c.dk * c.dv;
      auto b = backward_params(c, d, separate.dq.data(), separate.dk.data(), separate.dv.data(),
                               separate.dstate.data() + at);
      b.cu_seqlens = offsets, b.sequences = 1, b.state_in += at, b.dstate_out += at;
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
      const int32_t offsets[] = {0, length};
      Buffer<float> prefix(length * c.heads * c.dv, NAN);
      p.o = prefix.data(), p.cu_seqlens = offsets;
      MM_EXPECT_OK(mm_lightning_attention_forward(context, &p));
      EXPECT_EQ(std::memcmp(prefix.data(), whole.data(), prefix.size() * 4), 0) << length;
    }
  }
}

// [tokens, heads, 3 d + gap]: q, k and v beside each other, then elements that belong to nobody.
template <typename T>
struct Projection {
  int64_t heads, d, row;
  std::vector<T> values;

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
      const int32_t slot[] = {2};
      auto p = forward_params(c, d, o.data(), pool.data());
      p.state_in = pool.data(), p.state_slots = slot;
      for (int32_t start : {0, 33}) {
        const int32_t offsets[] = {start, start == 0 ? 33 : 70};
        p.cu_seqlens = offsets;
        MM_EXPECT_OK(mm_lightning_attention_forward(context, &p));
      }
      for (int64_t t = 70; t < 90; t++) {
        const int64_t qk = t * c.heads * c.dk, v = t * c.heads * c.dv;
        const Decode e(c, &d.q[qk], &d.k[qk], &d.v[v], &o[v], slot, pool.data(), 1);
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

TEST(LightningAttention, RoundsBf16OnceOnly) {
  const Case c{{100, 37}, 2, 20, 20, {0.25f, 0.002f}, true, true};
  Data d(c);
  for (auto* x : {&d.q, &d.k, &d.v, &d.g}) round(*x);
  const auto q = halves(d.q), k = halves(d.k), v = halves(d.v), g = halves(d.g);
  const Reference want = reference(c, d);
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<uint16_t> o(v.size(), 0x7fc0), dq = o, dk = o, dv = o;
    Buffer<float> state(d.state.size(), NAN), dstate = state;
    auto f = forward_params(c, d, nullptr, state.data());
    f.q = q.data(), f.k = k.data(), f.v = v.data(), f.o = o.data(), f.dtype = MM_DTYPE_BF16;
    MM_EXPECT_OK(mm_lightning_attention_forward(context, &f));
    expect_rounded(o, want.o, "o");
    expect_close(state, want.state, 1e-5, "state");

    auto b = backward_params(c, d, nullptr, nullptr, nullptr, dstate.data());
    b.q = f.q, b.k = f.k, b.v = f.v, b.d_o = g.data(), b.dtype = MM_DTYPE_BF16;
    b.dq = dq.data(), b.dk = dk.data(), b.dv = dv.data();
    MM_EXPECT_OK(mm_lightning_attention_backward(context, &b));
    expect_rounded(dq, want.dq, "dq");
    expect_rounded(dk, want.dk, "dk");
    expect_rounded(dv, want.dv, "dv");
    expect_close(dstate, want.dstate, 1e-5, "dstate_in");
  }
}

// The plain way in bf16, as decoding is published: the state rounded before each product with q, the result
// rounded.
TEST(LightningAttention, Bf16DecodesNoWorseThanThePlainWay) {
  const Case c{{50}, 2, 20, 36, {0.25f, 0.002f}, false, false};
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
    const int32_t slot[] = {0};
    for (int64_t t = 0; t < d.tokens; t++) {
      const int64_t qk = t * c.heads * c.dk, at = t * c.heads * c.dv;
      Decode e(c, &q[qk], &k[qk], &v[at], &o[at], slot, state.data(), 1);
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

}  // namespace
}  // namespace mm::test
