// Softmax attention on every instruction set, against double precision and against itself.
#include "support.h"

namespace mm::test {
namespace {

struct Case {
  Buffer<int64_t> queries, keys;  // tokens of each sequence; queries are the last of the keys
  int64_t heads, kv_heads, d, window;
};

const Case kCases[] = {
    {{33}, {33}, 4, 2, 16, 0},         {{1, 5, 70}, {20, 17, 70}, 6, 3, 12, 0},
    {{130, 1}, {130, 1}, 2, 1, 64, 0}, {{100}, {100}, 4, 4, 8, 13},
    {{3}, {200}, 8, 1, 20, 65},
};

struct Data {
  int64_t tokens_q = 0, tokens_k = 0, longest_q = 0, longest_k = 0;
  Buffer<int32_t> offsets_q{0}, offsets_k{0};
  Buffer<float> q, k, v, g;

  explicit Data(const Case& c) {
    for (size_t i = 0; i < c.queries.size(); i++) {
      tokens_q += c.queries[i], tokens_k += c.keys[i];
      longest_q = std::max(longest_q, c.queries[i]), longest_k = std::max(longest_k, c.keys[i]);
      offsets_q.push_back(int32_t(tokens_q)), offsets_k.push_back(int32_t(tokens_k));
    }
    Random random(uint64_t(tokens_q * 7 + c.d));
    q = random.floats(tokens_q * c.heads * c.d, 2), g = random.floats(q.size());
    k = random.floats(tokens_k * c.kv_heads * c.d, 2), v = random.floats(k.size());
  }
};

struct Reference {
  std::vector<double> o, lse, dq, dk, dv;
};

double scale_of(const Case& c) { return 1 / std::sqrt(double(c.d)); }

Reference reference(const Case& c, const Data& d) {
  Reference r;
  r.o.resize(d.q.size()), r.dq.resize(d.q.size()), r.dk.resize(d.k.size()), r.dv.resize(d.k.size());
  r.lse.resize(c.heads * d.tokens_q);
  for (size_t s = 0; s < c.queries.size(); s++) {
    for (int64_t h = 0; h < c.heads; h++) {
      const int64_t kv = h / (c.heads / c.kv_heads);
      for (int64_t t = 0; t < c.queries[s]; t++) {
        const int64_t position = c.keys[s] - c.queries[s] + t, row = d.offsets_q[s] + t;
        const int64_t first = c.window > 0 ? std::max<int64_t>(0, position - c.window) : 0;
        const float* q = &d.q[(row * c.heads + h) * c.d];
        const float* g = &d.g[(row * c.heads + h) * c.d];
        std::vector<double> p(position + 1);
        double largest = -INFINITY, sum = 0;
        auto key = [&](int64_t j) { return ((d.offsets_k[s] + j) * c.kv_heads + kv) * c.d; };
        for (int64_t j = first; j <= position; j++) {
          for (int64_t i = 0; i < c.d; i++) p[j] += scale_of(c) * q[i] * d.k[key(j) + i];
          largest = std::max(largest, p[j]);
        }
        for (int64_t j = first; j <= position; j++) sum += p[j] = std::exp(p[j] - largest);
        r.lse[h * d.tokens_q + row] = largest + std::log(sum);
        double* o = &r.o[(row * c.heads + h) * c.d];
        double delta = 0;
        for (int64_t j = first; j <= position; j++) {
          p[j] /= sum;
          for (int64_t i = 0; i < c.d; i++) o[i] += p[j] * d.v[key(j) + i];
        }
        for (int64_t i = 0; i < c.d; i++) delta += o[i] * g[i];
        for (int64_t j = first; j <= position; j++) {
          double dp = 0;
          for (int64_t i = 0; i < c.d; i++) dp += double(g[i]) * d.v[key(j) + i];
          const double ds = p[j] * (dp - delta) * scale_of(c);
          for (int64_t i = 0; i < c.d; i++) {
            r.dv[key(j) + i] += p[j] * g[i];
            r.dk[key(j) + i] += ds * q[i];
            r.dq[(row * c.heads + h) * c.d + i] += ds * d.k[key(j) + i];
          }
        }
      }
    }
  }
  return r;
}

mm_attention_forward_params forward_params(const Case& c, const Data& d, float* o, float* lse) {
  mm_attention_forward_params p{};
  p.struct_size = sizeof p;
  p.q = d.q.data(), p.k = d.k.data(), p.v = d.v.data(), p.o = o, p.lse = lse;
  p.cu_seqlens_q = d.offsets_q.data(), p.cu_seqlens_k = d.offsets_k.data();
  p.sequences = int64_t(c.queries.size()), p.tokens_q = d.tokens_q, p.tokens_k = d.tokens_k;
  p.max_seqlen_q = d.longest_q, p.max_seqlen_k = d.longest_k;
  p.heads = c.heads, p.kv_heads = c.kv_heads, p.head_dim = c.d, p.window = c.window;
  p.q_token_stride = p.o_token_stride = c.heads * c.d, p.k_token_stride = p.v_token_stride = c.kv_heads * c.d;
  p.q_head_stride = p.o_head_stride = p.k_head_stride = p.v_head_stride = c.d;
  p.scale = float(scale_of(c));
  return p;
}

TEST(Attention, ForwardAndBackwardEqualDoublePrecision) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (const Case& c : kCases) {
      const Data d(c);
      const Reference r = reference(c, d);
      Buffer<float> o(d.q.size(), NAN), lse(r.lse.size(), NAN), dq(d.q.size(), NAN), dk(d.k.size(), NAN),
          dv(d.k.size(), NAN);
      const auto f = forward_params(c, d, o.data(), lse.data());
      MM_EXPECT_OK(mm_attention_forward(context, &f));
      expect_close(o, r.o, 1e-5, "o");
      expect_close(lse, r.lse, 1e-5, "lse");
      mm_attention_backward_params b{};
      b.struct_size = sizeof b;
      b.q = f.q, b.k = f.k, b.v = f.v, b.o = o.data(), b.d_o = d.g.data(), b.lse = lse.data();
      b.dq = dq.data(), b.dk = dk.data(), b.dv = dv.data();
      b.cu_seqlens_q = f.cu_seqlens_q, b.cu_seqlens_k = f.cu_seqlens_k;
      b.sequences = f.sequences, b.tokens_q = f.tokens_q, b.tokens_k = f.tokens_k;
      b.max_seqlen_q = f.max_seqlen_q, b.max_seqlen_k = f.max_seqlen_k;
      b.heads = f.heads, b.kv_heads = f.kv_heads, b.head_dim = f.head_dim, b.window = f.window;
      b.q_token_stride = b.o_token_stride = b.dq_token_stride = f.q_token_stride;
      b.k_token_stride = b.v_token_stride = b.dk_token_stride = b.dv_token_stride = f.k_token_stride;
      b.q_head_stride = b.k_head_stride = b.v_head_stride = b.o_head_stride = c.d;
      b.dq_head_stride = b.dk_head_stride = b.dv_head_stride = c.d;
      b.scale = f.scale;
      MM_EXPECT_OK(mm_attention_backward(context, &b));
      expect_close(dq, r.dq, 1e-5, "dq");
      expect_close(dk, r.dk, 1e-5, "dk");
      expect_close(dv, r.dv, 1e-5, "dv");
    }
  }
}

