// Convolutions over windows of 3 x 3 and 5 x 5 with a quarter and a third of the products: Winograd's algorithm.
//
// Tiles of 6 x 6 numbers of each channel are transformed; what is a convolution then falls into 36 products of
// matrices, (tiles, channels) by (channels, filters), one a point; transformed back, a tile gives 7 - K outputs a side.
#include "winograd.h"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>
#include <vector>

#include "handler.h"
#include "parallel.h"
#include "scratch.h"
#include "simd.h"

namespace keryx::winograd {
namespace {

using Array = ffi::Buffer<ffi::F32>;

// Tiles transformed at a time: as many as fit into the half of a core's cache, but the kernel has to be read for each.
constexpr int64_t kBlockNumbers = 1 << 17;
// Tiles that the gradient of the kernel transforms before it multiplies.
constexpr int64_t kChunk = 96;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

// How many of the next vector's lanes there are where `rest` numbers are left.
int lanes(int64_t rest) { return static_cast<int>(std::clamp<int64_t>(rest, 0, kLanes)); }

// Calls f(std::integral_constant<int, rows>) for 1 <= rows <= kRows.
template <int M = kRows, typename F>
void with_rows(int64_t rows, F f) {
  if (rows == M) return f(std::integral_constant<int, M>());
  if constexpr (M > 1) with_rows<M - 1>(rows, f);
}

struct Images {
  int64_t count, height, width, channels;
  explicit Images(ffi::Span<const int64_t> sizes)
      : count(sizes[0]), height(sizes[1]), width(sizes[2]), channels(sizes[3]) {}
};

// A square of Size x Size elements of an image; the next is Step columns away. What sticks out of the image reads as
// zeros and is not written.
template <int Size, int Step>
struct Square {
  int64_t corner, row, column;
  int top, bottom, left, right;  // the part within the image

  Square(const Images& images, int64_t n, int64_t y, int64_t x)
      : corner(((n * images.height + y) * images.width + x) * images.channels),
        row(images.width * images.channels),
        column(images.channels),
        top(clip(-y)),
        bottom(clip(images.height - y)),
        left(clip(-x)),
        right(clip(images.width - x)) {}

  static int clip(int64_t i) { return static_cast<int>(std::clamp<int64_t>(i, 0, Size)); }
  bool whole() const { return top == 0 && left == 0 && bottom == Size && right == Size; }
  int64_t at(int i, int j) const { return corner + i * row + j * column; }

  // Asks for the columns that the next square adds: they lie in too many places for the processor to foresee.
  __attribute__((always_inline)) void fetch_next(const float* from) const {
#pragma GCC unroll 6
    for (int i = 0; i < Size; i++) {
#pragma GCC unroll 6
      for (int j = Size; j < Size + Step; j++) __builtin_prefetch(from + i * row + j * column);
    }
  }

  // The transform of a vector of channels, of which `rest` exist. Here and below, functions hold their pointers by value
  // and are inlined: what is reached by reference is read again after each store, and waits for the stores before it.
  template <typename Transform, typename Put>
  __attribute__((always_inline)) void read(const float* images, int64_t rest, Put put) const {
    if (whole() && rest >= kLanes) {
      const float* from = images + corner;
      int64_t down = row, right_of = column;
      fetch_next(from);
      transform<Transform>([=](int i, int j) { return load(from + i * down + j * right_of); }, put);
    } else {
      int n = lanes(rest);
      Vec inside[Size][Size] = {};
      for (int i = top; i < bottom; i++) {
        for (int j = left; j < right; j++) inside[i][j] = load(images + at(i, j), n);
      }
      transform<Transform>([&](int i, int j) { return inside[i][j]; }, put);
    }
  }

  // Likewise what is transformed back, after `finish`.
  template <typename Transform, typename Get, typename Finish>
  __attribute__((always_inline)) void write(float* images, int64_t rest, Get get, Finish finish) const {
    if (whole() && rest >= kLanes) {
      float* to = images + corner;
      int64_t down = row, right_of = column;
      fetch_next(to);
      transform<Transform>(get, [=](int i, int j, Vec v) { store(to + i * down + j * right_of, finish(v)); });
    } else {
      int n = lanes(rest);
      Vec inside[Size][Size];
      transform<Transform>(get, [&](int i, int j, Vec v) { inside[i][j] = finish(v); });
      for (int i = top; i < bottom; i++) {
        for (int j = left; j < right; j++) store(images + at(i, j), inside[i][j], n);
      }
    }
  }
};

// How the outputs of a batch fall into tiles of Side x Side.
template <int Side>
struct Tiles {
  int64_t rows, columns, count;
  explicit Tiles(const Images& y)
      : rows(ceil_div(y.height, Side)), columns(ceil_div(y.width, Side)), count(y.count * rows * columns) {}

