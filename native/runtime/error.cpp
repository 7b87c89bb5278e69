#include "runtime/error.h"

#include <cstdarg>
#include <cstdio>
#include <exception>
#include <new>

#include "minimax/context.h"

namespace mm {
namespace {

constexpr int kMessageBytes = 2048;
constexpr int kWhereBytes = 64;
thread_local char last_error[kWhereBytes + kMessageBytes] = "";

struct Failure {
  mm_status status;
  char message[kMessageBytes];
};

mm_status remember(mm_status status, const char* where, const char* message) {
  std::snprintf(last_error, sizeof last_error, "%.60s: %s", where, message);
  return status;
}

}  // namespace

void set_error(const char* text) { std::snprintf(last_error, sizeof last_error, "%s", text); }

void fail(mm_status status, const char* format, ...) {
  Failure failure{status, ""};
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(failure.message, sizeof failure.message, format, arguments);
  va_end(arguments);
  throw failure;
}

mm_status guarded(const char* where, void (*call)(void*), void* argument) noexcept {
  try {
    call(argument);
    return MM_STATUS_OK;
  } catch (const Failure& failure) {
    return remember(failure.status, where, failure.message);
  } catch (const std::bad_alloc&) {
    return remember(MM_STATUS_OUT_OF_MEMORY, where, "out of memory");
  } catch (const std::exception& error) {
    return remember(MM_STATUS_INTERNAL, where, error.what());
  } catch (...) {
    return remember(MM_STATUS_INTERNAL, where, "unknown exception");
  }
}

}  // namespace mm

const char* mm_last_error(void) { return mm::last_error; }
