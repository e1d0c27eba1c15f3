// The maximum and the mean of windows, and their gradients.
//
// All four are one walk: each position of the result looks up its partners on the other side. For a window that is the
// positions within it; for a gradient, the windows that the position lies in. So each element is written once, by one
// task.

#include <algorithm>
#include <vector>

#include "handler.h"
#include "parallel.h"
#include "simd.h"

namespace keryx {
namespace {

constexpr int64_t kMostPositions = 256;  // an index is one byte
constexpr int64_t kTask = 1 << 15;    // floats written in a task

// The partners of a position along one axis: where they begin, how many, and their numbers within the window.
struct Partners {
  int64_t first, count, number, step;

  bool same_numbers(const Partners& other) const { return count == other.count && number == other.number; }
};

struct Axis {
  int64_t size, windows, window, stride, before;  // `before`: padding

  Partners of_window(int64_t i) const {
    int64_t start = i * stride - before, from = std::max<int64_t>(0, -start);
    return {start + from, std::max<int64_t>(0, std::min(window, size - start) - from), from, 1};
  }
  Partners of_input(int64_t i) const {
    int64_t late = i + before - window + 1, from = late > 0 ? (late + stride - 1) / stride : 0;
    int64_t to = std::min(windows, (i + before) / stride + 1);
    return {from, std::max<int64_t>(0, to - from), i + before - from * stride, -stride};
  }
};

enum Side { kWindows, kInputs };

// Neighbours along the width whose partners are neighbours too are one long vector: all but the edges, at stride 1.
struct Run {
  int64_t at, length, partner;  // `partner`: the first of the first
  size_t pattern;
};

struct Positions {
  int count = 0;
  ptrdiff_t offset[kMostPositions];
  int number[kMostPositions];
};

struct Pool {
  int64_t batch, channels;
  Axis depth, height, width;
  Side side;

  static int64_t here(const Axis& axis, Side side) { return side == kWindows ? axis.windows : axis.size; }
  Partners partners(const Axis& axis, int64_t i) const {
    return side == kWindows ? axis.of_window(i) : axis.of_input(i);
  }

  // The runs of a row, and what tells their lists of positions apart: few, though there may be a run a pixel.
  std::vector<Run> runs(std::vector<Partners>& patterns) const {
    std::vector<Run> found;
    for (int64_t i = 0; i < here(width, side); i++) {
      Partners seen = partners(width, i);
      size_t pattern = 0;
      while (pattern < patterns.size() && !patterns[pattern].same_numbers(seen)) pattern++;
      if (pattern == patterns.size()) patterns.push_back(seen);
      bool goes_on = !found.empty() && found.back().pattern == pattern &&
                     seen.first - found.back().partner == i - found.back().at;
      if (goes_on) {
        found.back().length++;
      } else {
        found.push_back({i, 1, seen.first, pattern});
      }
    }
    return found;
  }

  // work(positions, from, to, count): `count` floats from the offset `to` on, whose partners are at `from + positions`.
  template <typename Work>
  void walk(ffi::ThreadPool& pool, Work work) const {
    int64_t deep = here(depth, side), high = here(height, side), wide = here(width, side);
    Side other = side == kWindows ? kInputs : kWindows;
    int64_t far_high = here(height, other), line = here(width, other) * channels;
    int64_t rows = batch * deep * high, row = wide * channels, image = here(depth, other) * far_high * line;
    if (rows == 0 || row == 0) return;
    std::vector<Partners> patterns;
    std::vector<Run> across = runs(patterns);
    int64_t in_task = std::max<int64_t>(1, kTask / row);
    parallel(pool, (rows + in_task - 1) / in_task, [&](int64_t task) {
      std::vector<Positions> positions(patterns.size());
      for (int64_t r = task * in_task; r < std::min(rows, (task + 1) * in_task); r++) {
        Partners down = partners(depth, r / high % deep), along = partners(height, r % high);
        for (size_t i = 0; i < patterns.size(); i++) fill(positions[i], down, along, patterns[i], far_high, line);
        int64_t start = r / high / deep * image + (down.first * far_high + along.first) * line;
        for (const Run& run : across) {
          work(positions[run.pattern], start + run.partner * channels, r * row + run.at * channels,
               run.length * channels);
        }
      }
    });
  }

