// The CUDA runtime, linked statically: it finds the driver when it is first called, so that the library loads
// without one.
#include "cuda/platform.h"

#include <cuda_runtime.h>

#include <cstdlib>

#include "cuda/hopper.cuh"
#include "runtime/error.h"

namespace mm::cuda {
namespace {

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();
  fail(error == cudaErrorMemoryAllocation ? MM_STATUS_OUT_OF_MEMORY : MM_STATUS_INTERNAL, "%s: %s (%s)", what,
       cudaGetErrorString(error), cudaGetErrorName(error));
}

std::string version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

// Throws unless the driver can run what this library was compiled with.
int driver_version() {
  int driver = 0;
  check(cudaDriverGetVersion(&driver), "the version of the NVIDIA driver");
  if (driver == 0) fail(MM_STATUS_UNSUPPORTED, "there is no NVIDIA driver on this machine");
  if (driver / 1000 < CUDART_VERSION / 1000) {
    fail(MM_STATUS_UNSUPPORTED,
         "the NVIDIA driver is for CUDA %s; this library needs one for CUDA %d.0 or later",
         version(driver).c_str(), CUDART_VERSION / 1000);
  }
  return driver;
}

// Unified memory instead of device memory: for tests that look at it from the host.
bool managed() {
  const char* chosen = std::getenv("MINIMAX_CUDA_MANAGED");
  return chosen && *chosen == '1';
}

cudaGraphExec_t graph(Recording* recording) { return reinterpret_cast<cudaGraphExec_t>(recording); }

}  // namespace

int32_t device_count() {
  driver_version();
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaErrorNoDevice) check(error, "looking for NVIDIA GPUs");
  if (count == 0)
    fail(MM_STATUS_UNSUPPORTED, "there is an NVIDIA driver, but no GPU that this process may use");
  return count;
}

Properties properties(int32_t device) {
  const int count = device_count();
  MM_REQUIRE(device >= 0 && device < count, "there is no GPU %d; this process sees %d", device, count);
  cudaDeviceProp p;
  check(cudaGetDeviceProperties(&p, device), "the properties of the GPU");
  if (p.major < 8) {
    fail(MM_STATUS_UNSUPPORTED, "GPU %d (%s) has compute capability %d.%d; 8.0 or later is needed", device,
         p.name, p.major, p.minor);
  }
  return {p.name,
          static_cast<int64_t>(p.totalGlobalMem),
          p.major,
          p.minor,
          p.multiProcessorCount,
          version(driver_version())};
}

void use(int32_t device) { check(cudaSetDevice(device), "choosing the GPU"); }

Stream create_stream() {
  Stream stream;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
  return stream;
}

void destroy_stream(Stream stream) { check(cudaStreamDestroy(stream), "destroying a stream"); }

void synchronize(Stream stream) { check(cudaStreamSynchronize(stream), "waiting for the GPU"); }

void* malloc_device(int64_t bytes) {
  void* pointer = nullptr;
  const cudaError_t error = managed() ? cudaMallocManaged(&pointer, static_cast<size_t>(bytes))
                                      : cudaMalloc(&pointer, static_cast<size_t>(bytes));
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check(error, "allocating memory");
  return pointer;
}

void free_device(void* pointer) { check(cudaFree(pointer), "freeing memory"); }

void* malloc_host(int64_t bytes) {
  void* pointer = nullptr;
  const cudaError_t error =
      cudaHostAlloc(&pointer, static_cast<size_t>(bytes), cudaHostAllocMapped | cudaHostAllocPortable);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check(error, "allocating pinned memory");
  return pointer;
}

void free_host(void* pointer) { check(cudaFreeHost(pointer), "freeing pinned memory"); }

void copy(Stream stream, void* destination, const void* source, int64_t bytes) {
  check(cudaMemcpyAsync(destination, source, static_cast<size_t>(bytes), cudaMemcpyDefault, stream),
        "copying");
}

void zero(Stream stream, void* destination, int64_t bytes) {
  check(cudaMemsetAsync(destination, 0, static_cast<size_t>(bytes), stream), "clearing memory");
}

bool is_host(const void* pointer) {
  cudaPointerAttributes attributes;
  check(cudaPointerGetAttributes(&attributes, pointer), "asking what a pointer is");
  return attributes.type == cudaMemoryTypeUnregistered || attributes.type == cudaMemoryTypeHost;
}

void begin_recording(Stream stream) {
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "beginning to record a graph");
}

Recording* end_recording(Stream stream) {
  cudaGraph_t recorded;
  check(cudaStreamEndCapture(stream, &recorded), "recording a graph");
  cudaGraphExec_t executable;
  const cudaError_t error = cudaGraphInstantiate(&executable, recorded, 0);
  cudaGraphDestroy(recorded);
  check(error, "preparing a graph");
  return reinterpret_cast<Recording*>(executable);
}

void launch(Stream stream, Recording* recording) {
  check(cudaGraphLaunch(graph(recording), stream), "launching a graph");
}

void destroy(Recording* recording) { check(cudaGraphExecDestroy(graph(recording)), "destroying a graph"); }

// The driver's function, which static linking has no symbol for.
TensorMap make_tensor_map(const TensorShape& shape) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found;
#if CUDART_VERSION >= 12050
  check(
      cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found),
      "looking for tensor maps");
#else
  check(cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &function, cudaEnableDefault, &found),
        "looking for tensor maps");
#endif
  if (found != cudaDriverEntryPointSuccess)
    fail(MM_STATUS_UNSUPPORTED, "the NVIDIA driver has no tensor maps");
  const cuuint64_t sizes[3] = {static_cast<cuuint64_t>(shape.sizes[0]),
                               static_cast<cuuint64_t>(shape.sizes[1]),
                               static_cast<cuuint64_t>(shape.sizes[2])};
  const cuuint64_t strides[2] = {static_cast<cuuint64_t>(shape.strides[0]) * 2,
                                 static_cast<cuuint64_t>(shape.strides[1]) * 2};
  const cuuint32_t box[3] = {static_cast<cuuint32_t>(shape.box[0]), static_cast<cuuint32_t>(shape.box[1]),
                             static_cast<cuuint32_t>(shape.box[2])};
  const cuuint32_t steps[3] = {1, 1, 1};
  TensorMap map;
  const CUresult result = reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function)(
      &map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3, const_cast<void*>(shape.base), sizes, strides, box, steps,
      CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
      CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    fail(MM_STATUS_INTERNAL,
         "a tensor map of [%lld, %lld, %lld], strides %lld and %lld: error %d of the driver",
         static_cast<long long>(shape.sizes[2]), static_cast<long long>(shape.sizes[1]),
         static_cast<long long>(shape.sizes[0]), static_cast<long long>(shape.strides[1]),
         static_cast<long long>(shape.strides[0]), static_cast<int>(result));
  }
  return map;
}

}  // namespace mm::cuda
