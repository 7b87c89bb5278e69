// Lightning attention for Hopper, bf16, head dimensions 64 and 128: one fused pass, which is also each part
// of backward.
//
// A pass computes o_i = sum_j lambda^|i-j| (q_i . k_j) v_j over the tokens j up to i, or from i on when it
// runs in reverse:
//
//   forward   o  from q, k, v          dq  from do, v, k
//   reverse   dk from v, do, q         dv  from k, q, do
//
// A block carries 64 columns of v's head along a segment of one sequence, in chunks of 64 tokens. A thread
// feeds q, k and v by TMA through two stages (its warpgroup is there to give its registers away); a
// warpgroup multiplies with wgmma. Everything is kept transposed, so that the state, which stays in fp32
// accumulators, is also an operand from registers and never goes through shared memory:
//
//   P   [i, j] = q k^T, times lambda^|i-j| where j counts, else 0; to shared memory as bf16     64 x 64
//   O^T [v, i] = (S^T q^T) times the decay since the state + v^T P^T                            64 x 64
//   S^T [v, k] = lambda^n S^T + (v times the decay until the state)^T k, n tokens a chunk       64 x D
//
// Where heads are few, sequences are cut into segments: the states that the segments add come first, all at
// once, as passes that only keep the state; then a chain over each sequence's segments gives the state at
// every boundary; then the segments are passes like any other. How long a segment is follows from the heads
// and their size alone, so that no row depends on what else is in the batch, nor on the GPU.
//
// Rows behind a sequence's end belong to its neighbour: k and v are cleared there, o is not written.
// Floors and ladder: NOTES.md.
#include <algorithm>

#include "cuda/hopper.cuh"
#include "cuda/lightning_sm90.h"
#include "cuda/mma.cuh"

