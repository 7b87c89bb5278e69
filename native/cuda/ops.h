// The operations of the CUDA backend.
#pragma once

#include "cuda/context.h"
#include "runtime/operations.h"

namespace mm::cuda {

#define MM_DECLARE(op) void op(Context& context, const mm_##op##_params& p);
MM_OPERATIONS(MM_DECLARE)
#undef MM_DECLARE

}  // namespace mm::cuda