  void fill(Positions& positions, const Partners& down, const Partners& along, const Partners& sideways,
            int64_t far_high, int64_t line) const {
    positions.count = 0;
    for (int64_t d = 0; d < down.count; d++) {
      for (int64_t h = 0; h < along.count; h++) {
        int64_t number = (down.number + d * down.step) * height.window + along.number + h * along.step;
        for (int64_t w = 0; w < sideways.count; w++) {
          positions.offset[positions.count] = (d * far_high + h) * line + w * channels;
          positions.number[positions.count++] = number * width.window + sideways.number + w * sideways.step;
        }
      }
    }
  }
};

template <int N>
struct Lanes {
  typedef float Floats __attribute__((vector_size(4 * N)));
  typedef float FloatsInMemory __attribute__((vector_size(4 * N), aligned(4), may_alias));
  typedef int32_t Numbers __attribute__((vector_size(4 * N)));
  typedef int16_t Shorts __attribute__((vector_size(2 * N)));
  typedef uint8_t Bytes __attribute__((vector_size(N)));
  typedef uint8_t BytesInMemory __attribute__((vector_size(N), aligned(1), may_alias));
};

template <typename L>
typename L::Floats load(L, const float* p) {
  return *reinterpret_cast<const typename L::FloatsInMemory*>(p);
}
template <typename L>
void store(L, float* p, typename L::Floats v) {
  *reinterpret_cast<typename L::FloatsInMemory*>(p) = v;
}
// Bytes by way of 16 bits: GCC converts to four times the width number by number.
template <typename L>
typename L::Numbers load(L, const uint8_t* p) {
  typename L::Bytes bytes = *reinterpret_cast<const typename L::BytesInMemory*>(p);
  return __builtin_convertvector(__builtin_convertvector(bytes, typename L::Shorts), typename L::Numbers);
}
template <typename L>
void store(L, uint8_t* p, typename L::Numbers v) {
  auto shorts = __builtin_convertvector(v, typename L::Shorts);
  *reinterpret_cast<typename L::BytesInMemory*>(p) = __builtin_convertvector(shorts, typename L::Bytes);
}

// step(lanes, i) for all i < count. What a step writes depends only on what it reads elsewhere, so the last vector may
// overlap the one before it.
template <int N, typename Step>
void sweep(int64_t count, Step step) {
  for (int64_t i = 0; i + N <= count; i += N) step(Lanes<N>{}, i);
  if (count % N) step(Lanes<N>{}, count - N);
}
template <typename Step>
void each(int64_t count, Step step) {
  if (count >= kLanes) {
    sweep<kLanes>(count, step);
  } else if (count >= 4) {
    sweep<4>(count, step);
  } else {
    sweep<1>(count, step);
  }
}

// -- what is done at a position --------------------------------------------------------------------------------------

void largest(const Positions& positions, const float* x, float* y, uint8_t* index, int64_t count) {
  each(count, [&](auto lanes, int64_t i) {
    auto most = load(lanes, x + positions.offset[0] + i);
    typename decltype(lanes)::Numbers none{}, winner = positions.number[0] - none;
    for (int p = 1; p < positions.count; p++) {
      auto other = load(lanes, x + positions.offset[p] + i);
      auto wins = (other > most) | ((other != other) & (most == most));  // the first NaN wins
      most = wins ? other : most;
      winner = wins ? positions.number[p] - none : winner;
    }
    store(lanes, y + i, most);
    if (index) store(lanes, index + i, winner);
  });
}

void to_winners(const Positions& positions, const float* dy, const uint8_t* index, float* dx, int64_t count) {
  each(count, [&](auto lanes, int64_t i) {
    typename decltype(lanes)::Floats total{}, zero{};
    for (int p = 0; p < positions.count; p++) {
      auto won = load(lanes, index + positions.offset[p] + i) == positions.number[p];
      total += won ? load(lanes, dy + positions.offset[p] + i) : zero;
    }
    store(lanes, dx + i, total);
  });
}

void total(const Positions& positions, const float* x, float divisor, float* y, int64_t count) {
  each(count, [&](auto lanes, int64_t i) {
    typename decltype(lanes)::Floats sum{};
    for (int p = 0; p < positions.count; p++) sum += load(lanes, x + positions.offset[p] + i);
    store(lanes, y + i, sum / divisor);
  });
}

// -- handlers ---------------------------------------------------------------------------------------------------------

// Numbers are (batch, depth, height, width, channels); windows, strides and padding (depth, height, width). Each window
// has a position within x.
Pool pool_of(Numbers x, Numbers y, Numbers window, Numbers strides, Numbers before, Side side) {
  want::rank("x", x, 5);
  want::rank("y", y, 5);
  want::length("window", window.size(), 3);
  want::length("strides", strides.size(), 3);
  want::length("before", before.size(), 3);
  want::between("window", window, 1, kMostPositions);
  want::between("positions in the window", window[0] * window[1] * window[2], 1, kMostPositions);
  want::between("strides", strides, 1, want::kFar);
  want::shape("y", y, {x[0], y[1], y[2], y[3], x[4]});
  for (int i = 0; i < 3; i++) {
    want::between("before", before[i], 0, window[i] - 1);
    want::outputs("y", i + 1, y[i + 1], x[i + 1], window[i], strides[i], before[i], window[i] - 1);
  }
  auto axis = [&](int i) { return Axis{x[i + 1], y[i + 1], window[i], strides[i], before[i]}; };
  return {x[0], x[4], axis(0), axis(1), axis(2), side};
}

using Floats = ffi::Buffer<ffi::F32>;
using Bytes = ffi::Buffer<ffi::U8>;

// An empty `index` is not asked for.
ffi::Error max_pool(ffi::ThreadPool threads, Floats x, ffi::Result<Floats> y, ffi::Result<Bytes> index, Numbers window,
                    Numbers strides, Numbers before) {
  Pool pool = pool_of(x.dimensions(), y->dimensions(), window, strides, before, kWindows);
  const float* from = x.typed_data();
  float* to = y->typed_data();
  if (index->element_count()) want::same("index", index->dimensions(), y->dimensions());
  uint8_t* winners = index->element_count() ? index->typed_data() : nullptr;
  pool.walk(threads, [=](const Positions& positions, int64_t image, int64_t at, int64_t count) {
    largest(positions, from + image, to + at, winners ? winners + at : nullptr, count);
  });
  return ffi::Error::Success();
}

ffi::Error max_pool_gradient(ffi::ThreadPool threads, Bytes index, Floats dy, ffi::Result<Floats> dx, Numbers window,
                             Numbers strides, Numbers before) {
  Pool pool = pool_of(dx->dimensions(), dy.dimensions(), window, strides, before, kInputs);
  want::same("index", index.dimensions(), dy.dimensions());
  const uint8_t* winners = index.typed_data();
  const float* from = dy.typed_data();
  float* to = dx->typed_data();
  pool.walk(threads, [=](const Positions& positions, int64_t image, int64_t at, int64_t count) {
    to_winners(positions, from + image, winners + image, to + at, count);
  });
  return ffi::Error::Success();
}

ffi::Error average_pool(ffi::ThreadPool threads, Floats x, ffi::Result<Floats> y, Numbers window, Numbers strides,
                        Numbers before) {
  Pool pool = pool_of(x.dimensions(), y->dimensions(), window, strides, before, kWindows);
  const float* from = x.typed_data();
  float* to = y->typed_data();
  pool.walk(threads, [=](const Positions& positions, int64_t image, int64_t at, int64_t count) {
    total(positions, from + image, positions.count, to + at, count);
  });
  return ffi::Error::Success();
}

// Each number of dy over `divisor` to all the positions of its window.
ffi::Error average_pool_gradient(ffi::ThreadPool threads, Floats dy, ffi::Result<Floats> dx, Numbers window,
                                 Numbers strides, Numbers before, int64_t divisor) {
  want::between("divisor", divisor, 1, kMostPositions);
  Pool pool = pool_of(dx->dimensions(), dy.dimensions(), window, strides, before, kInputs);
  const float* from = dy.typed_data();
  float* to = dx->typed_data();
  pool.walk(threads, [=](const Positions& positions, int64_t image, int64_t at, int64_t count) {
    total(positions, from + image, divisor, to + at, count);
  });
  return ffi::Error::Success();
}

}  // namespace

KERYX_HANDLER(keryx_max_pool_1, max_pool,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Floats>()
                  .Ret<Floats>()
                  .Ret<Bytes>()
                  .Attr<Numbers>("window")
                  .Attr<Numbers>("strides")
                  .Attr<Numbers>("before"));

KERYX_HANDLER(keryx_max_pool_gradient_1, max_pool_gradient,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Bytes>()
                  .Arg<Floats>()
                  .Ret<Floats>()
                  .Attr<Numbers>("window")
                  .Attr<Numbers>("strides")
                  .Attr<Numbers>("before"));

KERYX_HANDLER(keryx_average_pool_1, average_pool,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Floats>()
                  .Ret<Floats>()
                  .Attr<Numbers>("window")
                  .Attr<Numbers>("strides")
                  .Attr<Numbers>("before"));

KERYX_HANDLER(keryx_average_pool_gradient_1, average_pool_gradient,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Floats>()
                  .Ret<Floats>()
                  .Attr<Numbers>("window")
                  .Attr<Numbers>("strides")
                  .Attr<Numbers>("before")
                  .Attr<int64_t>("divisor"));

}  // namespace keryx
