// Lightning attention for one token of each sequence: S <- lambda S + k^T v, o = q S, in fp32.
//
// Bound by the state's way through memory, once each way. A block takes 32 columns of one head's state: 8
// threads of 4 columns by 16 rows at once, so that every row is a whole 128-byte line and one sequence alone
// keeps the GPU busy. Nothing that can wait stands before the state's loads: q, k and v come while the slot
// is read, the decay while the state is. Sums over rows: each thread its own in ascending order, then in
// pairs over the threads of a column; no element depends on the batch.
#include "cuda/elementwise.cuh"
#include "cuda/ops.h"

namespace mm::cuda {
namespace {

constexpr int kColumns = 32;
constexpr int kRows = 16;  // at once
constexpr int kThreads = kRows * kColumns / 4;
constexpr int kInFlight = 8;  // rows a thread has asked for before it needs the first

template <typename T>
struct Rows {
  T* data;
  int64_t token_stride, head_stride;

  __device__ T* row(int64_t token, int64_t head) const {
    return data + token * token_stride + head * head_stride;
  }
};

template <typename T>
struct Decode {
  Rows<const T> q, k, v;
  Rows<T> o;
  const float* slopes;
  const int32_t* state_slots;
  float* state;
  int64_t heads, dim_k, dim_v;
  int32_t* fault;
};

// Four values in a row, of which there are n. Vector: there are all four, at an address that allows it.
struct Four {
  float value[4];
};

template <bool Vector>
__device__ __forceinline__ Four load_four(const float* p, int64_t n) {
  if constexpr (Vector) {
    const float4 x = *reinterpret_cast<const float4*>(p);
    return {{x.x, x.y, x.z, x.w}};
  } else {
    Four x;
#pragma unroll
    for (int e = 0; e < 4; e++) x.value[e] = e < n ? p[e] : 0.0f;
    return x;
  }
}

template <bool Vector>
__device__ __forceinline__ void store_four(float* p, int64_t n, const Four& x) {
  if constexpr (Vector) {
    *reinterpret_cast<float4*>(p) = make_float4(x.value[0], x.value[1], x.value[2], x.value[3]);
  } else {
#pragma unroll
    for (int e = 0; e < 4; e++) {
      if (e < n) p[e] = x.value[e];
    }
  }
}

// The thread's columns of kInFlight rows of the state, kRows apart, from `first` on, and what they meet.
struct Part {
  Four state[kInFlight];
  float key[kInFlight], query[kInFlight];
  int64_t first;

