// Temporary: weak entries for operations that are not written yet. To be deleted.
#include "runtime/context.h"
#define MM_WEAK(op)                                         \
  extern "C" __attribute__((weak, visibility("default")))   \
  mm_status mm_##op(mm_context*, const mm_##op##_params*) { \
    return MM_STATUS_UNSUPPORTED;                           \
  }
MM_OPERATIONS(MM_WEAK)
