// Log-probability, entropy and their gradients through the LM head. Logits exist for kRows rows by kWords
// words at a time, always from fp32 products. The vocabulary is the outer loop, so that a piece of w is used
// for all rows while it is in the caches.
#include "cpu/elementwise.h"
#include "cpu/gemm.h"
#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

constexpr int64_t kRows = 256;
constexpr int64_t kWords = 2048;
constexpr int64_t kStride = kWords + 16;  // of the logits: rows a power of two apart share their cache sets

int64_t size_of(mm_dtype dtype) { return dtype == MM_DTYPE_F32 ? 4 : 2; }

template <typename Params>
void check_targets(const Params& p) {
  for (int64_t r = 0; r < p.rows; r++) {
    const int32_t target = p.targets[r];
    MM_REQUIRE(target == MM_IGNORE_LABEL || (target >= 0 && target < p.vocabulary),
               "the target of row %lld is %d, the vocabulary has %lld words", static_cast<long long>(r),
               target, static_cast<long long>(p.vocabulary));
  }
}

// Words [word, word + n) of w, of which op(w) is the transpose for logits.
template <typename Params>
Operand words_of(const Params& p, int64_t word, bool transposed) {
  return {static_cast<const char*>(p.w) + word * p.width * size_of(p.w_dtype), p.w_dtype, p.width, transposed,
          nullptr};
}

// What is known of a row after some of its words: with m the largest logit so far, the sums of e^(x - m) and
// of (x - m) e^(x - m).
struct State {
  double total;
  double moment;
  float largest;
  float target;
};

// The words beyond n weigh nothing.
inline vfloat load_or_least(const float* x, int64_t n) {
  if (n == kLanes) return load(x);
  vfloat v = splat(-__FLT_MAX__);
  for (int64_t i = 0; i < n; i++) v[i] = x[i];
  return v;
}

void add_words(const float* logits, int64_t words, State& state) {
  vfloat largest = load_or_least(logits, min64(kLanes, words));
  for (int64_t i = kLanes; i < words; i += kLanes)
    largest = max(load_or_least(logits + i, min64(kLanes, words - i)), largest);
  const float m = max(largest);
  vfloat total = {}, moment = {};
  for (int64_t i = 0; i < words; i += kLanes) {
    const vfloat x = load_or_least(logits + i, min64(kLanes, words - i)) - m, e = exp(x);
    total += e;
    moment += x * e;
  }
  const double new_total = static_cast<double>(sum(total)), new_moment = static_cast<double>(sum(moment));
  if (state.total == 0) {
    state = {new_total, new_moment, m, state.target};
    return;
  }
  // Both sums are brought to the larger of the two maxima.
  const float both = m > state.largest ? m : state.largest;
  const double old_shift = static_cast<double>(state.largest) - static_cast<double>(both);
  const double new_shift = static_cast<double>(m) - static_cast<double>(both);
  const double old_scale = __builtin_exp(old_shift), new_scale = __builtin_exp(new_shift);
  state.moment =
      (state.moment + old_shift * state.total) * old_scale + (new_moment + new_shift * new_total) * new_scale;
  state.total = state.total * old_scale + new_total * new_scale;
  state.largest = both;
}

}  // namespace

void lm_head_forward(mm_context& context, const mm_lm_head_forward_params& p) {
  check_targets(p);
  Buffer<State> states(p.rows);
  Buffer<float> logits(kRows * kStride);
  memset(states, 0, p.rows * sizeof(State));
  for (int64_t word = 0; word < p.vocabulary; word += kWords) {
    const int64_t words = min64(kWords, p.vocabulary - word);
    for (int64_t row = 0; row < p.rows; row += kRows) {
      const int64_t rows = min64(kRows, p.rows - row);
      const Operand hidden = {static_cast<const char*>(p.hidden) + row * p.width * size_of(p.hidden_dtype),
                              p.hidden_dtype, p.width, false, nullptr};
      const Product product = {rows,   words,        p.width, hidden, words_of(p, word, true),
                               logits, MM_DTYPE_F32, kStride, false,  true};
      multiply(context, &product, 1);
      parallel_for(ceil_div(rows, 8), [&](int64_t block) {
        for (int64_t r = block * 8; r < min64(rows, block * 8 + 8); r++) {
          const int64_t target = p.targets[row + r] - word;
          if (target >= 0 && target < words) states[row + r].target = logits[r * kStride + target];
          add_words(logits + r * kStride, words, states[row + r]);
        }
      });
    }
  }
  for (int64_t r = 0; r < p.rows; r++) {
    const State& s = states[r];
    const double log_total = __builtin_log(s.total), largest = static_cast<double>(s.largest);
    p.lse[r] = static_cast<float>(largest + log_total);
    p.logp[r] = p.targets[r] == MM_IGNORE_LABEL
                    ? 0.0f
                    : static_cast<float>(static_cast<double>(s.target) - largest - log_total);
    if (p.entropy) p.entropy[r] = static_cast<float>(log_total - s.moment / s.total);
  }
}

