// What comes after a convolution, backwards: from y = activation(z + bias) and dy, both dz and the sum over its rows.

#include <algorithm>
#include <vector>

#include "handler.h"
#include "parallel.h"
#include "simd.h"

namespace keryx {
namespace {

using Matrix = ffi::Buffer<ffi::F32, 2>;
using Row = ffi::Buffer<ffi::F32, 1>;

constexpr int64_t kRowsATask = 512;
constexpr int kColumns = std::min(64 / kLanes, 8);  // vectors of columns at a time

struct Linear {
  Vec operator()(Vec, Vec dy) const { return dy; }
};
struct Relu {
  Vec operator()(Vec y, Vec dy) const { return select(y > 0.0f, dy, Vec{}); }
};
struct Tanh {
  Vec operator()(Vec y, Vec dy) const { return dy * (1.0f - y * y); }
};
struct Sigmoid {
  Vec operator()(Vec y, Vec dy) const { return dy * (y * (1.0f - y)); }
};

// dz = slope(y) * dy, and the sums of its columns. Without `y` and `dz` (a linear activation) dz is dy.
template <typename Slope>
void gradient(ffi::ThreadPool& pool, const float* y, const float* dy, float* dz, float* sums, int64_t rows,
              int64_t columns) {
  int64_t tasks = (rows + kRowsATask - 1) / kRowsATask;
  std::vector<float> partial(tasks * columns);  // (tasks, columns), added up in their order
  parallel(pool, tasks, [&, slope = Slope()](int64_t task) {
    int64_t begin = task * kRowsATask, end = std::min(rows, begin + kRowsATask);
    for (int64_t column = 0; column < columns; column += kColumns * kLanes) {
      Vec total[kColumns] = {};
      for (int64_t row = begin; row < end; row++) {
        for (int j = 0; j < kColumns; j++) {
          int64_t first = column + j * kLanes, at = row * columns + first;
          int n = static_cast<int>(std::min<int64_t>(kLanes, columns - first));
          if (n <= 0) break;
          Vec d = slope(y ? load(y + at, n) : Vec{}, load(dy + at, n));
          if (dz) store(dz + at, d, n);
          total[j] += d;
        }
      }
      for (int j = 0; j < kColumns && column + j * kLanes < columns; j++) {
        int64_t first = column + j * kLanes;
        store(&partial[task * columns + first], total[j], static_cast<int>(std::min<int64_t>(kLanes, columns - first)));
      }
    }
  });
  std::fill_n(sums, columns, 0.0f);
  for (int64_t task = 0; task < tasks; task++) {
    for (int64_t column = 0; column < columns; column++) sums[column] += partial[task * columns + column];
  }
}

// y, dy and dz (rows, columns); sums (columns,). `activation` counts as in kernels/epilogue.py.
ffi::Error EpilogueGradient(ffi::ThreadPool pool, Matrix y, Matrix dy,
                            ffi::Result<Matrix> dz, ffi::Result<Row> sums,
                            int64_t activation) {
  auto [rows, columns] = want::sizes<2>("y", y);
  want::shape("dy", dy.dimensions(), {rows, columns});
  want::shape("dz", dz->dimensions(), {rows, columns});
  want::shape("sums", sums->dimensions(), {columns});
  want::between("activation", activation, 0, 3);
  auto run = activation == 1   ? gradient<Relu>
             : activation == 2 ? gradient<Tanh>
             : activation == 3 ? gradient<Sigmoid>
                               : gradient<Linear>;
  run(pool, y.typed_data(), dy.typed_data(), dz->typed_data(), sums->typed_data(), rows, columns);
  return ffi::Error::Success();
}

ffi::Error SumOfRows(ffi::ThreadPool pool, Matrix dy, ffi::Result<Row> sums) {
  auto [rows, columns] = want::sizes<2>("dy", dy);
  want::shape("sums", sums->dimensions(), {columns});
  gradient<Linear>(pool, nullptr, dy.typed_data(), nullptr, sums->typed_data(), rows, columns);
  return ffi::Error::Success();
}

}  // namespace

KERYX_HANDLER(keryx_epilogue_gradient_1, EpilogueGradient,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Matrix>()
                  .Arg<Matrix>()
                  .Ret<Matrix>()
                  .Ret<Row>()
                  .Attr<int64_t>("activation"));

KERYX_HANDLER(keryx_sum_of_rows_1, SumOfRows,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Matrix>()
                  .Ret<Row>());

}  // namespace keryx
