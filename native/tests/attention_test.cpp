// Softmax attention on every instruction set, against double precision and against itself.
#include <numeric>

#include "support.h"

namespace mm::test {
namespace {

struct Case {
  Buffer<int64_t> queries, keys;  // tokens of each sequence; queries are the last of the keys
  int64_t heads, kv_heads, d, window;
  int64_t gap = 0;  // elements between the rows of two tokens
};

const Case kCases[] = {
    {{33}, {33}, 4, 2, 16, 0},
    {{1, 5, 70}, {20, 17, 70}, 6, 3, 12, 0},
    {{130, 1}, {130, 1}, 2, 1, 64, 0},
    {{100}, {100}, 4, 4, 8, 13},
    {{3}, {200}, 8, 1, 20, 65},
    {{150, 7, 1}, {150, 7, 1}, 3, 3, 32, 0},       // several tiles without groups
    {{70}, {200}, 8, 1, 128, 0},                   // and with one of eight
    {{0, 40, 0, 3}, {0, 90, 5, 3}, 4, 2, 72, 20},  // sequences without queries, or without anything
    {{10, 9}, {4, 9}, 2, 1, 16, 0},                // rows that see no key
    {{70}, {70}, 6, 2, 64, 30, 1},                 // an odd group, rows aligned to elements only
    {{20, 37}, {20, 41}, 2, 1, 200, 0},            // beyond 128
    {{65}, {129}, 2, 2, 100, 64, 4},
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

  // The same in values of bfloat16.
  Data rounded() const {
    Data r = *this;
    for (Buffer<float>* x : {&r.q, &r.k, &r.v, &r.g}) {
      for (float& value : *x) value = from_bf16(to_bf16(value));
    }
    return r;
  }
};

struct Reference {
  std::vector<double> o, lse, dq, dk, dv;
};

double scale_of(const Case& c) { return 1 / std::sqrt(double(c.d)); }

double exactly(double x) { return x; }
double to_bf16_and_back(double x) { return from_bf16(to_bf16(float(x))); }

// In double precision, or, with `round`, as operations on tensors of that precision would do it.
Reference reference(const Case& c, const Data& d, double (*round)(double) = exactly) {
  Reference r;
  r.o.resize(d.q.size()), r.dq.resize(d.q.size()), r.dk.resize(d.k.size()), r.dv.resize(d.k.size());
  r.lse.resize(c.heads * d.tokens_q, -INFINITY);
  for (size_t s = 0; s < c.queries.size(); s++) {
    for (int64_t h = 0; h < c.heads; h++) {
      const int64_t kv = h / (c.heads / c.kv_heads);
      for (int64_t t = 0; t < c.queries[s]; t++) {
        const int64_t position = c.keys[s] - c.queries[s] + t, row = d.offsets_q[s] + t;
        if (position < 0) continue;
        const int64_t first = c.window > 0 ? std::max<int64_t>(0, position - c.window) : 0;
        const float* q = &d.q[(row * c.heads + h) * c.d];
        const float* g = &d.g[(row * c.heads + h) * c.d];
        std::vector<double> p(position + 1);
        double largest = -INFINITY, sum = 0;
        auto key = [&](int64_t j) { return ((d.offsets_k[s] + j) * c.kv_heads + kv) * c.d; };
        for (int64_t j = first; j <= position; j++) {
          for (int64_t i = 0; i < c.d; i++) p[j] += scale_of(c) * q[i] * d.k[key(j) + i];
          p[j] = round(p[j]);
          largest = std::max(largest, p[j]);
        }
        for (int64_t j = first; j <= position; j++) sum += p[j] = std::exp(p[j] - largest);
        r.lse[h * d.tokens_q + row] = largest + std::log(sum);
        double* o = &r.o[(row * c.heads + h) * c.d];
        double delta = 0;
        for (int64_t j = first; j <= position; j++) {
          p[j] = round(p[j] / sum);
          for (int64_t i = 0; i < c.d; i++) o[i] += p[j] * d.v[key(j) + i];
        }
        for (int64_t i = 0; i < c.d; i++) delta += (o[i] = round(o[i])) * g[i];
        for (int64_t j = first; j <= position; j++) {
          double dp = 0;
          for (int64_t i = 0; i < c.d; i++) dp += double(g[i]) * d.v[key(j) + i];
          const double ds = round(p[j] * (round(dp) - delta)) * scale_of(c);
          for (int64_t i = 0; i < c.d; i++) {
            r.dv[key(j) + i] += p[j] * g[i];
            r.dk[key(j) + i] += ds * q[i];
            r.dq[(row * c.heads + h) * c.d + i] += ds * d.k[key(j) + i];
          }
        }
      }
    }
  }
  for (auto* x : {&r.dq, &r.dk, &r.dv}) {
    for (double& value : *x) value = round(value);
  }
  return r;
}

template <typename T>
T stored(float x) {
  if constexpr (sizeof(T) == 2) return to_bf16(x);
  return T(x);
}
template <typename T>
float loaded(T x) {
  if constexpr (sizeof(T) == 2) return from_bf16(x);
  return float(x);
}

// Rows of `width` values as T, with a gap behind each; poison lies in the gaps.
template <typename T>
Buffer<T> spread(const Buffer<float>& x, int64_t width, int64_t gap) {
  const int64_t rows = int64_t(x.size()) / width;
  Buffer<T> y(rows * (width + gap), stored<T>(NAN));
  for (int64_t i = 0; i < int64_t(x.size()); i++) y[i / width * (width + gap) + i % width] = stored<T>(x[i]);
  return y;
}
template <typename T>
std::vector<float> gathered(const Buffer<T>& y, int64_t width, int64_t gap) {
  std::vector<float> x(y.size() / (width + gap) * width);
  for (int64_t i = 0; i < int64_t(x.size()); i++) x[i] = loaded(y[i / width * (width + gap) + i % width]);
  return x;
}

template <typename Got>
double error(const Got& got, const std::vector<double>& want) {
  EXPECT_EQ(got.size(), want.size());
  double largest = 0;
  for (size_t i = 0; i < want.size(); i++) {
    if (got[i] == want[i]) continue;  // infinities, too
    const double difference = std::fabs(got[i] - want[i]);
    largest = std::isnan(difference) ? INFINITY : std::fmax(largest, difference);
  }
  return largest;
}

double largest(const std::vector<double>& x) {
  double found = 1;
  for (double value : x) found = std::isinf(value) ? found : std::fmax(found, std::fabs(value));
  return found;
}

mm_attention_forward_params forward_params(const Case& c, const Data& d, const void* q, const void* k,
                                           const void* v, void* o, float* lse) {
  mm_attention_forward_params p{};
  p.struct_size = sizeof p;
  p.q = q, p.k = k, p.v = v, p.o = o, p.lse = lse;
  p.cu_seqlens_q = d.offsets_q.data(), p.cu_seqlens_k = d.offsets_k.data();
  p.sequences = int64_t(c.queries.size()), p.tokens_q = d.tokens_q, p.tokens_k = d.tokens_k;
  p.max_seqlen_q = d.longest_q, p.max_seqlen_k = d.longest_k;
  p.heads = c.heads, p.kv_heads = c.kv_heads, p.head_dim = c.d, p.window = c.window;
  p.q_token_stride = p.o_token_stride = c.heads * c.d + c.gap;
  p.k_token_stride = p.v_token_stride = c.kv_heads * c.d + c.gap;
  p.q_head_stride = p.o_head_stride = p.k_head_stride = p.v_head_stride = c.d;
  p.scale = float(scale_of(c));
  return p;
}
mm_attention_forward_params forward_params(const Case& c, const Data& d, float* o, float* lse) {
  return forward_params(c, d, d.q.data(), d.k.data(), d.v.data(), o, lse);
}

// fp32: within 1e-5 of double precision. bf16: at most twice the error of the plain evaluation.
template <typename T>
void expect_forward_and_backward(mm_context* context, const Case& c) {
  constexpr bool kBf16 = sizeof(T) == 2;
  const Data d = kBf16 ? Data(c).rounded() : Data(c);
  const Reference exact = reference(c, d), plain = reference(c, d, kBf16 ? to_bf16_and_back : exactly);
  const int64_t width = c.heads * c.d, kv_width = c.kv_heads * c.d;
  const auto q = spread<T>(d.q, width, c.gap), k = spread<T>(d.k, kv_width, c.gap),
             v = spread<T>(d.v, kv_width, c.gap), g = spread<T>(d.g, width, c.gap);
  const T poison = stored<T>(NAN);
  Buffer<T> o(q.size(), poison), dq(q.size(), poison), dk(k.size(), poison), dv(k.size(), poison);
  Buffer<float> lse(exact.lse.size(), NAN);
  const auto check = [&](const auto& got, std::vector<double> Reference::*what, const char* name) {
    const double bound = 1e-5 * largest(exact.*what) + 2 * error(plain.*what, exact.*what);
    EXPECT_LE(error(got, exact.*what), bound) << name << ", " << sizeof(T) << " bytes, d " << c.d
                                              << ", heads " << c.heads << ", tokens " << d.tokens_q;
  };
  auto f = forward_params(c, d, q.data(), k.data(), v.data(), o.data(), lse.data());
  f.dtype = kBf16 ? MM_DTYPE_BF16 : MM_DTYPE_F32;
  MM_EXPECT_OK(mm_attention_forward(context, &f));
  check(gathered(o, width, c.gap), &Reference::o, "o");
  EXPECT_LE(error(lse, exact.lse), 1e-5 * largest(exact.lse)) << "lse";  // fp32 in both types
  mm_attention_backward_params b{};
  b.struct_size = sizeof b;
  b.q = f.q, b.k = f.k, b.v = f.v, b.o = o.data(), b.d_o = g.data(), b.lse = lse.data();
  b.dq = dq.data(), b.dk = dk.data(), b.dv = dv.data();
  b.cu_seqlens_q = f.cu_seqlens_q, b.cu_seqlens_k = f.cu_seqlens_k;
  b.sequences = f.sequences, b.tokens_q = f.tokens_q, b.tokens_k = f.tokens_k;
  b.max_seqlen_q = f.max_seqlen_q, b.max_seqlen_k = f.max_seqlen_k;
  b.heads = f.heads, b.kv_heads = f.kv_heads, b.head_dim = f.head_dim, b.window = f.window;
  b.q_token_stride = b.o_token_stride = b.dq_token_stride = f.q_token_stride;
  b.k_token_stride = b.v_token_stride = b.dk_token_stride = b.dv_token_stride = f.k_token_stride;
  b.q_head_stride = b.k_head_stride = b.v_head_stride = b.o_head_stride = c.d;
  b.dq_head_stride = b.dk_head_stride = b.dv_head_stride = c.d;
  b.scale = f.scale, b.dtype = f.dtype;
  MM_EXPECT_OK(mm_attention_backward(context, &b));
  check(gathered(dq, width, c.gap), &Reference::dq, "dq");
  check(gathered(dk, kv_width, c.gap), &Reference::dk, "dk");
  check(gathered(dv, kv_width, c.gap), &Reference::dv, "dv");
}

TEST(Attention, ForwardAndBackwardEqualDoublePrecision) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (const Case& c : kCases) expect_forward_and_backward<float>(context, c);
  }
}

