// Lightning attention: o_t = q_t S_t, S_t = lambda S_{t-1} + k_t^T v_t.
//
// The output and every gradient are one scan over rows x, y [n, depth] and z [n, width] of a head with a
// state S [depth, width], forwards or backwards through the sequence, g being the gradient of o:
//
//   o :  x = q  y = k  z = v  forwards   S is the state
//   dq:  x = g  y = v  z = k  forwards   S is the state, transposed
//   dk:  x = v  y = g  z = q  backwards  S is the gradient of the state, transposed
//   dv:  x = k  y = q  z = g  backwards  S is the gradient of the state
//
// It goes by chunks of m rows; a and b count the rows of a chunk in the direction of the scan:
//
//   out_a = lambda^(a+1-e) x_a S + sum_{b<=a} lambda^(a-b) (x_a . y_b) z_b
//   S    <- lambda^m S + sum_b lambda^(m-1-b+e) y_b^T z_b
//
// e = 0 forwards: a state decays before the next token reads it. e = 1 backwards: the gradient of the state
// after a token decays on its way to the token before. Powers of lambda are exp of numbers <= 0 only, so no
// slope overflows. No state is stored for the backward pass.
//
// Columns of z, out and S are independent of each other, so a task is a block of columns of one scan. Chunks
// are counted from the end of the sequence where the scan starts. So no element depends on the tasks or on
// what else is in the batch.
#include "cpu/elementwise.h"
#include "cpu/ops.h"
#include "cpu/rows.h"
#include "cpu/sequences.h"
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

// The rows of one head of one sequence in the order of a scan; row i starts at offset + i * stride.
struct Rows {
  void* data;
  int64_t offset, stride;
  mm_dtype dtype;
};

// S[i, j] at i * row + j * column.
struct State {
  int64_t row, column;
};

struct Scan {
  int64_t length, depth, width;
  Rows x, y, z, out;
  bool backwards;
  float slope;
  State state;
  const float* state_in;
  float* state_out;

  Scan columns(int64_t first, int64_t count) const {
    Scan block = *this;
    block.width = count;
    block.z.offset += first;
    block.out.offset += first;
    if (state_in) block.state_in += first * state.column;
    if (state_out) block.state_out += first * state.column;
    return block;
  }
};

// out[i] = row first + i; columns from width up to `padded` are 0.
void read(const Rows& rows, int64_t first, int64_t m, int64_t width, int64_t padded, float* out) {
  for (int64_t i = 0; i < m; i++) {
    read_row(rows.data, rows.offset + (first + i) * rows.stride, rows.dtype, width, padded, out + i * padded);
  }
}

// out[j, i] = column j of row first + i, in rows of kChunk; whole squares of kLanes, 0 where there is
// nothing.
template <typename T>
void read_transposed(const T* rows, int64_t stride, int64_t m, int64_t width, float* out) {
  for (int64_t i = 0; i < m; i += kLanes) {
    for (int64_t j = 0; j < width; j += kLanes) {
      vfloat square[kLanes];
      const int64_t n = min64(kLanes, width - j);
      for (int l = 0; l < kLanes; l++) {
        square[l] = i + l < m ? load_n(rows + (i + l) * stride + j, n) : vfloat{};
      }
      transpose_square(square);
      for (int l = 0; l < kLanes; l++) store(out + (j + l) * kChunk + i, square[l]);
    }
  }
}

void read_transposed(const Rows& rows, int64_t first, int64_t m, int64_t width, float* out) {
  const int64_t at = rows.offset + first * rows.stride;
  rows.dtype == MM_DTYPE_F32
      ? read_transposed(static_cast<const float*>(rows.data) + at, rows.stride, m, width, out)
      : read_transposed(static_cast<const bf16*>(rows.data) + at, rows.stride, m, width, out);
}

void write(const Rows& rows, int64_t first, int64_t m, int64_t width, int64_t padded, const float* in) {
  for (int64_t i = 0; i < m; i++) {
    write_row(in + i * padded, width, rows.dtype, rows.data, rows.offset + (first + i) * rows.stride);
  }
}

// x[i] *= factor(i), rows of `padded`
template <typename F>
void scale_rows(int64_t m, int64_t padded, float* x, F factor) {
  for (int64_t i = 0; i < m; i++) {
    const float f = factor(i);
    for (int64_t j = 0; j < padded; j += kLanes) store(x + i * padded + j, load(x + i * padded + j) * f);
  }
}