namespace mm::cuda {
namespace {

constexpr int kChunk = 64;
constexpr int kColumns = 64;  // of v that a block takes
constexpr int kStages = 2;
constexpr int kPanelBytes = kChunk * 128;
constexpr int kConsumers = 128, kThreads = 2 * kConsumers;
constexpr int kBlocks = 2;  // of a multiprocessor, so that one's waits are the other's work
constexpr int kChainThreads = 256;
constexpr int kChainAhead = 8;  // boundaries asked for before the first is needed
constexpr int64_t kUncut = int64_t{1} << 40;

// The sequences, their segments, and where a pass keeps its state and writes: S^T [v, k] of a head is at
// v * state_v + k * state_k. The state at token t between two segments is number t / segment - 1 of
// `boundaries`, each laid out as a slot of the pools: no two boundaries are as near as a segment is long.
struct Arguments {
  bf16* o;
  const float* slopes;
  const int32_t* cu_seqlens;
  const int32_t* state_slots;
  const float* state_in;
  float* state_out;
  float* boundaries;
  int32_t* fault;
  int64_t sequences, tokens, max_seqlen, heads, columns, o_token_stride, o_head_stride, state_v, state_k,
      segment;
};

template <int D>
struct Stage {
  bf16 q[D / kPanel][kChunk * kPanel];
  bf16 k[D / kPanel][kChunk * kPanel];
  bf16 v[kChunk * kPanel];
};

template <int D>
struct Shared {
  Stage<D> stages[kStages];
  bf16 p[kChunk * kPanel];
  bf16 o[kChunk * kPanel];
  float powers[kChunk + 1];  // of lambda
  Barrier full[kStages], empty[kStages];
};

// The tokens of a sequence and its slot.
struct Sequence {
  int begin, end;
  int64_t slot;
};

// False, and told, if there is something wrong with it.
__device__ bool find_sequence(const Arguments& a, int index, Sequence& s) {
  s = {a.cu_seqlens[index], a.cu_seqlens[index + 1], a.state_slots ? a.state_slots[index] : index};
  const bool good = s.begin >= 0 && s.end >= s.begin && s.end <= a.tokens && s.end - s.begin <= a.max_seqlen;
  if (!good) *a.fault = static_cast<int32_t>(Fault::kOffsets);
  if (s.slot < 0) *a.fault = static_cast<int32_t>(Fault::kCacheSlot);
  return good && s.slot >= 0;
}

// What a block passes over: tokens of a sequence, the first or last in the order of the scan.
struct Segment {
  int begin, end;
  int64_t slot;
  bool first, last;
};

// The row of blocks with which a sequence begins. It has one for each segment, and one if it is empty; the
// next sequence begins behind them.
__device__ __forceinline__ int64_t first_row(const Arguments& a, int sequence) {
  return a.cu_seqlens[sequence] / a.segment + sequence;
}

// The segment of a row of blocks; false if it has none.
template <bool Reverse>
__device__ bool find_segment(const Arguments& a, int64_t row, Segment& segment) {
  int found = 0;
  for (int high = static_cast<int>(a.sequences) - 1; found < high;) {
    const int middle = (found + high + 1) / 2;
    if (first_row(a, middle) <= row)
      found = middle;
    else
      high = middle - 1;
  }
  Sequence s;
  if (!find_sequence(a, found, s)) return false;
  const int64_t index = row - first_row(a, found), begin = s.begin + index * a.segment;
  if (index < 0 || (index > 0 && begin >= s.end)) return false;
  const int64_t end = min(begin + a.segment, int64_t{s.end});
  const bool front = index == 0, back = end == s.end;
  segment = {static_cast<int>(begin), static_cast<int>(end), s.slot, Reverse ? back : front,
             Reverse ? front : back};
  return true;
}

// The states of all heads at a token between two segments.
__device__ __forceinline__ float* boundary(const Arguments& a, int64_t token, int64_t state_size) {
  return a.boundaries + (token / a.segment - 1) * a.heads * state_size;
}

// Where column c of row r of a panel is.
__device__ __forceinline__ int swizzled(int r, int c) { return r * kPanel + ((c / 8) ^ (r % 8)) * 8 + c % 8; }

// Where chunk number `chunk` of a pass begins: the last one first in reverse.
template <bool Reverse>
__device__ __forceinline__ int chunk_start(int chunk, int begin, int end) {
  return begin + kChunk * (Reverse ? (end - begin - 1) / kChunk - chunk : chunk);
}

template <int D, bool Reverse, bool StateOnly>
__device__ void feed(Shared<D>& s, const TensorMap* q, const TensorMap* k, const TensorMap* v, int begin,
                     int end, int head, int column) {
  for (int chunk = 0; chunk * kChunk < end - begin; chunk++) {
    const int at = chunk % kStages, token = chunk_start<Reverse>(chunk, begin, end);
    barrier_wait(&s.empty[at], (chunk / kStages & 1) ^ 1);
    barrier_expect(&s.full[at], ((StateOnly ? 1 : 2) * D / kPanel + 1) * kPanelBytes);
    Stage<D>& stage = s.stages[at];
#pragma unroll
    for (int panel = 0; panel < D / kPanel; panel++) {
      if (!StateOnly) load_box(stage.q[panel], q, &s.full[at], panel * kPanel, head, token);
      load_box(stage.k[panel], k, &s.full[at], panel * kPanel, head, token);
    }
    load_box(stage.v, v, &s.full[at], column, head, token);
  }
}

// Clears the rows of k and v from `length` on.
template <int D>
__device__ void clear_tail(Stage<D>& stage, int length) {
  const uint4 zero = make_uint4(0, 0, 0, 0);
  for (int piece = length * 8 + static_cast<int>(threadIdx.x); piece < kChunk * 8; piece += kConsumers) {
#pragma unroll
    for (int panel = 0; panel < D / kPanel; panel++) reinterpret_cast<uint4*>(stage.k[panel])[piece] = zero;
    reinterpret_cast<uint4*>(stage.v)[piece] = zero;
  }
  shared_writes_done();
}

// The operand v^T of 16 tokens from `token` on.
__device__ __forceinline__ void load_v(uint32_t (&a)[4], const bf16* v, int token) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int row = token + lane % 8 + lane / 16 * 8, column = warp * 16 + lane / 8 % 2 * 8;
  load_matrices_transposed(a, v + swizzled(row, column));
}

// The same with each token times the decay until the state behind the chunk (before it, in reverse).
template <bool Reverse>
__device__ __forceinline__ void decay_v(uint32_t (&a)[4], const float* powers, int token, int length) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const int first = token + 2 * static_cast<int>(threadIdx.x % 4) + i / 2 * 8;
    const int steps = Reverse ? first + 1 : length - 1 - first;  // below 0 behind the end, where v is 0
    const float2 pair = unpack_bf16(a[i]);
    a[i] =
        pack_bf16(pair.x * powers[max(steps, 0)], pair.y * powers[max(Reverse ? steps + 1 : steps - 1, 0)]);
  }
}