TEST(Attention, ForwardAndBackwardInBf16AreAsGoodAsPlainEvaluation) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (const Case& c : kCases) expect_forward_and_backward<uint16_t>(context, c);
  }
}

TEST(Attention, NothingIsDoneForNoSequences) {
  const Case c{{}, {}, 2, 1, 16, 0};
  const Data d(c);
  for (const Target& target : all_targets()) {
    Context context(target);
    float nothing = 0;
    const auto f = forward_params(c, d, &nothing, &nothing);
    MM_EXPECT_OK(mm_attention_forward(context, &f));
  }
}

TEST(Attention, OnCudaHeadsBeyond256AreRefused) {
  for (const Target& target : all_targets()) {
    if (target.device != MM_DEVICE_KIND_CUDA) continue;
    Context context(target);
    const Case c{{2}, {2}, 1, 1, 264, 0};
    const Data d(c);
    Buffer<float> o(d.q.size());
    const auto f = forward_params(c, d, o.data(), nullptr);
    EXPECT_EQ(mm_attention_forward(context, &f), MM_STATUS_UNSUPPORTED);
    EXPECT_NE(std::strstr(mm_last_error(), "head_dim is 264"), nullptr) << mm_last_error();
  }
}

struct PagedCase {
  Case c;
  int64_t page_size;
};

