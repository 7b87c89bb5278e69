// A backend: its table of operations and the memory of its device.
#pragma once

#include <cstddef>

#include "runtime/operations.h"

namespace mm {

// Plain C inside, so that a backend may come from a library of its own. Errors are left in the thread's
// message (see error.h) and returned as a status.
struct Backend {
  int32_t abi_version;
  int64_t struct_size;
  const char* name;
  mm_device_kind device;
  mm_isa isa;

  mm_status (*synchronize)(mm_context*);
  mm_status (*allocate)(int64_t bytes, void** pointer);
  mm_status (*copy)(mm_context*, void* destination, const void* source, int64_t bytes);
  mm_status (*zero)(mm_context*, void* destination, int64_t bytes);

#define MM_DECLARE(op) mm_status (*op)(mm_context*, const mm_##op##_params*);
  MM_OPERATIONS(MM_DECLARE)
#undef MM_DECLARE
};

// The CPU backend for an instruction set, AUTO meaning the best of this machine; null if the machine lacks
// it.
const Backend* cpu_backend(mm_isa isa);

}  // namespace mm
