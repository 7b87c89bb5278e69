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
  return mm::guarded("mm_context_create", [&] {
    MM_REQUIRE(params, "params is null");
    MM_REQUIRE(context, "context is null");
    *context = nullptr;
    MM_REQUIRE(params->struct_size == static_cast<int64_t>(sizeof *params),
               "struct_size is %lld, the library has %lld", static_cast<long long>(params->struct_size),
               static_cast<long long>(sizeof *params));
    if (params->device != MM_DEVICE_KIND_CPU)
      mm::fail(MM_STATUS_UNSUPPORTED, "this library has the CPU backend only");
    const mm::Backend* backend = mm::cpu_backend(params->isa);
    if (!backend) mm::fail(MM_STATUS_UNSUPPORTED, "this machine cannot run %s", mm::isa_name(params->isa));
    *context = new mm_context{backend};
  });
}

mm_status mm_context_destroy(mm_context* context) {
  return mm::guarded("mm_context_destroy", [&] {
    if (!context) return;
    { mm::Hold hold(context); }
    delete context;
  });
}

mm_status mm_context_synchronize(mm_context* context) {
  mm_status status = MM_STATUS_OK;
  const mm_status outer = mm::guarded("mm_context_synchronize", [&] {
    mm::Hold hold(context);
    status = context->backend->synchronize(context);
  });
  return outer == MM_STATUS_OK ? status : outer;
}

mm_status mm_context_isa(mm_context* context, mm_isa* isa) {
  return mm::guarded("mm_context_isa", [&] {
    MM_REQUIRE(context && isa, "context or isa is null");
    *isa = context->backend->isa;
  });
}

mm_status mm_memory_allocate(mm_context* context, int64_t bytes, void** pointer) {
  mm_status status = MM_STATUS_OK;
  const mm_status outer = mm::guarded("mm_memory_allocate", [&] {
    MM_REQUIRE(context && pointer, "context or pointer is null");
    *pointer = nullptr;
    status = context->backend->allocate(bytes, pointer);
  });
  return outer == MM_STATUS_OK ? status : outer;
}

mm_status mm_memory_copy(mm_context* context, void* destination, const void* source, int64_t bytes) {
  mm_status status = MM_STATUS_OK;
  const mm_status outer = mm::guarded("mm_memory_copy", [&] {
    mm::Hold hold(context);
    MM_REQUIRE(bytes >= 0, "%lld bytes", static_cast<long long>(bytes));
    MM_REQUIRE(bytes == 0 || (destination && source), "destination or source is null");
    status = context->backend->copy(context, destination, source, bytes);
  });
  return outer == MM_STATUS_OK ? status : outer;
}

mm_status mm_memory_zero(mm_context* context, void* destination, int64_t bytes) {
  mm_status status = MM_STATUS_OK;
  const mm_status outer = mm::guarded("mm_memory_zero", [&] {
    mm::Hold hold(context);
    MM_REQUIRE(bytes >= 0, "%lld bytes", static_cast<long long>(bytes));
    MM_REQUIRE(bytes == 0 || destination, "destination is null");
    status = context->backend->zero(context, destination, bytes);
  });
  return outer == MM_STATUS_OK ? status : outer;
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
