// The tables of the CPU backend, one for each instruction set, and the choice among them.
#include <cstdlib>
#include <cstring>

#include "runtime/context.h"
#include "runtime/memory.h"

#define MM_DECLARE(op) void op(mm_context&, const mm_##op##_params&);
namespace mm::portable {
MM_OPERATIONS(MM_DECLARE)
}
#if MM_X86
namespace mm::avx2 {
MM_OPERATIONS(MM_DECLARE)
}
namespace mm::avx512 {
MM_OPERATIONS(MM_DECLARE)
}
#endif
#undef MM_DECLARE

namespace mm {
namespace {

mm_status device_count(int32_t* count) {
  *count = 1;
  return MM_STATUS_OK;
}

mm_status create(int32_t, mm_context** context) {
  return guarded("mm_context_create", [&] { *context = new mm_context; });
}

void destroy(mm_context* context) { delete context; }

const char* describe(mm_context* context) { return context->backend->name; }

mm_status synchronize(mm_context*) { return MM_STATUS_OK; }

mm_status allocate_cpu(mm_context*, int64_t bytes, void** pointer) {
  return guarded("mm_memory_allocate", [&] { *pointer = allocate(bytes); });
}

mm_status trim_cpu() {
  trim();
  return MM_STATUS_OK;
}

mm_status no_graphs(const char* name) {
  return guarded(name, [] { fail(MM_STATUS_UNSUPPORTED, "graphs are recorded on CUDA devices only"); });
}

mm_status graph_begin(mm_context*) { return no_graphs("mm_graph_begin"); }
mm_status graph_end(mm_context*, mm_graph**) { return no_graphs("mm_graph_end"); }
mm_status graph_launch(mm_context*, mm_graph*) { return no_graphs("mm_graph_launch"); }
mm_status graph_destroy(mm_context*, mm_graph*) { return no_graphs("mm_graph_destroy"); }

mm_status copy(mm_context*, void* destination, const void* source, int64_t bytes) {
  std::memcpy(destination, source, static_cast<size_t>(bytes));
  return MM_STATUS_OK;
}

mm_status zero(mm_context*, void* destination, int64_t bytes) {
  std::memset(destination, 0, static_cast<size_t>(bytes));
  return MM_STATUS_OK;
}

template <typename Params, void (*Operation)(mm_context&, const Params&)>
mm_status run(mm_context* context, const Params* params, const char* name) {
  return guarded(name, [&] { Operation(*context, *params); });
}

#define MM_RUN(ns, op)                                                    \
  [](mm_context* context, const mm_##op##_params* params) {               \
    return run<mm_##op##_params, mm::ns::op>(context, params, "mm_" #op); \
  },
#define MM_PORTABLE(op) MM_RUN(portable, op)
#define MM_AVX2(op) MM_RUN(avx2, op)
#define MM_AVX512(op) MM_RUN(avx512, op)
#define MM_TABLE(name, isa, entries)                                                                         \
  {                                                                                                          \
    MM_ABI_VERSION, sizeof(Backend), name, MM_DEVICE_KIND_CPU, isa, device_count, create, destroy, describe, \
        synchronize, allocate_cpu, allocate_cpu, release, trim_cpu, live_bytes, cached_bytes, copy, zero,    \
        graph_begin, graph_end, graph_launch, graph_destroy, MM_OPERATIONS(entries)                          \
  }

constexpr Backend kBackends[] = {
#if MM_X86
    MM_TABLE("cpu-avx512-bf16", MM_ISA_AVX512_BF16, MM_AVX512),
    MM_TABLE("cpu-avx512", MM_ISA_AVX512, MM_AVX512),
    MM_TABLE("cpu-avx2", MM_ISA_AVX2, MM_AVX2),
#endif
    MM_TABLE("cpu-portable", MM_ISA_PORTABLE, MM_PORTABLE),
};

bool runs_here(mm_isa isa) {
#if MM_X86
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (isa == MM_ISA_AVX2) return avx2;
  if (isa == MM_ISA_AVX512) return avx512;
  if (isa == MM_ISA_AVX512_BF16) return avx512 && __builtin_cpu_supports("avx512bf16");
#endif
  return isa == MM_ISA_PORTABLE;
}

// The variable MINIMAX_ISA (portable, avx2, avx512, avx512_bf16) replaces the automatic choice.
mm_isa automatic() {
  const char* name = std::getenv("MINIMAX_ISA");
  if (!name) return MM_ISA_AUTO;
  if (std::strcmp(name, "portable") == 0) return MM_ISA_PORTABLE;
  if (std::strcmp(name, "avx2") == 0) return MM_ISA_AVX2;
  if (std::strcmp(name, "avx512") == 0) return MM_ISA_AVX512;
  if (std::strcmp(name, "avx512_bf16") == 0) return MM_ISA_AVX512_BF16;
  fail(MM_STATUS_INVALID_ARGUMENT,
       "MINIMAX_ISA is \"%s\"; portable, avx2, avx512 and avx512_bf16 are possible", name);
}

}  // namespace

const Backend* cpu_backend(mm_isa isa) {
  if (isa == MM_ISA_AUTO) isa = automatic();
  for (const Backend& backend : kBackends) {
    if ((isa == MM_ISA_AUTO || isa == backend.isa) && runs_here(backend.isa)) return &backend;
  }
  return nullptr;
}

}  // namespace mm