// p = q k^T and o = S^T q^T of a chunk.
template <int D>
__device__ __forceinline__ void multiply_q(float (&p)[32], float (&o)[32], const float (&state)[D / 2],
                                           const Stage<D>& stage) {
#pragma unroll
  for (int i = 0; i < 32; i++) p[i] = o[i] = 0.0f;
  uint32_t a[D / 16][4];
#pragma unroll
  for (int step = 0; step < D / 16; step++) {
#pragma unroll
    for (int i = 0; i < 4; i++) a[step][i] = pack_bf16(state[8 * step + 2 * i], state[8 * step + 2 * i + 1]);
  }
  wgmma_begin();
#pragma unroll
  for (int step = 0; step < D / 16; step++) {
    const int panel = step / 4, column = step % 4 * 16;
    wgmma<64>(p, k_major(stage.q[panel], column), k_major(stage.k[panel], column));
  }
  wgmma_commit();
#pragma unroll
  for (int step = 0; step < D / 16; step++) wgmma<64>(o, a[step], k_major(stage.q[step / 4], step % 4 * 16));
  wgmma_commit();
}

// p times the decay, to shared memory; o times that since the state.
template <bool Reverse>
__device__ __forceinline__ void decay_scores(bf16* shared, float (&p)[32], const float* powers) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
  for (int c = 0; c < 8; c++) {
#pragma unroll
    for (int upper = 0; upper < 2; upper++) {
      const int row = warp * 16 + lane / 4 + 8 * upper, column = 8 * c + 2 * (lane % 4);
      float value[2];
#pragma unroll
      for (int e = 0; e < 2; e++) {
        const int steps = Reverse ? column + e - row : row - column - e;
        value[e] = steps >= 0 ? p[4 * c + 2 * upper + e] * powers[max(steps, 0)] : 0.0f;
      }
      *reinterpret_cast<uint32_t*>(shared + swizzled(row, column)) = pack_bf16(value[0], value[1]);
    }
  }
}
template <bool Reverse>
__device__ __forceinline__ void decay_output(float (&o)[32], const float* powers, int length) {
#pragma unroll
  for (int j = 0; j < 32; j++) {
    const int token = 8 * (j / 4) + 2 * static_cast<int>(threadIdx.x % 4) + j % 2;
    o[j] *= powers[Reverse ? max(length - 1 - token, 0) : token + 1];
  }
}

// The state's step, and o += v^T P^T.
template <int D, bool Reverse, bool StateOnly>
__device__ __forceinline__ void multiply_v(float (&o)[32], float (&state)[D / 2], const Stage<D>& stage,
                                           const bf16* p, const float* powers, int length) {
  const float decay = powers[length];
#pragma unroll
  for (int i = 0; i < D / 2; i++) state[i] *= decay;
  uint32_t plain[4][4], decayed[4][4];
#pragma unroll
  for (int step = 0; step < 4; step++) {
    load_v(plain[step], stage.v, 16 * step);
#pragma unroll
    for (int i = 0; i < 4; i++) decayed[step][i] = plain[step][i];
    decay_v<Reverse>(decayed[step], powers, 16 * step, length);
  }
  wgmma_begin();
  if constexpr (!StateOnly) {
#pragma unroll
    for (int step = 0; step < 4; step++) wgmma<64>(o, plain[step], k_major(p, 16 * step));
  }
#pragma unroll
  for (int step = 0; step < 4; step++)
    wgmma<D>(state, decayed[step], mn_major(stage.k[0], 16 * step, kPanelBytes));
  wgmma_commit();
}

