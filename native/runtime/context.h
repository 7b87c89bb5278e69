// A context: a backend, and the guard that keeps a second caller out.
#pragma once

#include <atomic>

#include "runtime/backend.h"
#include "runtime/error.h"

// A backend may keep more behind it.
struct mm_context {
  const mm::Backend* backend = nullptr;
  std::atomic<bool> busy{false};
};

namespace mm {

// Holds the context for one call; throws BUSY if another thread has it.
class Hold {
 public:
  explicit Hold(mm_context* context) : context_(context) {
    MM_REQUIRE(context, "the context is null");
    if (context->busy.exchange(true, std::memory_order_acquire)) {
      fail(MM_STATUS_BUSY, "the context is in use by another thread; use one context a thread");
    }
  }
  ~Hold() { context_->busy.store(false, std::memory_order_release); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  mm_context* context_;
};

// Runs the body, which may leave the status of a backend's function there, whose message is in place.
template <typename F>
mm_status passed(const char* name, F&& body) {
  mm_status status = MM_STATUS_OK;
  const mm_status outer = guarded(name, [&] { body(status); });
  return outer == MM_STATUS_OK ? status : outer;
}

// One operation of the ABI: null checks, struct_size, the guard, the operation's own `check` (throws), and
// then the backend's function, whose message is already in place if it fails.
template <typename Params>
mm_status call(const char* name, mm_context* context, const Params* params, void (*check)(const Params&),
               mm_status (*Backend::*operation)(mm_context*, const Params*)) noexcept {
  return passed(name, [&](mm_status& status) {
    Hold hold(context);
    MM_REQUIRE(params, "params is null");
    MM_REQUIRE(params->struct_size == static_cast<int64_t>(sizeof(Params)),
               "struct_size is %lld, the library has %lld", static_cast<long long>(params->struct_size),
               static_cast<long long>(sizeof(Params)));
    check(*params);
    status = (context->backend->*operation)(context, params);
  });
}

inline bool is_float(mm_dtype dtype) { return dtype == MM_DTYPE_F32 || dtype == MM_DTYPE_BF16; }

}  // namespace mm

#define MM_REQUIRE_POINTER(field) MM_REQUIRE(p.field, #field " is null")
#define MM_REQUIRE_SIZE(field) \
  MM_REQUIRE(p.field >= 0 && p.field < (int64_t{1} << 40), #field " is %lld", static_cast<long long>(p.field))
#define MM_REQUIRE_POSITIVE(field) \
  MM_REQUIRE(p.field > 0 && p.field < (int64_t{1} << 40), #field " is %lld", static_cast<long long>(p.field))
#define MM_REQUIRE_FLOAT(field) \
  MM_REQUIRE(::mm::is_float(p.field), #field " is %d; F32 and BF16 are possible", static_cast<int>(p.field))

// The entry of an operation whose check() is in scope.
#define MM_ENTRY(op)                                                          \
  mm_status mm_##op(mm_context* context, const mm_##op##_params* params) {    \
    return mm::call("mm_" #op, context, params, mm::check, &mm::Backend::op); \
  }
