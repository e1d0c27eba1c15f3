// The maximum and the mean of windows, of all places, and their gradients.
#include <cmath>

#include "harness.h"

namespace {

struct Geometry {
  int64_t batch, channels;
  Shape sizes, window, strides, before, after;

  Shape x() const { return {batch, sizes[0], sizes[1], sizes[2], channels}; }
  Shape y() const {
    Shape shape{batch, 0, 0, 0, channels};
    for (int i = 0; i < 3; i++) shape[i + 1] = (sizes[i] + before[i] + after[i] - window[i]) / strides[i] + 1;
    return shape;
  }
};

// visit(place in x, number in the window, place in y) for each place of each window that lies within x, in order.
template <typename Visit>
void places(const Geometry& g, Visit visit) {
  Shape y = g.y();
  for (int64_t i = 0; i < size_of(y); i++) {
    int64_t pixel = i / g.channels;
    int64_t at[3] = {pixel / (y[2] * y[3]) % y[1], pixel / y[3] % y[2], pixel % y[3]};
    for (int64_t number = 0; number < size_of(g.window); number++) {
      int64_t in[3] = {number / (g.window[1] * g.window[2]), number / g.window[2] % g.window[1], number % g.window[2]};
      int64_t place = pixel / (y[1] * y[2] * y[3]);
      bool within = true;
      for (int axis = 0; axis < 3; axis++) {
        int64_t p = at[axis] * g.strides[axis] - g.before[axis] + in[axis];
        within &= p >= 0 && p < g.sizes[axis];
        place = place * g.sizes[axis] + p;
      }
      if (within) visit(place * g.channels + i % g.channels, number, i);
    }
  }
}

const Geometry kGeometries[] = {
    {1, 1, {1, 1, 4}, {1, 1, 2}, {1, 1, 2}, {0, 0, 0}, {0, 0, 0}},
    {2, 3, {1, 7, 9}, {1, 3, 2}, {1, 2, 1}, {0, 1, 0}, {0, 1, 1}},
    {1, 20, {1, 30, 31}, {1, 3, 3}, {1, 1, 1}, {0, 1, 1}, {0, 1, 1}},
    {2, 33, {1, 8, 8}, {1, 2, 2}, {1, 2, 2}, {0, 0, 0}, {0, 0, 0}},
    {1, 5, {6, 5, 4}, {3, 2, 2}, {2, 3, 1}, {1, 0, 1}, {1, 0, 0}},
    {1, 2, {1, 1, 9}, {1, 1, 2}, {1, 1, 4}, {0, 0, 0}, {0, 0, 0}},
    {0, 3, {1, 7, 9}, {1, 3, 3}, {1, 2, 2}, {0, 0, 0}, {0, 0, 0}},
};

Call& with_geometry(Call& call, const Geometry& g) {
  return call.attribute("window", g.window).attribute("strides", g.strides).attribute("before", g.before);
}

}  // namespace

TEST(max_pool) {
  for (const Geometry& g : kGeometries) {
    Array x = numbers(g.x(), 1), y = empty(g.y()), index = bytes(g.y()), none = bytes({0, 0, 0, 0, 0});
    Doubles wanted(y.size(), -INFINITY), wanted_dx(x.size());
    std::vector<int64_t> winners(y.size()), origin(y.size());
    places(g, [&](int64_t from, int64_t number, int64_t to) {
      if (x[from] > wanted[to]) wanted[to] = x[from], winners[to] = number, origin[to] = from;
    });
    Call without("keryx_max_pool_1"), with("keryx_max_pool_1"), gradient("keryx_max_pool_gradient_1");
    with_geometry(without.operands(x).results(y, none), g).run();
    compare("y without index", y, wanted, 0);
    with_geometry(with.operands(x).results(y, index), g).run();
    compare("y", y, wanted, 0);
    for (int64_t i = 0; i < y.size(); i++) {
      expect(index.as<uint8_t>()[i] == winners[i], "the index is the first winner's");
    }
    Array dy = numbers(g.y(), 2), dx = empty(g.x());
    for (int64_t i = 0; i < y.size(); i++) wanted_dx[origin[i]] += dy[i];
    with_geometry(gradient.operands(index, dy).results(dx), g).run();
    compare("dx", dx, wanted_dx);
  }
}

TEST(average_pool) {
  for (const Geometry& g : kGeometries) {
    Array x = numbers(g.x(), 1), y = empty(g.y()), dy = numbers(g.y(), 2), dx = empty(g.x());
    Doubles sums(y.size()), counts(y.size()), wanted_dx(x.size());
    int64_t divisor = size_of(g.window);
    places(g, [&](int64_t from, int64_t, int64_t to) {
      sums[to] += x[from], counts[to]++;
      wanted_dx[from] += double{dy[to]} / static_cast<double>(divisor);
    });
    for (int64_t i = 0; i < y.size(); i++) sums[i] /= counts[i];
    Call forward("keryx_average_pool_1"), gradient("keryx_average_pool_gradient_1");
    with_geometry(forward.operands(x).results(y), g).run();
    with_geometry(gradient.operands(dy).results(dx), g).attribute("divisor", divisor).run();
    compare("y", y, sums);
    compare("dx", dx, wanted_dx);
  }
}

TEST(global_pooling) {
  for (const Shape& shape : {Shape{2, 5, 3}, {1, 1000, 20}, {3, 7, 64}, {2, 70000, 1}, {0, 5, 3}}) {
    int64_t batch = shape[0], count = shape[1], channels = shape[2];
    Array x = numbers(shape, 1), y = empty({batch, channels});
    Doubles mean(y.size()), most(y.size(), -INFINITY);
    for (int64_t i = 0; i < x.size(); i++) {
      int64_t to = i / (count * channels) * channels + i % channels;
      mean[to] += double{x[i]} / static_cast<double>(count);
      most[to] = std::max(most[to], double{x[i]});
    }
    Call("keryx_global_average_pool_1").operands(x).results(y).run();
    compare("mean", y, mean, 2e-5);
    Call("keryx_global_max_pool_1").operands(x).results(y).run();
    compare("maximum", y, most, 0);
  }
}
