// Operations that have no kernel yet.
#include "cuda/ops.h"

namespace mm::cuda {

#define MM_PENDING(op) \
  void op(Context&, const mm_##op##_params&) { fail(MM_STATUS_UNSUPPORTED, #op " has no CUDA kernel yet"); }




}  // namespace mm::cuda
