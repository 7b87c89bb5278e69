// A caching allocator. Each context, and each recorded graph, has a pool of its own: blocks are used again in
// the order of one stream only, so that no event is needed. Not thread-safe per pool, but the books are: a
// finalizer may release.
#include <algorithm>
#include <bit>
#include <map>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "cuda/context.h"

namespace mm::cuda {

class Pool {
 public:
  bool of_graph = false;
  std::map<int64_t, std::vector<void*>> cache;  // size -> free blocks
};

namespace {

#if MM_HOST_SHIM
constexpr bool kFreeAtOnce = true;  // so that a use afterwards is found out
#else
constexpr bool kFreeAtOnce = false;
#endif

struct Block {
  int64_t size;
  int64_t asked;  // a block from the cache may be larger than need be
  Pool* pool;     // null: freed at once when released
  bool host;
};

struct Books {
  std::mutex mutex;
  std::unordered_map<void*, Block> live;
  std::unordered_set<Pool*> pools;
  int64_t live_bytes = 0;  // as asked for
  int64_t cached_bytes = 0;
};

Books& books() {
  static auto* instance = new Books;  // never destroyed: tensors may be released at exit
  return *instance;
}

// Eight sizes between two powers of two, multiples of 512 bytes.
int64_t block_size(int64_t bytes) {
#if MM_HOST_SHIM
  return std::max<int64_t>(bytes, 1);  // what lies behind is guarded
#else
  if (bytes <= 4096) return std::max<int64_t>((bytes + 511) / 512 * 512, 512);
  const int64_t step = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes - 1)) / 8);
  return (bytes + step - 1) / step * step;
#endif
}

void empty(Books& b, Pool& pool) {
  for (auto& [size, pointers] : pool.cache) {
    for (void* pointer : pointers) {
      free_device(pointer);
      b.cached_bytes -= size;
    }
  }
  pool.cache.clear();
}

}  // namespace

Pool* create_pool(bool of_graph) {
  Books& b = books();
  std::lock_guard lock(b.mutex);
  Pool* pool = *b.pools.insert(new Pool).first;
  pool->of_graph = of_graph;
  return pool;
}

void destroy_pool(Pool* pool) {
  Books& b = books();
  std::lock_guard lock(b.mutex);
  empty(b, *pool);
  for (auto& [pointer, block] : b.live) {
    if (block.pool == pool) block.pool = nullptr;
  }
  b.pools.erase(pool);
  delete pool;
}

void* allocate(Context& context, int64_t bytes) {
  MM_REQUIRE(bytes >= 0 && bytes <= int64_t{1} << 46, "cannot allocate %lld bytes",
             static_cast<long long>(bytes));
  int64_t size = block_size(bytes);
  Books& b = books();
  std::lock_guard lock(b.mutex);
  // The smallest that is large enough, if it is not twice as large.
  auto& cache = context.pool->cache;
  auto found = cache.lower_bound(size);
  void* pointer = nullptr;
  if (found != cache.end() && found->first < 2 * size) {
    size = found->first;
    pointer = found->second.back();
    found->second.pop_back();
    if (found->second.empty()) cache.erase(found);
    b.cached_bytes -= size;
  } else {
    pointer = malloc_device(size);
    if (!pointer && !context.recording) {
      synchronize(context.stream);
      empty(b, *context.own_pool);
      pointer = malloc_device(size);
    }
    if (!pointer) {
      fail(MM_STATUS_OUT_OF_MEMORY, "no GPU memory for %lld bytes; %lld are in use and %lld held for reuse",
           static_cast<long long>(bytes), static_cast<long long>(b.live_bytes),
           static_cast<long long>(b.cached_bytes));
    }
  }
  b.live.emplace(pointer, Block{size, bytes, context.pool, false});
  b.live_bytes += bytes;
  return pointer;
}

void* allocate_host(Context&, int64_t bytes) {
  MM_REQUIRE(bytes >= 0 && bytes <= int64_t{1} << 46, "cannot allocate %lld bytes",
             static_cast<long long>(bytes));
  void* pointer = malloc_host(std::max<int64_t>(bytes, 1));
  if (!pointer)
    fail(MM_STATUS_OUT_OF_MEMORY, "no pinned memory for %lld bytes", static_cast<long long>(bytes));
  Books& b = books();
  std::lock_guard lock(b.mutex);
  b.live.emplace(pointer, Block{bytes, bytes, nullptr, true});
  b.live_bytes += bytes;
  return pointer;
}

bool release(void* pointer) {
  Books& b = books();
  std::lock_guard lock(b.mutex);
  const auto found = b.live.find(pointer);
  if (found == b.live.end()) return false;
  const Block block = found->second;
  b.live.erase(found);
  b.live_bytes -= block.asked;
  if (kFreeAtOnce && block.pool && !block.pool->of_graph) {
    free_device(pointer);
  } else if (block.pool) {
    block.pool->cache[block.size].push_back(pointer);
    b.cached_bytes += block.size;
  } else if (block.host) {
    free_host(pointer);
  } else {
    free_device(pointer);
  }
  return true;
}

void trim() {
  Books& b = books();
  std::lock_guard lock(b.mutex);
  for (Pool* pool : b.pools) {
    if (!pool->of_graph) empty(b, *pool);  // cudaFree waits for what still uses them; a graph may run again
  }
}

int64_t live_bytes() {
  std::lock_guard lock(books().mutex);
  return books().live_bytes;
}

int64_t cached_bytes() {
  std::lock_guard lock(books().mutex);
  return books().cached_bytes;
}

}  // namespace mm::cuda
