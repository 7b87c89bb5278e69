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

  mm_status (*device_count)(int32_t* count);
  mm_status (*create)(int32_t index, mm_context** context);
  void (*destroy)(mm_context*);
  const char* (*describe)(mm_context*);
  mm_status (*synchronize)(mm_context*);
  mm_status (*allocate)(mm_context*, int64_t bytes, void** pointer);
  mm_status (*allocate_host)(mm_context*, int64_t bytes, void** pointer);
  bool (*release)(void* pointer);  // false: not from here
  mm_status (*trim)();
  int64_t (*live_bytes)();
  int64_t (*cached_bytes)();
  mm_status (*copy)(mm_context*, void* destination, const void* source, int64_t bytes);
  mm_status (*zero)(mm_context*, void* destination, int64_t bytes);
  mm_status (*graph_begin)(mm_context*);
  mm_status (*graph_end)(mm_context*, mm_graph**);
  mm_status (*graph_launch)(mm_context*, mm_graph*);
  mm_status (*graph_destroy)(mm_context*, mm_graph*);

#define MM_DECLARE(op) mm_status (*op)(mm_context*, const mm_##op##_params*);
  MM_OPERATIONS(MM_DECLARE)
#undef MM_DECLARE
};

// The CPU backend for an instruction set, AUTO meaning the best of this machine; null if the machine lacks
// it.
const Backend* cpu_backend(mm_isa isa);

// What a backend's library needs of this one: where to leave the text of an error.
struct Host {
  int32_t abi_version;
  int64_t backend_size;
  void (*set_error)(const char* text);
};

// The function that a backend's library exports under the name "mm_backend": its table, or null with a
// message if the host's versions are not its own.
using BackendEntry = const Backend* (*)(const Host* host);

// The CUDA backend, loaded when it is first asked for; throws, naming every file that was tried.
const Backend* cuda_backend();
// The same, or null if it was not loaded so far.
const Backend* loaded_cuda_backend();

}  // namespace mm