// Transposes o in shared memory and writes its rows, 16 bytes a thread at a time.
__device__ __forceinline__ void store_output(bf16* shared, const float (&o)[32], bf16* to, int64_t stride,
                                             int length) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  // 16 tokens: matrices (v, token), (v + 8, token), (v, token + 8), (v + 8, token + 8)
#pragma unroll
  for (int c = 0; c < 4; c++) {
    uint32_t r[4];
#pragma unroll
    for (int i = 0; i < 4; i++) r[i] = pack_bf16(o[8 * c + 2 * i], o[8 * c + 2 * i + 1]);
    const int row = 16 * c + lane % 8 + lane / 16 * 8, column = warp * 16 + lane / 8 % 2 * 8;
    store_matrices_transposed(shared + swizzled(row, column), r);
  }
  warpgroup_barrier(1);
  for (int piece = threadIdx.x; piece < length * 8; piece += kConsumers) {
    const int row = piece / 8, column = piece % 8 * 8;
    *reinterpret_cast<uint4*>(to + row * stride + column) =
        *reinterpret_cast<const uint4*>(shared + swizzled(row, column));
  }
}

// The thread's part of S^T: value j is row v, column k of it.
template <int D, typename F>
__device__ __forceinline__ void each_state(F&& f) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
  for (int j = 0; j < D / 2; j++) {
    f(j, int64_t{8 * (j / 4) + 2 * (lane % 4) + j % 2}, int64_t{warp * 16 + lane / 4 + 8 * (j / 2 % 2)});
  }
}

// Where a segment's state comes from and goes to, null for nowhere; of the block's head and column.
struct Ends {
  const float* from;
  float* to;
};

// The last segment leaves the final state where it began: state_out may be state_in, which the first segment
// may not have read yet.
template <bool Reverse, bool StateOnly>
__device__ Ends find_ends(const Arguments& a, const Segment& segment, int64_t size, int64_t head,
                          int column) {
  const int64_t within = head * size + column * a.state_v, slot = segment.slot * a.heads * size + within;
  if (StateOnly) return {nullptr, boundary(a, Reverse ? segment.begin : segment.end, size) + within};
  if (segment.first) {
    return {a.state_in ? a.state_in + slot : nullptr,
            segment.last && a.state_out ? a.state_out + slot : nullptr};
  }
  float* began = boundary(a, Reverse ? segment.end : segment.begin, size) + within;
  return {began, segment.last && a.state_out ? began : nullptr};
}

template <int D, bool Reverse, bool StateOnly>
__device__ void consume(Shared<D>& s, const Arguments& a, int begin, int end, int head, int column,
                        const Ends& ends) {
  float state[D / 2];
  each_state<D>([&](int j, int64_t k, int64_t v) {
    state[j] = ends.from ? ends.from[k * a.state_k + v * a.state_v] : 0.0f;
  });
  for (int chunk = 0; chunk * kChunk < end - begin; chunk++) {
    const int at = chunk % kStages, token = chunk_start<Reverse>(chunk, begin, end);
    const int length = end - token < kChunk ? end - token : kChunk;
    Stage<D>& stage = s.stages[at];
    barrier_wait(&s.full[at], chunk / kStages & 1);
    if (length < kChunk) {
      clear_tail(stage, length);
      warpgroup_barrier(1);
    }
    float o[32];
    if constexpr (!StateOnly) {
      float p[32];
      multiply_q<D>(p, o, state, stage);
      wgmma_wait<1>();
      decay_scores<Reverse>(s.p, p, s.powers);
      wgmma_wait<0>();
      decay_output<Reverse>(o, s.powers, length);
      shared_writes_done();
      warpgroup_barrier(1);
    }
    multiply_v<D, Reverse, StateOnly>(o, state, stage, s.p, s.powers, length);
    wgmma_wait<0>();
    barrier_arrive(&s.empty[at]);
    if constexpr (!StateOnly) {
      store_output(s.o, o, a.o + int64_t{token} * a.o_token_stride + head * a.o_head_stride + column,
                   a.o_token_stride, length);
      warpgroup_barrier(1);  // p and o may be written again
    }
  }
  if (!ends.to) return;
  each_state<D>([&](int j, int64_t k, int64_t v) { ends.to[k * a.state_k + v * a.state_v] = state[j]; });
}

