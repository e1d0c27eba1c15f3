// Convolution of x (batch, *space, channels) with a kernel (*window, channels, filters), and the gradient of x.
//
// Both are sums over taps of products (pixels, channels) @ (channels, filters), computed where the pixels lie: a tile
// of some pixels of a row and a panel of filters stays in registers through all taps.
#include "convolution.h"

#include <array>
#include <numeric>
#include <utility>

namespace keryx::convolution {
namespace {

// The weights of a panel that stay in the second-level cache, in floats.
constexpr int64_t kPanelFloats = int64_t{1} << 17;
// A task has at least as many pixels, and as many products, if there are: to make use of weights that it has fetched.
constexpr int64_t kTaskPixels = 256;
constexpr int64_t kTaskProducts = int64_t{1} << 20;
// There are as many tasks, if possible: enough for the threads to finish together.
constexpr int64_t kTasks = 32;

// What a tile of pixels sees of the input.
struct Window {
  const float* x;                     // tap 0 of the first pixel
  int64_t plane, row, column, pixel;  // floats from tap to tap along the three axes, and from pixel to pixel
  int64_t planes[2], rows[2];         // the taps that lie within the input
};

// Where a tile goes: n channels of pixels that are `pixel` floats apart.
struct Output {
  float* y;
  int64_t pixel;
  int n;
  const float* bias;
  bool begin, relu;  // `begin` with the bias, else with what is there
};

struct Convolution {
  std::array<Axis, 3> axes;
  int64_t batch, groups, in, out;  // in, out: channels of a group
  bool depthwise;                  // each channel by itself: in is 1, out is all of them
  const float *x, *kernel, *bias;
  float* y;
  int64_t y_sizes[3], window[3];       // of the arrays
  int64_t kernel_group, kernel_in, kernel_out, kernel_tap;  // floats from one to the next
  bool relu;

  int64_t x_pixel() const { return depthwise ? out : groups * in; }
  int64_t y_pixel() const { return groups * out; }
  int64_t panels() const { return groups * up(out, kPanel); }
  int64_t taps() const { return axes[0].taps * axes[1].taps * axes[2].taps; }
  // Where the taps of a row lie next to each other, they are one tap of more channels.
  bool folds() const { return axes[2].gap == 1 && groups == 1 && !depthwise && in * taps() * kPanel <= kPanelFloats; }