// Two sequences over pages in an odd order: a chunk of both together, then each token alone, with larger
// maxima than the chunk had, as a recorded graph has them.
template <typename T>
void expect_pages(mm_context* context, const PagedCase& paged) {
  constexpr bool kBf16 = sizeof(T) == 2;
  const Case& c = paged.c;
  const Data d = kBf16 ? Data(c).rounded() : Data(c);
  const Reference exact = reference(c, d), plain = reference(c, d, kBf16 ? to_bf16_and_back : exactly);
  const int64_t width = c.heads * c.d, kv_width = c.kv_heads * c.d, sequences = int64_t(c.keys.size());
  const int64_t max_pages = (d.longest_k + paged.page_size - 1) / paged.page_size + 1;
  const int64_t pages = max_pages * sequences;
  // Page numbers i * step modulo their count; behind a sequence's pages lies one that does not exist.
  int64_t step = 7;
  while (std::gcd(step, pages) != 1) step += 2;
  Buffer<int32_t> table(pages, -1), lengths;
  Buffer<int64_t> slots(d.tokens_k);
  for (int64_t s = 0; s < sequences; s++) {
    lengths.push_back(int32_t(c.keys[s]));
    for (int64_t t = 0; t < c.keys[s]; t++) {
      const int64_t entry = s * max_pages + t / paged.page_size;
      table[entry] = int32_t(entry * step % pages);
      slots[d.offsets_k[s] + t] = table[entry] * paged.page_size + t % paged.page_size;
    }
  }
  const auto q = spread<T>(d.q, width, c.gap), k = spread<T>(d.k, kv_width, c.gap),
             v = spread<T>(d.v, kv_width, c.gap);
  const T poison = stored<T>(NAN);
  Buffer<T> keys(pages * paged.page_size * kv_width, poison), values(keys.size(), poison),
      chunk(q.size(), poison), alone(q.size(), poison);
  mm_kv_cache_write_params w{};
  w.struct_size = sizeof w;
  w.k = k.data(), w.v = v.data(), w.k_cache = keys.data(), w.v_cache = values.data(), w.slots = slots.data();
  w.tokens = d.tokens_k, w.kv_heads = c.kv_heads, w.head_dim = c.d;
  w.k_token_stride = w.v_token_stride = kv_width + c.gap, w.k_head_stride = w.v_head_stride = c.d;
  w.dtype = kBf16 ? MM_DTYPE_BF16 : MM_DTYPE_F32;
  MM_EXPECT_OK(mm_kv_cache_write(context, &w));
  mm_attention_decode_params p{};
  p.struct_size = sizeof p;
  p.q = q.data(), p.k_cache = keys.data(), p.v_cache = values.data(), p.o = chunk.data();
  p.cu_seqlens_q = d.offsets_q.data(), p.kv_lens = lengths.data(), p.block_table = table.data();
  p.sequences = sequences, p.tokens_q = d.tokens_q, p.max_seqlen_q = d.longest_q, p.max_kv_len = d.longest_k;
  p.max_pages = max_pages, p.page_size = paged.page_size;
  p.heads = c.heads, p.kv_heads = c.kv_heads, p.head_dim = c.d, p.window = c.window;
  p.q_token_stride = p.o_token_stride = width + c.gap, p.q_head_stride = p.o_head_stride = c.d;
  p.scale = float(scale_of(c)), p.dtype = w.dtype;
  MM_EXPECT_OK(mm_attention_decode(context, &p));
  EXPECT_LE(error(gathered(chunk, width, c.gap), exact.o),
            1e-5 * largest(exact.o) + 2 * error(plain.o, exact.o))
      << sizeof(T) << " bytes, d " << c.d << ", heads " << c.heads;
  const Buffer<int32_t> offsets = {0, 1};
  p.cu_seqlens_q = offsets.data();
  p.sequences = p.tokens_q = p.max_seqlen_q = 1;
  p.max_kv_len = max_pages * paged.page_size + 300;
  for (int64_t s = 0; s < sequences; s++) {
    Buffer<int32_t> one(1);
    p.kv_lens = one.data(), p.block_table = table.data() + s * max_pages;
    for (int64_t t = 0; t < c.queries[s]; t += 1 + t % 3) {
      one[0] = int32_t(c.keys[s] - c.queries[s] + t + 1);
      const int64_t at = (d.offsets_q[s] + t) * p.q_token_stride;
      p.q = q.data() + at, p.o = alone.data() + at;
      MM_EXPECT_OK(mm_attention_decode(context, &p));
      for (int64_t h = 0; h < c.heads; h++) {
        EXPECT_EQ(std::memcmp(&chunk[at + h * c.d], &alone[at + h * c.d], c.d * sizeof(T)), 0)
            << sizeof(T) << " bytes, d " << c.d << ", sequence " << s << ", length " << one[0] << ", head "
            << h;
      }
    }
  }
}