TEST(Attention, OverPagesATokenIsTheSameAloneAndInAChunk) {
  const Case c{{40}, {100}, 4, 2, 12, 0};
  const Data d(c);
  const Reference r = reference(c, d);
  constexpr int64_t kPage = 16, kPages = 9;
  const Buffer<int32_t> table = {8, 2, 5, 0, 7, 3, 1};
  Buffer<int64_t> slots(100);
  for (int64_t t = 0; t < 100; t++) slots[t] = table[t / kPage] * kPage + t % kPage;
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<float> keys(kPages * kPage * c.kv_heads * c.d, NAN), values(keys.size(), NAN),
        chunk(d.q.size(), NAN), alone(d.q.size(), NAN);
    mm_kv_cache_write_params w{};
    w.struct_size = sizeof w;
    w.k = d.k.data(), w.v = d.v.data(), w.k_cache = keys.data(), w.v_cache = values.data(),
    w.slots = slots.data();
    w.tokens = 100, w.kv_heads = c.kv_heads, w.head_dim = c.d;
    w.k_token_stride = w.v_token_stride = c.kv_heads * c.d, w.k_head_stride = w.v_head_stride = c.d;
    MM_EXPECT_OK(mm_kv_cache_write(context, &w));
    int32_t length = 100;
    Buffer<int32_t> offsets = {0, 40};
    mm_attention_decode_params p{};
    p.struct_size = sizeof p;
    p.q = d.q.data(), p.k_cache = keys.data(), p.v_cache = values.data(), p.o = chunk.data();
    p.cu_seqlens_q = offsets.data(), p.kv_lens = &length, p.block_table = table.data();
    p.sequences = 1, p.tokens_q = 40, p.max_seqlen_q = 40, p.max_kv_len = 100,
    p.max_pages = int64_t(table.size()), p.page_size = kPage;
    p.heads = c.heads, p.kv_heads = c.kv_heads, p.head_dim = c.d;
    p.q_token_stride = p.o_token_stride = c.heads * c.d, p.q_head_stride = p.o_head_stride = c.d;
    p.scale = float(scale_of(c));
    MM_EXPECT_OK(mm_attention_decode(context, &p));
    expect_close(chunk, r.o, 1e-5, "chunk");
    offsets = {0, 1};
    p.tokens_q = p.max_seqlen_q = 1;
    for (int64_t t = 0; t < 40; t++) {
      length = int32_t(61 + t);
      p.q = d.q.data() + t * c.heads * c.d, p.o = alone.data() + t * c.heads * c.d;
      MM_EXPECT_OK(mm_attention_decode(context, &p));
    }
    EXPECT_EQ(std::memcmp(chunk.data(), alone.data(), chunk.size() * 4), 0);
  }
}