  void run(ffi::ThreadPool& pool) const;
  void pack(int64_t panel, float* packed) const;
  void panel(int64_t panel, const float* packed, int64_t begin, int64_t end, float* scratch) const;
  Window patch(const Window& window, const float* row, int64_t begin, int64_t end, int64_t channels, int64_t pitch,
               float* scratch) const;
  int64_t patch_floats() const {
    int64_t columns = (kRows - 1) * axes[2].step + std::max<int64_t>(axes[2].reach(), 1);
    return axes[0].taps * axes[1].taps * columns * (depthwise ? kPanel : in);
  }
};

// The taps of a panel in memory: `depth` channels of `pitch` floats.
struct Taps {
  const float* weights;
  int64_t rows, columns, depth, pitch;
};

template <int M, int N, bool depthwise>
void tile(const Window& window, const Taps& taps, const Output& output) {
  Vec sums[M][N];
  float row[N * kLanes] = {};  // of a panel that is not full
  bool full = output.n == N * kLanes;
  for (int i = 0; i < M; i++) {
    const float* from = output.begin ? output.bias : output.y + i * output.pixel;
    if (!full) from = std::copy_n(from, output.n, row) - output.n;
    for (int j = 0; j < N; j++) sums[i][j] = load(from + j * kLanes);
    __builtin_prefetch(output.y + i * output.pixel, 1);
    if (N == 2) __builtin_prefetch(output.y + i * output.pixel + kLanes, 1);
  }
  for (int64_t d = window.planes[0]; d < window.planes[1]; d++) {
    for (int64_t h = window.rows[0]; h < window.rows[1]; h++) {
      const float* a = window.x + (d * window.plane + h * window.row);
      const float* b = taps.weights + (d * taps.rows + h) * taps.columns * taps.pitch;
      for (int64_t w = 0; w < taps.columns; w++, a += window.column, b += taps.pitch) {
        if constexpr (depthwise) {
          for (int j = 0; j < N; j++) {
            Vec weights = load(b + j * kLanes);
            for (int i = 0; i < M; i++) sums[i][j] += load(a + i * window.pixel + j * kLanes) * weights;
          }
        } else {
          multiply(sums, a, window.pixel, 1, b, kPanel, taps.depth);
        }
      }
    }
  }
  for (int i = 0; i < M; i++) {
    float* y = output.y + i * output.pixel;
    float* to = full ? y : row;
    for (int j = 0; j < N; j++) store(to + j * kLanes, output.relu ? max(sums[i][j], Vec{}) : sums[i][j]);
    if (!full) std::copy_n(row, output.n, y);
  }
}

using Tile = void (*)(const Window&, const Taps&, const Output&);

template <bool depthwise, int... M>
constexpr std::array<std::array<Tile, 2>, sizeof...(M)> tiles(std::integer_sequence<int, M...>) {
  return {{{tile<M + 1, 1, depthwise>, tile<M + 1, 2, depthwise>}...}};
}

Tile tile_for(int64_t pixels, int channels, bool depthwise) {
  static constexpr auto of_all = tiles<false>(std::make_integer_sequence<int, kRows>());
  static constexpr auto of_each = tiles<true>(std::make_integer_sequence<int, kRows>());
  return (depthwise ? of_each : of_all)[pixels - 1][channels > kLanes];
}

void Convolution::pack(int64_t panel, float* packed) const {
  int64_t panels = up(out, kPanel), group = panel / panels, first = panel % panels * kPanel;
  int64_t n = std::min<int64_t>(kPanel, out - first);
  const float* from = kernel + group * kernel_group + first * kernel_out;
  auto place = [&](int axis, int64_t tap) { return axes[axis].tap_first + tap * axes[axis].tap_step; };
  for (int64_t d = 0; d < axes[0].taps; d++) {
    for (int64_t h = 0; h < axes[1].taps; h++) {
      for (int64_t w = 0; w < axes[2].taps; w++, packed += in * kPanel) {
        const float* tap = from + ((place(0, d) * window[1] + place(1, h)) * window[2] + place(2, w)) * kernel_tap;
        if (n < kPanel) std::fill_n(packed, in * kPanel, 0.f);
        if (kernel_out == 1) {
          for (int64_t c = 0; c < in; c++) std::copy_n(tap + c * kernel_in, n, packed + c * kPanel);
        } else {
          for (int64_t f = 0; f < n; f++) {
            for (int64_t c = 0; c < in; c++) packed[c * kPanel + f] = tap[c * kernel_in + f * kernel_out];
          }
        }
      }
    }
  }
}

// A copy of what pixels at the ends of a row see, with zeros for what is past the ends.
Window Convolution::patch(const Window& window, const float* row, int64_t begin, int64_t end, int64_t channels,
                          int64_t pitch, float* scratch) const {
  const Axis& axis = axes[2];
  int64_t columns = (end - begin - 1) * axis.step + std::max<int64_t>(axis.reach(), 1), from = axis.place(begin);
  int64_t first = std::clamp<int64_t>(-from, 0, columns), last = std::clamp<int64_t>(axis.in - from, first, columns);
  Window copy = window;
  copy.x = scratch;
  copy.row = columns * pitch;
  copy.plane = axes[1].taps * copy.row;
  copy.column = axis.gap * pitch;
  copy.pixel = axis.step * pitch;
  for (int64_t d = window.planes[0]; d < window.planes[1]; d++) {
    for (int64_t h = window.rows[0]; h < window.rows[1]; h++) {
      float* to = scratch + d * copy.plane + h * copy.row;
      const float* inputs = row + (d * window.plane + h * window.row + from * x_pixel());
      std::fill_n(to, first * pitch, 0.f);
      std::fill(to + last * pitch, to + columns * pitch, 0.f);
      if (channels == x_pixel() && channels == pitch) {
        std::copy(inputs + first * pitch, inputs + last * pitch, to + first * pitch);
        continue;
      }
      for (int64_t w = first; w < last; w++) {
        std::copy_n(inputs + w * x_pixel(), channels, to + w * pitch);
        std::fill(to + w * pitch + channels, to + (w + 1) * pitch, 0.f);
      }
    }
  }
  return copy;
}

// A panel of filters of the tiles from `begin` on; tiles are numbered row after row.
void Convolution::panel(int64_t panel, const float* packed, int64_t begin, int64_t end, float* scratch) const {
  const Axis &depth = axes[0], &height = axes[1], &width = axes[2];
  int64_t panels = up(out, kPanel), group = panel / panels, first = panel % panels * kPanel;
  int n = std::min<int64_t>(kPanel, out - first);
  int64_t across = up(width.out, kRows), row_floats = width.in * x_pixel(), plane_floats = height.in * row_floats;
  int64_t x_first = depthwise ? first : group * in, y_first = group * out + first;
  const float* x_end = x + batch * depth.in * plane_floats;
  // So many channels at once that their weights stay in the cache.
  int64_t slices = std::max<int64_t>(1, up(in * taps() * kPanel, kPanelFloats));
  for (int64_t slice = 0; slice < slices; slice++) {
    int64_t channel = part(in, slice, slices), channels = part(in, slice + 1, slices) - channel;
    Taps taps{packed + channel * kPanel, height.taps, width.taps, channels, in * kPanel};
    if (folds()) taps.columns = 1, taps.depth = width.taps * in, taps.pitch = taps.depth * kPanel;
    for (int64_t at = begin; at < end;) {
      int64_t row = at / across, h = row % height.out, plane = row / height.out, d = plane % depth.out;
      int64_t image = plane / depth.out;
      const float* origin = x + x_first + channel + image * depth.in * plane_floats;
      const float* x_row = origin + (depth.place(d) * plane_floats + height.place(h) * row_floats);
      int64_t y_d = depth.out_first + d * depth.out_step, y_h = height.out_first + h * height.out_step;
      float* y_row = y + (((image * y_sizes[0] + y_d) * y_sizes[1] + y_h) * y_sizes[2]) * y_pixel() + y_first;
      Window window{nullptr, depth.gap * plane_floats, height.gap * row_floats, width.gap * x_pixel(),
                    width.step * x_pixel(), {depth.low(d), depth.high(d)}, {height.low(h), height.high(h)}};
      for (int64_t last = std::min(end, (row + 1) * across); at < last; at++) {
        int64_t p = part(width.out, at - row * across, across), p_end = part(width.out, at - row * across + 1, across);
        window.x = x_row + width.place(p) * x_pixel();
        bool whole = width.within(p, p_end);
        if (depthwise && n % kLanes) {  // vectors that end past the last channel must not end past the array
          whole &= origin + plane_floats * depth.in + kPanel < x_end;
        }
        int64_t pitch = depthwise ? kPanel : channels;
        Window seen = whole ? window : patch(window, x_row, p, p_end, depthwise ? n : channels, pitch, scratch);
        Output output{y_row + (width.out_first + p * width.out_step) * y_pixel(), width.out_step * y_pixel(), n,
                      bias + y_first, slice == 0, relu && slice == slices - 1};
        // The pixels of the next tile that no tile before has seen are on their way while this one is computed.
        int64_t next = width.place(p_end, width.taps - 1) * x_pixel(), many = kRows * width.step * x_pixel();
        for (int64_t to = std::min(next + many, row_floats); next < to; next += 16) {
          __builtin_prefetch(x_row + (window.rows[1] - 1) * window.row + next);
        }
        tile_for(p_end - p, n, depthwise)(seen, taps, output);
      }
    }
  }
}

void Convolution::run(ffi::ThreadPool& pool) const {
  int64_t rows = batch * axes[0].out * axes[1].out, across = up(axes[2].out, kRows), cells = rows * across;
  if (cells == 0) return;
  int64_t panel_floats = taps() * in * kPanel;
  Scratch packed = scratch(panels() * panel_floats);
  int64_t packers = panels() * panel_floats > 1 << 14 ? panels() : 1;
  parallel(pool, packers, [&](int64_t i) {
    for (int64_t p = part(panels(), i, packers); p < part(panels(), i + 1, packers); p++) {
      pack(p, packed.get() + p * panel_floats);
    }
  });
  int64_t products = std::max<int64_t>(1, taps() * in * out * groups), pixels = up(axes[2].out, across);
  int64_t blocks = up(cells * pixels, std::max(kTaskPixels, up(kTaskProducts, products)));
  int64_t enough = cells * pixels * products < kTaskProducts ? 1 : kTasks;
  int64_t shares = std::min(panels(), up(enough, blocks));  // few pixels: the panels are shared out, too
  parallel(pool, blocks * shares, [&](int64_t i) {
    int64_t block = i / shares, share = i % shares;
    Scratch copies = scratch(patch_floats());
    for (int64_t p = part(panels(), share, shares); p < part(panels(), share + 1, shares); p++) {
      panel(p, packed.get() + p * panel_floats, part(cells, block, blocks), part(cells, block + 1, blocks),
            copies.get());
    }
  });
}

ffi::Error Forward(ffi::ThreadPool pool, Array x, Array kernel, Vector bias, Result y,
                   Numbers strides, Numbers pads, Numbers dilation, int64_t groups, bool relu) {
  auto in = x.dimensions(), window = kernel.dimensions(), out = y->dimensions();
  want_convolution({"x", in}, {"kernel", window}, {"y", out}, strides, pads, dilation, groups);
  want::shape("bias", bias.dimensions(), {out[4]});
  int64_t channels = in[4], filters = out[4];
  Convolution c{};
  c.batch = in[0];
  c.depthwise = groups > 1 && groups == channels && channels == filters;
  c.groups = c.depthwise ? 1 : groups;
  c.in = c.depthwise ? 1 : channels / groups;
  c.out = filters / c.groups;
  c.x = x.typed_data(), c.kernel = kernel.typed_data(), c.bias = bias.typed_data(), c.y = y->typed_data();
  c.kernel_group = c.out, c.kernel_in = filters, c.kernel_out = 1, c.kernel_tap = c.in * filters;
  c.relu = relu;
  for (int i = 0; i < 3; i++) {
    c.axes[i] = Axis{in[i + 1], out[i + 1], window[i], strides[i], -pads[i], dilation[i]};
    c.y_sizes[i] = out[i + 1], c.window[i] = window[i];
  }
  if (join(c.axes, c.batch)) c.y_sizes[0] = c.y_sizes[1] = 1, c.y_sizes[2] = c.axes[2].out;
  c.run(pool);
  return ffi::Error::Success();
}

// Of the inputs that are `phase` + a multiple of the stride, only every so many taps make outputs; input p of these
// takes part in the outputs p + first, p + first + gap ...
Axis phase_of(int64_t phase, int64_t size, int64_t out, int64_t window, int64_t stride, int64_t pad, int64_t dilation) {
  int64_t period = stride / std::gcd(stride, dilation), last = window - 1;
  while (last >= 0 && (phase + pad - last * dilation) % stride) last--;
  Axis axis{out, up(std::max<int64_t>(size - phase, 0), stride), last < 0 ? 0 : last / period + 1, 1,
            (phase + pad - last * dilation) / stride, period * dilation / stride};
  axis.out_first = phase, axis.out_step = stride, axis.tap_first = last, axis.tap_step = -period;
  return axis;
}

ffi::Error InputGradient(ffi::ThreadPool pool, Array dy, Array kernel, Vector zeros, Result dx,
                         Numbers strides, Numbers pads, Numbers dilation, int64_t groups) {
  auto in = dx->dimensions(), window = kernel.dimensions(), out = dy.dimensions();
  want_convolution({"dx", in}, {"kernel", window}, {"dy", out}, strides, pads, dilation, groups);
  want::shape("zeros", zeros.dimensions(), {in[4]});
  int64_t channels = in[4], filters = out[4];
  Convolution c{};
  c.batch = in[0];
  c.depthwise = groups > 1 && groups == channels && channels == filters;
  c.groups = c.depthwise ? 1 : groups;
  c.in = c.depthwise ? 1 : filters / groups;
  c.out = channels / c.groups;
  c.x = dy.typed_data(), c.kernel = kernel.typed_data(), c.bias = zeros.typed_data(), c.y = dx->typed_data();
  c.kernel_group = c.in, c.kernel_in = 1, c.kernel_out = c.depthwise ? 1 : filters;
  c.kernel_tap = c.depthwise ? filters : c.out * filters;
  for (int i = 0; i < 3; i++) c.y_sizes[i] = in[i + 1], c.window[i] = window[i];
  int64_t counts[3];  // of phases that there are inputs of
  for (int i = 0; i < 3; i++) counts[i] = std::min(strides[i], in[i + 1]);
  for (int64_t phase = 0; phase < counts[0] * counts[1] * counts[2]; phase++) {
    int64_t phases[3] = {phase / (counts[1] * counts[2]), phase / counts[2] % counts[1], phase % counts[2]};
    for (int i = 0; i < 3; i++) {
      c.axes[i] = phase_of(phases[i], in[i + 1], out[i + 1], window[i], strides[i], pads[i], dilation[i]);
    }
    if (phase == 0 && join(c.axes, c.batch)) c.y_sizes[0] = c.y_sizes[1] = 1, c.y_sizes[2] = c.axes[2].out;
    c.run(pool);
  }
  return ffi::Error::Success();
}

}  // namespace

void want_convolution(Named x, Named kernel, Named y, Numbers strides, Numbers pads, Numbers dilation, int64_t groups) {
  want::length("strides", strides.size(), 3);
  want::length("pads", pads.size(), 3);
  want::length("dilation", dilation.size(), 3);
  want::between("strides", strides, 1, want::kFar);
  want::between("pads", pads, 0, want::kFar);
  want::between("dilation", dilation, 1, want::kFar);
  int64_t channels = x.sizes[4], filters = y.sizes[4];
  want::between("channels and filters", std::min(channels, filters), 1, want::kFar);
  want::between("groups", groups, 1, std::min(channels, filters));
  if (channels % groups || filters % groups) {
    want::refuse("groups", "a divisor of " + std::to_string(std::gcd(channels, filters)), std::to_string(groups));
  }
  want::between(kernel.name, kernel.sizes, 1, want::kFar);
  want::shape(kernel.name, kernel.sizes,
              {kernel.sizes[0], kernel.sizes[1], kernel.sizes[2], channels / groups, filters});
  want::shape(y.name, y.sizes, {x.sizes[0], y.sizes[1], y.sizes[2], y.sizes[3], filters});
  for (int i = 0; i < 3; i++) {
    int64_t reach = (kernel.sizes[i] - 1) * dilation[i] + 1;
    want::outputs(y.name, i + 1, y.sizes[i + 1], x.sizes[i + 1], reach, strides[i], pads[i], want::kFar);
  }
}

KERYX_HANDLER(keryx_conv_1, Forward,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Array>()
                  .Arg<Array>()
                  .Arg<Vector>()
                  .Ret<Array>()
                  .Attr<Numbers>("strides")
                  .Attr<Numbers>("pads")
                  .Attr<Numbers>("dilation")
                  .Attr<int64_t>("groups")
                  .Attr<bool>("relu"));
KERYX_HANDLER(keryx_conv_input_gradient_1, InputGradient,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Array>()
                  .Arg<Array>()
                  .Arg<Vector>()
                  .Ret<Array>()
                  .Attr<Numbers>("strides")
                  .Attr<Numbers>("pads")
                  .Attr<Numbers>("dilation")
                  .Attr<int64_t>("groups"));

}  // namespace keryx::convolution
