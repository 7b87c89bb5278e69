// The norm of many tensors together: squares are summed in double, in fixed blocks, and the blocks in order.
#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

constexpr int64_t kBlock = 16384;

double squares(const float* x, int64_t count) {
  double lanes[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int l = 0; l < 8; l++) lanes[l] += static_cast<double>(x[i + l]) * x[i + l];
  }
  for (; i < count; i++) lanes[0] += static_cast<double>(x[i]) * x[i];
  double total = 0;
  for (double lane : lanes) total += lane;
  return total;
}

}  // namespace

void grad_norm(mm_context&, const mm_grad_norm_params& p) {
  double total = 0;
  for (int64_t t = 0; t < p.tensors; t++) {
    const int64_t blocks = ceil_div(p.counts[t], kBlock);
    Buffer<double> sums(blocks);
    parallel_for(blocks, [&](int64_t b) {
      sums[b] = squares(p.grad[t] + b * kBlock, min64(kBlock, p.counts[t] - b * kBlock));
    });
    for (int64_t b = 0; b < blocks; b++) total += sums[b];
  }
  *p.norm = __builtin_sqrt(total);
}

}  // namespace mm::MM_ISA_NS
