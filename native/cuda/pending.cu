// Operations that have no kernel yet.
#include "cuda/ops.h"

namespace mm::cuda {

#define MM_PENDING(op) \
  void op(Context&, const mm_##op##_params&) { fail(MM_STATUS_UNSUPPORTED, #op " has no CUDA kernel yet"); }
MM_PENDING(silu_forward)
MM_PENDING(silu_backward)
MM_PENDING(swiglu_forward)
MM_PENDING(swiglu_backward)
MM_PENDING(embedding_forward)
MM_PENDING(embedding_backward)
MM_PENDING(rms_norm_forward)
MM_PENDING(rms_norm_backward)
MM_PENDING(gated_rms_norm_forward)
MM_PENDING(gated_rms_norm_backward)
MM_PENDING(rope_forward)


MM_PENDING(adamw_step)
MM_PENDING(grad_norm)

}  // namespace mm::cuda
