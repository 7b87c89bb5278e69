// Causal softmax attention with grouped key/value heads: forward, backward, and over the paged cache.
//
// A task takes a block of query rows (tokens by the heads that share a key/value head) through the keys in
// blocks of kKeys, counted from the sequence's first key, with a running maximum m, sum l and output:
//   s = scale q k^T, masked;  m' = max(m, s);  p = exp(s - m');  l = l e^(m-m') + sum p;  o = o e^(m-m') + p
//   v
// A masked key adds exactly nothing, so a row's value depends neither on the rows beside it nor on whether it
// comes alone, in a chunk or with its whole sequence.
// Backward goes over one key/value head of one sequence at a time, with p = exp(s - lse) and delta = o . do:
//   dv += p^T do;  ds = scale p (do v^T - delta);  dq += ds k;  dk += ds^T q        in a fixed order of
//   blocks
#include <math.h>

#include "cpu/ops.h"
#include "cpu/rows.h"
#include "cpu/sequences.h"
#include "cpu/tile.h"

namespace mm::MM_ISA_NS {
namespace {

constexpr int64_t kKeys = 64;
constexpr int64_t kRows = 64;  // query rows of a block, at most, unless one token has more heads

// What forward, backward and decode have in common for one sequence and key/value head.
struct Problem {
  int64_t group;          // query heads to a key/value head
  int64_t d, padded;      // head dimension, and rounded up to vectors
  int64_t queries, keys;  // tokens of the sequence
  int64_t window;         // 0: none
  float scale;
  int64_t tokens_a_block() const { return max64(1, kRows / group); }
  // Position of query token t among the keys: the last query sees the last key.
  int64_t position(int64_t t) const { return keys - queries + t; }
  int64_t first_key(int64_t position) const { return window > 0 ? max64(0, position - window) : 0; }
};

struct Strided {
  const void* data;
  int64_t token_stride, head_stride;
  mm_dtype dtype;
  void read(int64_t token, int64_t head, int64_t d, int64_t padded, float* out) const {
    read_row(data, token * token_stride + head * head_stride, dtype, d, padded, out);
  }
  void write(int64_t token, int64_t head, int64_t d, const float* in) const {
    write_row(in, d, dtype, const_cast<void*>(data), token * token_stride + head * head_stride);
  }
};

// Rows are token-major: row = token * group + g. `first` is the sequence's first row in the storage.
void read_queries(const Problem& p, const Strided& q, int64_t first, int64_t kv_head, int64_t t,
                  int64_t tokens, float* out) {
  for (int64_t i = 0; i < tokens; i++) {
    for (int64_t g = 0; g < p.group; g++) {
      q.read(first + t + i, kv_head * p.group + g, p.d, p.padded, out + (i * p.group + g) * p.padded);
    }
  }
}

void write_queries(const Problem& p, const Strided& q, int64_t first, int64_t kv_head, int64_t t,
                   int64_t tokens, const float* in) {
  for (int64_t i = 0; i < tokens; i++) {
    for (int64_t g = 0; g < p.group; g++) {
      q.write(first + t + i, kv_head * p.group + g, p.d, in + (i * p.group + g) * p.padded);
    }
  }
}

void pad_rows(int64_t n, int64_t padded, float* rows) {
  memset(rows + n * padded, 0, (round_up(n, kLanes) - n) * padded * sizeof(float));
}

// Scales scores[row, 0..n) of keys j .. j + n and sets those that the row must not see to -inf.
void mask(const Problem& p, int64_t t, int64_t rows, int64_t j, int64_t n, float* scores) {
  for (int64_t r = 0; r < rows; r++) {
    float* s = scores + r * kKeys;
    const int64_t position = p.position(t + r / p.group);
    const int64_t begin = p.first_key(position) - j, end = min64(position + 1 - j, n);
    for (int64_t c = 0; c < round_up(n, kLanes); c++)
      s[c] = c >= begin && c < end ? s[c] * p.scale : -INFINITY;
  }
}

struct ForwardScratch {
  float *q, *k, *kt, *v, *scores, *o, *maximum, *sum;
  ForwardScratch(Arena& a, int64_t rows, int64_t padded)
      : q(a.take(rows * padded)),
        k(a.take(kKeys * padded)),
        kt(a.take(padded * kKeys)),
        v(a.take(kKeys * padded)),
        scores(a.take(rows * kKeys)),
        o(a.take(rows * padded)),
        maximum(a.take(rows)),
        sum(a.take(rows)) {}
};

void absorb(const Problem& p, ForwardScratch& s, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; r++) {
    float* scores = s.scores + r * kKeys;
    vfloat largest = splat(-INFINITY);
    for (int64_t c = 0; c < n; c += kLanes) largest = max(largest, load(scores + c));
    const float before = s.maximum[r], now = fmaxf(before, max(largest));
    if (now == -INFINITY) {
      memset(scores, 0, round_up(n, kLanes) * sizeof(float));
      continue;
    }
    vfloat total = {};
    for (int64_t c = 0; c < n; c += kLanes) {
      const vfloat e = exp(load(scores + c) - now);
      store(scores + c, e);
      total += e;
    }
    s.maximum[r] = now;
    if (before != now) {
      const float factor = exp_one(before - now);
      s.sum[r] *= factor;
      for (int64_t j = 0; j < p.padded; j += kLanes)
        store(s.o + r * p.padded + j, load(s.o + r * p.padded + j) * factor);
    }
    s.sum[r] += sum(total);
  }
}

// The output of `tokens` query tokens from t on; `read_keys(j, n, k, v)` brings keys and values.
template <typename F>
void attend(const Problem& p, ForwardScratch& s, int64_t t, int64_t tokens, F read_keys) {
  const int64_t rows = tokens * p.group;
  for (int64_t r = 0; r < rows; r++) s.maximum[r] = -INFINITY, s.sum[r] = 0;
  memset(s.o, 0, rows * p.padded * sizeof(float));
  const int64_t end = p.position(t + tokens - 1) + 1;
  for (int64_t j = p.first_key(p.position(t)) / kKeys * kKeys; j < end; j += kKeys) {
    const int64_t n = min64(kKeys, end - j);
    read_keys(j, n, s.k, s.v);
    pad_rows(n, p.padded, s.k);
    transpose(n, p.padded, s.k, p.padded, s.kt, kKeys);
    small_product(rows, round_up(n, kLanes), p.d, s.q, p.padded, 1, s.kt, kKeys, s.scores, kKeys, false);
    mask(p, t, rows, j, n, s.scores);
    absorb(p, s, rows, n);
    small_product(rows, p.padded, n, s.scores, kKeys, 1, s.v, p.padded, s.o, p.padded, true);
  }
  for (int64_t r = 0; r < rows; r++) {
    const float inverse = s.sum[r] > 0 ? 1.0f / s.sum[r] : 0.0f;
    for (int64_t j = 0; j < p.padded; j += kLanes)
      store(s.o + r * p.padded + j, load(s.o + r * p.padded + j) * inverse);
  }
}

int64_t block_rows(const Problem& p) { return p.tokens_a_block() * p.group; }

template <typename Scratch>
Arena scratch_arena(int64_t rows, int64_t padded) {
  Arena size(nullptr);
  Scratch(size, rows, padded);
  return Arena(static_cast<float*>(thread_scratch(size.used() * sizeof(float))));
}

template <typename Params>
Problem problem(const Params& p, int64_t queries, int64_t keys) {
  return {p.heads / p.kv_heads, p.head_dim, round_up(p.head_dim, kLanes), queries, keys, p.window, p.scale};
}

void forward_block(const mm_attention_forward_params& p, int64_t sequence, int64_t kv_head, int64_t block) {
  const int64_t first_q = p.cu_seqlens_q[sequence], first_k = p.cu_seqlens_k[sequence];
  const Problem o =
      problem(p, p.cu_seqlens_q[sequence + 1] - first_q, p.cu_seqlens_k[sequence + 1] - first_k);
  const int64_t t = block * o.tokens_a_block(), tokens = min64(o.tokens_a_block(), o.queries - t);
  if (tokens <= 0) return;
  Arena arena = scratch_arena<ForwardScratch>(block_rows(o), o.padded);
  ForwardScratch s(arena, block_rows(o), o.padded);
  const Strided k = {p.k, p.k_token_stride, p.k_head_stride, p.dtype},
                v = {p.v, p.v_token_stride, p.v_head_stride, p.dtype};
  read_queries(o, {p.q, p.q_token_stride, p.q_head_stride, p.dtype}, first_q, kv_head, t, tokens, s.q);
  attend(o, s, t, tokens, [&](int64_t j, int64_t n, float* keys, float* values) {
    for (int64_t i = 0; i < n; i++) {
      k.read(first_k + j + i, kv_head, o.d, o.padded, keys + i * o.padded);
      v.read(first_k + j + i, kv_head, o.d, o.padded, values + i * o.padded);
    }
  });
  write_queries(o, {p.o, p.o_token_stride, p.o_head_stride, p.dtype}, first_q, kv_head, t, tokens, s.o);
  for (int64_t r = 0; p.lse && r < tokens * o.group; r++) {
    p.lse[(kv_head * o.group + r % o.group) * p.tokens_q + first_q + t + r / o.group] =
        s.maximum[r] + logf(s.sum[r]);
  }
}

struct BackwardScratch {
  float *q, *g, *k, *kt, *v, *vt, *p, *ds, *dk, *dv, *lse, *delta;
  BackwardScratch(Arena& a, int64_t rows, int64_t padded)
      : q(a.take(rows * padded)),
        g(a.take(rows * padded)),
        k(a.take(kKeys * padded)),
        kt(a.take(padded * kKeys)),
        v(a.take(kKeys * padded)),
        vt(a.take(padded * kKeys)),
        p(a.take(rows * kKeys)),
        ds(a.take(rows * kKeys)),
        dk(a.take(kKeys * padded)),
        dv(a.take(kKeys * padded)),
        lse(a.take(rows)),
        delta(a.take(rows)) {}
};

float dot(const float* x, const float* y, int64_t padded) {
  vfloat total = {};
  for (int64_t j = 0; j < padded; j += kLanes) total += load(x + j) * load(y + j);
  return sum(total);
}

// One key block against one block of query rows; dq [rows, padded] accumulates.
void backward_pair(const Problem& o, BackwardScratch& s, int64_t t, int64_t rows, int64_t j, int64_t n,
                   float* dq) {
  small_product(rows, round_up(n, kLanes), o.d, s.q, o.padded, 1, s.kt, kKeys, s.p, kKeys, false);
  mask(o, t, rows, j, n, s.p);
  small_product(rows, round_up(n, kLanes), o.d, s.g, o.padded, 1, s.vt, kKeys, s.ds, kKeys, false);
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t c = 0; c < n; c += kLanes) {
      // A row that sees nothing has lse -inf and no gradient.
      const vfloat e = s.lse[r] == -INFINITY ? vfloat{} : exp(load(s.p + r * kKeys + c) - s.lse[r]);
      store(s.p + r * kKeys + c, e);
      store(s.ds + r * kKeys + c, e * (load(s.ds + r * kKeys + c) - s.delta[r]) * o.scale);
    }
  }
  small_product(n, o.padded, rows, s.p, 1, kKeys, s.g, o.padded, s.dv, o.padded, true);
  small_product(n, o.padded, rows, s.ds, 1, kKeys, s.q, o.padded, s.dk, o.padded, true);
  small_product(rows, o.padded, n, s.ds, kKeys, 1, s.k, o.padded, dq, o.padded, true);
}

