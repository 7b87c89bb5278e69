#include "runtime/context.h"

#include <cstring>
#include <memory>

#include "runtime/memory.h"

namespace mm {
namespace {

void check(const mm_cast_params& p) {
  MM_REQUIRE_SIZE(count);
  MM_REQUIRE_FLOAT(x_dtype);
  MM_REQUIRE_FLOAT(y_dtype);
  MM_REQUIRE(p.count == 0 || (p.x && p.y), "x or y is null");
}

void check(const mm_axpby_params& p) {
  MM_REQUIRE_SIZE(count);
  MM_REQUIRE_FLOAT(x_dtype);
  MM_REQUIRE_FLOAT(y_dtype);
  MM_REQUIRE(p.count == 0 || (p.x && p.y), "x or y is null");
}

const char* isa_name(mm_isa isa) {
  switch (isa) {
    case MM_ISA_PORTABLE:
      return "portable";
    case MM_ISA_AVX2:
      return "AVX2";
    case MM_ISA_AVX512:
      return "AVX-512";
    case MM_ISA_AVX512_BF16:
      return "AVX512-BF16";
    default:
      return "automatic";
  }
}

}  // namespace
}  // namespace mm

mm_status mm_context_create(const mm_context_create_params* params, mm_context** context) {
  return mm::passed("mm_context_create", [&](mm_status& status) {
    MM_REQUIRE(params, "params is null");
    MM_REQUIRE(context, "context is null");
    *context = nullptr;
    MM_REQUIRE(params->struct_size == static_cast<int64_t>(sizeof *params),
               "struct_size is %lld, the library has %lld", static_cast<long long>(params->struct_size),
               static_cast<long long>(sizeof *params));
    MM_REQUIRE(params->device == MM_DEVICE_KIND_CPU || params->device == MM_DEVICE_KIND_CUDA,
               "device is %d; CPU and CUDA are possible", static_cast<int>(params->device));
    const bool cpu = params->device == MM_DEVICE_KIND_CPU;
    const mm::Backend* backend = cpu ? mm::cpu_backend(params->isa) : mm::cuda_backend();
    if (!backend) mm::fail(MM_STATUS_UNSUPPORTED, "this machine cannot run %s", mm::isa_name(params->isa));
    status = backend->create(params->device_index, context);
    if (status == MM_STATUS_OK) (*context)->backend = backend;
  });
}

mm_status mm_device_count(mm_device_kind device, int32_t* count) {
  return mm::passed("mm_device_count", [&](mm_status& status) {
    MM_REQUIRE(count, "count is null");
    *count = device == MM_DEVICE_KIND_CPU;
    if (device == MM_DEVICE_KIND_CUDA) status = mm::cuda_backend()->device_count(count);
  });
}

mm_status mm_context_destroy(mm_context* context) {
  return mm::guarded("mm_context_destroy", [&] {
    if (!context) return;
    { mm::Hold hold(context); }
    context->backend->destroy(context);
  });
}

mm_status mm_context_synchronize(mm_context* context) {
  return mm::passed("mm_context_synchronize", [&](mm_status& status) {
    mm::Hold hold(context);
    status = context->backend->synchronize(context);
  });
}

mm_status mm_context_isa(mm_context* context, mm_isa* isa) {
  return mm::guarded("mm_context_isa", [&] {
    MM_REQUIRE(context && isa, "context or isa is null");
    *isa = context->backend->isa;
  });
}

mm_status mm_context_describe(mm_context* context, const char** text) {
  return mm::guarded("mm_context_describe", [&] {
    MM_REQUIRE(context && text, "context or text is null");
    *text = context->backend->describe(context);
  });
}

mm_status mm_memory_allocate(mm_context* context, int64_t bytes, void** pointer) {
  return mm::passed("mm_memory_allocate", [&](mm_status& status) {
    MM_REQUIRE(context && pointer, "context or pointer is null");
    *pointer = nullptr;
    status = context->backend->allocate(context, bytes, pointer);
  });
}

