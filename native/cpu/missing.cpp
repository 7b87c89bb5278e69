// Temporary: weak operations that are not written yet. To be deleted.
#include "cpu/ops.h"
namespace mm::MM_ISA_NS {
#define MM_WEAK(op)                                                     \
  __attribute__((weak)) void op(mm_context&, const mm_##op##_params&) { \
    fail(MM_STATUS_UNSUPPORTED, "not written yet");                     \
  }
MM_OPERATIONS(MM_WEAK)
}  // namespace mm::MM_ISA_NS
