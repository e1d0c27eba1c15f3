// The gradient of a convolution's kernel: for each tap a product (channels, pixels) @ (pixels, filters).
//
// A tile of some channels and a panel of filters stays in registers through the pixels of a block of rows. The taps of
// a row that lie next to each other are one tap of more channels.
#include <array>
#include <utility>

#include "convolution.h"

namespace keryx::convolution {
namespace {

constexpr int64_t kSpan = 256;                       // pixels of a row in a block, at most
constexpr int64_t kBlockFloats = int64_t{1} << 17;   // of x and dy in a block: they stay in the second-level cache
constexpr int64_t kTaskProducts = int64_t{1} << 20;  // in a task, at least
constexpr int64_t kManyProducts = 256;               // with a number of dy
constexpr int64_t kTasks = 16;                       // at most
constexpr int64_t kSumFloats = int64_t{1} << 22;     // of all tasks that have a sum of their own, at most

// Rows of pixels that a tile sums over, and the floats from row to row and from pixel to pixel.
struct Rows {
  int64_t rows, pixels;
  const float* x;
  int64_t x_row, x_pixel;
  const float* dy;
  int64_t dy_row, dy_pixel;
};

// A tile of the gradient: n filters of channels, or of taps, that are `row` floats apart.
struct Sums {
  float* dk;
  int64_t row;
  int n;
  int64_t x_tap;  // floats from tap to tap of x
};

template <int M, int N, bool depthwise>
void tile(const Rows& rows, const Sums& sums) {
  Vec tile[M][N];
  float row[N * kLanes] = {};  // of a panel that is not full
  bool full = sums.n == N * kLanes;
  for (int i = 0; i < M; i++) {
    const float* from = sums.dk + i * sums.row;
    if (!full) from = std::copy_n(from, sums.n, row) - sums.n;
    for (int j = 0; j < N; j++) tile[i][j] = load(from + j * kLanes);
  }
  for (int64_t r = 0; r < rows.rows; r++) {
    const float *a = rows.x + r * rows.x_row, *b = rows.dy + r * rows.dy_row;
    if constexpr (depthwise) {
      for (int64_t p = 0; p < rows.pixels; p++, a += rows.x_pixel, b += rows.dy_pixel) {
        for (int j = 0; j < N; j++) {
          Vec dy = load(b + j * kLanes);
          for (int i = 0; i < M; i++) tile[i][j] += load(a + i * sums.x_tap + j * kLanes) * dy;
        }
      }
    } else {
      multiply(tile, a, 1, rows.x_pixel, b, rows.dy_pixel, rows.pixels);
    }
  }
  for (int i = 0; i < M; i++) {
    float* dk = sums.dk + i * sums.row;
    float* to = full ? dk : row;
    for (int j = 0; j < N; j++) store(to + j * kLanes, tile[i][j]);
    if (!full) std::copy_n(row, sums.n, dk);
  }
}

using Tile = void (*)(const Rows&, const Sums&);

template <bool depthwise, int... M>
constexpr std::array<std::array<Tile, 2>, sizeof...(M)> tiles(std::integer_sequence<int, M...>) {
  return {{{tile<M + 1, 1, depthwise>, tile<M + 1, 2, depthwise>}...}};
}

Tile tile_for(int64_t rows, int filters, bool depthwise) {
  static constexpr auto of_all = tiles<false>(std::make_integer_sequence<int, kRows>());
  static constexpr auto of_each = tiles<true>(std::make_integer_sequence<int, kRows>());
  return (depthwise ? of_each : of_all)[rows - 1][filters > kLanes];
}

// What the rows [h, h_end) and columns [p, p_end) of an image of dy see of x.
struct Block {
  int64_t image, d, h, h_end, p, p_end;
  const float* x;        // tap 0 of the first pixel
  int64_t plane, line;  // floats from tap to tap along the first axis, and from line to line of x
};

struct KernelGradient {
  std::array<Axis, 3> axes;
  int64_t batch, groups, in, out;  // in, out: channels of a group
  bool depthwise;                  // each channel by itself: in is 1, out is all of them
  const float *x, *dy;

  int64_t x_pixel() const { return depthwise ? out : groups * in; }
  int64_t filters() const { return groups * out; }
  int64_t taps() const { return axes[0].taps * axes[1].taps * axes[2].taps; }
  int64_t panels() const { return groups * up(out, kPanel); }
  int64_t size() const { return taps() * in * filters(); }
  // Whether n filters of dy are copied: with zeros to the end of a vector; or to lie in one place in the cache, for
  // many products.
  bool packs(int64_t n) const { return n % kLanes || (filters() > kPanel && taps() * in >= kManyProducts); }
  bool folds() const { return axes[2].gap == 1 && groups == 1 && !depthwise; }

