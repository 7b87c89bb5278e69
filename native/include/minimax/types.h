/* Types shared by every family of the C ABI.
 *
 * Rules of the ABI: plain structs of pointers, int64 sizes and strides, floats and enums with a fixed
 * 32-bit type; the first field of every params struct is `struct_size`, set by the caller to the size it
 * was compiled with. No bool, no C long, no struct by value, nothing of C++. An optional pointer may be null.
 * Sizes count elements unless they are called bytes; strides count elements too.
 * Pointers are memory of the context's device unless a comment says "host".
 */
#ifndef MINIMAX_TYPES_H
#define MINIMAX_TYPES_H

#include <stdint.h>

#ifdef __cplusplus
#define MM_ENUM(name) enum name : int32_t
#else
/* C before C23 has no fixed underlying type: the name is an int32_t, the values are anonymous. */
#define MM_ENUM(name)   \
  typedef int32_t name; \
  enum
#endif

#if defined(_WIN32)
#define MM_API __declspec(dllexport)
#else
#define MM_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Bumped with every incompatible change; compared by the bindings at load. */
#define MM_ABI_VERSION 3

/* A label that a loss ignores. */
#define MM_IGNORE_LABEL (-100)

MM_ENUM(mm_status){
    MM_STATUS_OK = 0,
    MM_STATUS_INVALID_ARGUMENT = 1, /* null, size, alignment, dtype, struct_size */
    MM_STATUS_OUT_OF_MEMORY = 2,
    MM_STATUS_UNSUPPORTED = 3, /* known, but not on this backend, dtype or machine */
    MM_STATUS_BUSY = 4,        /* the context is in use by another thread */
    MM_STATUS_INTERNAL = 5,
};

MM_ENUM(mm_dtype){
    MM_DTYPE_F32 = 0, MM_DTYPE_BF16 = 1, MM_DTYPE_I32 = 2,
    MM_DTYPE_I64 = 3, MM_DTYPE_F64 = 4,  MM_DTYPE_I8 = 5,
};

MM_ENUM(mm_device_kind){
    MM_DEVICE_KIND_CPU = 0,
    MM_DEVICE_KIND_CUDA = 1,
};

/* Instruction set of the CPU backend. AUTO takes the best that the machine has. */
MM_ENUM(mm_isa){
    MM_ISA_AUTO = 0, MM_ISA_PORTABLE = 1, MM_ISA_AVX2 = 2, MM_ISA_AVX512 = 3, MM_ISA_AVX512_BF16 = 4,
};

/* One device, one stream, one workspace; one caller at a time. */
typedef struct mm_context mm_context;

/* Recorded work of a context, to be repeated with one call. */
typedef struct mm_graph mm_graph;

#ifdef __cplusplus
}
#endif

#endif