void backward_head(const mm_attention_backward_params& p, int64_t sequence, int64_t kv_head) {
  const int64_t first_q = p.cu_seqlens_q[sequence], first_k = p.cu_seqlens_k[sequence];
  const Problem o =
      problem(p, p.cu_seqlens_q[sequence + 1] - first_q, p.cu_seqlens_k[sequence + 1] - first_k);
  const Strided q = {p.q, p.q_token_stride, p.q_head_stride, p.dtype},
                k = {p.k, p.k_token_stride, p.k_head_stride, p.dtype};
  const Strided v = {p.v, p.v_token_stride, p.v_head_stride, p.dtype},
                g = {p.d_o, p.o_token_stride, p.o_head_stride, p.dtype};
  const Strided dk = {p.dk, p.dk_token_stride, p.dk_head_stride, p.dtype};
  const Strided dv = {p.dv, p.dv_token_stride, p.dv_head_stride, p.dtype};
  const int64_t all_rows = o.queries * o.group;
  Buffer<float> dq(max64(1, all_rows * o.padded)), delta(max64(1, all_rows));
  memset(dq, 0, all_rows * o.padded * sizeof(float));
  Arena arena = scratch_arena<BackwardScratch>(block_rows(o), o.padded);
  BackwardScratch s(arena, block_rows(o), o.padded);
  const int64_t step = o.tokens_a_block();
  for (int64_t t = 0; t < o.queries; t += step) {
    const int64_t tokens = min64(step, o.queries - t);
    read_queries(o, {p.o, p.o_token_stride, p.o_head_stride, p.dtype}, first_q, kv_head, t, tokens, s.q);
    read_queries(o, g, first_q, kv_head, t, tokens, s.g);
    for (int64_t r = 0; r < tokens * o.group; r++) {
      delta[t * o.group + r] = dot(s.q + r * o.padded, s.g + r * o.padded, o.padded);
    }
  }
  for (int64_t j = 0; j < o.keys; j += kKeys) {
    const int64_t n = min64(kKeys, o.keys - j);
    for (int64_t i = 0; i < n; i++) {
      k.read(first_k + j + i, kv_head, o.d, o.padded, s.k + i * o.padded);
      v.read(first_k + j + i, kv_head, o.d, o.padded, s.v + i * o.padded);
    }
    pad_rows(n, o.padded, s.k);
    pad_rows(n, o.padded, s.v);
    transpose(n, o.padded, s.k, o.padded, s.kt, kKeys);
    transpose(n, o.padded, s.v, o.padded, s.vt, kKeys);
    memset(s.dk, 0, kKeys * o.padded * sizeof(float));
    memset(s.dv, 0, kKeys * o.padded * sizeof(float));
    for (int64_t t = 0; t < o.queries; t += step) {
      const int64_t tokens = min64(step, o.queries - t), rows = tokens * o.group;
      if (o.position(t + tokens - 1) < j || o.first_key(o.position(t)) >= j + n) continue;
      read_queries(o, q, first_q, kv_head, t, tokens, s.q);
      read_queries(o, g, first_q, kv_head, t, tokens, s.g);
      for (int64_t r = 0; r < rows; r++) {
        s.lse[r] = p.lse[(kv_head * o.group + r % o.group) * p.tokens_q + first_q + t + r / o.group];
        s.delta[r] = delta[t * o.group + r];
      }
      backward_pair(o, s, t, rows, j, n, dq + t * o.group * o.padded);
    }
    for (int64_t i = 0; i < n; i++) {
      dk.write(first_k + j + i, kv_head, o.d, s.dk + i * o.padded);
      dv.write(first_k + j + i, kv_head, o.d, s.dv + i * o.padded);
    }
  }
  write_queries(o, {p.dq, p.dq_token_stride, p.dq_head_stride, p.dtype}, first_q, kv_head, 0, o.queries, dq);
}

