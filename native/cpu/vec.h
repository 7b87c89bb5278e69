// Vectors of MM_LANES floats in the compiler's own vector types: one source for every instruction set, no
// intrinsics. Everything lives in the namespace of the instruction set that the file is compiled for.
#pragma once

#include <stdint.h>
#include <string.h>

#include "minimax/types.h"
#include "runtime/error.h"
#include "runtime/memory.h"
#include "runtime/thread_pool.h"

namespace mm::MM_ISA_NS {

constexpr int kLanes = MM_LANES;

typedef float vfloat __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
typedef int32_t vint __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
typedef uint16_t vhalf __attribute__((vector_size(kLanes * 2), aligned(2), may_alias));

typedef uint16_t bf16;

inline int64_t round_up(int64_t x, int64_t multiple) { return (x + multiple - 1) / multiple * multiple; }
inline int64_t ceil_div(int64_t x, int64_t y) { return (x + y - 1) / y; }
inline int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

inline vfloat splat(float x) { return x - vfloat{}; }

inline vfloat load(const float* p) { return *reinterpret_cast<const vfloat*>(p); }
inline void store(float* p, vfloat v) { *reinterpret_cast<vfloat*>(p) = v; }

inline float widen(bf16 x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float y;
  memcpy(&y, &bits, 4);
  return y;
}

// To nearest, ties to even; NaN stays NaN.
inline bf16 narrow(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<bf16>((bits >> 16) | 0x40u);
  return static_cast<bf16>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

inline vfloat load(const bf16* p) {
  typedef uint32_t vuint __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
  const vuint wide = __builtin_convertvector(*reinterpret_cast<const vhalf*>(p), vuint) << 16;
  return reinterpret_cast<const vfloat&>(wide);
}

inline void store(bf16* p, vfloat v) {
  typedef uint32_t vuint __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
  const vuint bits = reinterpret_cast<const vuint&>(v);
  const vuint rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const vuint quiet = (bits >> 16) | 0x40u;
  const vint nan = v != v;
  const vuint chosen =
      (reinterpret_cast<const vuint&>(nan) & quiet) | (~reinterpret_cast<const vuint&>(nan) & rounded);
  *reinterpret_cast<vhalf*>(p) = __builtin_convertvector(chosen, vhalf);
}

inline float load_one(const float* p) { return *p; }
inline float load_one(const bf16* p) { return widen(*p); }
inline void store_one(float* p, float x) { *p = x; }
inline void store_one(bf16* p, float x) { *p = narrow(x); }

// The first n <= kLanes lanes; the others are 0.
template <typename T>
inline vfloat load_part(const T* p, int64_t n) {
  vfloat v = {};
  for (int i = 0; i < kLanes; i++) {
    if (i < n) v[i] = load_one(p + i);
  }
  return v;
}

template <typename T>
inline void store_part(T* p, vfloat v, int64_t n) {
  for (int i = 0; i < kLanes; i++) {
    if (i < n) store_one(p + i, v[i]);
  }
}

// Sum of the lanes in a fixed tree: lane i with lane i + width / 2, and so on down.
inline float sum(vfloat v) {
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; i++) v[i] += v[i + width];
  }
  return v[0];
}

inline float max(vfloat v) {
  float m = v[0];
  for (int i = 1; i < kLanes; i++) m = v[i] > m ? v[i] : m;
  return m;
}

inline vfloat select(vint mask, vfloat a, vfloat b) { return mask ? a : b; }
inline vfloat max(vfloat a, vfloat b) { return a > b ? a : b; }
inline vfloat min(vfloat a, vfloat b) { return a < b ? a : b; }

// e^x to about 1 ulp; 0 below -104, inf above 88.73. Cephes' reduction, a polynomial of degree 6.
inline vfloat exp(vfloat x) {
  const vfloat clamped = min(max(x, splat(-104.0f)), splat(88.8f));
  const vfloat scaled = clamped * 1.44269504088896341f;
  const vfloat magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const vfloat shifted = scaled + magic;
  const vfloat n = shifted - magic;
  vfloat r = clamped - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  vfloat p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const vfloat y = p * r * r + r + 1.0f;
  // 2^n in two factors, so that results down to the smallest subnormal and up to the largest float come out.
  const vint whole = __builtin_convertvector(n, vint);
  const vint half = whole >> 1;
  const vint low = (half + 127) << 23, high = (whole - half + 127) << 23;
  const vfloat result = y * reinterpret_cast<const vfloat&>(low) * reinterpret_cast<const vfloat&>(high);
  return select(x > 88.72283f, splat(__builtin_inff()), select(x != x, x, result));
}

inline vfloat sigmoid(vfloat x) { return 1.0f / (1.0f + exp(-x)); }

inline float exp_one(float x) { return exp(splat(x))[0]; }

// Uninitialised memory for the duration of an operation.
template <typename T>
class Buffer {
 public:
  explicit Buffer(int64_t count)
      : data_(static_cast<T*>(allocate(count * static_cast<int64_t>(sizeof(T))))) {}
  ~Buffer() { release(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  operator T*() const { return data_; }

 private:
  T* data_;
};

}  // namespace mm::MM_ISA_NS
