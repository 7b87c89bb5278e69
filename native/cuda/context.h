// A context of the CUDA backend: its stream, its memory, and the launch of kernels.
#pragma once

#include <functional>
#include <string>
#include <type_traits>

#include "cuda/device.cuh"
#include "cuda/platform.h"
#include "runtime/context.h"

namespace mm::cuda {

class Pool;

// What a kernel found wrong with its data. It is told late, by the next call that waits for the GPU.
enum class Fault : int32_t {
  kNone = 0,
  kEmbeddingId,    // an id outside the vocabulary
  kTarget,         // a target outside the vocabulary
  kOffsets,        // cu_seqlens that do not ascend from 0 to the number of tokens
  kExpertIndex,    // a replayed expert that does not exist, or twice the same
  kRouterLogits,   // router logits of which no softmax can be made (NaN, infinite)
  kCacheSlot,      // a state slot, page or page slot that does not exist (below 0)
  kProbabilities,  // logits of which no distribution can be made (NaN)
};

struct Context : mm_context {
  int32_t device = 0;
  int multiprocessors = 0;
  int capability = 0;  // 80, 90, ...
  Stream stream = nullptr;
  Pool* pool = nullptr;  // where memory comes from; a graph's own while it is recorded
  Pool* own_pool = nullptr;
  int32_t* fault = nullptr;  // pinned, written by kernels
  bool recording = false;
  std::string description;
};

// Memory of the stream's order: released memory may be used by the next kernel.
void* allocate(Context& context, int64_t bytes);
void* allocate_host(Context& context, int64_t bytes);
bool release(void* pointer);
void trim();
int64_t live_bytes();
int64_t cached_bytes();
Pool* create_pool(bool of_graph);
// What is still in use is freed when it is released.
void destroy_pool(Pool* pool);

// Scratch memory of one operation.
template <typename T>
class Workspace {
 public:
  Workspace(Context& context, int64_t count)
      : data_(static_cast<T*>(allocate(context, count * static_cast<int64_t>(sizeof(T))))) {}
  ~Workspace() { release(data_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  operator T*() const { return data_; }

 private:
  T* data_;
};

#if MM_HOST_SHIM

void run_or_record(Stream stream, std::function<void()> work);

template <typename... P>
void launch(Context& context, const char* name, void (*kernel)(P...), dim3 grid, int threads, int64_t shared,
            std::type_identity_t<P>... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  run_or_record(context.stream, [=] {
    // 128 more, so that the kernel can align what it gets.
    mm::shim::run(name, grid, threads, static_cast<size_t>(shared) + 128, [&] { kernel(arguments...); });
  });
}

#else

// Launches on the context's stream; nothing happens if the grid is empty. `shared` bytes of dynamic shared
// memory.
template <typename... P>
void launch(Context& context, const char* name, void (*kernel)(P...), dim3 grid, int threads, int64_t shared,
            std::type_identity_t<P>... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  void* pointers[] = {const_cast<void*>(static_cast<const void*>(&arguments))...};
  cudaError_t error = cudaSuccess;
  if (shared > 48 << 10) {
    error = cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                 cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
  }
  if (error == cudaSuccess) {
    error =
        cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, dim3(static_cast<unsigned>(threads)),
                         pointers, static_cast<size_t>(shared), context.stream);
  }
  if (error == cudaSuccess) return;
  cudaGetLastError();
  fail(MM_STATUS_INTERNAL, "kernel %s, grid (%u, %u, %u), %d threads, %lld bytes of shared memory: %s", name,
       grid.x, grid.y, grid.z, threads, static_cast<long long>(shared), cudaGetErrorString(error));
}

#endif

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace mm::cuda