void decode_block(const mm_attention_decode_params& p, int64_t sequence, int64_t kv_head, int64_t block) {
  const int64_t first_q = p.cu_seqlens_q[sequence];
  const Problem o = problem(p, p.cu_seqlens_q[sequence + 1] - first_q, p.kv_lens[sequence]);
  const int64_t t = block * o.tokens_a_block(), tokens = min64(o.tokens_a_block(), o.queries - t);
  if (tokens <= 0) return;
  Arena arena = scratch_arena<ForwardScratch>(block_rows(o), o.padded);
  ForwardScratch s(arena, block_rows(o), o.padded);
  const int32_t* pages = p.block_table + sequence * p.max_pages;
  read_queries(o, {p.q, p.q_token_stride, p.q_head_stride, p.dtype}, first_q, kv_head, t, tokens, s.q);
  attend(o, s, t, tokens, [&](int64_t j, int64_t n, float* keys, float* values) {
    for (int64_t i = 0; i < n; i++) {
      const int64_t row = pages[(j + i) / p.page_size] * p.page_size + (j + i) % p.page_size;
      const int64_t at = (row * p.kv_heads + kv_head) * o.d;
      read_row(p.k_cache, at, p.dtype, o.d, o.padded, keys + i * o.padded);
      read_row(p.v_cache, at, p.dtype, o.d, o.padded, values + i * o.padded);
    }
  });
  write_queries(o, {p.o, p.o_token_stride, p.o_head_stride, p.dtype}, first_q, kv_head, t, tokens, s.o);
}

