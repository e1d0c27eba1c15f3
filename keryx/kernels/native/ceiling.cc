// What the processor can do at most, for benchmarks to compare with: products and sums in registers, on all threads.

#include "handler.h"
#include "parallel.h"
#include "simd.h"

namespace keryx {
namespace {

// Each number of `y` is a task of `steps` products, each with a sum.
ffi::Error ceiling(ffi::ThreadPool threads, ffi::Buffer<ffi::F32> x, ffi::Result<ffi::Buffer<ffi::F32>> y,
                   int64_t steps) {
  want::length("y", y->element_count(), x.element_count());
  want::between("steps", steps, 0, int64_t{1} << 32);
  const float* from = x.typed_data();
  float* to = y->typed_data();
  parallel(threads, y->element_count(), [=](int64_t task) {
    constexpr int kApart = 12;  // enough for the units never to wait; few enough for all registers
    Vec sums[kApart], factor = fill(from[task]), step = fill(1e-6f);
    for (int i = 0; i < kApart; i++) sums[i] = fill(static_cast<float>(i));
    for (int64_t done = 0; done < steps; done += kApart * kLanes) {
#pragma GCC unroll 12
      for (int i = 0; i < kApart; i++) sums[i] = sums[i] * factor + step;
    }
    Vec all{};
    for (Vec v : sums) all += v;
    to[task] = sum(all);
  });
  return ffi::Error::Success();
}

}  // namespace

KERYX_HANDLER(keryx_ceiling_1, ceiling,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<ffi::Buffer<ffi::F32>>()
                  .Ret<ffi::Buffer<ffi::F32>>()
                  .Attr<int64_t>("steps"));

}  // namespace keryx