  int64_t spans() const { return up(axes[2].out, kSpan); }
  int64_t heights() const {
    int64_t row = up(axes[2].out, spans()) * (axes[2].step * x_pixel() + filters());
    return up(axes[1].out, std::max<int64_t>(1, kBlockFloats / row));
  }
  int64_t blocks() const { return batch * axes[0].out * heights() * spans(); }

  void run(ffi::ThreadPool& pool, float* dk) const;
  Block block(int64_t number, Scratch& copy) const;
  void clear(int64_t panel, float* dk) const;
  void add(const Block& block, int64_t panel, float* scratch, float* dk) const;
};

// Finds a block; where it looks past the ends of its rows, in a copy with zeros there.
Block KernelGradient::block(int64_t number, Scratch& copy) const {
  const Axis &depth = axes[0], &height = axes[1], &width = axes[2];
  int64_t span = number % spans(), above = number / spans() % heights(), plane = number / spans() / heights();
  int64_t line = width.in * x_pixel();
  Block block{plane / depth.out, plane % depth.out, part(height.out, above, heights()),
              part(height.out, above + 1, heights()), part(width.out, span, spans()),
              part(width.out, span + 1, spans()), nullptr, depth.gap * height.in * line, line};
  const float* image = x + block.image * depth.in * height.in * line;
  auto place = [&](int64_t d, int64_t h, int64_t w) { return (d * height.in + h) * line + w * x_pixel(); };
  int64_t from = width.place(block.p);
  block.x = image + place(depth.place(block.d), height.place(block.h), from);
  // Of one channel after the other whole vectors are read.
  if (width.within(block.p, block.p_end) && !(depthwise && out % kLanes)) return block;

  int64_t columns = (block.p_end - block.p - 1) * width.step + width.reach();
  int64_t lines = (block.h_end - block.h - 1) * height.step + height.reach();
  int64_t first = std::clamp<int64_t>(-from, 0, columns), last = std::clamp(width.in - from, first, columns);
  block.line = columns * x_pixel();
  block.plane = lines * block.line;
  copy = scratch(depth.taps * block.plane + kPanel);
  block.x = copy.get();
  for (int64_t t = depth.low(block.d); t < depth.high(block.d); t++) {
    for (int64_t i = 0; i < lines; i++) {
      int64_t h = height.place(block.h) + i;
      if (h < 0 || h >= height.in) continue;
      float* to = copy.get() + t * block.plane + i * block.line;
      std::fill_n(to, first * x_pixel(), 0.f);
      std::copy_n(image + place(depth.place(block.d, t), h, from + first), (last - first) * x_pixel(),
                  to + first * x_pixel());
      std::fill(to + last * x_pixel(), to + columns * x_pixel(), 0.f);
    }
  }
  return block;
}

void KernelGradient::clear(int64_t panel, float* dk) const {
  int64_t panels = up(out, kPanel), first = panel % panels * kPanel, filter = panel / panels * out + first;
  for (int64_t i = 0; i < taps() * in; i++) {
    std::fill_n(dk + i * filters() + filter, std::min<int64_t>(kPanel, out - first), 0.f);
  }
}

void KernelGradient::add(const Block& block, int64_t panel, float* scratch, float* dk) const {
  const Axis &depth = axes[0], &height = axes[1], &width = axes[2];
  int64_t panels = up(out, kPanel), group = panel / panels, first = panel % panels * kPanel;
  int64_t filter = group * out + first, channel = depthwise ? first : group * in, pixels = block.p_end - block.p;
  int n = std::min<int64_t>(kPanel, out - first), vectors = n > kLanes ? kPanel : kLanes;
  Rows all{0, pixels, nullptr, height.step * block.line, width.step * x_pixel(), nullptr, width.out * filters(),
           filters()};
  int64_t row = (block.image * depth.out + block.d) * height.out + block.h;
  all.dy = dy + (row * width.out + block.p) * filters() + filter;
  if (packs(n)) {
    float* to = scratch;
    for (int64_t h = block.h; h < block.h_end; h++, all.dy += all.dy_row) {
      for (int64_t p = 0; p < pixels; p++, to += vectors) {
        std::copy_n(all.dy + p * filters(), n, to);
        std::fill(to + n, to + vectors, 0.f);
      }
    }
    all.dy = scratch, all.dy_pixel = vectors, all.dy_row = pixels * vectors;
  }
  bool one = folds() || depthwise;  // all taps of a row at once
  int64_t count = one ? width.taps * in : in, x_tap = width.gap * x_pixel(), parts = up(count, kRows);
  for (int64_t w = 0; w < (one ? 1 : width.taps); w++) {
    for (int64_t i = 0; i < parts; i++) {
      int64_t begin = part(count, i, parts), rows = part(count, i + 1, parts) - begin;
      const float* x = block.x + channel + w * x_tap + begin * (depthwise ? x_tap : 1);
      for (int64_t t = depth.low(block.d); t < depth.high(block.d); t++) {
        for (int64_t u = 0; u < height.taps; u++) {
          int64_t h = block.h, end = block.h_end;
          while (h < end && height.place(h, u) < 0) h++;
          while (h < end && height.place(end - 1, u) >= height.in) end--;
          Rows some = all;
          some.rows = end - h;
          some.x = x + (t * block.plane + u * height.gap * block.line + (h - block.h) * all.x_row);
          some.dy = all.dy + (h - block.h) * all.dy_row;
          int64_t place = ((t * height.taps + u) * width.taps + w) * in + begin;
          Sums sums{dk + place * filters() + filter, filters(), n, x_tap};
          tile_for(rows, n, depthwise)(some, sums);
        }
      }
    }
  }
}

void KernelGradient::run(ffi::ThreadPool& pool, float* dk) const {
  int64_t pixels = batch * axes[0].out * axes[1].out * axes[2].out;
  if (pixels == 0) {
    std::fill_n(dk, size(), 0.f);
    return;
  }
  int64_t tasks = std::clamp<int64_t>(pixels * size() / kTaskProducts, 1, kTasks);
  int64_t sums = std::clamp<int64_t>(std::min(kSumFloats / size(), blocks()), 1, tasks);
  int64_t shares = std::min(panels(), up(tasks, sums));
  Scratch others = scratch((sums - 1) * size());
  parallel(pool, sums * shares, [&](int64_t task) {
    int64_t sum = task / shares, share = task % shares;
    float* to = sum ? others.get() + (sum - 1) * size() : dk;
    int64_t first = part(panels(), share, shares), last = part(panels(), share + 1, shares);
    for (int64_t p = first; p < last; p++) clear(p, to);
    Scratch dy_scratch = scratch(packs(out) ? up(axes[1].out, heights()) * up(axes[2].out, spans()) * kPanel : 0);
    for (int64_t b = part(blocks(), sum, sums); b < part(blocks(), sum + 1, sums); b++) {
      Scratch x_scratch;
      Block seen = block(b, x_scratch);
      for (int64_t p = first; p < last; p++) add(seen, p, dy_scratch.get(), to);
    }
  });
  if (sums == 1) return;
  int64_t pieces = up(size(), 1 << 14);
  parallel(pool, pieces, [&](int64_t piece) {
    int64_t begin = part(size(), piece, pieces), end = part(size(), piece + 1, pieces);
    for (int64_t s = 0; s < sums - 1; s++) {
      const float* other = others.get() + s * size();
      for (int64_t i = begin; i < end; i++) dk[i] += other[i];
    }
  });
}

ffi::Error Run(ffi::ThreadPool pool, Array x, Array dy, Result dk, Numbers strides, Numbers pads, Numbers dilation,
               int64_t groups) {
  auto in = x.dimensions(), window = dk->dimensions(), out = dy.dimensions();
  want_convolution({"x", in}, {"dk", window}, {"dy", out}, strides, pads, dilation, groups);
  int64_t channels = in[4], filters = out[4];
  KernelGradient k{};
  k.batch = in[0];
  k.depthwise = groups > 1 && groups == channels && channels == filters;
  k.groups = k.depthwise ? 1 : groups;
  k.in = k.depthwise ? 1 : channels / groups;
  k.out = filters / k.groups;
  k.x = x.typed_data(), k.dy = dy.typed_data();
  for (int i = 0; i < 3; i++) {
    k.axes[i] = Axis{in[i + 1], out[i + 1], window[i], strides[i], -pads[i], dilation[i]};
  }
  join(k.axes, k.batch);
  k.run(pool, dk->typed_data());
  return ffi::Error::Success();
}

}  // namespace

KERYX_HANDLER(keryx_conv_kernel_gradient_1, Run,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Array>()
                  .Arg<Array>()
                  .Ret<Array>()
                  .Attr<Numbers>("strides")
                  .Attr<Numbers>("pads")
                  .Attr<Numbers>("dilation")
                  .Attr<int64_t>("groups"));

}  // namespace keryx::convolution
