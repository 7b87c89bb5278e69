// Log-probability, entropy and their gradients through the LM head. Logits exist for kRows rows by kWords
// words at a time, in fp32, row after row: [rows, kWords]. The vocabulary is the outer loop.
// Forward: a block a row takes a piece of the vocabulary into the row's state, in ascending order of words.
// Backward: the logits are computed again and become their gradients in place. Products with bf16 operands go
// through tensor cores; the fp32 gradient is then split in two bf16 whose sum has 16 bits of it, [rows,
// kWords high then kWords low], and each gradient takes two products. Rows without a gradient are multiplied
// as zeros, as the host does not know them.
#include "cuda/gemm.h"
#include "cuda/ops.h"

namespace mm::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kRows = 4096;
constexpr int64_t kWords = 4096;
constexpr int kPerThread = kWords / kThreads;

// What is known of a row after some of its words: with m the largest logit so far, the sums of e^(x - m) and
// of (x - m) e^(x - m).
struct State {
  double total, moment;
  float largest, target;
};

__device__ __forceinline__ bool valid(int32_t target, int64_t vocabulary) {
  return target == MM_IGNORE_LABEL || (target >= 0 && target < vocabulary);
}

__device__ void merge(State& state, double total, double moment, float m) {
  // Both sums are brought to the larger of the two maxima.
  const float both = fmaxf(m, state.largest);
  const double old_shift = static_cast<double>(state.largest) - static_cast<double>(both);
  const double new_shift = static_cast<double>(m) - static_cast<double>(both);
  const double old_scale = exp(old_shift), new_scale = exp(new_shift);
  state.moment =
      (state.moment + old_shift * state.total) * old_scale + (moment + new_shift * total) * new_scale;
  state.total = state.total * old_scale + total * new_scale;
  state.largest = both;
}

// Words [word, word + words) of a row.
__global__ void __launch_bounds__(kThreads)
    add_words(const float* logits, const int32_t* targets, State* states, int64_t word, int64_t words) {
  double* scratch = shared_memory<double>();
  const float* z = logits + blockIdx.x * kWords;
  float x[kPerThread], m = -INFINITY;
#pragma unroll
  for (int j = 0; j < kPerThread; j++) {
    const int64_t i = j * kThreads + threadIdx.x;
    x[j] = i < words ? z[i] : -INFINITY;
    m = fmaxf(m, x[j]);
  }
  m = block_max<kThreads>(m, reinterpret_cast<float*>(scratch));
  float total = 0, moment = 0;
#pragma unroll
  for (int j = 0; j < kPerThread; j++) {
    if (j * kThreads + static_cast<int>(threadIdx.x) >= words) continue;
    const float shifted = x[j] - m, e = expf(shifted);
    total += e;
    if (e != 0) moment += shifted * e;
  }
  const double all = block_sum<kThreads>(static_cast<double>(total), scratch);
  const double all_moment = block_sum<kThreads>(static_cast<double>(moment), scratch);
  if (threadIdx.x != 0) return;
  State& state = states[blockIdx.x];
  const int64_t target = targets[blockIdx.x] - word;
  if (word == 0) {
    state = {all, all_moment, m, 0.0f};
  } else {
    merge(state, all, all_moment, m);
  }
  if (target >= 0 && target < words) state.target = z[target];
}

__global__ void __launch_bounds__(kThreads)
    finish(mm_lm_head_forward_params p, const State* states, int32_t* fault) {
  const int64_t r = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (r >= p.rows) return;
  const State s = states[r];
  const double log_total = log(s.total), largest = static_cast<double>(s.largest);
  float logp = static_cast<float>(static_cast<double>(s.target) - largest - log_total);
  if (p.targets[r] == MM_IGNORE_LABEL) logp = 0;
  if (!valid(p.targets[r], p.vocabulary)) {
    *fault = static_cast<int32_t>(Fault::kTarget);
    logp = NAN;
  }
  p.logp[r] = logp;
  p.lse[r] = static_cast<float>(largest + log_total);
  if (p.entropy) p.entropy[r] = static_cast<float>(log_total - s.moment / s.total);
}

// logits -> dlogp (onehot - p) - dentropy p (log p + entropy), in place; 0 for rows without a gradient. The
// block has read its row before it writes it.
template <bool Split>
__global__ void __launch_bounds__(kThreads)
    differentiate(mm_lm_head_backward_params p, int64_t row, float* logits, int64_t word, int64_t words,
                  int32_t* fault) {
  const int64_t r = row + blockIdx.x, target = p.targets[r] - word;
  float* z = logits + blockIdx.x * kWords;
  if (!valid(p.targets[r], p.vocabulary)) *fault = static_cast<int32_t>(Fault::kTarget);
  const float lse = p.lse[r], dlogp = p.targets[r] == MM_IGNORE_LABEL ? 0.0f : p.dlogp[r];
  const float dentropy = p.dentropy ? p.dentropy[r] : 0.0f, entropy = p.dentropy ? p.entropy[r] : 0.0f;
  const bool active = dlogp != 0 || dentropy != 0;
  float d[kPerThread];
#pragma unroll
  for (int j = 0; j < kPerThread; j++) {
    const int64_t i = j * kThreads + threadIdx.x;
    d[j] = 0;
    if (i >= words || !active) continue;
    const float log_p = z[i] - lse, probability = expf(log_p);
    if (probability != 0) d[j] = -probability * (dlogp + dentropy * (log_p + entropy));
    if (i == target) d[j] += dlogp;
  }
  if (Split) __syncthreads();
#pragma unroll
  for (int j = 0; j < kPerThread; j++) {
    const int64_t i = j * kThreads + threadIdx.x;
    if (i >= words) continue;
    if constexpr (Split) {
      bf16* halves = reinterpret_cast<bf16*>(z);
      halves[i] = from_float<bf16>(d[j]);
      halves[kWords + i] = from_float<bf16>(d[j] - to_float(halves[i]));
    } else {
      z[i] = d[j];
    }
  }
}

