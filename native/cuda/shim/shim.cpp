// The scheduler of the shim: one block at a time, its threads as fibers on one thread of the system.
#include "cuda/shim/shim.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <vector>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace mm::shim {

dim3 thread_index, block_index, block_dim, grid_dim;

namespace {

constexpr size_t kStackBytes = 256 << 10;
constexpr size_t kExchangeBytes = 64;
constexpr int kMaxThreads = 1024;
constexpr size_t kMaxShared = 227 << 10;

struct Barrier {
  int arrived = 0;
  unsigned generation = 0;
};

struct Copy {
  void* to;
  const void* from;
  size_t bytes;
  bool valid;
};

struct Fiber {
#if defined(__x86_64__)
  void* stack_pointer;
#else
  ucontext_t context;
#endif
  char* stack = nullptr;
  bool alive = false;
  unsigned parity = 0;
  std::vector<std::vector<Copy>> copies;  // the groups that were committed, and the open one
};

struct Warp {
  Barrier barrier;
  int alive = 0;
  alignas(16) char values[2][32 * kExchangeBytes];
};

struct Scheduler {
  std::vector<Fiber> fibers;
  Fiber main;
  std::vector<Warp> warps;
  std::vector<int> order;     // position -> thread
  std::vector<int> position;  // thread -> position
  Barrier block;
  std::vector<char> shared;
  const std::function<void()>* body = nullptr;
  const char* name = "";
  int threads = 0;
  int alive = 0;
  int current = 0;
  int stalls = 0;
};

Scheduler s;
std::mutex one_launch;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "shim: kernel %s, block (%u, %u, %u), thread %d: %s\n", s.name, block_index.x,
               block_index.y, block_index.z, s.current, what);
  std::abort();
}

#if defined(__x86_64__)
extern "C" void mm_shim_switch(void** save, void* load);
asm(R"(
.text
.type mm_shim_switch, @function
mm_shim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size mm_shim_switch, .-mm_shim_switch
)");
void switch_between(Fiber& from, Fiber& to) { mm_shim_switch(&from.stack_pointer, to.stack_pointer); }
#else
void switch_between(Fiber& from, Fiber& to) { swapcontext(&from.context, &to.context); }
#endif

void enter(int thread) {
  s.current = thread;
  thread_index = dim3(thread);
}

// The next living thread after the current one, in this launch's order.
int next_thread() {
  for (int i = 1; i <= s.threads; i++) {
    const int thread = s.order[(s.position[s.current] + i) % s.threads];
    if (s.fibers[thread].alive) return thread;
  }
  return -1;
}

void yield() {
  const int from = s.current, to = next_thread();
  if (to == from) return;
  enter(to);
  switch_between(s.fibers[from], s.fibers[to]);
  enter(from);
}

void wait(Barrier& barrier, const int& expected) {
  const unsigned generation = barrier.generation;
  barrier.arrived++;
  while (barrier.generation == generation) {
    if (barrier.arrived >= expected) {  // threads that have ended do not count
      barrier.arrived = 0;
      barrier.generation++;
      s.stalls = 0;
      return;
    }
    if (++s.stalls > 4 * s.threads) die("waits at a barrier that not all threads reach");
    yield();
  }
}

void finish_copies(Fiber& fiber, size_t keep) {
  for (; fiber.copies.size() > keep; fiber.copies.erase(fiber.copies.begin())) {
    for (const Copy& copy : fiber.copies.front()) {
      if (copy.valid)
        memcpy(copy.to, copy.from, copy.bytes);
      else
        memset(copy.to, 0, copy.bytes);
    }
  }
}

void thread_main() {
  (*s.body)();
  Fiber& self = s.fibers[s.current];
  if (self.copies.size() > 1 || !self.copies.back().empty()) finish_copies(self, 0);
  self.alive = false;
  s.alive--;
  s.warps[s.current / 32].alive--;
  s.stalls = 0;
  const int to = next_thread();
  if (to < 0) {
    switch_between(self, s.main);
  } else {
    enter(to);
    switch_between(self, s.fibers[to]);
  }
  die("a thread that had ended went on");
}

void prepare(Fiber& fiber) {
  if (!fiber.stack) {
    void* memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) die("no memory for a stack");
    mprotect(memory, 4096, PROT_NONE);
    fiber.stack = static_cast<char*>(memory);
  }
  fiber.alive = true;
  fiber.parity = 0;
  fiber.copies.assign(1, {});
