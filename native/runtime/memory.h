// Memory of the CPU device: freed blocks are kept by size for reuse, as a training step asks for the same
// ones again.
#pragma once

#include <stdint.h>

namespace mm {

// 64-byte aligned, to be released with free(); throws if there is none.
void* aligned_memory(int64_t bytes);

// From the cache of freed blocks, or new.
void* allocate(int64_t bytes);
// False if the pointer did not come from allocate.
bool release(void* pointer);
void trim();
int64_t live_bytes();
int64_t cached_bytes();

}  // namespace mm