template <typename Params>
void check_sequences(const Params& p) {
  check_offsets("cu_seqlens_q", p.cu_seqlens_q, p.sequences, p.tokens_q, p.max_seqlen_q);
  check_offsets("cu_seqlens_k", p.cu_seqlens_k, p.sequences, p.tokens_k, p.tokens_k);
}

void check_pages(const mm_attention_decode_params& p) {
  check_offsets("cu_seqlens_q", p.cu_seqlens_q, p.sequences, p.tokens_q, p.max_seqlen_q);
  for (int64_t i = 0; i < p.sequences; i++) {
    const int64_t keys = p.kv_lens[i];
    MM_REQUIRE(keys >= p.cu_seqlens_q[i + 1] - p.cu_seqlens_q[i] && keys <= p.max_pages * p.page_size,
               "kv_lens[%lld] is %lld: fewer than the new tokens, or more than max_pages hold",
               static_cast<long long>(i), static_cast<long long>(keys));
    for (int64_t page = 0; page < ceil_div(keys, p.page_size); page++) {
      MM_REQUIRE(p.block_table[i * p.max_pages + page] >= 0, "block_table[%lld, %lld] is %d",
                 static_cast<long long>(i), static_cast<long long>(page),
                 p.block_table[i * p.max_pages + page]);
    }
  }
}

}  // namespace

