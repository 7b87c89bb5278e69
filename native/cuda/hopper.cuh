// What sm_90a adds: tensor maps and bulk tensor copies (TMA), transaction barriers, products by warpgroups
// (wgmma). On the host the shim does the same: copies and products happen as late as a wait allows, on memory
// as it is then.
//
// Operands in shared memory lie in the 128-byte swizzle: a row of 128 bytes (64 bf16), eight rows an atom of
// 1,024 bytes whose start is aligned to that; the 16-byte piece p of row r is stored at p ^ (r % 8). A tile
// wider than 64 is several such panels.
#pragma once

#include <type_traits>

#include "cuda/device.cuh"

#if MM_HOST_SHIM
#include <vector>
#else
#include <cuda.h>
#endif

namespace mm::cuda {

constexpr int kPanel = 64;        // bf16 in a row of a panel
constexpr int kAtomBytes = 1024;  // eight rows of a panel

// ---- tensor maps
// -------------------------------------------------------------------------------------------------

// A bf16 array of three dimensions, innermost first, of which boxes [box0, box1, box2] are copied; what lies
// outside reads as zero. strides in elements, of dimensions 1 and 2; multiples of 8, as TMA wants, and the
// base at 16 bytes.
struct TensorShape {
  const void* base;
  int64_t sizes[3];
  int64_t strides[2];
  int box[3];  // box[0] at most 64
};

#if MM_HOST_SHIM
using TensorMap = TensorShape;
#else
using TensorMap = CUtensorMap;
#endif
TensorMap make_tensor_map(const TensorShape& shape);
// Whether TMA can copy from there.
inline bool can_map(const void* base, int64_t stride1, int64_t stride2) {
  return reinterpret_cast<uintptr_t>(base) % 16 == 0 && stride1 % 8 == 0 && stride2 % 8 == 0 && stride1 > 0 &&
         stride2 > 0;
}

// ---- barriers
// ----------------------------------------------------------------------------------------------------

using Barrier = uint64_t;  // in shared memory

#if MM_HOST_SHIM

namespace shim_hopper {

struct State {  // of a Barrier
  uint16_t expected, pending;
  int32_t bytes : 31;
  uint32_t phase : 1;
};
static_assert(sizeof(State) == sizeof(Barrier));

struct Load {
  void* shared;
  TensorMap map;  // a copy: its thread may have ended
  Barrier* barrier;
  int at[3];
};
inline std::vector<Load> loads;  // on their way

inline State& state(Barrier* barrier) { return *reinterpret_cast<State*>(barrier); }

inline void finish_phase(State& s) {
  if (s.pending != 0 || s.bytes != 0) return;
  s.pending = s.expected;
  s.phase ^= 1u;
  mm::shim::note_progress();
}

inline void arrive(const Load& load) {
  const TensorMap& m = load.map;
  int64_t bytes = 0;
  for (int z = 0; z < m.box[2]; z++) {
    for (int y = 0; y < m.box[1]; y++) {
      for (int x = 0; x < m.box[0]; x++, bytes += 2) {
        const int64_t at[3] = {load.at[0] + x, load.at[1] + y, load.at[2] + z};
        bool inside = true;
        for (int i = 0; i < 3; i++) inside = inside && at[i] >= 0 && at[i] < m.sizes[i];
        const uint16_t value =
            inside ? static_cast<const uint16_t*>(m.base)[at[0] + at[1] * m.strides[0] + at[2] * m.strides[1]]
                   : 0;
        const uintptr_t linear = reinterpret_cast<uintptr_t>(load.shared) + static_cast<uintptr_t>(bytes);
        *reinterpret_cast<uint16_t*>(linear ^ (linear / 128 % 8 * 16)) = value;
      }
    }
  }
  State& s = state(load.barrier);
  s.bytes = static_cast<int32_t>(s.bytes - bytes);
  finish_phase(s);
}

// One load for the barrier, if there is any.
inline void deliver(Barrier* barrier) {
  for (size_t i = 0; i < loads.size(); i++) {
    if (loads[i].barrier != barrier) continue;
    const Load load = loads[i];
    loads.erase(loads.begin() + static_cast<ptrdiff_t>(i));
    arrive(load);
    return;
  }
}

}  // namespace shim_hopper

inline void barrier_init(Barrier* barrier, int arrivals) {
  shim_hopper::state(barrier) = {static_cast<uint16_t>(arrivals), static_cast<uint16_t>(arrivals), 0, 0};
}
inline void barrier_init_done() {}
inline void barrier_arrive(Barrier* barrier) {
  shim_hopper::state(barrier).pending--;
  shim_hopper::finish_phase(shim_hopper::state(barrier));
}
inline void barrier_expect(Barrier* barrier, int bytes) {
  auto& s = shim_hopper::state(barrier);
  s.bytes = s.bytes + bytes;
  barrier_arrive(barrier);
}
inline void barrier_wait(Barrier* barrier, unsigned parity) {
  mm::shim::wait_until([=] {
    if (shim_hopper::state(barrier).phase == parity) shim_hopper::deliver(barrier);
    return shim_hopper::state(barrier).phase != parity;
  });
}
inline void load_box(void* shared, const TensorMap* map, Barrier* barrier, int x, int y, int z) {
  if (reinterpret_cast<uintptr_t>(shared) % kAtomBytes != 0) abort();
  shim_hopper::loads.push_back({shared, *map, barrier, {x, y, z}});
}
inline void copy_async_arrive(Barrier* barrier) {
  mm::shim::copy_async_commit();
  mm::shim::copy_async_wait(0);
  barrier_arrive(barrier);
}

#else

__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}
__device__ __forceinline__ void barrier_init(Barrier* barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals)
               : "memory");
}
// After the inits, before other threads or TMA see the barriers (a block barrier must follow).
__device__ __forceinline__ void barrier_init_done() {
  asm volatile("fence.mbarrier_init.release.cluster;\n\tfence.proxy.async.shared::cta;" ::: "memory");
}
__device__ __forceinline__ void barrier_arrive(Barrier* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}
// Arrives, and lets the phase wait for so many bytes of copies too.
__device__ __forceinline__ void barrier_expect(Barrier* barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(bytes)
               : "memory");
}
// Until the phase of that parity is over; parity 1 of a new barrier is over already.
__device__ __forceinline__ void barrier_wait(Barrier* barrier, unsigned parity) {
  asm volatile(
      "{\n\t.reg .pred done;\n"
      "again:\n\tmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n\t@!done bra again;\n\t}" ::"r"(
          shared_address(barrier)),
      "r"(parity)
      : "memory");
}
// One thread: a box at (x, y, z) of the map to shared memory (an atom's start), counted by the barrier.
__device__ __forceinline__ void load_box(void* shared, const TensorMap* map, Barrier* barrier, int x, int y,
                                         int z) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], "
      "[%2];" ::"r"(shared_address(shared)),
      "l"(map), "r"(shared_address(barrier)), "r"(x), "r"(y), "r"(z)
      : "memory");
}
// Arrives when the thread's copies (copy_async) so far are there.
__device__ __forceinline__ void copy_async_arrive(Barrier* barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(shared_address(barrier))
               : "memory");
}