namespace {

// The rows that have a gradient; prompts have none, and cost nothing.
int64_t active_rows(const mm_lm_head_backward_params& p, int32_t* rows) {
  int64_t count = 0;
  for (int64_t r = 0; r < p.rows; r++) {
    const bool scored = p.targets[r] != MM_IGNORE_LABEL && p.dlogp[r] != 0;
    if (scored || (p.dentropy && p.dentropy[r] != 0)) rows[count++] = static_cast<int32_t>(r);
  }
  return count;
}

// logits -> dlogp (onehot - p) - dentropy p (log p + entropy), in place.
void differentiate(const mm_lm_head_backward_params& p, int64_t row, int64_t word, int64_t words,
                   float* logits) {
  const float lse = p.lse[row];
  const float dlogp = p.targets[row] == MM_IGNORE_LABEL ? 0.0f : p.dlogp[row];
  const float dentropy = p.dentropy ? p.dentropy[row] : 0.0f;
  const float entropy = p.dentropy ? p.entropy[row] : 0.0f;
  for (int64_t i = 0; i < words; i += kLanes) {
    const int64_t n = min64(kLanes, words - i);
    const vfloat log_p = load_n(logits + i, n) - lse;
    store_n(logits + i, -exp(log_p) * (dlogp + dentropy * (log_p + entropy)), n);
  }
  const int64_t target = p.targets[row] - word;
  if (target >= 0 && target < words) logits[target] += dlogp;
}

template <typename T>
void scatter_rows(const float* from, const int32_t* rows, int64_t count, int64_t width, T* to) {
  parallel_for(ceil_div(count, 16), [&](int64_t block) {
    for (int64_t i = block * 16; i < min64(count, block * 16 + 16); i++) {
      for (int64_t j = 0; j < width; j += kLanes) {
        const int64_t n = min64(kLanes, width - j);
        store_n(to + rows[i] * width + j, load_n(from + i * width + j, n), n);
      }
    }
  });
}

// dw += the sums over all rows, rounded once.
void add_to_bf16(const float* from, int64_t count, bf16* dw) {
  for_each_vector(count,
                  [&](int64_t i, int64_t n) { store_n(dw + i, load_n(dw + i, n) + load_n(from + i, n), n); });
}

}  // namespace

void lm_head_backward(mm_context& context, const mm_lm_head_backward_params& p) {
  check_targets(p);
  Buffer<int32_t> active(p.rows);
  const int64_t count = active_rows(p, active), width = p.width;
  const bool narrow_dw = p.dw && p.dw_dtype == MM_DTYPE_BF16;
  Buffer<float> logits(kRows * kStride);
  Buffer<float> dhidden(p.dhidden ? count * width : 0);
  Buffer<float> dw_sums(narrow_dw ? min64(kWords, p.vocabulary) * width : 0);
  for (int64_t word = 0; count > 0 && word < p.vocabulary; word += kWords) {
    const int64_t words = min64(kWords, p.vocabulary - word);
    float* dw = narrow_dw ? dw_sums : p.dw ? static_cast<float*>(p.dw) + word * width : nullptr;
    for (int64_t row = 0; row < count; row += kRows) {
      const int64_t rows = min64(kRows, count - row);
      const Operand hidden = {p.hidden, p.hidden_dtype, width, false, active + row};
      const Product product = {rows,   words,        width,   hidden, words_of(p, word, true),
                               logits, MM_DTYPE_F32, kStride, false,  true};
      multiply(context, &product, 1);
      parallel_for(ceil_div(rows, 8), [&](int64_t block) {
        for (int64_t r = block * 8; r < min64(rows, block * 8 + 8); r++)
          differentiate(p, active[row + r], word, words, logits + r * kStride);
      });
      Product gradients[2];
      int64_t n = 0;
      if (p.dhidden) {
        const Operand dlogits = {logits, MM_DTYPE_F32, kStride, false, nullptr};
        gradients[n++] = {
            rows,         width, words,    dlogits, words_of(p, word, false), dhidden + row * width,
            MM_DTYPE_F32, width, word > 0, true};
      }
      if (p.dw) {
        const Operand dlogits = {logits, MM_DTYPE_F32, kStride, true, nullptr};
        gradients[n++] = {words, width, rows, dlogits, hidden, dw, MM_DTYPE_F32, width, !narrow_dw || row > 0,
                          true};
      }
      multiply(context, gradients, n);
    }
    if (narrow_dw) add_to_bf16(dw_sums, words * width, static_cast<bf16*>(p.dw) + word * width);
  }
  if (!p.dhidden) return;
  memset(p.dhidden, 0, p.rows * width * size_of(p.hidden_dtype));
  p.hidden_dtype == MM_DTYPE_F32 ? scatter_rows(dhidden, active, count, width, static_cast<float*>(p.dhidden))
                                 : scatter_rows(dhidden, active, count, width, static_cast<bf16*>(p.dhidden));
}

}  // namespace mm::MM_ISA_NS