void attention_forward(mm_context&, const mm_attention_forward_params& p) {
  check_sequences(p);
  const int64_t blocks = ceil_div(p.max_seqlen_q, max64(1, kRows / (p.heads / p.kv_heads)));
  parallel_for(p.sequences * p.kv_heads * blocks, [&](int64_t task) {
    forward_block(p, task / blocks / p.kv_heads, task / blocks % p.kv_heads, task % blocks);
  });
}

void attention_backward(mm_context&, const mm_attention_backward_params& p) {
  check_sequences(p);
  parallel_for(p.sequences * p.kv_heads,
               [&](int64_t task) { backward_head(p, task / p.kv_heads, task % p.kv_heads); });
}

void attention_decode(mm_context&, const mm_attention_decode_params& p) {
  check_pages(p);
  const int64_t blocks = ceil_div(p.max_seqlen_q, max64(1, kRows / (p.heads / p.kv_heads)));
  parallel_for(p.sequences * p.kv_heads * blocks, [&](int64_t task) {
    decode_block(p, task / blocks / p.kv_heads, task / blocks % p.kv_heads, task % blocks);
  });
}

void kv_cache_write(mm_context&, const mm_kv_cache_write_params& p) {
  for (int64_t t = 0; t < p.tokens; t++) {
    MM_REQUIRE(p.slots[t] >= 0, "slots[%lld] is %lld", static_cast<long long>(t),
               static_cast<long long>(p.slots[t]));
  }
  const int64_t size = p.dtype == MM_DTYPE_F32 ? 4 : 2, bytes = p.head_dim * size;
  for (int64_t t = 0; t < p.tokens; t++) {
    for (int64_t h = 0; h < p.kv_heads; h++) {
      const int64_t to = (p.slots[t] * p.kv_heads + h) * bytes;
      memcpy(static_cast<char*>(p.k_cache) + to,
             static_cast<const char*>(p.k) + (t * p.k_token_stride + h * p.k_head_stride) * size, bytes);
      memcpy(static_cast<char*>(p.v_cache) + to,
             static_cast<const char*>(p.v) + (t * p.v_token_stride + h * p.v_head_stride) * size, bytes);
    }
  }
}

}  // namespace mm::MM_ISA_NS