#if defined(__x86_64__)
  // As after a call: six registers, then where to go. The stack is 16-byte aligned before the call.
  void** top = reinterpret_cast<void**>(fiber.stack + kStackBytes - 64);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&thread_main);
  for (int i = 0; i < 6; i++) *--top = nullptr;
  fiber.stack_pointer = top;
#else
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack + 4096;
  fiber.context.uc_stack.ss_size = kStackBytes - 4096;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, thread_main, 0);
#endif
}

// The order of threads between barriers.
void choose_order() {
  const char* chosen = std::getenv("MINIMAX_SHIM_ORDER");
  const std::string order = chosen ? chosen : "forward";
  s.order.resize(s.threads);
  s.position.resize(s.threads);
  std::iota(s.order.begin(), s.order.end(), 0);
  if (order == "reverse") {
    std::reverse(s.order.begin(), s.order.end());
  } else if (order == "random") {
    static std::mt19937 random(1);
    std::shuffle(s.order.begin(), s.order.end(), random);
  } else if (order != "forward") {
    die("MINIMAX_SHIM_ORDER is none of forward, reverse and random");
  }
  for (int i = 0; i < s.threads; i++) s.position[s.order[i]] = i;
}

void run_block() {
  memset(s.shared.data(), 0xff, s.shared.size());
  s.block = {};
  s.alive = s.threads;
  s.stalls = 0;
  for (int i = 0; i < s.threads; i++) prepare(s.fibers[i]);
  for (int w = 0; w < s.threads / 32; w++) {
    s.warps[w].barrier = {};
    s.warps[w].alive = 32;
  }
  const int first = s.order[0];
  enter(first);
  switch_between(s.main, s.fibers[first]);
}

}  // namespace

void block_barrier() { wait(s.block, s.alive); }

void wait_until(const std::function<bool()>& holds) {
  while (!holds()) {
    if (++s.stalls > 4 * s.threads) die("waits for something that no thread does");
    yield();
  }
}

void note_progress() { s.stalls = 0; }

void warp_barrier() {
  Warp& warp = s.warps[s.current / 32];
  wait(warp.barrier, warp.alive);
}

const void* warp_exchange(const void* value, size_t bytes) {
  if (bytes > kExchangeBytes) die("exchanges more than 64 bytes");
  Warp& warp = s.warps[s.current / 32];
  if (warp.alive != 32) die("exchanges values in a warp whose threads have not all come");
  char* values = warp.values[s.fibers[s.current].parity ^= 1];
  memcpy(values + (s.current % 32) * bytes, value, bytes);
  wait(warp.barrier, warp.alive);
  return values;
}

void* dynamic_shared_memory() { return s.shared.data(); }

void copy_async(void* shared, const void* global, size_t bytes, bool valid) {
  s.fibers[s.current].copies.back().push_back({shared, global, bytes, valid});
}

void copy_async_commit() { s.fibers[s.current].copies.emplace_back(); }

void copy_async_wait(int groups) { finish_copies(s.fibers[s.current], static_cast<size_t>(groups) + 1); }

void run(const char* name, dim3 grid, int threads, size_t shared, const std::function<void()>& body) {
  std::lock_guard lock(one_launch);
  s.name = name;
  if (threads % 32 != 0 || threads < 32 || threads > kMaxThreads)
    die("a block has not 32 to 1,024 threads in whole warps");
  if (shared > kMaxShared) die("asks for more shared memory than a block can have");
  if (grid.y > 65535 || grid.z > 65535 || grid.x > 0x7fffffff) die("the grid is too large");
  s.fibers.resize(kMaxThreads);
  s.warps.resize(kMaxThreads / 32);
  s.shared.resize(shared + 1);
  s.body = &body;
  s.threads = threads;
  choose_order();
  block_dim = dim3(threads);
  grid_dim = grid;
  for (unsigned z = 0; z < grid.z; z++) {
    for (unsigned y = 0; y < grid.y; y++) {
      for (unsigned x = 0; x < grid.x; x++) {
        block_index = dim3(x, y, z);
        run_block();
      }
    }
  }
}

}  // namespace mm::shim
