// Lightning attention: o_t = q_t S_t, S_t = lambda S_{t-1} + k_t^T v_t, by chunks of a sequence.
//
// With a, b the places of tokens in a chunk of m, S the state before it and Gamma the gradient of the state
// after it:
//   P_ab  = lambda^(a-b) q_a.k_b for b <= a, else 0         D_ab = lambda^(a-b) g_a.v_b for b <= a, else 0
//   o_a   = sum_b P_ab v_b + lambda^(a+1) q_a S             S   <- lambda^m S + sum_b lambda^(m-1-b) k_b^T
//   v_b dq_a  = sum_b D_ab k_b + lambda^(a+1) g_a S^T dk_b  = sum_a D_ab q_a + lambda^(m-1-b) v_b Gamma^T
//   dv_b = sum_a P_ab g_a + lambda^(m-1-b) k_b Gamma Gamma <- lambda^m Gamma + sum_a lambda^(a+1) q_a^T g_a
// Powers of lambda are exp of numbers <= 0 only, so that no slope overflows. Backward is two scans that store
// no states: forwards for dq, with S again, and backwards for dk and dv. A task is one head of one sequence;
// chunks are counted from the sequence's start, so that nothing depends on what else is in the batch.
#include "cpu/elementwise.h"
#include "cpu/ops.h"
#include "cpu/rows.h"
#include "cpu/tile.h"

namespace mm::MM_ISA_NS {
namespace {

constexpr int64_t kChunk = 64;
constexpr int64_t kBand = 16;  // rows of a chunk that stop at the same column of the triangle

struct Decay {
  float power[kChunk + 1];    // lambda^p
  float falling[2 * kChunk];  // falling[kChunk - 1 + b - a] = lambda^(a-b) for b <= a, else 0

  explicit Decay(float slope) {
    for (int64_t p = 0; p <= kChunk; p++) power[p] = exp_one(-slope * static_cast<float>(p));
    for (int64_t i = 0; i < 2 * kChunk; i++) falling[i] = i < kChunk ? power[kChunk - 1 - i] : 0.0f;
  }
};

struct View {
  void* data;
  int64_t offset, token_stride;
  mm_dtype dtype;
};

View head(const void* data, int64_t token_stride, int64_t head_stride, int64_t h, mm_dtype dtype) {
  return {const_cast<void*>(data), h * head_stride, token_stride, dtype};
}

// Rows first .. first + m as floats; columns up to `padded` and rows up to the next multiple of kLanes are 0.
void read(const View& v, int64_t first, int64_t m, int64_t width, int64_t padded, float* out) {
  for (int64_t i = 0; i < m; i++) {
    read_row(v.data, v.offset + (first + i) * v.token_stride, v.dtype, width, padded, out + i * padded);
  }
  const int64_t rest = round_up(m, kLanes) - m;
  if (rest > 0) memset(out + m * padded, 0, rest * padded * sizeof(float));
}

void write(const View& v, int64_t first, int64_t m, int64_t width, int64_t padded, const float* in) {
  for (int64_t i = 0; i < m; i++) {
    write_row(in + i * padded, width, v.dtype, v.data, v.offset + (first + i) * v.token_stride);
  }
}

// out[i] = factor(i) in[i], rows of `padded`
template <typename F>
void scale_rows(int64_t m, int64_t padded, const float* in, float* out, F factor) {
  for (int64_t i = 0; i < m; i++) {
    const float f = factor(i);
    for (int64_t j = 0; j < padded; j += kLanes) store(out + i * padded + j, load(in + i * padded + j) * f);
  }
}

void scale(int64_t count, float factor, float* x) {
  for (int64_t i = 0; i < count; i += kLanes) store(x + i, load(x + i) * factor);
}

// scores[a, b] = lambda^(a-b) x_a . y_b below and on the diagonal, 0 above it as far as bands reach; yt is y
// transposed.
void triangle(int64_t m, int64_t depth, const float* x, int64_t x_row, const float* yt, const Decay& decay,
              float* scores) {
  for (int64_t a = 0; a < m; a += kBand) {
    const int64_t rows = min64(kBand, m - a), columns = round_up(a + rows, kLanes);
    small_product(rows, columns, depth, x + a * x_row, x_row, 1, yt, kChunk, scores + a * kChunk, kChunk,
                  false);
    for (int64_t i = a; i < a + rows; i++) {
      for (int64_t b = 0; b < columns; b += kLanes) {
        float* s = scores + i * kChunk + b;
        store(s, load(s) * load(decay.falling + kChunk - 1 + b - i));
      }
    }
  }
}

// out[a] = sum over b <= a of scores[a, b] y_b
void lower_product(int64_t m, const float* scores, const float* y, int64_t padded, float* out) {
  for (int64_t a = 0; a < m; a += kBand) {
    const int64_t rows = min64(kBand, m - a);
    small_product(rows, padded, a + rows, scores + a * kChunk, kChunk, 1, y, padded, out + a * padded, padded,
                  false);
  }
}

// out[b] = sum over a >= b of scores[a, b] y_a
void upper_product(int64_t m, const float* scores, const float* y, int64_t padded, float* out) {
  for (int64_t b = 0; b < m; b += kBand) {
    const int64_t rows = min64(kBand, m - b);
    small_product(rows, padded, m - b, scores + b * kChunk + b, 1, kChunk, y + b * padded, padded,
                  out + b * padded, padded, false);
  }
}

void load_state(const float* state, int64_t rows, int64_t width, int64_t padded, float* out) {
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < padded; j++)
      out[i * padded + j] = state && j < width ? state[i * width + j] : 0.0f;
  }
}