mm_status mm_memory_allocate_host(mm_context* context, int64_t bytes, void** pointer) {
  return mm::passed("mm_memory_allocate_host", [&](mm_status& status) {
    MM_REQUIRE(context && pointer, "context or pointer is null");
    *pointer = nullptr;
    status = context->backend->allocate_host(context, bytes, pointer);
  });
}

mm_status mm_memory_free(void* pointer) {
  return mm::guarded("mm_memory_free", [&] {
    const mm::Backend* cuda = mm::loaded_cuda_backend();
    if (!pointer || mm::release(pointer) || (cuda && cuda->release(pointer))) return;
    mm::fail(MM_STATUS_INVALID_ARGUMENT, "%p was not allocated here, or is free already", pointer);
  });
}

mm_status mm_memory_trim(void) {
  return mm::passed("mm_memory_trim", [&](mm_status& status) {
    mm::trim();
    if (const mm::Backend* cuda = mm::loaded_cuda_backend()) status = cuda->trim();
  });
}

int64_t mm_memory_live_bytes(void) {
  const mm::Backend* cuda = mm::loaded_cuda_backend();
  return mm::live_bytes() + (cuda ? cuda->live_bytes() : 0);
}

int64_t mm_memory_cached_bytes(void) {
  const mm::Backend* cuda = mm::loaded_cuda_backend();
  return mm::cached_bytes() + (cuda ? cuda->cached_bytes() : 0);
}

mm_status mm_memory_copy(mm_context* context, void* destination, const void* source, int64_t bytes) {
  return mm::passed("mm_memory_copy", [&](mm_status& status) {
    mm::Hold hold(context);
    MM_REQUIRE(bytes >= 0, "%lld bytes", static_cast<long long>(bytes));
    MM_REQUIRE(bytes == 0 || (destination && source), "destination or source is null");
    status = context->backend->copy(context, destination, source, bytes);
  });
}

mm_status mm_memory_zero(mm_context* context, void* destination, int64_t bytes) {
  return mm::passed("mm_memory_zero", [&](mm_status& status) {
    mm::Hold hold(context);
    MM_REQUIRE(bytes >= 0, "%lld bytes", static_cast<long long>(bytes));
    MM_REQUIRE(bytes == 0 || destination, "destination is null");
    status = context->backend->zero(context, destination, bytes);
  });
}

namespace {

// A call of a graph, or of the context that records one.
template <typename F>
mm_status held(const char* name, mm_context* context, F&& body) {
  return mm::passed(name, [&](mm_status& status) {
    mm::Hold hold(context);
    status = body(*context->backend);
  });
}

}  // namespace

mm_status mm_graph_begin(mm_context* context) {
  return held("mm_graph_begin", context, [&](const mm::Backend& b) { return b.graph_begin(context); });
}

mm_status mm_graph_end(mm_context* context, mm_graph** graph) {
  return held("mm_graph_end", context, [&](const mm::Backend& b) { return b.graph_end(context, graph); });
}

mm_status mm_graph_launch(mm_context* context, mm_graph* graph) {
  return held("mm_graph_launch", context, [&](const mm::Backend& b) {
    MM_REQUIRE(graph, "the graph is null");
    return b.graph_launch(context, graph);
  });
}

mm_status mm_graph_destroy(mm_context* context, mm_graph* graph) {
  return held("mm_graph_destroy", context,
              [&](const mm::Backend& b) { return graph ? b.graph_destroy(context, graph) : MM_STATUS_OK; });
}

MM_ENTRY(cast)
MM_ENTRY(axpby)

int32_t mm_abi_version(void) { return MM_ABI_VERSION; }

const char* mm_version(void) { return MM_VERSION; }

int32_t mm_isa_supported(mm_isa isa) { return mm::cpu_backend(isa) != nullptr; }

int64_t mm_struct_size(const char* name) {
  if (!name) return -1;
  if (std::strcmp(name, "mm_context_create_params") == 0) return sizeof(mm_context_create_params);
#define MM_SIZE(op) \
  if (std::strcmp(name, "mm_" #op "_params") == 0) return sizeof(mm_##op##_params);
  MM_OPERATIONS(MM_SIZE)
#undef MM_SIZE
  return -1;
}
