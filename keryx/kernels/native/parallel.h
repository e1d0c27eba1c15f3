// Tasks on XLA's own threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <thread>

#include "xla/ffi/api/ffi.h"

namespace keryx {

// Calls task(0) ... task(count - 1), each once, on as many threads as there are; returns when all are done.
//
// The calling thread works too, and waits only for tasks that another thread has begun: a call that itself runs on
// one of the pool's threads cannot lock up. Tasks have to be cut without regard to the number of threads, and write to
// places of their own: then so is every result the same, to the bit, on any number of them.
//
// What a task throws, on whichever thread, this call throws when no task runs any more; those not begun are left out.
template <typename Task>
void parallel(xla::ffi::ThreadPool& pool, int64_t count, Task&& task) {
  // One copy of the task's code for both ways below: in two, the compiler may make one instruction of other products and
  // sums, which rounds otherwise.
  auto run = [&task](int64_t i) __attribute__((noinline)) { task(i); };
  int64_t helpers = count > 1 ? std::min<int64_t>(count, pool.num_threads()) - 1 : 0;
  if (helpers <= 0) {
    for (int64_t i = 0; i < count; i++) run(i);
    return;
  }
  struct Progress {
    std::atomic<int64_t> begun{0}, done{0};
    std::atomic<bool> failed{false};
    std::exception_ptr failure;  // of the task that set `failed`
  };
  auto progress = std::make_shared<Progress>();  // outlives this call: a helper may come when all is done
  auto work = [progress, count, run] {
    for (int64_t i; (i = progress->begun.fetch_add(1, std::memory_order_relaxed)) < count;) {
      try {
        if (!progress->failed.load(std::memory_order_relaxed)) run(i);
      } catch (...) {
        if (!progress->failed.exchange(true)) progress->failure = std::current_exception();
      }
      progress->done.fetch_add(1, std::memory_order_release);
    }
  };
  try {
    for (int64_t i = 0; i < helpers; i++) pool.Schedule(decltype(work)(work));
  } catch (const std::bad_alloc&) {
    // Fewer helpers: the tasks get done all the same.
  }
  work();
  for (int spins = 0; progress->done.load(std::memory_order_acquire) < count; spins++) {
    if (spins > 1000) std::this_thread::yield();
  }
  if (progress->failed) std::rethrow_exception(progress->failure);
}

}  // namespace keryx
