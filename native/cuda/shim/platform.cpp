// The runtime of the shim: one device whose memory is the host's, on which everything runs at once.
#include "cuda/platform.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "cuda/context.h"
#include "cuda/hopper.cuh"
#include "runtime/error.h"

namespace mm::cuda {

struct HostStream {
  std::vector<std::function<void()>>* recording = nullptr;
};

struct Recording {
  std::vector<std::function<void()>> work;
};

namespace {

constexpr int64_t kPage = 4096;

// A block ends where a page begins that nobody may touch: what a kernel reads or writes behind it is found
// out. Blocks begin at multiples of 16, as vector loads need it; up to 15 bytes behind an odd size go
// unnoticed.
struct Mapping {
  char* start;
  int64_t bytes;
};
std::map<char*, Mapping> mappings;  // by the address that was handed out
std::mutex mappings_mutex;          // contexts of several threads share them

int64_t rounded(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

}  // namespace

void run_or_record(Stream stream, std::function<void()> work) {
  if (stream->recording)
    stream->recording->push_back(std::move(work));
  else
    work();
}

int32_t device_count() { return 1; }

Properties properties(int32_t device) {
  MM_REQUIRE(device == 0, "there is no device %d; the shim has one", device);
  const char* chosen = std::getenv("MINIMAX_SHIM_CAPABILITY");  // 90 for the kernels of Hopper
  const int capability = chosen ? std::atoi(chosen) : 80;
  return {"host shim (no GPU)", int64_t{1} << 34, capability / 10, capability % 10, 4, "none"};
}

void use(int32_t) {}
Stream create_stream() { return new HostStream; }
void destroy_stream(Stream stream) { delete stream; }
void synchronize(Stream) {}

void* malloc_device(int64_t bytes) {
  const int64_t size = rounded(bytes, 16), mapped = rounded(size, kPage) + kPage;
  void* start =
      mmap(nullptr, static_cast<size_t>(mapped), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return nullptr;
  char* end = static_cast<char*>(start) + mapped - kPage;
  mprotect(end, kPage, PROT_NONE);
  memset(end - size, 0xff, static_cast<size_t>(size));  // NaN, in single precision and bfloat16
  std::lock_guard lock(mappings_mutex);
  mappings[end - size] = {static_cast<char*>(start), mapped};
  return end - size;
}

void free_device(void* pointer) {
  std::lock_guard lock(mappings_mutex);
  const auto found = mappings.find(static_cast<char*>(pointer));
  munmap(found->second.start, static_cast<size_t>(found->second.bytes));
  mappings.erase(found);
}

void* malloc_host(int64_t bytes) { return std::malloc(static_cast<size_t>(bytes)); }
void free_host(void* pointer) { std::free(pointer); }

void copy(Stream stream, void* destination, const void* source, int64_t bytes) {
  run_or_record(stream, [=] { memcpy(destination, source, static_cast<size_t>(bytes)); });
}

void zero(Stream stream, void* destination, int64_t bytes) {
  run_or_record(stream, [=] { memset(destination, 0, static_cast<size_t>(bytes)); });
}

bool is_host(const void* pointer) {
  auto* address = static_cast<char*>(const_cast<void*>(pointer));
  std::lock_guard lock(mappings_mutex);
  auto found = mappings.upper_bound(address);
  return found == mappings.begin() || address >= (--found)->second.start + found->second.bytes;
}

TensorMap make_tensor_map(const TensorShape& shape) { return shape; }

void begin_recording(Stream stream) { stream->recording = new std::vector<std::function<void()>>; }

Recording* end_recording(Stream stream) {
  auto* recording = new Recording{std::move(*stream->recording)};
  delete stream->recording;
  stream->recording = nullptr;
  return recording;
}

void launch(Stream stream, Recording* recording) {
  for (const auto& work : recording->work) run_or_record(stream, work);
}

void destroy(Recording* recording) { delete recording; }

}  // namespace mm::cuda