#endif

// ---- warpgroups
// --------------------------------------------------------------------------------------------------

// 128 threads of a warpgroup wait for each other (id 1 to 15).
__device__ __forceinline__ void warpgroup_barrier(int id) {
#if MM_HOST_SHIM
  static int arrived[16];
  static unsigned generation[16];
  const unsigned mine = generation[id];
  if (++arrived[id] == 128) {
    arrived[id] = 0;
    generation[id]++;
    mm::shim::note_progress();
    return;
  }
  mm::shim::wait_until([=] { return generation[id] != mine; });
#else
  asm volatile("bar.sync %0, 128;" ::"r"(id) : "memory");
#endif
}

// Writes of this thread to shared memory are seen by TMA and wgmma afterwards (a barrier between the threads
// must follow).
__device__ __forceinline__ void shared_writes_done() {
#if !MM_HOST_SHIM
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

template <int Registers>
__device__ __forceinline__ void more_registers() {
#if !MM_HOST_SHIM
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
#endif
}
template <int Registers>
__device__ __forceinline__ void fewer_registers() {
#if !MM_HOST_SHIM
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
#endif
}

// ---- operands in shared memory
// -----------------------------------------------------------------------------------

// K-major: rows of the operand (m or n) are rows of the panel, k runs along it. `k` (a multiple of 16, below
// 64) is where the 16 columns begin; rows follow in atoms one after the other. M/N-major: k is the row of the
// panel, m or n runs along it; the operand's 16 k rows begin at an atom; panels of further m or n are
// `panel_bytes` apart.
__device__ __forceinline__ uint64_t operand(const void* panel, int leading_bytes, int stride_bytes) {
#if MM_HOST_SHIM
  (void)leading_bytes, (void)stride_bytes;
  return reinterpret_cast<uint64_t>(panel);
#else
  const uint64_t address = shared_address(panel);
  return (address & 0x3ffff) >> 4 | static_cast<uint64_t>(leading_bytes >> 4) << 16 |
         static_cast<uint64_t>(stride_bytes >> 4) << 32 | uint64_t{1} << 62;
#endif
}

struct KMajor {
  uint64_t descriptor;
};
struct MNMajor {
  uint64_t descriptor;
#if MM_HOST_SHIM
  int panel_bytes;
#endif
};
__device__ __forceinline__ KMajor k_major(const bf16* panel, int k) {
  return {operand(panel + k, 16, kAtomBytes)};
}
__device__ __forceinline__ MNMajor mn_major(const bf16* panel, int k, int panel_bytes) {
#if MM_HOST_SHIM
  return {operand(panel + k * kPanel, 0, 0), panel_bytes};
#else
  return {operand(panel + k * kPanel, panel_bytes, kAtomBytes)};
#endif
}

// ---- products
// ----------------------------------------------------------------------------------------------------
//
// d [64, N] += a [64, 16] b [16, N], issued by all 128 threads of a warpgroup. Thread t: warp w = t / 32 of
// the group, g = t % 32 / 4, i = t % 4. d[8 c + 4 ...]: value j of d is row 16 w + g + 8 (j / 2 % 2), column
// 8 (j / 4) + 2 i + j % 2. a in registers: as mma_bf16 has it, of rows 16 w ... Issue: wgmma_begin, products,
// wgmma_commit; d and the operands must be left alone until wgmma_wait.

#if MM_HOST_SHIM

namespace shim_hopper {

struct Product {
  float* d;
  int n;
  bool a_in_registers;
  float a[2][16];  // of the thread's two rows
  uint64_t a_shared;
  bool a_across;  // M-major
  uint64_t b;
  int b_panel_bytes;  // < 0: K-major
};
inline std::vector<std::vector<Product>>& products() {
  static std::vector<std::vector<Product>> of_thread[1024];
  return of_thread[mm::shim::thread_index.x];
}

inline float read(uint64_t panel, int64_t byte) {
  const uintptr_t linear = panel + static_cast<uintptr_t>(byte);
  return to_float(*reinterpret_cast<const bf16*>(linear ^ (linear / 128 % 8 * 16)));
}

inline void compute(const Product& p) {
  const int lane = mm::shim::lane(), w = static_cast<int>(mm::shim::thread_index.x / 32 % 4);
  for (int j = 0; j < p.n / 2; j++) {
    const int upper = j / 2 % 2, row = 16 * w + lane / 4 + 8 * upper,
              column = 8 * (j / 4) + 2 * (lane % 4) + j % 2;
    float sum = 0;
    for (int k = 0; k < 16; k++) {
      const float a = p.a_in_registers ? p.a[upper][k]
                                       : read(p.a_shared, p.a_across ? k * 128 + 2 * row : row * 128 + 2 * k);
      const float b = p.b_panel_bytes < 0
                          ? read(p.b, column * 128 + 2 * k)
                          : read(p.b, int64_t{column / 64} * p.b_panel_bytes + k * 128 + 2 * (column % 64));
      sum += a * b;
    }
    p.d[j] += sum;
  }
}

inline void issue(Product p) {
  if (products().empty()) products().emplace_back();
  products().back().push_back(p);
}

inline Product with_registers(const uint32_t (&a)[4]) {
  Product p{};
  p.a_in_registers = true;
  const auto* all = static_cast<const uint32_t*>(mm::shim::warp_exchange(a, sizeof a));
  for (int k = 0; k < 16; k++) {
    const uint32_t* from = all + 4 * (mm::shim::lane() / 4 * 4 + k % 8 / 2);
    for (int upper = 0; upper < 2; upper++) {
      const float2 pair = unpack_bf16(from[upper + 2 * (k / 8)]);
      p.a[upper][k] = k % 2 ? pair.y : pair.x;
    }
  }
  return p;
}

inline void set_b(Product& p, const KMajor& b) { p.b = b.descriptor, p.b_panel_bytes = -1; }
inline void set_b(Product& p, const MNMajor& b) { p.b = b.descriptor, p.b_panel_bytes = b.panel_bytes; }

}  // namespace shim_hopper

inline void wgmma_begin() {}
inline void wgmma_commit() {
  if (shim_hopper::products().empty()) shim_hopper::products().emplace_back();
  shim_hopper::products().emplace_back();
}
template <int Groups>
void wgmma_wait() {
  auto& groups = shim_hopper::products();
  while (groups.size() > Groups + 1) {
    for (const auto& p : groups.front()) shim_hopper::compute(p);
    groups.erase(groups.begin());
  }
}
template <int N, typename A, typename B>
requires(!std::is_array_v<A>) void wgmma(float (&d)[N / 2], const A& a, const B& b) {
  shim_hopper::Product p{};
  p.a_shared = a.descriptor;
  p.a_across = std::is_same_v<A, MNMajor>;
  p.d = d, p.n = N;
  shim_hopper::set_b(p, b);
  shim_hopper::issue(p);
}
template <int N, typename B>
void wgmma(float (&d)[N / 2], const uint32_t (&a)[4], const B& b) {
  shim_hopper::Product p = shim_hopper::with_registers(a);
  p.d = d, p.n = N;
  shim_hopper::set_b(p, b);
  shim_hopper::issue(p);
}

#else

__device__ __forceinline__ void wgmma_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int Groups>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Groups) : "memory");
}

