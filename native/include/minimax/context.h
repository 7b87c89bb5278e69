/* Contexts, device memory, errors and what the library says of itself. */
#ifndef MINIMAX_CONTEXT_H
#define MINIMAX_CONTEXT_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mm_context_create_params {
  int64_t struct_size;
  mm_device_kind device;
  int32_t device_index;
  mm_isa isa; /* CPU only: forces an instruction set; one that the machine lacks is refused */
  int32_t reserved;
} mm_context_create_params;

/* Loads a backend from a library of its own (libminimax_cuda12), once a process; a second call is refused.
 * The library loads where there is no GPU too. Without this call, mm_context_create looks for it beside
 * libminimax and where the system's loader does. */
MM_API mm_status mm_backend_load(const char* path);
/* Devices of the kind that this process can use; an error says why there are none (no backend, no driver). */
MM_API mm_status mm_device_count(mm_device_kind device, int32_t* count);

MM_API mm_status mm_context_create(const mm_context_create_params* params, mm_context** context);
/* Null is allowed. Memory allocated through the context stays valid until it is freed. */
MM_API mm_status mm_context_destroy(mm_context* context);
/* Waits for everything queued on the context. On the CPU nothing is ever queued. */
MM_API mm_status mm_context_synchronize(mm_context* context);
/* The instruction set that the context runs (CPU), never AUTO. */
MM_API mm_status mm_context_isa(mm_context* context, mm_isa* isa);

/* One line for people: the device, what it can do, its driver. A static string or one of the context. */
MM_API mm_status mm_context_describe(mm_context* context, const char** text);

/* The text of the last failing call of this thread; empty if none failed. Valid until the next failing call.
 */
MM_API const char* mm_last_error(void);

MM_API int32_t mm_abi_version(void);
/* The library's version and build, a static string. */
MM_API const char* mm_version(void);
/* Size that the library was compiled with of the params struct of that name ("mm_linear_forward_params"), or
 * -1. */
MM_API int64_t mm_struct_size(const char* name);
/* 1 if this machine can run the instruction set, else 0. */
MM_API int32_t mm_isa_supported(mm_isa isa);

/* Threads of the process-wide CPU pool, the caller included. Results do not depend on it. */
MM_API mm_status mm_set_threads(int32_t threads);
MM_API int32_t mm_get_threads(void);

/* Device memory, aligned to 64 bytes and not cleared. Freed blocks are kept for reuse until mm_memory_trim.
 */
MM_API mm_status mm_memory_allocate(mm_context* context, int64_t bytes, void** pointer);
/* Null is allowed. Needs no context: a tensor may outlive the context that made it. */
MM_API mm_status mm_memory_free(void* pointer);
MM_API mm_status mm_memory_trim(void);
/* Bytes handed out and not yet freed, and bytes held for reuse, over all devices. */
MM_API int64_t mm_memory_live_bytes(void);
MM_API int64_t mm_memory_cached_bytes(void);

/* Copies between any two places the context can reach (host or its device); the ranges must not overlap. The
 * source may be changed, and a host destination read, as soon as the call returns. */
MM_API mm_status mm_memory_copy(mm_context* context, void* destination, const void* source, int64_t bytes);
MM_API mm_status mm_memory_zero(mm_context* context, void* destination, int64_t bytes);

/* y = x converted; F32 <-> BF16 (round to nearest even) and equal dtypes. */
typedef struct mm_cast_params {
  int64_t struct_size;
  const void* x;
  void* y;
  int64_t count;
  mm_dtype x_dtype;
  mm_dtype y_dtype;
} mm_cast_params;

MM_API mm_status mm_cast(mm_context* context, const mm_cast_params* params);

/* y = alpha * x + beta * y, elementwise in fp32; beta 0 does not read y. x and y may be the same. */
typedef struct mm_axpby_params {
  int64_t struct_size;
  const void* x;
  void* y;
  int64_t count;
  float alpha;
  float beta;
  mm_dtype x_dtype;
  mm_dtype y_dtype;
} mm_axpby_params;

MM_API mm_status mm_axpby(mm_context* context, const mm_axpby_params* params);

/* Host memory that a GPU reads and writes without a detour; on the CPU like any other. To be freed by
 * mm_memory_free. */
MM_API mm_status mm_memory_allocate_host(mm_context* context, int64_t bytes, void** pointer);

/* Between begin and end nothing runs: what is called on the context is recorded, with the pointers and sizes
 * of the call. Memory allocated meanwhile belongs to the graph and must be freed before it. No copies to or
 * from the host can be recorded. On CUDA devices only. */
MM_API mm_status mm_graph_begin(mm_context* context);
/* Ends the recording; with graph null it is thrown away. */
MM_API mm_status mm_graph_end(mm_context* context, mm_graph** graph);
MM_API mm_status mm_graph_launch(mm_context* context, mm_graph* graph);
/* Null is allowed. Waits for launches that still run. */
MM_API mm_status mm_graph_destroy(mm_context* context, mm_graph* graph);

#ifdef __cplusplus
}
#endif

#endif
