// Convolutions over three axes and their gradients, directly and by Winograd's algorithm.
#include <algorithm>

#include "harness.h"

namespace {

struct Geometry {
  int64_t batch;
  Shape space, window;
  int64_t channels, filters;
  Shape strides{1, 1, 1}, before{0, 0, 0}, after{0, 0, 0}, dilation{1, 1, 1};
  int64_t groups = 1;

  Shape x() const { return {batch, space[0], space[1], space[2], channels}; }
  Shape kernel() const { return {window[0], window[1], window[2], channels / groups, filters}; }
  int64_t out(int i) const {
    return (space[i] + before[i] + after[i] - (window[i] - 1) * dilation[i] - 1) / strides[i] + 1;
  }
  Shape y() const { return {batch, out(0), out(1), out(2), filters}; }
};

// visit(place in x, in the kernel, in y) for each product that a convolution is the sum of.
template <typename Visit>
void products(const Geometry& g, Visit visit) {
  int64_t in = g.channels / g.groups, filters = g.filters / g.groups;
  Shape y = g.y();
  for (int64_t pixel = 0; pixel < size_of(y) / g.filters; pixel++) {
    int64_t at[3] = {pixel / (y[2] * y[3]) % y[1], pixel / y[3] % y[2], pixel % y[3]}, n = pixel / (y[1] * y[2] * y[3]);
    for (int64_t tap = 0; tap < size_of(g.window); tap++) {
      int64_t taps[3] = {tap / (g.window[1] * g.window[2]), tap / g.window[2] % g.window[1], tap % g.window[2]};
      int64_t place = n;
      bool within = true;
      for (int i = 0; i < 3; i++) {
        int64_t p = at[i] * g.strides[i] - g.before[i] + taps[i] * g.dilation[i];
        within &= p >= 0 && p < g.space[i];
        place = place * g.space[i] + p;
      }
      if (!within) continue;
      for (int64_t f = 0; f < g.filters; f++) {
        for (int64_t c = 0; c < in; c++) {
          visit(place * g.channels + f / filters * in + c, (tap * in + c) * g.filters + f, pixel * g.filters + f);
        }
      }
    }
  }
}

const Geometry kGeometries[] = {
    {1, {1, 1, 1}, {1, 1, 1}, 1, 1},
    {2, {1, 1, 9}, {1, 1, 3}, 2, 3, {1, 1, 2}, {0, 0, 1}, {0, 0, 1}},
    {2, {1, 6, 7}, {1, 3, 3}, 3, 5, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {2, {1, 8, 9}, {1, 3, 2}, 4, 6, {1, 2, 3}, {0, 1, 2}, {0, 0, 1}, {1, 2, 1}, 2},
    {1, {1, 7, 30}, {1, 5, 5}, 8, 33, {1, 2, 2}, {0, 2, 2}, {0, 2, 2}},
    {1, {1, 12, 11}, {1, 3, 3}, 20, 20, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}, {1, 1, 1}, 20},
    {1, {1, 12, 11}, {1, 3, 3}, 35, 35, {1, 2, 2}, {0, 0, 1}, {0, 1, 0}, {1, 1, 1}, 35},
    {2, {5, 6, 7}, {3, 2, 3}, 3, 4, {1, 2, 1}, {1, 0, 1}, {1, 0, 1}, {1, 1, 2}},
    {3, {1, 10, 10}, {1, 1, 1}, 32, 48},
    {2, {1, 3, 4}, {1, 7, 9}, 2, 2, {1, 1, 1}, {0, 5, 6}, {0, 5, 6}},
    {1, {1, 20, 300}, {1, 3, 3}, 16, 40, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {0, {1, 6, 7}, {1, 3, 3}, 3, 5},
};

Call& with_geometry(Call& call, const Geometry& g) {
  call.attribute("strides", g.strides).attribute("pads", g.before).attribute("dilation", g.dilation);
  return call.attribute("groups", g.groups);
}

}  // namespace

TEST(convolution) {
  for (const Geometry& g : kGeometries) {
    Array x = numbers(g.x(), 1), kernel = numbers(g.kernel(), 2), bias = numbers({g.filters}, 3), y = empty(g.y());
    for (bool relu : {false, true}) {
      Doubles wanted(y.size());
      for (int64_t i = 0; i < y.size(); i++) wanted[i] = bias[i % g.filters];
      products(g, [&](int64_t in, int64_t tap, int64_t out) { wanted[out] += double{x[in]} * kernel[tap]; });
      for (double& v : wanted) v = relu ? std::max(v, 0.) : v;
      Call call("keryx_conv_1");
      with_geometry(call.operands(x, kernel, bias).results(y), g).attribute("relu", relu).run();
      compare("y", y, wanted);
    }
  }
}

TEST(convolution_gradients) {
  for (const Geometry& g : kGeometries) {
    Array x = numbers(g.x(), 1), kernel = numbers(g.kernel(), 2), dy = numbers(g.y(), 3);
    Array dx = empty(g.x()), dk = empty(g.kernel()), zeros = numbers({g.channels}, Doubles(g.channels));
    Doubles wanted_dx(dx.size()), wanted_dk(dk.size());
    products(g, [&](int64_t in, int64_t tap, int64_t out) {
      wanted_dx[in] += double{dy[out]} * kernel[tap];
      wanted_dk[tap] += double{dy[out]} * x[in];
    });
    Call of_x("keryx_conv_input_gradient_1"), of_kernel("keryx_conv_kernel_gradient_1");
    with_geometry(of_x.operands(dy, kernel, zeros).results(dx), g).run();
    with_geometry(of_kernel.operands(x, dy).results(dk), g).run();
    compare("dx", dx, wanted_dx);
    compare("dk", dk, wanted_dk, 5e-6);
  }
}

TEST(winograd) {
  Geometry geometries[] = {
      {1, {1, 7, 9}, {1, 3, 3}, 3, 5},
      {2, {1, 6, 6}, {1, 3, 3}, 1, 1, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
      {2, {1, 20, 21}, {1, 3, 3}, 16, 33, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
      {1, {1, 13, 12}, {1, 5, 5}, 40, 20, {1, 1, 1}, {0, 2, 2}, {0, 2, 2}},
      {1, {1, 5, 6}, {1, 5, 5}, 2, 2, {1, 1, 1}, {0, 1, 4}, {0, 3, 0}},
  };
  for (const Geometry& g : geometries) {
    int64_t window = g.window[1], height = g.space[1], width = g.space[2];
    Array x = numbers({g.batch, height, width, g.channels}, 1);
    Array kernel = numbers({window, window, g.channels, g.filters}, 2);
    Array bias = numbers({g.filters}, 3), none = empty({0}), y = empty({g.batch, g.out(1), g.out(2), g.filters});
    Array dy = numbers(y.shape, 4), dx = empty(x.shape), dk = empty(kernel.shape);
    Doubles wanted(y.size()), wanted_dx(dx.size()), wanted_dk(dk.size());
    for (int64_t i = 0; i < y.size(); i++) wanted[i] = bias[i % g.filters];
    products(g, [&](int64_t in, int64_t tap, int64_t out) {
      wanted[out] += double{x[in]} * kernel[tap];
      wanted_dx[in] += double{dy[out]} * kernel[tap];
      wanted_dk[tap] += double{dy[out]} * x[in];
    });
    for (double& v : wanted) v = std::max(v, 0.);
    Shape pads{g.before[1], g.before[2]}, around{window - 1 - pads[0], window - 1 - pads[1]};
    auto call = [&](const Array& from, const Array& end, const Array& to, const Shape& zeros, bool mirrored) {
      Call made("keryx_winograd_1");
      made.operands(from, kernel, end).results(to).attribute("pads", zeros).attribute("mirrored", mirrored);
      made.attribute("relu", !mirrored).run();
    };
    call(x, bias, y, pads, false);
    call(dy, none, dx, around, true);
    Call("keryx_winograd_kernel_gradient_1").operands(x, dy).results(dk).attribute("pads", pads).run();
    compare("y", y, wanted, 1e-5);
    compare("dx", dx, wanted_dx, 1e-5);
    compare("dk", dk, wanted_dk, 2e-5);
  }
}