// StateOnly: what each segment but the last adds to the state, to the boundary behind it. Else a pass.
template <int D, bool Reverse, bool StateOnly>
__global__ void __launch_bounds__(kThreads, kBlocks)
    pass_kernel(const __grid_constant__ TensorMap q, const __grid_constant__ TensorMap k,
                const __grid_constant__ TensorMap v, Arguments a) {
  auto& s = *reinterpret_cast<Shared<D>*>(
      (reinterpret_cast<uintptr_t>(shared_memory<char>()) + kAtomBytes - 1) / kAtomBytes * kAtomBytes);
  const int parts = static_cast<int>(a.columns) / kColumns;
  const int head = static_cast<int>(blockIdx.x) / parts,
            column = static_cast<int>(blockIdx.x) % parts * kColumns;
  Segment segment;
  if (!find_segment<Reverse>(a, blockIdx.y, segment) || (StateOnly && segment.last)) return;
  for (int n = threadIdx.x; n <= kChunk; n += kThreads)
    s.powers[n] = expf(-a.slopes[head] * static_cast<float>(n));
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; i++) {
      barrier_init(&s.full[i], 1);
      barrier_init(&s.empty[i], kConsumers);
    }
    barrier_init_done();
  }
  __syncthreads();
  if (threadIdx.x < kConsumers) {
    more_registers<216>();
    consume<D, Reverse, StateOnly>(s, a, segment.begin, segment.end, head, column,
                                   find_ends<Reverse, StateOnly>(a, segment, D * a.columns, head, column));
  } else {
    fewer_registers<40>();
    if (threadIdx.x == kConsumers)
      feed<D, Reverse, StateOnly>(s, &q, &k, &v, segment.begin, segment.end, head, column);
  }
}

// The boundaries between a sequence's segments, of which there are none if it has one segment.
struct Chain {
  Sequence sequence;
  int count;

  __device__ Chain(const Arguments& a, int index) {
    const bool good = find_sequence(a, index, sequence);
    count = good && sequence.end > sequence.begin
                ? static_cast<int>((sequence.end - sequence.begin - 1) / a.segment)
                : 0;
  }
  // Where boundary i in the order of the scan is.
  template <bool Reverse>
  __device__ int64_t token(const Arguments& a, int i) const {
    return sequence.begin + (Reverse ? count - i : i + 1) * a.segment;
  }
};

// From what each segment adds to the state at each boundary; a thread an element of the state.
template <bool Reverse>
__global__ void __launch_bounds__(kChainThreads) chain_kernel(Arguments a, int64_t state_size) {
  const int64_t element = int64_t{blockIdx.x} * kChainThreads + threadIdx.x;
  const Chain chain(a, static_cast<int>(blockIdx.y));
  if (chain.count == 0) return;
  const Sequence& s = chain.sequence;
  const float slope = a.slopes[element / state_size];
  const int64_t before = Reverse ? s.end - chain.token<Reverse>(a, 0) : a.segment;  // tokens until the first
  const float decay = expf(-slope * static_cast<float>(a.segment));
  float factor = expf(-slope * static_cast<float>(before));
  float state = a.state_in ? a.state_in[s.slot * a.heads * state_size + element] : 0.0f;
  for (int first = 0; first < chain.count; first += kChainAhead) {
    float added[kChainAhead];
#pragma unroll
    for (int i = 0; i < kChainAhead; i++) {
      if (first + i < chain.count)
        added[i] = boundary(a, chain.token<Reverse>(a, first + i), state_size)[element];
    }
#pragma unroll
    for (int i = 0; i < kChainAhead; i++) {
      if (first + i >= chain.count) continue;
      state = factor * state + added[i];
      factor = decay;
      boundary(a, chain.token<Reverse>(a, first + i), state_size)[element] = state;
    }
  }
}

