// The table of the CUDA backend, and what a context is made of.
#include "cuda/ops.h"

struct mm_graph {
  mm::cuda::Recording* recording;
  mm::cuda::Pool* pool;
};

namespace mm::cuda {
namespace {

const Host* host = nullptr;

Context& of(mm_context* context) { return *static_cast<Context*>(context); }

// Runs the body on the context's device, and leaves an error's text with libminimax, whose caller asks for
// it.
template <typename F>
mm_status run(const char* name, F body) {
  const mm_status status = guarded(name, [&] { body(); });
  if (status != MM_STATUS_OK) host->set_error(mm_last_error());
  return status;
}

template <typename F>
mm_status run_on(mm_context* context, const char* name, F body) {
  return run(name, [&] {
    use(of(context).device);
    body(of(context));
  });
}

const char* text(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return "nothing";
    case Fault::kEmbeddingId:
      return "mm_embedding: an id is outside of the vocabulary";
    case Fault::kTarget:
      return "a target is outside of the vocabulary";
    case Fault::kOffsets:
      return "cu_seqlens do not ascend from 0 to the number of tokens";
    case Fault::kExpertIndex:
      return "mm_moe_route: a recorded pick names no expert, or the same one twice";
    case Fault::kRouterLogits:
      return "mm_moe_route or mm_moe_aux_loss: the router logits of a row have no softmax";
    case Fault::kCacheSlot:
      return "a state slot or a page does not exist";
    case Fault::kProbabilities:
      return "mm_sample: no token can be chosen from a row of logits";
  }
  return "an unknown fault";
}

// For the calls that have waited for the stream.
void raise_fault(Context& c) {
  const auto fault = static_cast<Fault>(*c.fault);
  if (fault == Fault::kNone) return;
  *c.fault = 0;
  fail(MM_STATUS_INVALID_ARGUMENT, "an earlier call on this context failed: %s", text(fault));
}

mm_status count(int32_t* count) {
  return run("mm_device_count", [&] { *count = device_count(); });
}

mm_status create(int32_t index, mm_context** context) {
  return run("mm_context_create", [&] {
    const Properties p = properties(index);
    use(index);
    auto* c = new Context;
    c->device = index;
    c->multiprocessors = p.multiprocessors;
    c->capability = p.major * 10 + p.minor;
    c->stream = create_stream();
    c->pool = c->own_pool = create_pool(false);
    c->fault = static_cast<int32_t*>(malloc_host(sizeof(int32_t)));
    *c->fault = 0;
    c->description = p.name + ", compute capability " + std::to_string(p.major) + "." +
                     std::to_string(p.minor) + ", " + std::to_string(p.multiprocessors) +
                     " multiprocessors, " + std::to_string(p.memory_bytes >> 20) + " MiB, driver for CUDA " +
                     p.driver;
    *context = c;
  });
}

void destroy(mm_context* context) {
  run_on(context, "mm_context_destroy", [](Context& c) {
    synchronize(c.stream);
    destroy_pool(c.own_pool);
    destroy_stream(c.stream);
    free_host(c.fault);
    delete &c;
  });
}

const char* describe(mm_context* context) { return of(context).description.c_str(); }

mm_status synchronize_context(mm_context* context) {
  return run_on(context, "mm_context_synchronize", [](Context& c) {
    MM_REQUIRE(!c.recording, "a graph is being recorded");
    synchronize(c.stream);
    raise_fault(c);
  });
}

mm_status allocate_device(mm_context* context, int64_t bytes, void** pointer) {
  return run_on(context, "mm_memory_allocate", [&](Context& c) { *pointer = allocate(c, bytes); });
}

mm_status allocate_pinned(mm_context* context, int64_t bytes, void** pointer) {
  return run_on(context, "mm_memory_allocate_host", [&](Context& c) { *pointer = allocate_host(c, bytes); });
}

mm_status trim_all() {
  return run("mm_memory_trim", [] { trim(); });
}

mm_status copy_memory(mm_context* context, void* destination, const void* source, int64_t bytes) {
  return run_on(context, "mm_memory_copy", [&](Context& c) {
    if (bytes == 0) return;
    const bool to_host = is_host(destination), from_host = is_host(source);
    MM_REQUIRE(!c.recording || (!to_host && !from_host),
               "a copy from or to the host cannot be recorded in a graph");
    copy(c.stream, destination, source, bytes);
    if (!to_host && !from_host) return;
    synchronize(c.stream);  // pinned memory would still be read or written
    if (to_host) raise_fault(c);
  });
}

mm_status zero_memory(mm_context* context, void* destination, int64_t bytes) {
  return run_on(context, "mm_memory_zero", [&](Context& c) {
    if (bytes > 0) zero(c.stream, destination, bytes);
  });
}

mm_status graph_begin(mm_context* context) {
  return run_on(context, "mm_graph_begin", [](Context& c) {
    MM_REQUIRE(!c.recording, "a graph is being recorded already");
    begin_recording(c.stream);
    c.pool = create_pool(true);
    c.recording = true;
  });
}

mm_status graph_end(mm_context* context, mm_graph** graph) {
  return run_on(context, "mm_graph_end", [&](Context& c) {
    MM_REQUIRE(c.recording, "no graph is being recorded");
    if (graph) *graph = nullptr;
    Pool* pool = c.pool;
    c.pool = c.own_pool;
    c.recording = false;
    Recording* recording = nullptr;
    try {
      recording = end_recording(c.stream);
    } catch (...) {
      destroy_pool(pool);
      throw;
    }
    if (graph) {
      *graph = new mm_graph{recording, pool};
      return;
    }
    mm::cuda::destroy(recording);
    destroy_pool(pool);
  });
}

mm_status graph_launch(mm_context* context, mm_graph* graph) {
  return run_on(context, "mm_graph_launch", [&](Context& c) {
    MM_REQUIRE(!c.recording, "a graph is being recorded");
    launch(c.stream, graph->recording);
  });
}

mm_status graph_destroy(mm_context* context, mm_graph* graph) {
  return run_on(context, "mm_graph_destroy", [&](Context& c) {
    synchronize(c.stream);
    mm::cuda::destroy(graph->recording);
    destroy_pool(graph->pool);
    delete graph;
  });
}

#define MM_RUN(op)                                                                      \
  [](mm_context* context, const mm_##op##_params* params) {                             \
    return run_on(context, "mm_" #op, [&](Context& c) { ::mm::cuda::op(c, *params); }); \
  },

constexpr Backend kBackend = {
    MM_ABI_VERSION, sizeof(Backend), "cuda12",     MM_DEVICE_KIND_CUDA, MM_ISA_AUTO,          count,
    create,         destroy,         describe,     synchronize_context, allocate_device,      allocate_pinned,
    release,        trim_all,        live_bytes,   cached_bytes,        copy_memory,          zero_memory,
    graph_begin,    graph_end,       graph_launch, graph_destroy,       MM_OPERATIONS(MM_RUN)};

}  // namespace
}  // namespace mm::cuda

extern "C" __attribute__((visibility("default"))) const mm::Backend* mm_backend(const mm::Host* host) {
  if (host->abi_version != MM_ABI_VERSION || host->backend_size != static_cast<int64_t>(sizeof(mm::Backend)))
    return nullptr;
  mm::cuda::host = host;
  return &mm::cuda::kBackend;
}