void store_state(const float* in, int64_t rows, int64_t width, int64_t padded, float* state) {
  for (int64_t i = 0; i < rows; i++) memcpy(state + i * width, in + i * padded, width * sizeof(float));
}

void load_transposed_state(const float* state, int64_t dk, int64_t dv, int64_t padded_k, float* out) {
  memset(out, 0, round_up(dv, kLanes) * padded_k * sizeof(float));
  for (int64_t i = 0; state && i < dk; i++) {
    for (int64_t j = 0; j < dv; j++) out[j * padded_k + i] = state[i * dv + j];
  }
}

// ---- forward ----

struct ForwardScratch {
  float *q, *k, *v, *kt, *scores, *o, *scaled, *state;
  ForwardScratch(Arena& a, int64_t pk, int64_t pv)
      : q(a.take(kChunk * pk)),
        k(a.take(kChunk * pk)),
        v(a.take(kChunk * pv)),
        kt(a.take(pk * kChunk)),
        scores(a.take(kChunk * kChunk)),
        o(a.take(kChunk * pv)),
        scaled(a.take(kChunk * pk)),
        state(a.take(pk * pv)) {}
};

void forward_head(const mm_lightning_attention_forward_params& p, int64_t sequence, int64_t h) {
  const int64_t dk = p.dim_k, dv = p.dim_v, pk = round_up(dk, kLanes), pv = round_up(dv, kLanes);
  Arena size(nullptr);
  ForwardScratch(size, pk, pv);
  Arena arena(static_cast<float*>(thread_scratch(size.used() * sizeof(float))));
  ForwardScratch s(arena, pk, pv);
  const Decay decay(p.slopes[h]);
  const View q = head(p.q, p.q_token_stride, p.q_head_stride, h, p.dtype);
  const View k = head(p.k, p.k_token_stride, p.k_head_stride, h, p.dtype);
  const View v = head(p.v, p.v_token_stride, p.v_head_stride, h, p.dtype);
  const View o = head(p.o, p.o_token_stride, p.o_head_stride, h, p.dtype);
  const int64_t slot = p.state_slots ? p.state_slots[sequence] : sequence;
  const int64_t at = (slot * p.heads + h) * dk * dv;
  load_state(p.state_in ? p.state_in + at : nullptr, dk, dv, pv, s.state);
  for (int64_t t = p.cu_seqlens[sequence]; t < p.cu_seqlens[sequence + 1]; t += kChunk) {
    const int64_t m = min64(kChunk, p.cu_seqlens[sequence + 1] - t);
    read(q, t, m, dk, pk, s.q);
    read(k, t, m, dk, pk, s.k);
    read(v, t, m, dv, pv, s.v);
    transpose(m, pk, s.k, pk, s.kt, kChunk);
    triangle(m, dk, s.q, pk, s.kt, decay, s.scores);
    lower_product(m, s.scores, s.v, pv, s.o);
    scale_rows(m, pk, s.q, s.scaled, [&](int64_t a) { return decay.power[a + 1]; });
    small_product(m, pv, dk, s.scaled, pk, 1, s.state, pv, s.o, pv, true);
    write(o, t, m, dv, pv, s.o);
    scale_rows(m, pk, s.k, s.scaled, [&](int64_t b) { return decay.power[m - 1 - b]; });
    scale(dk * pv, decay.power[m], s.state);
    small_product(dk, pv, m, s.scaled, 1, pk, s.v, pv, s.state, pv, true);
  }
  if (p.state_out) store_state(s.state, dk, dv, pv, p.state_out + at);
}

// ---- backward ----

