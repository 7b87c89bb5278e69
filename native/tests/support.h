// What every native test shares: seeded inputs, a context for each instruction set, comparison with a bound.
#pragma once

#include <gtest/gtest.h>
#include <stdint.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "minimax/minimax.h"

namespace mm::test {

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

  std::vector<float> floats(int64_t count, float scale = 1.0f) {
    std::vector<float> values(count);
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

class Context {
 public:
  explicit Context(mm_isa isa = MM_ISA_AUTO) {
    mm_context_create_params params{};
    params.struct_size = sizeof params;
    params.isa = isa;
    EXPECT_EQ(mm_context_create(&params, &context_), MM_STATUS_OK) << mm_last_error();
  }
  ~Context() { mm_context_destroy(context_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  operator mm_context*() const { return context_; }

 private:
  mm_context* context_ = nullptr;
};

// Every instruction set that this machine can run.
inline std::vector<mm_isa> isas() {
  std::vector<mm_isa> found;
  for (mm_isa isa : {MM_ISA_PORTABLE, MM_ISA_AVX2, MM_ISA_AVX512, MM_ISA_AVX512_BF16}) {
    if (mm_isa_supported(isa)) found.push_back(isa);
  }
  return found;
}

#define MM_EXPECT_OK(call) EXPECT_EQ(call, MM_STATUS_OK) << mm_last_error()

// max |got - want| <= bound * max(1, max |want|)
template <typename Got, typename Want>
void expect_close(const std::vector<Got>& got, const std::vector<Want>& want, double bound,
                  const char* what) {
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