// The final states, which the last segments left at the boundaries before them.
template <bool Reverse>
__global__ void __launch_bounds__(kChainThreads) finish_kernel(Arguments a, int64_t state_size) {
  const int64_t element = int64_t{blockIdx.x} * kChainThreads + threadIdx.x;
  const Chain chain(a, static_cast<int>(blockIdx.y));
  if (chain.count == 0) return;
  a.state_out[chain.sequence.slot * a.heads * state_size + element] =
      boundary(a, chain.token<Reverse>(a, chain.count - 1), state_size)[element];
}

// [tokens, heads, width] in memory.
struct View {
  const void* data;
  int64_t width, token_stride, head_stride;
};

bool fits(const View& v) {
  return (v.width == 64 || v.width == 128) && can_map(v.data, v.head_stride, v.token_stride);
}

TensorMap map(const View& v, const Arguments& a) {
  return make_tensor_map(
      {v.data, {v.width, a.heads, a.tokens}, {v.head_stride, v.token_stride}, {kPanel, 1, kChunk}});
}

template <int D, bool Reverse, bool StateOnly>
void launch_pass(Context& context, const char* name, const View& q, const View& k, const View& v,
                 const Arguments& a) {
  launch(context, name, pass_kernel<D, Reverse, StateOnly>,
         dim3(a.heads * a.columns / kColumns, a.tokens / a.segment + a.sequences), kThreads,
         sizeof(Shared<D>) + kAtomBytes, map(q, a), map(k, a), map(v, a), a);
}

template <bool Reverse, bool StateOnly>
void launch_pass(Context& context, const char* name, const View& q, const View& k, const View& v,
                 const Arguments& a) {
  const auto launch_width =
      k.width == 64 ? launch_pass<64, Reverse, StateOnly> : launch_pass<128, Reverse, StateOnly>;
  launch_width(context, name, q, k, v, a);
}

// The states between segments, of which every pass with the same k and v makes use.
template <bool Reverse>
void find_boundaries(Context& context, const char* name, const View& k, const View& v, Arguments a) {
  if (a.segment == kUncut) return;
  a.columns = v.width;
  launch_pass<Reverse, true>(context, name, k, k, v, a);
  const int64_t state_size = k.width * v.width;
  launch(context, name, chain_kernel<Reverse>, dim3(a.heads * state_size / kChainThreads, a.sequences),
         kChainThreads, 0, a, state_size);
}

template <bool Reverse>
void run_pass(Context& context, const char* name, const View& q, const View& k, const View& v, Arguments a,
              const View& o) {
  a.o = static_cast<bf16*>(const_cast<void*>(o.data));
  a.columns = v.width, a.o_token_stride = o.token_stride, a.o_head_stride = o.head_stride;
  launch_pass<Reverse, false>(context, name, q, k, v, a);
  if (a.segment == kUncut || !a.state_out) return;
  const int64_t state_size = k.width * v.width;
  launch(context, name, finish_kernel<Reverse>, dim3(a.heads * state_size / kChainThreads, a.sequences),
         kChainThreads, 0, a, state_size);
}

// The tokens of a segment: heads that fill no more than half of the 132 multiprocessors, a block for every 64
// columns, get segments as short as they are few, so that 32K tokens are 256 blocks. A whole number of
// chunks. kUncut if no sequence is longer, which is the same.
int64_t segment_tokens(int64_t heads, int64_t dim_v, int64_t max_seqlen) {
  const int64_t blocks = heads * dim_v / kColumns, segment = std::max<int64_t>(256, 128 * blocks);
  return blocks > 64 || max_seqlen <= segment ? kUncut : segment;
}