TEST(Attention, RefusesSequencesThatDoNotFit) {
  const Case c{{5, 3}, {5, 3}, 2, 1, 8, 0};
  const Data d(c);
  Buffer<float> o(d.q.size());
  Context context;
  const auto refused = [&](mm_attention_forward_params p, const char* message) {
    EXPECT_EQ(mm_attention_forward(context, &p), MM_STATUS_INVALID_ARGUMENT);
    EXPECT_NE(std::strstr(mm_last_error(), message), nullptr) << mm_last_error();
  };
  auto p = forward_params(c, d, o.data(), nullptr);
  p.max_seqlen_q = 4;
  refused(p, "cu_seqlens_q: sequence 0 has 5 tokens, max_seqlen is 4");
  const Buffer<int32_t> falling = {0, 5, 4}, long_ones = {0, 5, 9};
  p = forward_params(c, d, o.data(), nullptr);
  p.cu_seqlens_k = falling.data();
  refused(p, "cu_seqlens_k falls from 5 to 4");
  p.cu_seqlens_k = long_ones.data();
  refused(p, "cu_seqlens_k ends with 9, there are 8 tokens");
}

TEST(Attention, RefusesHeadsThatCannotBeShared) {
  Context context;
  const Case c{{1}, {1}, 3, 2, 4, 0};
  const Data d({{1}, {1}, 6, 2, 4, 0});
  Buffer<float> o(64);
  const auto p = forward_params(c, d, o.data(), nullptr);
  EXPECT_EQ(mm_attention_forward(context, &p), MM_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(mm_last_error(), "3 heads cannot share 2 kv_heads"), nullptr) << mm_last_error();
}

}  // namespace
}  // namespace mm::test
