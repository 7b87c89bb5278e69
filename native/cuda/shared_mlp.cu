// The combination of the sparse experts with the shared MLP: y = (1 - c) sparse + c shared, c a sigmoid per
// token. A block a token; a thread takes groups of kGroup elements, with vector loads where pointers and
// width are aligned, one by one otherwise: the order of sums is the same.
#include "cuda/elementwise.cuh"
#include "cuda/ops.h"

namespace mm::cuda {
namespace {

constexpr int kThreads = 256;

template <typename T>
constexpr int kGroup = 16 / sizeof(T);

template <typename T>
struct alignas(16) Group {
  T values[kGroup<T>];
};

// Elements i .. i + kGroup of a row, the missing ones 0.
template <typename T, bool Aligned>
__device__ __forceinline__ Group<T> load(const T* row, int64_t i, int64_t width) {
  if constexpr (Aligned) {
    return *reinterpret_cast<const Group<T>*>(row + i);
  } else {
    Group<T> group;
    for (int j = 0; j < kGroup<T>; j++) group.values[j] = i + j < width ? row[i + j] : T{};
    return group;
  }
}
template <typename T, bool Aligned>
__device__ __forceinline__ void store(const Group<T>& group, T* row, int64_t i, int64_t width) {
  if constexpr (Aligned) {
    *reinterpret_cast<Group<T>*>(row + i) = group;
  } else {
    for (int j = 0; j < kGroup<T> && i + j < width; j++) row[i + j] = group.values[j];
  }
}

// 1 - c is the sigmoid of -x: no digits are lost where c is near 1.
struct Mix {
  __device__ explicit Mix(float x) : shared(sigmoid(x)), sparse(sigmoid(-x)) {}
  float shared, sparse;
};

template <typename T, bool Aligned>
__global__ void __launch_bounds__(kThreads)
    combine(const T* sparse, const T* shared, const float* coefficient, T* y, int64_t width) {
  const Mix c(coefficient[blockIdx.x]);
  const int64_t row = blockIdx.x * width;
  for (int64_t i = threadIdx.x * kGroup<T>; i < width; i += kThreads * kGroup<T>) {
    Group<T> a = load<T, Aligned>(sparse + row, i, width);
    const Group<T> b = load<T, Aligned>(shared + row, i, width);
#pragma unroll
    for (int j = 0; j < kGroup<T>; j++)
      a.values[j] = from_float<T>(c.sparse * to_float(a.values[j]) + c.shared * to_float(b.values[j]));
    store<T, Aligned>(a, y + row, i, width);
  }
}

template <typename T>
struct Backward {
  const T *sparse, *shared, *dy;
  const float* coefficient;
  T *dsparse, *dshared;
  float* dcoefficient;
  int64_t width;
};

template <typename T, bool Aligned>
__global__ void __launch_bounds__(kThreads) combine_backward(Backward<T> p) {
  const Mix c(p.coefficient[blockIdx.x]);
  const int64_t row = blockIdx.x * p.width;
  float slope = 0;
  for (int64_t i = threadIdx.x * kGroup<T>; i < p.width; i += kThreads * kGroup<T>) {
    Group<T> a = load<T, Aligned>(p.sparse + row, i, p.width),
             b = load<T, Aligned>(p.shared + row, i, p.width);
    const Group<T> d = load<T, Aligned>(p.dy + row, i, p.width);
#pragma unroll
    for (int j = 0; j < kGroup<T>; j++) {
      const float dy = to_float(d.values[j]);
      slope += dy * (to_float(b.values[j]) - to_float(a.values[j]));
      a.values[j] = from_float<T>(c.sparse * dy);
      b.values[j] = from_float<T>(c.shared * dy);
    }
    store<T, Aligned>(a, p.dsparse + row, i, p.width);
    store<T, Aligned>(b, p.dshared + row, i, p.width);
  }
  slope = block_sum<kThreads>(slope, shared_memory<float>());
  if (threadIdx.x == 0) p.dcoefficient[blockIdx.x] = c.shared * c.sparse * slope;
}

template <typename T, typename... Pointers>
bool aligned(int64_t width, Pointers... pointers) {
  return ((static_cast<uintptr_t>(width * sizeof(T)) | ... | reinterpret_cast<uintptr_t>(pointers)) % 16) ==
         0;
}

}  // namespace

void shared_mlp_combine_forward(Context& context, const mm_shared_mlp_combine_forward_params& p) {
  with_type(p.dtype, [&]<typename T>() {
    const auto kernel = aligned<T>(p.width, p.sparse, p.shared, p.y) ? combine<T, true> : combine<T, false>;
    launch(context, "shared_mlp_combine_forward", kernel, dim3(static_cast<unsigned>(p.tokens)), kThreads, 0,
           static_cast<const T*>(p.sparse), static_cast<const T*>(p.shared), p.coefficient,
           static_cast<T*>(p.y), p.width);
  });
}

void shared_mlp_combine_backward(Context& context, const mm_shared_mlp_combine_backward_params& p) {
  with_type(p.dtype, [&]<typename T>() {
    const bool vectors = aligned<T>(p.width, p.sparse, p.shared, p.dy, p.dsparse, p.dshared);
    const auto kernel = vectors ? combine_backward<T, true> : combine_backward<T, false>;
    const Backward<T> arguments = {static_cast<const T*>(p.sparse),
                                   static_cast<const T*>(p.shared),
                                   static_cast<const T*>(p.dy),
                                   p.coefficient,
                                   static_cast<T*>(p.dsparse),
                                   static_cast<T*>(p.dshared),
                                   p.dcoefficient,
                                   p.width};
    launch(context, "shared_mlp_combine_backward", kernel, dim3(static_cast<unsigned>(p.tokens)), kThreads,
           kThreads / 32 * sizeof(float), arguments);
  });
}

}  // namespace mm::cuda