  // The square that a tile reads or writes, `up` and `before` away from its outputs.
  template <int Size>
  Square<Size, Side> square(const Images& images, int64_t tile, int64_t up = 0, int64_t before = 0) const {
    int64_t n = tile / (rows * columns), place = tile % (rows * columns);
    return Square<Size, Side>(images, n, place / columns * Side - up, place % columns * Side - before);
  }
};

// The kernel at the 36 points: (panels, points, channels, kPanel).
//
// `mirrored` is for the gradient of the inputs: a convolution with the kernel mirrored, its inputs being its outputs.
template <int K>
void transform_kernel(ffi::ThreadPool& pool, const float* kernel, int64_t channels, int64_t filters, bool mirrored,
                      float* u) {
  constexpr int64_t kChannels = 16;
  int64_t blocks = ceil_div(channels, kChannels), panels = ceil_div(filters, kPanel);
  parallel(pool, panels * blocks, [&](int64_t task) {
    int64_t panel = task / blocks, first = task % blocks * kChannels;
    for (int64_t c = first; c < std::min(first + kChannels, channels); c++) {
      for (int64_t f = panel * kPanel; f < (panel + 1) * kPanel; f += kLanes) {
        int n = lanes(filters - f);
        auto get = [=](int i, int j) {
          if (!mirrored) return load(kernel + ((i * K + j) * channels + c) * filters + f, n);
          Vec across{};
          const float* from = kernel + ((K * K - 1 - i * K - j) * filters + f) * channels + c;
          for (int lane = 0; lane < n; lane++) across[lane] = from[lane * channels];
          return across;
        };
        float* to = u + (panel * kPoints * channels + c) * kPanel + f % kPanel;
        int64_t point = channels * kPanel;
        transform<Evaluate<K>>(get, [=](int i, int j, Vec v) {
          store(to + (i * kTile + j) * point, v * (kScale[i] * kScale[j]));
        });
      }
    }
  });
}

struct Epilogue {
  const float* bias;  // may be null
  bool relu;
};

// y = activation(x * kernel + bias)
template <int K>
void convolve(ffi::ThreadPool& pool, const float* x, const Images& x_sizes,
                    const float* kernel, bool mirrored, Epilogue epilogue, float* y, const Images& y_sizes,
                    ffi::Span<const int64_t> pads) {
  constexpr int kSide = kTile + 1 - K;
  Tiles<kSide> tiles(y_sizes);
  if (tiles.count == 0) return;
  int64_t channels = x_sizes.channels, filters = y_sizes.channels;
  int64_t panels = ceil_div(filters, kPanel), row = round_up(channels, kLanes);
  int64_t block = std::clamp<int64_t>(kBlockNumbers / (kPoints * row * 12), 1, 4) * 12;
  int64_t blocks = ceil_div(tiles.count, block);
  int64_t v_point = block * row + kLanes;  // an odd number of lines: the points fall on many sets of the cache
  int64_t v_size = kPoints * v_point, m_size = block * kPoints * kPanel;
  int64_t workers = std::min(blocks, std::max<int64_t>(1, pool.num_threads()));
  Scratch kernels = scratch(panels * kPoints * channels * kPanel), work = scratch(workers * (v_size + m_size));
  float* u = kernels.get();
  transform_kernel<K>(pool, kernel, channels, filters, mirrored, u);

  Vec least = fill(epilogue.relu ? 0 : -INFINITY);
  auto convolve_block = [&](int64_t first, int64_t count, float* v, float* m) {
    for (int64_t t = 0; t < count; t++) {
      auto square = tiles.template square<kTile>(x_sizes, first + t, pads[0], pads[1]);
      for (int64_t c = 0; c < channels; c += kLanes) {
        float* to = v + t * row + c;
        square.template read<Interpolate>(
            x + c, channels - c, [=](int i, int j, Vec number) { store(to + (i * kTile + j) * v_point, number); });
      }
    }
    for (int64_t panel = 0; panel < panels; panel++) {
      for (int point = 0; point < kPoints; point++) {
        const float* weights = u + (panel * kPoints + point) * channels * kPanel;
        for (int64_t t = 0; t < count; t += kRows) {
          with_rows(std::min<int64_t>(kRows, count - t), [&](auto rows) {
            Vec sums[rows][2] = {};
            multiply(sums, v + point * v_point + t * row, row, 1, weights, kPanel, channels);
            for (int i = 0; i < rows; i++) {
              float* to = m + ((t + i) * kPoints + point) * kPanel;
              for (int j = 0; j < 2; j++) store(to + j * kLanes, sums[i][j]);
            }
          });
        }
      }
      for (int64_t t = 0; t < count; t++) {
        auto square = tiles.template square<kSide>(y_sizes, first + t);
        for (int64_t f = panel * kPanel; f < std::min((panel + 1) * kPanel, filters); f += kLanes) {
          const float* from = m + t * kPoints * kPanel + f % kPanel;
          Vec bias = epilogue.bias ? load(epilogue.bias + f, lanes(filters - f)) : Vec{};
          square.template write<Combine<kSide>>(
              y + f, filters - f, [=](int i, int j) { return load(from + (i * kTile + j) * kPanel); },
              [=](Vec sum) { return max(sum + bias, least); });
        }
      }
    }
  };
  std::atomic<int64_t> next{0};
  parallel(pool, workers, [&](int64_t worker) {
    float* v = work.get() + worker * (v_size + m_size);
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < blocks;) {
      convolve_block(i * block, std::min(block, tiles.count - i * block), v, v + v_size);
    }
  });
}

// dk = x * dy: the 36 products are over the tiles of the whole batch, a chunk of them at a time.
template <int K>
void differentiate(ffi::ThreadPool& pool, const float* x, const Images& x_sizes,
                         const float* dy, const Images& dy_sizes, float* dk, ffi::Span<const int64_t> pads) {
  constexpr int kSide = kTile + 1 - K;
  constexpr int64_t kTilesAtATime = 8;
  Tiles<kSide> tiles(dy_sizes);
  int64_t channels = x_sizes.channels, filters = dy_sizes.channels;
  int64_t panels = ceil_div(filters, kPanel), row = round_up(channels, kLanes) + kLanes;
  int64_t chunk = std::max<int64_t>(1, std::min(kChunk, tiles.count));
  int64_t v_point = chunk * row + kLanes, w_point = panels * chunk * kPanel + kLanes;
  Scratch work = scratch(kPoints * (v_point + w_point + panels * channels * kPanel));
  float* v = work.get();               // (points, chunk, row)
  float* w = v + kPoints * v_point;    // (points, panels, chunk, kPanel)
  float* sums = w + kPoints * w_point;  // (points, panels, channels, kPanel)
  std::fill_n(sums, kPoints * panels * channels * kPanel, 0.0f);

  auto transform_tile = [&](int64_t tile, int64_t t) {
    auto square = tiles.template square<kTile>(x_sizes, tile, pads[0], pads[1]);
    for (int64_t c = 0; c < channels; c += kLanes) {
      float* to = v + t * row + c;
      square.template read<Interpolate>(
          x + c, channels - c, [=](int i, int j, Vec number) { store(to + (i * kTile + j) * v_point, number); });
    }
    auto change = tiles.template square<kSide>(dy_sizes, tile);
    for (int64_t f = 0; f < panels * kPanel; f += kLanes) {
      float* to = w + (f / kPanel * chunk + t) * kPanel + f % kPanel;
      change.template read<Evaluate<kSide>>(
          dy + f, filters - f, [=](int i, int j, Vec number) { store(to + (i * kTile + j) * w_point, number); });
    }
  };
  int64_t step = ceil_div(channels, ceil_div(channels, kRows));  // rows of nearly equal height
  auto add_products = [&](int64_t point, int64_t panel, int64_t count) {
    const float* right = w + point * w_point + panel * chunk * kPanel;
    for (int64_t c = 0; c < channels; c += step) {
      with_rows(std::min(step, channels - c), [&](auto rows) {
        float* to = sums + ((point * panels + panel) * channels + c) * kPanel;
        Vec tile[rows][2];
        for (int i = 0; i < rows; i++) {
          for (int j = 0; j < 2; j++) tile[i][j] = load(to + i * kPanel + j * kLanes);
        }
        multiply(tile, v + point * v_point + c, 1, row, right, kPanel, count);
        for (int i = 0; i < rows; i++) {
          for (int j = 0; j < 2; j++) store(to + i * kPanel + j * kLanes, tile[i][j]);
        }
      });
    }
  };
  auto combine = [&](int64_t c) {
    for (int64_t f = 0; f < filters; f += kLanes) {
      const float* from = sums + (f / kPanel * channels + c) * kPanel + f % kPanel;
      float* to = dk + c * filters + f;
      int64_t point = panels * channels * kPanel, place = channels * filters;
      int n = lanes(filters - f);
      transform<Combine<K>>(
          [=](int i, int j) { return load(from + (i * kTile + j) * point) * (kScale[i] * kScale[j]); },
          [=](int i, int j, Vec number) { store(to + (i * K + j) * place, number, n); });
    }
  };
  // The phases: of each chunk the tiles, then the products; in the end dk.
  std::vector<int64_t> counts;
  auto tiles_of = [&](int64_t which) { return std::min(chunk, tiles.count - which * chunk); };
  for (int64_t which = 0; which < ceil_div(tiles.count, chunk); which++) {
    counts.insert(counts.end(), {ceil_div(tiles_of(which), kTilesAtATime), kPoints * panels});
  }
  counts.push_back(channels);
  parallel_phases(pool, counts.data(), counts.size(), [&](int64_t phase, int64_t task) {
    int64_t which = phase / 2;
    if (phase + 1 == int64_t(counts.size())) {
      combine(task);
    } else if (phase % 2) {
      add_products(task / panels, task % panels, tiles_of(which));
    } else {
      for (int64_t t = task * kTilesAtATime; t < std::min((task + 1) * kTilesAtATime, tiles_of(which)); t++) {
        transform_tile(which * chunk + t, t);
      }
    }
  });
}

// What all forms want of x and y, and of the kernel between them. Where that is mirrored all sizes of y are right: an
// input gradient has zeros for inputs that no output is made of.
void want_convolution(Numbers x, want::Name y_name, Numbers y, want::Name kernel_name, Numbers kernel, Numbers pads,
                      bool mirrored) {
  want::rank("x", x, 4);
  want::rank(y_name, y, 4);
  want::rank(kernel_name, kernel, 4);
  int64_t window = kernel[0], channels = x[3], filters = y[3];
  if (window != 3 && window != 5) want::refuse(kernel_name, "a window of 3 x 3 or 5 x 5", want::text(kernel));
  if (mirrored) std::swap(channels, filters);
  want::shape(kernel_name, kernel, {window, window, channels, filters});
  want::between("channels and filters", std::min(channels, filters), 1, want::kFar);
  want::shape(y_name, y, {x[0], y[1], y[2], y[3]});
  want::length("pads", pads.size(), 2);
  want::between("pads", pads, -want::kFar, want::kFar);
  for (int axis = 0; axis < 2 && !mirrored; axis++) {
    want::outputs(y_name, axis + 1, y[axis + 1], x[axis + 1], window, 1, pads[axis], want::kFar);
  }
}

// `pads` are those before the first row and the first column; the size of y says what is behind the last.
ffi::Error run_convolution(ffi::ThreadPool pool, Array x, Array kernel, Array bias, ffi::Result<Array> y, Numbers pads,
                           bool mirrored, bool relu) {
  want_convolution(x.dimensions(), "y", y->dimensions(), "kernel", kernel.dimensions(), pads, mirrored);
  Images x_sizes(x.dimensions()), y_sizes(y->dimensions());
  if (bias.element_count()) want::shape("bias", bias.dimensions(), {y_sizes.channels});
  Epilogue epilogue{bias.element_count() ? bias.typed_data() : nullptr, relu};
  auto* way = kernel.dimensions()[0] == 3 ? convolve<3> : convolve<5>;
  way(pool, x.typed_data(), x_sizes, kernel.typed_data(), mirrored, epilogue, y->typed_data(), y_sizes, pads);
  return ffi::Error::Success();
}

ffi::Error run_kernel_gradient(ffi::ThreadPool pool, Array x, Array dy, ffi::Result<Array> dk, Numbers pads) {
  want_convolution(x.dimensions(), "dy", dy.dimensions(), "dk", dk->dimensions(), pads, false);
  Images x_sizes(x.dimensions()), dy_sizes(dy.dimensions());
  auto* way = dk->dimensions()[0] == 3 ? differentiate<3> : differentiate<5>;
  way(pool, x.typed_data(), x_sizes, dy.typed_data(), dy_sizes, dk->typed_data(), pads);
  return ffi::Error::Success();
}

}  // namespace

KERYX_HANDLER(keryx_winograd_1, run_convolution,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Array>()
                  .Arg<Array>()
                  .Arg<Array>()
                  .Ret<Array>()
                  .Attr<ffi::Span<const int64_t>>("pads")
                  .Attr<bool>("mirrored")
                  .Attr<bool>("relu"));

KERYX_HANDLER(keryx_winograd_kernel_gradient_1, run_kernel_gradient,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Array>()
                  .Arg<Array>()
                  .Ret<Array>()
                  .Attr<ffi::Span<const int64_t>>("pads"));

}  // namespace keryx::winograd