#define MM_D8(i)                                                                              \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), \
      "+f"(d[i + 6]), "+f"(d[i + 7])
#define MM_D32(i) MM_D8(i), MM_D8(i + 8), MM_D8(i + 16), MM_D8(i + 24)
#define MM_D64(i) MM_D32(i), MM_D32(i + 32)
#define MM_D128 MM_D64(0), MM_D64(64)
#define MM_L128                                                                                            \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, "  \
  "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, "   \
  "%42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, "   \
  "%62, %63, %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, "   \
  "%82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, %96, %97, %98, %99, %100, %101, " \
  "%102, %103, %104, %105, %106, %107, %108, %109, %110, %111, %112, %113, %114, %115, %116, %117, %118, " \
  "%119, %120, %121, %122, %123, %124, %125, %126, %127}"
#define MM_ADD "{\n\t.reg .pred add;\n\tsetp.eq.b32 add, 0, 0;\n\t"
#define MM_L32                                                                                            \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, " \
  "%22, %23, "                                                                                            \
  "%24, %25, %26, %27, %28, %29, %30, %31}"
#define MM_L64                                                                                            \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, " \
  "%22, %23, "                                                                                            \
  "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, "  \
  "%44, %45, "                                                                                            \
  "%46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}"

template <typename Operand>
constexpr int kTransposed = 0;
template <>
inline constexpr int kTransposed<MNMajor> = 1;