bool possible(const Context& context, mm_dtype dtype, int64_t tokens, int64_t sequences) {
  return context.capability == 90 && dtype == MM_DTYPE_BF16 && tokens > 0 && sequences > 0 &&
         tokens / 256 + sequences <= 65535;
}

template <typename Params>
Arguments common(const Context& context, const Params& p) {
  Arguments a{};
  a.slopes = p.slopes, a.cu_seqlens = p.cu_seqlens, a.fault = context.fault;
  a.sequences = p.sequences, a.tokens = p.tokens, a.max_seqlen = p.max_seqlen, a.heads = p.heads;
  a.segment = segment_tokens(p.heads, p.dim_v, p.max_seqlen);
  return a;
}

// How many floats the boundaries of a scan take.
template <typename Params>
int64_t boundary_floats(const Params& p, const Arguments& a) {
  return p.tokens / a.segment * p.heads * p.dim_k * p.dim_v;
}

}  // namespace

bool lightning_attention_forward_sm90(Context& context, const mm_lightning_attention_forward_params& p) {
  const View q{p.q, p.dim_k, p.q_token_stride, p.q_head_stride},
      k{p.k, p.dim_k, p.k_token_stride, p.k_head_stride}, v{p.v, p.dim_v, p.v_token_stride, p.v_head_stride},
      o{p.o, p.dim_v, p.o_token_stride, p.o_head_stride};
  if (!possible(context, p.dtype, p.tokens, p.sequences) || !fits(q) || !fits(k) || !fits(v) || !fits(o))
    return false;
  Arguments a = common(context, p);
  a.state_slots = p.state_slots, a.state_in = p.state_in, a.state_out = p.state_out;
  a.state_v = 1, a.state_k = p.dim_v;
  const Workspace<float> boundaries(context, boundary_floats(p, a));
  a.boundaries = boundaries;
  find_boundaries<false>(context, "lightning_attention_forward_sm90, states", k, v, a);
  run_pass<false>(context, "lightning_attention_forward_sm90", q, k, v, a, o);
  return true;
}

bool lightning_attention_backward_sm90(Context& context, const mm_lightning_attention_backward_params& p) {
  const View q{p.q, p.dim_k, p.q_token_stride, p.q_head_stride},
      k{p.k, p.dim_k, p.k_token_stride, p.k_head_stride}, v{p.v, p.dim_v, p.v_token_stride, p.v_head_stride},
      g{p.d_o, p.dim_v, p.o_token_stride, p.o_head_stride},
      dq{p.dq, p.dim_k, p.dq_token_stride, p.dq_head_stride},
      dk{p.dk, p.dim_k, p.dk_token_stride, p.dk_head_stride},
      dv{p.dv, p.dim_v, p.dv_token_stride, p.dv_head_stride};
  if (!possible(context, p.dtype, p.tokens, p.sequences)) return false;
  for (const View& view : {q, k, v, g, dq, dk, dv}) {
    if (!fits(view)) return false;
  }
  const Arguments a = common(context, p);
  Arguments by_k = a, by_v = a;  // whose rows of S^T are those of k's head, or of v's
  by_k.state_v = p.dim_v, by_k.state_k = 1;
  by_v.state_v = 1, by_v.state_k = p.dim_v;
  const Workspace<float> boundaries(context, boundary_floats(p, a));
  by_k.boundaries = by_v.boundaries = boundaries;
  by_k.state_in = p.state_in;
  find_boundaries<false>(context, "lightning_attention_backward_sm90, states", v, k, by_k);
  run_pass<false>(context, "lightning_attention_backward_sm90, dq", g, v, k, by_k, dq);
  by_k.state_in = by_v.state_in = p.dstate_out;
  find_boundaries<true>(context, "lightning_attention_backward_sm90, gradients of states", g, q, by_k);
  run_pass<true>(context, "lightning_attention_backward_sm90, dk", v, g, q, by_k, dk);
  by_v.state_out = p.dstate_in;
  run_pass<true>(context, "lightning_attention_backward_sm90, dv", k, q, g, by_v, dv);
  return true;
}

}  // namespace mm::cuda