// scores[a, b] = lambda^(a-b) x_a . y_b for b <= a, 0 beyond as far as a band reaches; yt is y transposed.
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

// out[a] += sum over b <= a of scores[a, b] z_b
void triangle_product(int64_t m, const float* scores, const float* z, int64_t padded, float* out) {
  for (int64_t a = 0; a < m; a += kBand) {
    const int64_t rows = min64(kBand, m - a);
    small_product(rows, padded, a + rows, scores + a * kChunk, kChunk, 1, z, padded, out + a * padded, padded,
                  true);
  }
}

void load_state(const Scan& s, int64_t padded, float* out) {
  for (int64_t i = 0; i < s.depth; i++) {
    for (int64_t j = 0; j < padded; j++) {
      out[i * padded + j] =
          s.state_in && j < s.width ? s.state_in[i * s.state.row + j * s.state.column] : 0.0f;
    }
  }
}

void store_state(const Scan& s, int64_t padded, const float* in) {
  for (int64_t i = 0; i < s.depth; i++) {
    for (int64_t j = 0; j < s.width; j++) {
      s.state_out[i * s.state.row + j * s.state.column] = in[i * padded + j];
    }
  }
}

struct Scratch {
  float *x, *yt, *z, *scores, *out, *state;
  Scratch(Arena& a, int64_t depth, int64_t width)
      : x(a.take(kChunk * depth)),
        yt(a.take(depth * kChunk)),
        z(a.take(kChunk * width)),
        scores(a.take(kChunk * kChunk)),
        out(a.take(kChunk * width)),
        state(a.take(depth * width)) {}
};

void run(const Scan& s) {
  const int64_t px = round_up(s.depth, kLanes), pz = round_up(s.width, kLanes), e = s.backwards ? 1 : 0;
  Arena size(nullptr);
  Scratch(size, px, pz);
  Arena arena(static_cast<float*>(thread_scratch(size.used() * sizeof(float))));
  const Scratch w(arena, px, pz);
  const Decay decay(s.slope);
  load_state(s, pz, w.state);
  for (int64_t t = 0; t < s.length; t += kChunk) {
    const int64_t m = min64(kChunk, s.length - t);
    read(s.x, t, m, s.depth, px, w.x);
    read_transposed(s.y, t, m, s.depth, w.yt);
    triangle(m, s.depth, w.x, px, w.yt, decay, w.scores);
    small_product(m, pz, s.depth, w.x, px, 1, w.state, pz, w.out, pz, false);
    scale_rows(m, pz, w.out, [&](int64_t a) { return decay.power[a + 1 - e]; });
    read(s.z, t, m, s.width, pz, w.z);
    triangle_product(m, w.scores, w.z, pz, w.out);
    write(s.out, t, m, s.width, pz, w.out);
    scale_rows(m, pz, w.z, [&](int64_t b) { return decay.power[m - 1 - b + e]; });
    scale_rows(s.depth, pz, w.state, [&](int64_t) { return decay.power[m]; });
    small_product(s.depth, pz, m, w.yt, kChunk, 1, w.z, pz, w.state, pz, true);
  }
  if (s.state_out) store_state(s, pz, w.state);
}

// ---- the batch ----

void check_slopes(const float* slopes, int64_t heads) {
  for (int64_t h = 0; h < heads; h++) {
    MM_REQUIRE(slopes[h] >= 0 && slopes[h] < __builtin_inff(), "slope %lld is %g; finite and >= 0 is needed",
               static_cast<long long>(h), slopes[h]);
  }
}

void check_slots(const int32_t* slots, int64_t count, bool written) {
  for (int64_t i = 0; i < count; i++) {
    MM_REQUIRE(slots[i] >= 0, "state_slots[%lld] is %d", static_cast<long long>(i), slots[i]);
    for (int64_t j = 0; written && j < i; j++) {
      MM_REQUIRE(slots[i] != slots[j], "slot %d appears twice, at %lld and %lld", slots[i],
                 static_cast<long long>(j), static_cast<long long>(i));
    }
  }
}