struct BackwardScratch {
  float *q, *k, *v, *g, *kt, *vt, *p, *d, *out_k, *out_v, *scaled, *state, *transposed;
  BackwardScratch(Arena& a, int64_t pk, int64_t pv)
      : q(a.take(kChunk * pk)),
        k(a.take(kChunk * pk)),
        v(a.take(kChunk * pv)),
        g(a.take(kChunk * pv)),
        kt(a.take(pk * kChunk)),
        vt(a.take(pv * kChunk)),
        p(a.take(kChunk * kChunk)),
        d(a.take(kChunk * kChunk)),
        out_k(a.take(kChunk * pk)),
        out_v(a.take(kChunk * pv)),
        scaled(a.take(kChunk * (pk > pv ? pk : pv))),
        state(a.take(pk * pv)),
        transposed(a.take(pv * pk)) {}
};

struct Heads {
  View q, k, v, g;
};

Heads heads(const mm_lightning_attention_backward_params& p, int64_t h) {
  return {head(p.q, p.q_token_stride, p.q_head_stride, h, p.dtype),
          head(p.k, p.k_token_stride, p.k_head_stride, h, p.dtype),
          head(p.v, p.v_token_stride, p.v_head_stride, h, p.dtype),
          head(p.d_o, p.o_token_stride, p.o_head_stride, h, p.dtype)};
}

// Forwards, for dq, with the transposed state.
void dq_scan(const mm_lightning_attention_backward_params& p, BackwardScratch& s, int64_t sequence,
             int64_t h) {
  const int64_t dk = p.dim_k, dv = p.dim_v, pk = round_up(dk, kLanes), pv = round_up(dv, kLanes);
  const Decay decay(p.slopes[h]);
  const Heads in = heads(p, h);
  const View dq = head(p.dq, p.dq_token_stride, p.dq_head_stride, h, p.dtype);
  const int64_t at = (sequence * p.heads + h) * dk * dv;
  load_transposed_state(p.state_in ? p.state_in + at : nullptr, dk, dv, pk, s.transposed);
  for (int64_t t = p.cu_seqlens[sequence]; t < p.cu_seqlens[sequence + 1]; t += kChunk) {
    const int64_t m = min64(kChunk, p.cu_seqlens[sequence + 1] - t);
    read(in.k, t, m, dk, pk, s.k);
    read(in.v, t, m, dv, pv, s.v);
    read(in.g, t, m, dv, pv, s.g);
    transpose(m, pv, s.v, pv, s.vt, kChunk);
    triangle(m, dv, s.g, pv, s.vt, decay, s.d);
    lower_product(m, s.d, s.k, pk, s.out_k);
    scale_rows(m, pv, s.g, s.scaled, [&](int64_t a) { return decay.power[a + 1]; });
    small_product(m, pk, dv, s.scaled, pv, 1, s.transposed, pk, s.out_k, pk, true);
    write(dq, t, m, dk, pk, s.out_k);
    scale_rows(m, pv, s.v, s.scaled, [&](int64_t b) { return decay.power[m - 1 - b]; });
    scale(dv * pk, decay.power[m], s.transposed);
    small_product(dv, pk, m, s.scaled, 1, pv, s.k, pk, s.transposed, pk, true);
  }
}

