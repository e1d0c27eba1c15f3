// The mean and the maximum over all positions of (batch, positions, channels).

#include <algorithm>
#include <limits>
#include <vector>

#include "handler.h"
#include "parallel.h"
#include "simd.h"

namespace keryx {
namespace {

using Floats = ffi::Buffer<ffi::F32>;

constexpr int64_t kTask = 1 << 16;  // floats read in a task

struct Sum {
  static constexpr float start = 0;
  template <typename V>
  static V join(V a, V b) {
    return a + b;
  }
};
struct Largest {
  static constexpr float start = -std::numeric_limits<float>::infinity();
  template <typename V>
  static V join(V a, V b) {
    return max(a, b);
  }
};

// into[c] = all of x[position][c] joined, for one vector of channels at a time.
template <typename Join>
void reduce(const float* x, int64_t positions, int64_t channels, float* into) {
  constexpr int kApart = 4;  // so that one sum need not wait for the other
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    Vec joined[kApart];
    for (Vec& v : joined) v = fill(Join::start);
    int64_t p = 0;
    for (; p + kApart <= positions; p += kApart) {
      for (int i = 0; i < kApart; i++) joined[i] = Join::join(joined[i], load(x + (p + i) * channels + c));
    }
    for (; p < positions; p++) joined[0] = Join::join(joined[0], load(x + p * channels + c));
    store(into + c, Join::join(Join::join(joined[0], joined[1]), Join::join(joined[2], joined[3])));
  }
  if (c == channels) return;
  std::fill(into + c, into + channels, Join::start);
  for (int64_t p = 0; p < positions; p++) {
    for (int64_t i = c; i < channels; i++) into[i] = Join::join(into[i], x[p * channels + i]);
  }
}

// Blocks of positions first, then their results in order.
template <typename Join>
void pool(ffi::ThreadPool& threads, Floats x, ffi::Result<Floats> y, bool mean) {
  auto sizes = want::sizes<3>("x", x);
  int64_t batch = sizes[0], positions = sizes[1], channels = sizes[2];
  want::shape("y", y->dimensions(), {batch, channels});
  if (batch == 0 || channels == 0) return;
  int64_t block = std::max<int64_t>(1, kTask / channels);
  int64_t blocks = std::max<int64_t>(1, (positions + block - 1) / block);
  std::vector<float> joined(batch * blocks * channels);  // (batch, blocks, channels)
  const float* from = x.typed_data();
  parallel(threads, batch * blocks, [&](int64_t task) {
    int64_t image = task / blocks, first = task % blocks * block;
    reduce<Join>(from + (image * positions + first) * channels, std::min(block, positions - first), channels,
                 joined.data() + task * channels);
  });
  for (int64_t image = 0; image < batch; image++) {
    float* result = y->typed_data() + image * channels;
    reduce<Join>(joined.data() + image * blocks * channels, blocks, channels, result);
    for (int64_t c = 0; mean && c < channels; c++) result[c] /= static_cast<float>(positions);
  }
}

ffi::Error global_average_pool(ffi::ThreadPool threads, Floats x, ffi::Result<Floats> y) {
  pool<Sum>(threads, x, y, true);
  return ffi::Error::Success();
}

ffi::Error global_max_pool(ffi::ThreadPool threads, Floats x, ffi::Result<Floats> y) {
  pool<Largest>(threads, x, y, false);
  return ffi::Error::Success();
}

}  // namespace

KERYX_HANDLER(
    keryx_global_average_pool_1, global_average_pool,
    ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<Floats>().Ret<Floats>());

KERYX_HANDLER(
    keryx_global_max_pool_1, global_max_pool,
    ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Arg<Floats>().Ret<Floats>());

}  // namespace keryx