// In how many blocks of columns each scan is cut: more than one only if the longest scan would otherwise be
// more than a thread's share, as every block computes the scores anew.
template <typename Params>
int64_t column_blocks(const Params& p, int64_t scans, int64_t width) {
  int64_t longest = 0;
  for (int64_t i = 0; i < p.sequences; i++) {
    longest = max64(longest, p.cu_seqlens[i + 1] - p.cu_seqlens[i]);
  }
  const int64_t shares = ceil_div(longest * thread_count(), max64(1, p.tokens * p.heads * scans));
  return max64(1, min64(shares, ceil_div(width, kTileColumns)));
}

void run_block(const Scan& scan, int64_t block, int64_t blocks) {
  const int64_t step = round_up(ceil_div(scan.width, blocks), kLanes), first = block * step;
  if (first < scan.width) run(scan.columns(first, min64(step, scan.width - first)));
}

// One head of one sequence.
struct Head {
  int64_t sequence, h, first, length;

  template <typename Params>
  Head(const Params& p, int64_t index)
      : sequence(index / p.heads),
        h(index % p.heads),
        first(p.cu_seqlens[sequence]),
        length(p.cu_seqlens[sequence + 1] - first) {}

  Rows rows(const void* data, int64_t token_stride, int64_t head_stride, mm_dtype dtype,
            bool backwards) const {
    const int64_t start = backwards ? first + length - 1 : first;
    return {const_cast<void*>(data), start * token_stride + h * head_stride,
            backwards ? -token_stride : token_stride, dtype};
  }
};

Scan output_scan(const mm_lightning_attention_forward_params& p, const Head& head) {
  const int64_t slot = p.state_slots ? p.state_slots[head.sequence] : head.sequence;
  const int64_t at = (slot * p.heads + head.h) * p.dim_k * p.dim_v;
  return {.length = head.length,
          .depth = p.dim_k,
          .width = p.dim_v,
          .x = head.rows(p.q, p.q_token_stride, p.q_head_stride, p.dtype, false),
          .y = head.rows(p.k, p.k_token_stride, p.k_head_stride, p.dtype, false),
          .z = head.rows(p.v, p.v_token_stride, p.v_head_stride, p.dtype, false),
          .out = head.rows(p.o, p.o_token_stride, p.o_head_stride, p.dtype, false),
          .backwards = false,
          .slope = p.slopes[head.h],
          .state = {p.dim_v, 1},
          .state_in = p.state_in ? p.state_in + at : nullptr,
          .state_out = p.state_out ? p.state_out + at : nullptr};
}

enum Gradient { kDq, kDk, kDv, kGradients };

Scan gradient_scan(const mm_lightning_attention_backward_params& p, const Head& head, Gradient gradient) {
  const bool backwards = gradient != kDq;
  const Rows q = head.rows(p.q, p.q_token_stride, p.q_head_stride, p.dtype, backwards);
  const Rows k = head.rows(p.k, p.k_token_stride, p.k_head_stride, p.dtype, backwards);
  const Rows v = head.rows(p.v, p.v_token_stride, p.v_head_stride, p.dtype, backwards);
  const Rows g = head.rows(p.d_o, p.o_token_stride, p.o_head_stride, p.dtype, backwards);
  const int64_t at = (head.sequence * p.heads + head.h) * p.dim_k * p.dim_v;
  const float* state_in = p.state_in ? p.state_in + at : nullptr;
  const float* dstate_out = p.dstate_out ? p.dstate_out + at : nullptr;
  float* dstate_in = p.dstate_in ? p.dstate_in + at : nullptr;
  const float slope = p.slopes[head.h];
  const State straight{p.dim_v, 1}, transposed{1, p.dim_v};
  switch (gradient) {
    case kDq: {
      const Rows dq = head.rows(p.dq, p.dq_token_stride, p.dq_head_stride, p.dtype, backwards);
      return {head.length, p.dim_v, p.dim_k, g, v, k, dq, backwards, slope, transposed, state_in, nullptr};
    }
    case kDk: {
      const Rows dk = head.rows(p.dk, p.dk_token_stride, p.dk_head_stride, p.dtype, backwards);
      return {head.length, p.dim_v, p.dim_k, v, g, q, dk, backwards, slope, transposed, dstate_out, nullptr};
    }
    default: {
      const Rows dv = head.rows(p.dv, p.dv_token_stride, p.dv_head_stride, p.dtype, backwards);
      return {head.length, p.dim_k, p.dim_v, k, q, g, dv, backwards, slope, straight, dstate_out, dstate_in};
    }
  }
}

