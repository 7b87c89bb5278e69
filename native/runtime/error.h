// Errors inside the library are exceptions; at the ABI they become a status and a thread-local message.
#pragma once

#include "minimax/types.h"

namespace mm {

// Throws; the text is printf-formatted. Not inline: operations compiled for other instruction sets call it.
[[noreturn]] __attribute__((format(printf, 2, 3))) void fail(mm_status status, const char* format, ...);

// Replaces the thread's message.
void set_error(const char* text);

// Runs the call, and turns whatever it throws into a status and the thread's message, prefixed by `where`.
mm_status guarded(const char* where, void (*call)(void*), void* argument) noexcept;

template <typename F>
mm_status guarded(const char* where, F&& body) noexcept {
  return guarded(
      where, [](void* f) { (*static_cast<F*>(f))(); }, &body);
}

}  // namespace mm

// An invalid argument unless the condition holds.
#define MM_REQUIRE(condition, ...)                                         \
  do {                                                                     \
    if (!(condition)) ::mm::fail(MM_STATUS_INVALID_ARGUMENT, __VA_ARGS__); \
  } while (0)
