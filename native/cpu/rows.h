// Rows of strided storage to and from padded fp32.
#pragma once

#include "cpu/vec.h"

namespace mm::MM_ISA_NS {

template <typename T>
inline void read_row_of(const T* row, int64_t width, int64_t padded, float* out) {
  int64_t j = 0;
  for (; j + kLanes <= width; j += kLanes) store(out + j, load(row + j));
  if (j < padded) store(out + j, load_part(row + j, width - j));
}

template <typename T>
inline void write_row_of(const float* in, int64_t width, T* row) {
  int64_t j = 0;
  for (; j + kLanes <= width; j += kLanes) store(row + j, load(in + j));
  if (j < width) store_part(row + j, load(in + j), width - j);
}

// `width` elements from `offset` on; zeros up to `padded`, the next multiple of kLanes.
inline void read_row(const void* data, int64_t offset, mm_dtype dtype, int64_t width, int64_t padded,
                     float* out) {
  dtype == MM_DTYPE_F32 ? read_row_of(static_cast<const float*>(data) + offset, width, padded, out)
                        : read_row_of(static_cast<const bf16*>(data) + offset, width, padded, out);
}

// `in` is readable up to the next multiple of kLanes.
inline void write_row(const float* in, int64_t width, mm_dtype dtype, void* data, int64_t offset) {
  dtype == MM_DTYPE_F32 ? write_row_of(in, width, static_cast<float*>(data) + offset)
                        : write_row_of(in, width, static_cast<bf16*>(data) + offset);
}

// Cuts memory into arrays of floats; with a null start it only counts.
class Arena {
 public:
  explicit Arena(float* memory) : memory_(memory) {}
  float* take(int64_t count) {
    const int64_t at = used_;
    used_ += round_up(count, 16);
    return memory_ ? memory_ + at : nullptr;
  }
  int64_t used() const { return used_; }

 private:
  float* memory_;
  int64_t used_ = 0;
};

}  // namespace mm::MM_ISA_NS
