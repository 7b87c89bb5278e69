// Hopper's kernels of lightning attention.
#pragma once

#include "cuda/context.h"

namespace mm::cuda {

// False, with nothing done, if the shapes or the GPU are not what it is for.
bool lightning_attention_forward_sm90(Context& context, const mm_lightning_attention_forward_params& p);
bool lightning_attention_backward_sm90(Context& context, const mm_lightning_attention_backward_params& p);

}  // namespace mm::cuda
