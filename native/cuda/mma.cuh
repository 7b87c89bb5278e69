// Tensor cores of sm_80 and later by warp (mma.sync), the loads that feed them, and asynchronous copies to
// shared memory. On the host the shim computes the same on the same fragments.
#pragma once

#include "cuda/device.cuh"

namespace mm::cuda {

// d [16, 8] += a [16, 16] b [16, 8], bf16 operands, fp32 sums. Thread t of the warp, g = t / 4, i = t % 4:
// a[0] holds (g, 2i..2i+1), a[1] (g + 8, 2i..), a[2] (g, 2i + 8..), a[3] (g + 8, 2i + 8..);
// b[0] holds (2i..2i+1, g), b[1] (2i + 8.., g); d holds (g, 2i), (g, 2i + 1), (g + 8, 2i), (g + 8, 2i + 1).
__device__ __forceinline__ void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#if MM_HOST_SHIM
  struct Fragments {
    uint32_t a[4], b[2];
  } mine = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const auto* all = static_cast<const Fragments*>(mm::shim::warp_exchange(&mine, sizeof mine));
  const int g = mm::shim::lane() / 4, i = mm::shim::lane() % 4;
  for (int e = 0; e < 4; e++) {
    const int upper = e / 2, column = 2 * i + e % 2;
    float sum = 0;
    for (int k = 0; k < 16; k += 2) {
      const float2 x = unpack_bf16(all[g * 4 + k % 8 / 2].a[upper + 2 * (k / 8)]);
      const float2 y = unpack_bf16(all[column * 4 + k % 8 / 2].b[k / 8]);
      sum += x.x * y.x + x.y * y.y;
    }
    d[e] += sum;
  }
#else
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, "
      "%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// Four 8 x 8 matrices of 16-bit values from shared memory: threads 8m..8m+7 give the addresses of the rows of
// matrix m (16 bytes, aligned); thread t gets of each the values (t / 4, 2 (t % 4)) and the next in the row.
__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], const void* row) {
#if MM_HOST_SHIM
  const auto* rows = static_cast<const char* const*>(mm::shim::warp_exchange(&row, sizeof row));
  for (int m = 0; m < 4; m++)
    memcpy(&r[m], rows[m * 8 + mm::shim::lane() / 4] + 4 * (mm::shim::lane() % 4), 4);
#else
  const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
#endif
}

// The same of the transposed matrices: thread t gets of each the values (2 (t % 4), t / 4) and the next in
// the column.
__device__ __forceinline__ void load_matrices_transposed(uint32_t (&r)[4], const void* row) {
#if MM_HOST_SHIM
  const auto* rows = static_cast<const char* const*>(mm::shim::warp_exchange(&row, sizeof row));
  for (int m = 0; m < 4; m++) {
    uint16_t pair[2];
    for (int e = 0; e < 2; e++)
      memcpy(&pair[e], rows[m * 8 + 2 * (mm::shim::lane() % 4) + e] + 2 * (mm::shim::lane() / 4), 2);
    memcpy(&r[m], pair, 4);
  }
#else
  const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
#endif
}

// Four 8 x 8 matrices to shared memory, transposed: thread t holds of each the values (t / 4, 2 (t % 4)) and
// the next, and threads 8m..8m+7 give the addresses of the rows of the stored matrix m: row r of memory is
// column r of what is held. sm_90 and later.
__device__ __forceinline__ void store_matrices_transposed(void* row, const uint32_t (&r)[4]) {
#if MM_HOST_SHIM
  struct Part {
    void* row;
    uint32_t r[4];
  } mine = {row, {r[0], r[1], r[2], r[3]}};
  const auto* all = static_cast<const Part*>(mm::shim::warp_exchange(&mine, sizeof mine));
  for (int m = 0; m < 4; m++) {
    for (int e = 0; e < 2; e++) {
      const uint16_t value = static_cast<uint16_t>(r[m] >> 16 * e);
      void* to = all[m * 8 + 2 * (mm::shim::lane() % 4) + e].row;
      memcpy(static_cast<char*>(to) + 2 * (mm::shim::lane() / 4), &value, 2);
    }
  }
#else
  const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address),
               "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
               : "memory");
#endif
}

// 16 bytes to shared memory, both sides aligned; zeros where not valid (nothing is read then, but `global`
// must be some address). Copies since the last commit are a group; wait<N> waits for all groups of this
// thread but the last N.
__device__ __forceinline__ void copy_async(void* shared, const void* global, bool valid = true) {
#if MM_HOST_SHIM
  if (reinterpret_cast<uintptr_t>(shared) % 16 != 0 ||
      (valid && reinterpret_cast<uintptr_t>(global) % 16 != 0))
    abort();
  mm::shim::copy_async(shared, global, 16, valid);
#else
  const uint32_t address = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(bytes)
               : "memory");
#endif
}
__device__ __forceinline__ void copy_async_commit() {
#if MM_HOST_SHIM
  mm::shim::copy_async_commit();
#else
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int Groups>
__device__ __forceinline__ void copy_async_wait() {
#if MM_HOST_SHIM
  mm::shim::copy_async_wait(Groups);
#else
  asm volatile("cp.async.wait_group %0;" ::"n"(Groups) : "memory");
#endif
}

}  // namespace mm::cuda