  template <typename F>
  __device__ __forceinline__ void each_row(int64_t depth, F&& f) {
#pragma unroll
    for (int r = 0; r < kInFlight; r++) {
      if (first + kRows * r < depth) f(r, first + kRows * r);
    }
  }
};

template <typename T>
__device__ __forceinline__ void load_vectors(Part& part, const T* q, const T* k, int64_t depth) {
  part.each_row(depth,
                [&](int r, int64_t i) { part.key[r] = to_float(k[i]), part.query[r] = to_float(q[i]); });
}

// n columns are there, of which there is at least one.
template <bool Vector>
__device__ __forceinline__ void load_state(Part& part, const float* state, int64_t depth, int64_t width,
                                           int64_t n) {
  part.each_row(depth, [&](int r, int64_t i) { part.state[r] = load_four<Vector>(state + i * width, n); });
}

// Brings the rows up to date, and adds what they give to o.
template <bool Vector>
__device__ __forceinline__ void update(Part& part, const Four& v, float lambda, float* state, int64_t depth,
                                       int64_t width, int64_t n, Four& sum) {
  part.each_row(depth, [&](int r, int64_t i) {
    Four& s = part.state[r];
#pragma unroll
    for (int e = 0; e < 4; e++) {
      s.value[e] = lambda * s.value[e] + part.key[r] * v.value[e];
      sum.value[e] += part.query[r] * s.value[e];
    }
    store_four<Vector>(state + i * width, n, s);
  });
}

// Over the rows of the block; the threads of the first row get the sums.
__device__ __forceinline__ void sum_rows(Four& sum) {
  float* scratch = shared_memory<float>();  // [warps, kColumns]
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
#pragma unroll
  for (int e = 0; e < 4; e++) {
    sum.value[e] += __shfl_xor_sync(0xffffffffu, sum.value[e], 8);
    sum.value[e] += __shfl_xor_sync(0xffffffffu, sum.value[e], 16);
    if (lane < 8) scratch[warp * kColumns + 4 * lane + e] = sum.value[e];
  }
  __syncthreads();
  if (threadIdx.x >= 8) return;
#pragma unroll
  for (int e = 0; e < 4; e++) {
    const float* column = scratch + 4 * lane + e;
    sum.value[e] = (column[0] + column[kColumns]) + (column[2 * kColumns] + column[3 * kColumns]);
  }
}

template <typename T, bool Vector>
__global__ void __launch_bounds__(kThreads) decode_kernel(Decode<T> p) {
  const uint32_t parts = static_cast<uint32_t>((p.dim_v + kColumns - 1) / kColumns);
  const uint32_t heads = static_cast<uint32_t>(p.heads), row = blockIdx.x / parts;
  const int64_t column = blockIdx.x % parts * kColumns + threadIdx.x % (kColumns / 4) * 4;
  const int64_t head = row % heads, token = row / heads;
  const int64_t slot = p.state_slots[token], n = p.dim_v - column, depth = p.dim_k;
  const T *q = p.q.row(token, head), *k = p.k.row(token, head), *values = p.v.row(token, head) + column;
  const float slope = p.slopes[head];
  Four v = {}, sum = {};
#pragma unroll
  for (int e = 0; e < 4; e++) {
    if (e < n) v.value[e] = to_float(values[e]);
  }
  Part part;
  part.first = threadIdx.x / (kColumns / 4);
  load_vectors(part, q, k, depth);
  if (slot < 0) {
    *p.fault = static_cast<int32_t>(Fault::kCacheSlot);
    return;
  }
  float* state = p.state + (slot * p.heads + head) * depth * p.dim_v + column;
  if (n > 0) {
    load_state<Vector>(part, state, depth, p.dim_v, n);
    const float lambda = expf(-slope);
    update<Vector>(part, v, lambda, state, depth, p.dim_v, n, sum);
    for (part.first += kRows * kInFlight; part.first < depth; part.first += kRows * kInFlight) {
      load_vectors(part, q, k, depth);
      load_state<Vector>(part, state, depth, p.dim_v, n);
      update<Vector>(part, v, lambda, state, depth, p.dim_v, n, sum);
    }
  }
  sum_rows(sum);
  if (threadIdx.x >= kColumns / 4) return;
#pragma unroll
  for (int e = 0; e < 4; e++) {
    if (e < n) p.o.row(token, head)[column + e] = from_float<T>(sum.value[e]);
  }
}

}  // namespace

void lightning_attention_decode(Context& context, const mm_lightning_attention_decode_params& p) {
  const int64_t blocks = p.batch * p.heads * ceil_div(p.dim_v, kColumns);
  MM_REQUIRE(blocks <= 0x7fffffff, "lightning_attention_decode: %lld tokens of %lld heads are too many",
             static_cast<long long>(p.batch), static_cast<long long>(p.heads));
  const bool vector = p.dim_v % 4 == 0 && reinterpret_cast<uintptr_t>(p.state) % 16 == 0;
  with_type(p.dtype, [&]<typename T>() {
    const Decode<T> d{{static_cast<const T*>(p.q), p.q_token_stride, p.q_head_stride},
                      {static_cast<const T*>(p.k), p.k_token_stride, p.k_head_stride},
                      {static_cast<const T*>(p.v), p.v_token_stride, p.v_head_stride},
                      {static_cast<T*>(p.o), p.o_token_stride, p.o_head_stride},
                      p.slopes,
                      p.state_slots,
                      p.state,
                      p.heads,
                      p.dim_k,
                      p.dim_v,
                      context.fault};
    launch(context, "lightning_attention_decode", vector ? decode_kernel<T, true> : decode_kernel<T, false>,
           dim3(blocks), kThreads, 4 * kThreads, d);
  });
}

}  // namespace mm::cuda