int64_t size_of(mm_dtype dtype) { return dtype == MM_DTYPE_F32 ? 4 : 2; }

// Row `row` of a matrix [.., width].
const void* row_of(const void* matrix, int64_t row, int64_t width, mm_dtype dtype) {
  return static_cast<const char*>(matrix) + row * width * size_of(dtype);
}

// f(word, words, row, rows) for each block of logits.
template <typename F>
void for_each_block(int64_t rows, int64_t vocabulary, F f) {
  for (int64_t word = 0; word < vocabulary; word += kWords) {
    for (int64_t row = 0; row < rows; row += kRows)
      f(word, min(kWords, vocabulary - word), row, min(kRows, rows - row));
  }
}

template <typename Params>
Gemm logits_of(const Params& p, int64_t word, int64_t words, int64_t row, int64_t rows, float* logits) {
  Gemm g{};
  g.a = row_of(p.hidden, row, p.width, p.hidden_dtype), g.a_dtype = p.hidden_dtype, g.a_stride = p.width;
  g.b = row_of(p.w, word, p.width, p.w_dtype), g.b_dtype = p.w_dtype, g.b_stride = p.width;
  g.c = logits, g.c_dtype = MM_DTYPE_F32, g.c_stride = kWords;
  g.m = rows, g.n = words, g.k = p.width;
  return g;
}

// A product of which a is the gradients of logits, whole or in halves.
void multiply_gradients(Context& context, const char* name, Gemm g, const float* dlogits, bool split) {
  g.a = dlogits, g.a_dtype = split ? MM_DTYPE_BF16 : MM_DTYPE_F32, g.a_stride = split ? 2 * kWords : kWords;
  g.c_dtype = MM_DTYPE_F32;
  gemm(context, name, g);
  if (!split) return;
  g.a = reinterpret_cast<const bf16*>(dlogits) + kWords;
  g.accumulate = true;
  gemm(context, name, g);
}

}  // namespace

void lm_head_forward(Context& context, const mm_lm_head_forward_params& p) {
  Workspace<float> logits(context, min(kRows, p.rows) * kWords);
  Workspace<State> states(context, p.rows);
  for_each_block(p.rows, p.vocabulary, [&](int64_t word, int64_t words, int64_t row, int64_t rows) {
    gemm(context, "lm_head_forward: logits", logits_of(p, word, words, row, rows, logits));
    launch(context, "lm_head_forward", add_words, dim3(static_cast<unsigned>(rows)), kThreads,
           kThreads / 32 * sizeof(double), logits, p.targets + row, states + row, word, words);
  });
  launch(context, "lm_head_forward: finish", finish, dim3(static_cast<unsigned>(ceil_div(p.rows, kThreads))),
         kThreads, 0, p, states, context.fault);
}

void lm_head_backward(Context& context, const mm_lm_head_backward_params& p) {
  const int64_t width = p.width;
  // The gradients are added up in fp32 and rounded once.
  const bool narrow_dhidden = p.dhidden && p.hidden_dtype == MM_DTYPE_BF16;
  const bool narrow_dw = p.dw && p.dw_dtype == MM_DTYPE_BF16;
  const bool split = p.hidden_dtype == MM_DTYPE_BF16 && p.w_dtype == MM_DTYPE_BF16;
  Workspace<float> logits(context, min(kRows, p.rows) * kWords);
  Workspace<float> dhidden_sums(context, narrow_dhidden ? p.rows * width : 0);
  Workspace<float> dw_sums(context, narrow_dw ? min(kWords, p.vocabulary) * width : 0);
  float* dhidden = narrow_dhidden ? dhidden_sums : static_cast<float*>(p.dhidden);
  for_each_block(p.rows, p.vocabulary, [&](int64_t word, int64_t words, int64_t row, int64_t rows) {
    gemm(context, "lm_head_backward: logits", logits_of(p, word, words, row, rows, logits));
    launch(context, "lm_head_backward", split ? differentiate<true> : differentiate<false>,
           dim3(static_cast<unsigned>(rows)), kThreads, 0, p, row, logits, word, words, context.fault);
    Gemm g{};
    g.n = width, g.c_stride = width, g.b_stride = width, g.b_transposed = true;
    if (p.dhidden) {
      g.b = row_of(p.w, word, width, p.w_dtype), g.b_dtype = p.w_dtype;
      g.c = dhidden + row * width;
      g.m = rows, g.k = words, g.accumulate = word > 0;
      multiply_gradients(context, "lm_head_backward: dhidden", g, logits, split);
    }
    if (!p.dw) return;
    g.b = row_of(p.hidden, row, width, p.hidden_dtype), g.b_dtype = p.hidden_dtype;
    g.c = narrow_dw ? dw_sums : static_cast<float*>(p.dw) + word * width;
    g.m = words, g.k = rows, g.a_transposed = true, g.accumulate = !narrow_dw || row > 0;
    multiply_gradients(context, "lm_head_backward: dw", g, logits, split);
    if (!narrow_dw || row + rows < p.rows) return;
    axpby(context, {sizeof(mm_axpby_params), dw_sums, static_cast<uint16_t*>(p.dw) + word * width,
                    words * width, 1.0f, 1.0f, MM_DTYPE_F32, MM_DTYPE_BF16});
  });
  if (narrow_dhidden) {
    cast(context, {sizeof(mm_cast_params), dhidden, p.dhidden, p.rows * width, MM_DTYPE_F32, MM_DTYPE_BF16});
  }
}

}  // namespace mm::cuda