#define MM_PRODUCT(n, list, outputs, first, second, transposed_a, transposed_b)                     \
  asm volatile(MM_ADD "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 " list ", %" #first \
                      ", %" #second ", add, 1, 1, %" #transposed_a ", %" #transposed_b ";\n\t}"     \
               : outputs                                                                            \
               : "l"(a.descriptor), "l"(b.descriptor), "n"(kTransposed<A>), "n"(kTransposed<B>))

template <int N, typename A, typename B>
requires(!std::is_array_v<A>) __device__ __forceinline__
    void wgmma(float (&d)[N / 2], const A& a, const B& b) {
  static_assert(N == 64 || N == 128 || N == 256);
  if constexpr (N == 64) MM_PRODUCT(64, MM_L32, MM_D32(0), 32, 33, 34, 35);
  if constexpr (N == 128) MM_PRODUCT(128, MM_L64, MM_D64(0), 64, 65, 66, 67);
  if constexpr (N == 256) MM_PRODUCT(256, MM_L128, MM_D128, 128, 129, 130, 131);
}

#define MM_PRODUCT_REGISTERS(n, list, outputs, a0, a1, a2, a3, second, transposed_b)                        \
  asm volatile(MM_ADD "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 " list ", {%" #a0 ", %" #a1 \
                      ", %" #a2 ", %" #a3 "}, %" #second ", add, 1, 1, %" #transposed_b ";\n\t}"            \
               : outputs                                                                                    \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b.descriptor), "n"(kTransposed<B>))

template <int N, typename B>
__device__ __forceinline__ void wgmma(float (&d)[N / 2], const uint32_t (&a)[4], const B& b) {
  static_assert(N == 64 || N == 128);
  if constexpr (N == 64) MM_PRODUCT_REGISTERS(64, MM_L32, MM_D32(0), 32, 33, 34, 35, 36, 37);
  if constexpr (N == 128) MM_PRODUCT_REGISTERS(128, MM_L64, MM_D64(0), 64, 65, 66, 67, 68, 69);
}

#undef MM_PRODUCT
#undef MM_PRODUCT_REGISTERS
#undef MM_D64
#undef MM_D128
#undef MM_L128
#undef MM_D8
#undef MM_D32
#undef MM_ADD
#undef MM_L32
#undef MM_L64

#endif

}  // namespace mm::cuda
