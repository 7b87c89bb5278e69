// What every native test shares: seeded inputs, a context for each instruction set, comparison with a bound.
#pragma once

#include <gtest/gtest.h>
#include <stdint.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "minimax/minimax.h"

namespace mm::test {

// What a case runs on: an instruction set of the CPU, or the CUDA backend that MINIMAX_CUDA_LIBRARY names
// (the host shim's, or a GPU's with MINIMAX_CUDA_MANAGED=1, as the tests look at device memory from the
// host).
struct Target {
  mm_device_kind device;
  mm_isa isa;
};

class Context {
 public:
  explicit Context(mm_isa isa = MM_ISA_AUTO) : Context(Target{MM_DEVICE_KIND_CPU, isa}) {}
  explicit Context(const Target& target) {
    mm_context_create_params params{};
    params.struct_size = sizeof params;
    params.device = target.device;
    params.isa = target.isa;
    EXPECT_EQ(mm_context_create(&params, &context_), MM_STATUS_OK) << mm_last_error();
    if (target.device == MM_DEVICE_KIND_CUDA) cuda() = context_;
  }
  ~Context() {
    if (cuda() == context_) cuda() = nullptr;
    mm_context_destroy(context_);
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  operator mm_context*() const { return context_; }

  // The context on the CUDA device of the running test, if any.
  static mm_context*& cuda() {
    static mm_context* context = nullptr;
    return context;
  }

 private:
  mm_context* context_ = nullptr;
};

inline bool has_cuda() { return std::getenv("MINIMAX_CUDA_LIBRARY") != nullptr; }

// Every target of this run. MINIMAX_TEST_TARGET=cuda leaves the CPU out.
inline std::vector<Target> all_targets() {
  std::vector<Target> found;
  const char* only = std::getenv("MINIMAX_TEST_TARGET");
  if (!only || std::strcmp(only, "cuda") != 0) {
    for (mm_isa isa : {MM_ISA_PORTABLE, MM_ISA_AVX2, MM_ISA_AVX512, MM_ISA_AVX512_BF16}) {
      if (mm_isa_supported(isa)) found.push_back({MM_DEVICE_KIND_CPU, isa});
    }
  }
  if (has_cuda()) found.push_back({MM_DEVICE_KIND_CUDA, MM_ISA_AUTO});
  return found;
}

// What was queued is done before the test looks at memory.
inline void wait_for_cuda() {
  if (!Context::cuda()) return;
  EXPECT_EQ(mm_context_synchronize(Context::cuda()), MM_STATUS_OK) << mm_last_error();
}

// Memory that all targets of the run reach.
template <typename T>
struct Allocator {
  using value_type = T;
  Allocator() = default;
  template <typename U>
  Allocator(const Allocator<U>&) {}

  T* allocate(size_t count) {
    static mm_context* context = make_context();
    void* pointer = nullptr;
    EXPECT_EQ(mm_memory_allocate(context, static_cast<int64_t>(count * sizeof(T)), &pointer), MM_STATUS_OK);
    return static_cast<T*>(pointer);
  }
  void deallocate(T* pointer, size_t) { mm_memory_free(pointer); }

  static mm_context* make_context() {  // for the whole run
    mm_context_create_params params{};
    params.struct_size = sizeof params;
    params.device = has_cuda() ? MM_DEVICE_KIND_CUDA : MM_DEVICE_KIND_CPU;
    mm_context* context = nullptr;
    EXPECT_EQ(mm_context_create(&params, &context), MM_STATUS_OK) << mm_last_error();
    return context;
  }

  bool operator==(const Allocator&) const { return true; }
};

template <typename T>
using Buffer = std::vector<T, Allocator<T>>;

// splitmix64: the same inputs in C++, C# and Python, bit for bit.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }

  // Uniform in [-1, 1) with 24 bits.
  float uniform() { return static_cast<float>(next() >> 40) * 0x1p-23f - 1.0f; }

  Buffer<float> floats(int64_t count, float scale = 1.0f) {
    Buffer<float> values(count);
    for (float& value : values) value = uniform() * scale;
    return values;
  }

  int64_t below(int64_t bound) { return static_cast<int64_t>(next() % static_cast<uint64_t>(bound)); }

 private:
  uint64_t state_;
};

inline uint16_t to_bf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

inline float from_bf16(uint16_t x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float y;
  std::memcpy(&y, &bits, 4);
  return y;
}

#define MM_EXPECT_OK(call)                            \
  do {                                                \
    EXPECT_EQ(call, MM_STATUS_OK) << mm_last_error(); \
    ::mm::test::wait_for_cuda();                      \
  } while (0)

// max |got - want| <= bound * max(1, max |want|)
template <typename Got, typename Want>
void expect_close(const Got& got, const Want& want, double bound, const char* what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  double error = 0, largest = 1;
  for (size_t i = 0; i < want.size(); i++) {
    const double difference = std::fabs(static_cast<double>(got[i]) - static_cast<double>(want[i]));
    error = std::isnan(difference) ? INFINITY : std::fmax(error, difference);
    largest = std::fmax(largest, std::fabs(static_cast<double>(want[i])));
  }
  EXPECT_LE(error, bound * largest) << what;
}

}  // namespace mm::test
