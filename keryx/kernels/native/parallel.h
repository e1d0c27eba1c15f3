// Tasks on XLA's own threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "xla/ffi/api/ffi.h"

namespace keryx {

// Calls task(0) ... task(count - 1), each once, on as many threads as there are; returns when all are done.
//
// The calling thread works too, and waits only for tasks that another thread has begun: a call that itself runs on
// one of the pool's threads cannot lock up. Tasks have to be cut without regard to the number of threads, and write to
// places of their own: then so is every result the same, to the bit, on any number of them.
template <typename Task>
void parallel(xla::ffi::ThreadPool& pool, int64_t count, Task&& task) {
  int64_t helpers = count > 1 ? std::min<int64_t>(count, pool.num_threads()) - 1 : 0;
  if (helpers <= 0) {
    for (int64_t i = 0; i < count; i++) task(i);
    return;
  }
  struct Progress {
    std::atomic<int64_t> begun{0}, done{0};
  };
  auto progress = std::make_shared<Progress>();  // outlives this call: a helper may come when all is done
  auto work = [progress, count, &task] {
    for (int64_t i; (i = progress->begun.fetch_add(1, std::memory_order_relaxed)) < count;) {
      task(i);
      progress->done.fetch_add(1, std::memory_order_release);
    }
  };
  for (int64_t i = 0; i < helpers; i++) pool.Schedule(decltype(work)(work));
  work();
  for (int spins = 0; progress->done.load(std::memory_order_acquire) < count; spins++) {
    if (spins > 1000) std::this_thread::yield();
  }
}

}  // namespace keryx
