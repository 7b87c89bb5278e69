// The norm of many tensors together: squares are summed in double, in blocks of 16,384 elements and a fixed
// order within, then the blocks' sums in a fixed order. A launch takes up to 128 tensors, their pointers as
// parameters of the kernel. The only operation that waits: its result is a number of the host.
#include <math.h>

#include "cuda/ops.h"
#include "cuda/runs.cuh"

namespace mm::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kTensors = 128;
constexpr int kBlock = 16384;

struct Tensors {
  const float* grad[kTensors];
  int64_t count[kTensors];
  int32_t end[kTensors];  // blocks of this tensor and of those before it
};

// Thread 0 gets the sum.
__device__ __forceinline__ double sum_of_block(double x) {
  __shared__ double warps[kThreads / 32];
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) x += __shfl_xor_sync(0xffffffffu, x, mask);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
  __syncthreads();
  double total = 0;
  for (int w = 0; threadIdx.x == 0 && w < kThreads / 32; w++) total += warps[w];
  return total;
}

template <bool Aligned>
__global__ void __launch_bounds__(kThreads) squares_kernel(const __grid_constant__ Tensors t, double* sums) {
  const int block = static_cast<int>(blockIdx.x);
  int tensor = 0;
  for (int high = kTensors - 1; tensor < high;) {  // the first tensor that ends behind the block
    const int middle = (tensor + high) / 2;
    t.end[middle] > block ? high = middle : tensor = middle + 1;
  }
  const int64_t first = int64_t{block - (tensor ? t.end[tensor - 1] : 0)} * kBlock;
  const int64_t end = min(t.count[tensor], first + kBlock);
  double sum = 0;
#pragma unroll 4
  for (int64_t i = first + threadIdx.x * 4; i < end; i += kThreads * 4) {
    float v[4];
    read<Aligned>(t.grad[tensor] + i, end - i, v);
#pragma unroll
    for (int e = 0; e < 4; e++) sum += static_cast<double>(v[e]) * static_cast<double>(v[e]);
  }
  sum = sum_of_block(sum);
  if (threadIdx.x == 0) sums[block] = sum;
}

__global__ void __launch_bounds__(kThreads) root_kernel(const double* sums, int64_t count, double* norm) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) sum += sums[i];
  sum = sum_of_block(sum);
  if (threadIdx.x == 0) *norm = sqrt(sum);
}

}  // namespace

void grad_norm(Context& context, const mm_grad_norm_params& p) {
  MM_REQUIRE(!context.recording, "the result is a number of the host: this cannot be recorded in a graph");
  int64_t total = 0;
  for (int64_t n = 0; n < p.tensors; n++) total += ceil_div(p.counts[n], kBlock);
  Workspace<double> sums(context, total + 1);
  double* norm = sums + total;
  int64_t done = 0;
  for (int64_t begin = 0; begin < p.tensors; begin += kTensors) {
    Tensors t{};
    int64_t blocks = 0;
    bool is_aligned = true;
    for (int i = 0; i < kTensors; i++) {
      if (const int64_t n = begin + i; n < p.tensors && p.counts[n] > 0) {
        t.grad[i] = p.grad[n], t.count[i] = p.counts[n];
        is_aligned = is_aligned && aligned(t.grad[i]);
        blocks += ceil_div(t.count[i], kBlock);
      }
      t.end[i] = static_cast<int32_t>(blocks);
    }
    with_alignment(is_aligned, [&]<bool Aligned>() {
      launch(context, "grad_norm squares", squares_kernel<Aligned>, dim3(static_cast<unsigned>(blocks)),
             kThreads, 0, t, sums + done);
    });
    done += blocks;
  }
  launch(context, "grad_norm root", root_kernel, dim3(1), kThreads, 0, static_cast<const double*>(sums),
         total, norm);
  copy(context.stream, p.norm, norm, sizeof(double));
  synchronize(context.stream);
}

}  // namespace mm::cuda