// ---- decode ----

// One head of one token. The state is read and written once, whole rows of it at a time where the registers
// hold them, as memory likes it.
template <typename T>
struct Token {
  int64_t dk, dv;
  float lambda;
  const T *q, *k, *v;
  T* o;
  float* state;

  Token(const mm_lightning_attention_decode_params& p, int64_t b, int64_t h)
      : dk(p.dim_k),
        dv(p.dim_v),
        lambda(exp_one(-p.slopes[h])),
        q(static_cast<const T*>(p.q) + b * p.q_token_stride + h * p.q_head_stride),
        k(static_cast<const T*>(p.k) + b * p.k_token_stride + h * p.k_head_stride),
        v(static_cast<const T*>(p.v) + b * p.v_token_stride + h * p.v_head_stride),
        o(static_cast<T*>(p.o) + b * p.o_token_stride + h * p.o_head_stride),
        state(p.state + (static_cast<int64_t>(p.state_slots[b]) * p.heads + h) * dk * dv) {}

  void decode() const {
    int64_t j = 0;
    for (; j + 8 * kLanes <= dv; j += 8 * kLanes) columns<8>(j, kLanes);
    for (; j + 4 * kLanes <= dv; j += 4 * kLanes) columns<4>(j, kLanes);
    for (; j < dv; j += kLanes) columns<1>(j, min64(kLanes, dv - j));
  }

 private:
  // NV vectors of columns from `first` on, of n elements each.
  template <int NV>
  void columns(int64_t first, int64_t n) const {
    vfloat value[NV], out[NV];
    for (int j = 0; j < NV; j++) {
      value[j] = load_n(v + first + j * kLanes, n);
      out[j] = vfloat{};
    }
    for (int64_t i = 0; i < dk; i++) {
      const float key = load_one(k + i), query = load_one(q + i);
      for (int j = 0; j < NV; j++) {
        float* place = state + i * dv + first + j * kLanes;
        const vfloat s = lambda * load_n(place, n) + key * value[j];
        store_n(place, s, n);
        out[j] += query * s;
      }
    }
    for (int j = 0; j < NV; j++) store_n(o + first + j * kLanes, out[j], n);
  }
};

}  // namespace

void lightning_attention_forward(mm_context&, const mm_lightning_attention_forward_params& p) {
  check_offsets("cu_seqlens", p.cu_seqlens, p.sequences, p.tokens, p.max_seqlen);
  check_slopes(p.slopes, p.heads);
  if (p.state_slots) check_slots(p.state_slots, p.sequences, p.state_out != nullptr);
  const int64_t blocks = column_blocks(p, 1, p.dim_v);
  parallel_for(p.sequences * p.heads * blocks, [&](int64_t task) {
    run_block(output_scan(p, Head(p, task / blocks)), task % blocks, blocks);
  });
}

void lightning_attention_backward(mm_context&, const mm_lightning_attention_backward_params& p) {
  check_offsets("cu_seqlens", p.cu_seqlens, p.sequences, p.tokens, p.max_seqlen);
  check_slopes(p.slopes, p.heads);
  const int64_t blocks = column_blocks(p, kGradients, min64(p.dim_k, p.dim_v)), tasks = kGradients * blocks;
  parallel_for(p.sequences * p.heads * tasks, [&](int64_t task) {
    const Head head(p, task / tasks);
    const Gradient gradient = static_cast<Gradient>(task % tasks / blocks);
    run_block(gradient_scan(p, head, gradient), task % blocks, blocks);
  });
}

void lightning_attention_decode(mm_context&, const mm_lightning_attention_decode_params& p) {
  check_slots(p.state_slots, p.batch, true);
  check_slopes(p.slopes, p.heads);
  // A task is as many heads as are worth the hand-over.
  const int64_t work = p.dim_k * p.dim_v, heads = p.batch * p.heads;
  const int64_t step = max64(1, min64(heads, (int64_t{1} << 15) / work));
  parallel_for(ceil_div(heads, step), [&](int64_t task) {
    for (int64_t i = task * step; i < min64(heads, (task + 1) * step); i++) {
      p.dtype == MM_DTYPE_F32 ? Token<float>(p, i / p.heads, i % p.heads).decode()
                              : Token<bf16>(p, i / p.heads, i % p.heads).decode();
    }
  });
}

}  // namespace mm::MM_ISA_NS
