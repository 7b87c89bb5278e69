#include "runtime/memory.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "runtime/error.h"

namespace mm {
namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kLargest = int64_t{1} << 46;

struct Block {
  int64_t size;
  int64_t asked;  // a block from the cache may be larger than need be
};

struct Blocks {
  std::mutex mutex;
  std::unordered_map<void*, Block> live;
  std::map<int64_t, std::vector<void*>> cache;  // size -> free blocks
  int64_t live_bytes = 0;                       // as asked for
  int64_t used_bytes = 0;                       // of the blocks they are in
  int64_t peak_bytes = 0;                       // most that was used since the cache was last emptied
  int64_t cached_bytes = 0;
};

Blocks& blocks() {
  static auto* instance = new Blocks;  // never destroyed: tensors may be released at exit
  return *instance;
}

// Eight sizes between two powers of two: at most an eighth is wasted, and blocks are found again.
int64_t block_size(int64_t bytes) {
  if (bytes <= 512) return (bytes + kAlignment - 1) / kAlignment * kAlignment + (bytes == 0 ? kAlignment : 0);
  const int64_t step = std::bit_floor(static_cast<uint64_t>(bytes - 1)) / 8;
  return (bytes + step - 1) / step * step;
}

void trim(Blocks& b) {
  for (auto& [size, pointers] : b.cache) {
    for (void* pointer : pointers) std::free(pointer);
  }
  b.cache.clear();
  b.cached_bytes = 0;
  b.peak_bytes = b.used_bytes;
}

}  // namespace

void* aligned_memory(int64_t bytes) {
  const int64_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  void* pointer = std::aligned_alloc(kAlignment, static_cast<size_t>(rounded));
  if (!pointer) fail(MM_STATUS_OUT_OF_MEMORY, "no memory for %lld bytes", static_cast<long long>(bytes));
  return pointer;
}

void* allocate(int64_t bytes) {
  MM_REQUIRE(bytes >= 0 && bytes <= kLargest, "cannot allocate %lld bytes", static_cast<long long>(bytes));
  int64_t size = block_size(bytes);
  Blocks& b = blocks();
  std::lock_guard lock(b.mutex);
  // The smallest that is large enough, if it is not twice as large: batches of ever other sizes then share
  // blocks.
  auto found = b.cache.lower_bound(size);
  void* pointer = nullptr;
  if (found != b.cache.end() && found->first < 2 * size) {
    size = found->first;
    pointer = found->second.back();
    found->second.pop_back();
    if (found->second.empty()) b.cache.erase(found);
    b.cached_bytes -= size;
  } else {
    pointer = std::aligned_alloc(kAlignment, static_cast<size_t>(size));
    if (!pointer) {
      trim(b);
      pointer = aligned_memory(size);
    }
  }
  b.live.emplace(pointer, Block{size, bytes});
  b.live_bytes += bytes;
  b.used_bytes += size;
  b.peak_bytes = std::max(b.peak_bytes, b.used_bytes);
  return pointer;
}

bool release(void* pointer) {
  Blocks& b = blocks();
  std::lock_guard lock(b.mutex);
  const auto found = b.live.find(pointer);
  if (found == b.live.end()) return false;
  const Block block = found->second;
  b.live.erase(found);
  b.live_bytes -= block.asked;
  b.used_bytes -= block.size;
  b.cache[block.size].push_back(pointer);
  b.cached_bytes += block.size;
  // Work that has ended leaves blocks that are never asked for again: start over before they outgrow what
  // goes on.
  if (b.cached_bytes > 2 * b.peak_bytes) trim(b);
  return true;
}

void trim() {
  Blocks& b = blocks();
  std::lock_guard lock(b.mutex);
  trim(b);
}

int64_t live_bytes() {
  std::lock_guard lock(blocks().mutex);
  return blocks().live_bytes;
}

int64_t cached_bytes() {
  std::lock_guard lock(blocks().mutex);
  return blocks().cached_bytes;
}

}  // namespace mm