// Backwards, for dk and dv, with the gradient of the state.
void dkv_scan(const mm_lightning_attention_backward_params& p, BackwardScratch& s, int64_t sequence,
              int64_t h) {
  const int64_t dk = p.dim_k, dv = p.dim_v, pk = round_up(dk, kLanes), pv = round_up(dv, kLanes);
  const Decay decay(p.slopes[h]);
  const Heads in = heads(p, h);
  const View out_k = head(p.dk, p.dk_token_stride, p.dk_head_stride, h, p.dtype);
  const View out_v = head(p.dv, p.dv_token_stride, p.dv_head_stride, h, p.dtype);
  const int64_t at = (sequence * p.heads + h) * dk * dv;
  load_state(p.dstate_out ? p.dstate_out + at : nullptr, dk, dv, pv, s.state);
  memset(s.state + dk * pv, 0, (pk - dk) * pv * sizeof(float));
  const int64_t first = p.cu_seqlens[sequence], length = p.cu_seqlens[sequence + 1] - first;
  for (int64_t chunk = ceil_div(length, kChunk) - 1; chunk >= 0; chunk--) {
    const int64_t t = first + chunk * kChunk, m = min64(kChunk, length - chunk * kChunk);
    read(in.q, t, m, dk, pk, s.q);
    read(in.k, t, m, dk, pk, s.k);
    read(in.v, t, m, dv, pv, s.v);
    read(in.g, t, m, dv, pv, s.g);
    transpose(m, pk, s.k, pk, s.kt, kChunk);
    transpose(m, pv, s.v, pv, s.vt, kChunk);
    triangle(m, dk, s.q, pk, s.kt, decay, s.p);
    triangle(m, dv, s.g, pv, s.vt, decay, s.d);

    transpose(pk, pv, s.state, pv, s.transposed, pk);
    upper_product(m, s.d, s.q, pk, s.out_k);
    scale_rows(m, pv, s.v, s.scaled, [&](int64_t b) { return decay.power[m - 1 - b]; });
    small_product(m, pk, dv, s.scaled, pv, 1, s.transposed, pk, s.out_k, pk, true);
    write(out_k, t, m, dk, pk, s.out_k);

    upper_product(m, s.p, s.g, pv, s.out_v);
    scale_rows(m, pk, s.k, s.scaled, [&](int64_t b) { return decay.power[m - 1 - b]; });
    small_product(m, pv, dk, s.scaled, pk, 1, s.state, pv, s.out_v, pv, true);
    write(out_v, t, m, dv, pv, s.out_v);

    scale_rows(m, pk, s.q, s.scaled, [&](int64_t a) { return decay.power[a + 1]; });
    scale(dk * pv, decay.power[m], s.state);
    small_product(dk, pv, m, s.scaled, 1, pk, s.g, pv, s.state, pv, true);
  }
  if (p.dstate_in) store_state(s.state, dk, dv, pv, p.dstate_in + at);
}

// ---- decode ----

template <typename T>
void decode_head(const mm_lightning_attention_decode_params& p, int64_t b, int64_t h) {
  const int64_t dk = p.dim_k, dv = p.dim_v;
  const T* q = static_cast<const T*>(p.q) + b * p.q_token_stride + h * p.q_head_stride;
  const T* k = static_cast<const T*>(p.k) + b * p.k_token_stride + h * p.k_head_stride;
  const T* v = static_cast<const T*>(p.v) + b * p.v_token_stride + h * p.v_head_stride;
  T* o = static_cast<T*>(p.o) + b * p.o_token_stride + h * p.o_head_stride;
  float* state = p.state + (static_cast<int64_t>(p.state_slots[b]) * p.heads + h) * dk * dv;
  const float lambda = exp_one(-p.slopes[h]);
  for (int64_t j = 0; j < dv; j += kLanes) {
    const int64_t n = min64(kLanes, dv - j);
    const vfloat value = load_n(v + j, n);
    vfloat out = {};
    for (int64_t i = 0; i < dk; i++) {
      const vfloat s = lambda * load_n(state + i * dv + j, n) + load_one(k + i) * value;
      store_n(state + i * dv + j, s, n);
      out += load_one(q + i) * s;
    }
    store_n(o + j, out, n);
  }
}

}  // namespace

void lightning_attention_forward(mm_context&, const mm_lightning_attention_forward_params& p) {
  parallel_for(p.sequences * p.heads, [&](int64_t task) { forward_head(p, task / p.heads, task % p.heads); });
}

void lightning_attention_backward(mm_context&, const mm_lightning_attention_backward_params& p) {
  const int64_t pk = round_up(p.dim_k, kLanes), pv = round_up(p.dim_v, kLanes), heads = p.sequences * p.heads;
  parallel_for(2 * heads, [&](int64_t task) {
    Arena size(nullptr);
    BackwardScratch(size, pk, pv);
    Arena arena(static_cast<float*>(thread_scratch(size.used() * sizeof(float))));
    BackwardScratch scratch(arena, pk, pv);
    const int64_t head = task / 2;
    task % 2 == 0 ? dkv_scan(p, scratch, head / p.heads, head % p.heads)
                  : dq_scan(p, scratch, head / p.heads, head % p.heads);
  });
}

void lightning_attention_decode(mm_context&, const mm_lightning_attention_decode_params& p) {
  // A task is as many heads as are worth the hand-over.
  const int64_t work = p.dim_k * p.dim_v, heads = p.batch * p.heads;
  const int64_t step = max64(1, min64(heads, (int64_t{1} << 15) / work));
  parallel_for(ceil_div(heads, step), [&](int64_t task) {
    for (int64_t i = task * step; i < min64(heads, (task + 1) * step); i++) {
      p.dtype == MM_DTYPE_F32 ? decode_head<float>(p, i / p.heads, i % p.heads)
                              : decode_head<bf16>(p, i / p.heads, i % p.heads);
    }
  });
}

}  // namespace mm::MM_ISA_NS
