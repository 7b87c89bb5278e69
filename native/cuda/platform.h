// What the backend needs of the CUDA runtime; shim/platform.cpp gives the same on the host. Everything throws
// (error.h).
#pragma once

#include <stdint.h>

#include <string>

namespace mm::cuda {

#if MM_HOST_SHIM
struct HostStream;
using Stream = HostStream*;
#else
}  // namespace mm::cuda
struct CUstream_st;
namespace mm::cuda {
using Stream = CUstream_st*;
#endif
struct Recording;  // an executable graph

struct Properties {
  std::string name;
  int64_t memory_bytes;
  int major, minor;
  int multiprocessors;
  std::string driver;
};

// Devices that the backend can run on; the message says what is missing when there are none.
int32_t device_count();
// Of a device that the backend can run on; refuses others, saying why.
Properties properties(int32_t device);
// Makes it the calling thread's device.
void use(int32_t device);

Stream create_stream();
void destroy_stream(Stream stream);
void synchronize(Stream stream);

// Null if there is no memory.
void* malloc_device(int64_t bytes);
void free_device(void* pointer);
void* malloc_host(int64_t bytes);
void free_host(void* pointer);

// Queued; a copy from or to host memory that is not pinned is over when the call returns.
void copy(Stream stream, void* destination, const void* source, int64_t bytes);
void zero(Stream stream, void* destination, int64_t bytes);
// Whether the pointer is host memory, pinned or not.
bool is_host(const void* pointer);

void begin_recording(Stream stream);
Recording* end_recording(Stream stream);
void launch(Stream stream, Recording* recording);
void destroy(Recording* recording);

}  // namespace mm::cuda
