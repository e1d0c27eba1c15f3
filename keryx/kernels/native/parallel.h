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

// Calls task(phase, 0) ... task(phase, counts[phase] - 1) for one phase after the other, each once, on as many threads as
// there are; returns when all are done. A phase begins when all tasks of those before it are done.
//
// The calling thread works too, and waits only for tasks that another thread has begun: a call that itself runs on
// one of the pool's threads cannot lock up. The helpers stay through all phases: to wake a thread takes as long as many
// a phase, above all on a virtual machine. Tasks have to be cut without regard to the number of threads, and write to
// places of their own: then so is every result the same, to the bit, on any number of them.
//
// What a task throws, on whichever thread, this call throws when no task runs any more; those not begun are left out.
template <typename Task>
void parallel_phases(xla::ffi::ThreadPool& pool, const int64_t* counts, int64_t phases, Task&& task) {
  // One copy of the task's code for both ways below: in two, the compiler may make one instruction of other products and
  // sums, which rounds otherwise.
  auto run = [&task](int64_t phase, int64_t i) __attribute__((noinline)) { task(phase, i); };
  int64_t most = 0, total = 0;
  for (int64_t phase = 0; phase < phases; phase++) {
    most = std::max(most, counts[phase]);
    total += counts[phase];
  }
  int64_t helpers = most > 1 ? std::min<int64_t>(most, pool.num_threads()) - 1 : 0;
  if (helpers <= 0) {
    for (int64_t phase = 0; phase < phases; phase++) {
      for (int64_t i = 0; i < counts[phase]; i++) run(phase, i);
    }
    return;
  }
  struct Progress {
    std::atomic<int64_t> begun{0}, done{0};
    std::atomic<bool> failed{false};
    std::exception_ptr failure;  // of the task that set `failed`

    void wait_for(int64_t count) {
      for (int spins = 0; done.load(std::memory_order_acquire) < count; spins++) {
        if (spins > 1000) std::this_thread::yield();
      }
    }
  };
  auto progress = std::make_shared<Progress>();  // outlives this call: a helper may come when all is done
  auto work = [progress, counts, total, run] {
    int64_t phase = 0, first = 0;  // the number of the phase's first task, counted through
    for (int64_t i; (i = progress->begun.fetch_add(1, std::memory_order_relaxed)) < total;) {
      while (i >= first + counts[phase]) first += counts[phase++];
      progress->wait_for(first);
      try {
        if (!progress->failed.load(std::memory_order_relaxed)) run(phase, i - first);
      } catch (...) {
        if (!progress->failed.exchange(true)) progress->failure = std::current_exception();
      }
      progress->done.fetch_add(1, std::memory_order_acq_rel);
    }
  };
  try {
    for (int64_t i = 0; i < helpers; i++) pool.Schedule(decltype(work)(work));
  } catch (const std::bad_alloc&) {
    // Fewer helpers: the tasks get done all the same.
  }
  work();
  progress->wait_for(total);
  if (progress->failed) std::rethrow_exception(progress->failure);
}

// Calls task(0) ... task(count - 1), as parallel_phases does in one phase.
template <typename Task>
void parallel(xla::ffi::ThreadPool& pool, int64_t count, Task&& task) {
  parallel_phases(pool, &count, 1, [&task](int64_t, int64_t i) { task(i); });
}

}  // namespace keryx
