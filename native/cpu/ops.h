// The operations of the CPU backend, declared in the namespace of the instruction set.
#pragma once

#include "cpu/vec.h"
#include "runtime/context.h"
#include "runtime/operations.h"

namespace mm::MM_ISA_NS {

#define MM_DECLARE(op) void op(mm_context& context, const mm_##op##_params& p);
MM_OPERATIONS(MM_DECLARE)
#undef MM_DECLARE

}  // namespace mm::MM_ISA_NS
