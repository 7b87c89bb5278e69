// The process-wide pool of CPU threads. Tasks are independent and write to places of their own, so no result
// depends on how many threads there are or on which of them runs what.
#pragma once

#include <stdint.h>

namespace mm {

// Calls body(context, index) once for each index in [0, count), on the pool and the calling thread; returns
// when all are done. The first exception is rethrown here. A nested call runs on the calling thread alone.
void parallel_for(int64_t count, void (*body)(void*, int64_t), void* context);

template <typename F>
void parallel_for(int64_t count, F&& body) {
  parallel_for(
      count, [](void* f, int64_t index) { (*static_cast<F*>(f))(index); }, &body);
}

int32_t thread_count();
void set_thread_count(int32_t threads);

// Scratch memory of this thread, 64-byte aligned, not cleared, kept for the next call; a further request on
// the same thread may invalidate it.
void* thread_scratch(int64_t bytes);

}  // namespace mm