const PagedCase kPagedCases[] = {
    {{{40, 3}, {100, 3}, 4, 2, 12, 0}, 16},
    {{{12, 30}, {600, 290}, 8, 1, 64, 0}, 16},  // several splits, more rows than a tile
    {{{1, 9}, {257, 520}, 4, 4, 32, 0}, 20},    // pages of no power of two, a split of one key
    {{{20, 5}, {560, 30}, 6, 2, 20, 200}, 8},   // a window that leaves splits out
    {{{5}, {300}, 16, 2, 128, 0, 1}, 64},
    {{{6, 2}, {40, 270}, 2, 1, 144, 0}, 16},
};

TEST(Attention, OverPagesATokenIsTheSameAloneAndInAChunk) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (const PagedCase& c : kPagedCases) {
      expect_pages<float>(context, c);
      expect_pages<uint16_t>(context, c);
    }
  }
}

TEST(Attention, APageThatDoesNotExistIsTold) {
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<float> q(8, 1.0f), cache(4 * 8, 1.0f), o(8, NAN);
    const Buffer<int32_t> offsets = {0, 1}, length = {6}, table = {0, -1};
    mm_attention_decode_params p{};
    p.struct_size = sizeof p;
    p.q = q.data(), p.k_cache = p.v_cache = cache.data(), p.o = o.data();
    p.cu_seqlens_q = offsets.data(), p.kv_lens = length.data(), p.block_table = table.data();
    p.sequences = p.tokens_q = p.max_seqlen_q = 1, p.max_kv_len = 6;
    p.max_pages = 2, p.page_size = 4, p.heads = p.kv_heads = 1, p.head_dim = 8;
    p.q_token_stride = p.q_head_stride = p.o_token_stride = p.o_head_stride = 8;
    p.scale = 1;
    mm_status status = mm_attention_decode(context, &p);
    if (status == MM_STATUS_OK) status = mm_context_synchronize(context);  // a GPU tells it late
    EXPECT_EQ(status, MM_STATUS_INVALID_ARGUMENT) << mm_last_error();
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
