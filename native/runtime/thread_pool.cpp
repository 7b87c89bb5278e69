#include "runtime/thread_pool.h"

#include <atomic>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "minimax/context.h"
#include "runtime/error.h"
#include "runtime/memory.h"

namespace mm {
namespace {

// How long a worker looks for the next job before it sleeps: longer than the gap between two operations of a
// model, shorter than anything a person or another process would notice.
constexpr int kSpins = 4000;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

struct Job {
  void (*body)(void*, int64_t);
  void* context;
  int64_t count;
  std::atomic<int64_t> next{0};
  std::exception_ptr error{};
  std::atomic<bool> failed{false};

  void run() {
    for (int64_t index; (index = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      try {
        body(context, index);
      } catch (...) {
        if (!failed.exchange(true)) error = std::current_exception();
        next.store(count, std::memory_order_relaxed);
      }
    }
  }
};

thread_local bool inside_pool = false;

class Pool {
 public:
  explicit Pool(int32_t threads) : threads_(threads) {
    for (int32_t i = 1; i < threads; i++) workers_.emplace_back([this] { work(); });
  }

  ~Pool() {
    stop_ = true;
    generation_.fetch_add(1);
    generation_.notify_all();
    for (auto& worker : workers_) worker.join();
  }

  int32_t threads() const { return threads_; }

  void run(Job& job) {
    job_ = &job;
    generation_.fetch_add(1);
    generation_.notify_all();
    inside_pool = true;
    job.run();
    inside_pool = false;
    // A worker that has not woken up by now finds no job: what it would have done is done. One that has is
    // counted.
    job_ = nullptr;
    for (int spins = 0; active_ > 0; spins++) {
      if (spins < kSpins) {
        pause();
      } else {
        std::this_thread::yield();
      }
    }
  }

 private:
  void work() {
    inside_pool = true;
    for (uint32_t seen = 0;;) {
      uint32_t now = generation_.load(std::memory_order_acquire);
      for (int spins = 0; now == seen && spins < kSpins; spins++) {
        pause();
        now = generation_.load(std::memory_order_acquire);
      }
      if (now == seen) {
        generation_.wait(seen, std::memory_order_acquire);
        continue;
      }
      seen = now;
      if (stop_) return;
      active_++;
      if (Job* job = job_) job->run();
      active_--;
    }
  }

  int32_t threads_;
  std::vector<std::thread> workers_;
  std::atomic<uint32_t> generation_{0};
  std::atomic<Job*> job_{nullptr};
  std::atomic<int32_t> active_{0};
  std::atomic<bool> stop_{false};
};

int32_t default_threads() {
  if (const char* text = std::getenv("MINIMAX_NUM_THREADS")) {
    const int threads = std::atoi(text);
    if (threads > 0) return threads;
  }
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : static_cast<int32_t>(cores);
}

// One job at a time: a second caller waits for the first, as they would share the cores anyway.
std::mutex pool_mutex;

// Never destroyed: at exit the threads of the pool may already be gone, and joining them would hang.
std::unique_ptr<Pool>& pool() {
  static auto* instance = new std::unique_ptr<Pool>(std::make_unique<Pool>(default_threads()));
  return *instance;
}

}  // namespace

void parallel_for(int64_t count, void (*body)(void*, int64_t), void* context) {
  if (count <= 0) return;
  if (count == 1 || inside_pool) {
    for (int64_t i = 0; i < count; i++) body(context, i);
    return;
  }
  std::lock_guard lock(pool_mutex);
  Job job{body, context, count};
  if (pool()->threads() == 1) {
    job.run();
  } else {
    pool()->run(job);
  }
  if (job.error) std::rethrow_exception(job.error);
}

int32_t thread_count() {
  std::lock_guard lock(pool_mutex);
  return pool()->threads();
}

void set_thread_count(int32_t threads) {
  std::lock_guard lock(pool_mutex);
  if (pool()->threads() == threads) return;
  pool().reset();
  pool() = std::make_unique<Pool>(threads);
}

void* thread_scratch(int64_t bytes) {
  struct Scratch {
    void* pointer = nullptr;
    int64_t bytes = 0;
    ~Scratch() { std::free(pointer); }
  };
  thread_local Scratch scratch;
  if (scratch.bytes < bytes) {
    std::free(scratch.pointer);
    scratch.pointer = nullptr;
    scratch.bytes = 0;
    scratch.pointer = aligned_memory(bytes);
    scratch.bytes = bytes;
  }
  return scratch.pointer;
}

}  // namespace mm

mm_status mm_set_threads(int32_t threads) {
  return mm::guarded("mm_set_threads", [&] {
    MM_REQUIRE(threads >= 1 && threads <= 1024, "%d threads; 1 to 1024 are possible", threads);
    mm::set_thread_count(threads);
  });
}

int32_t mm_get_threads(void) { return mm::thread_count(); }
