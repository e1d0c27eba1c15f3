// activation(x W + b), its derivatives, and products of matrices that may be transposed.

#include "activation.h"
#include "gemm.h"
#include "handler.h"

namespace keryx {
namespace {

using Array = ffi::Buffer<ffi::F32>;
using Output = ffi::ResultBuffer<ffi::F32>;

Matrix matrix(const Array& array) { return {array.typed_data(), array.dimensions()[1]}; }
int64_t rows(const Array& array) { return array.dimensions()[0]; }
int64_t columns(const Array& array) { return array.dimensions()[1]; }

ffi::Error product(ffi::ThreadPool pool, Array left, Array right, Output out, bool left_transposed,
                   bool right_transposed) {
  want::rank("left", left.dimensions(), 2);
  want::rank("right", right.dimensions(), 2);
  int64_t depth = left_transposed ? rows(left) : columns(left), width = right_transposed ? rows(right) : columns(right);
  want::shape("right", right.dimensions(), {right_transposed ? width : depth, right_transposed ? depth : width});
  want::shape("out", out->dimensions(), {left_transposed ? columns(left) : rows(left), width});
  Matrix a = left_transposed ? matrix(left).transposed() : matrix(left);
  Matrix b = right_transposed ? matrix(right).transposed() : matrix(right);
  multiply_all(pool, rows(*out), columns(*out), depth, a, b, {out->typed_data(), columns(*out)});
  return ffi::Error::Success();
}

// Each activation: the function, and its slope times dy where it gave y. Their numbers are those of dense.py.
struct Linear {
  static Vec of(Vec x) { return x; }
  static Vec back(Vec, Vec dy) { return dy; }
};
struct Relu {
  static Vec of(Vec x) { return max(x, Vec{}); }
  static Vec back(Vec y, Vec dy) { return select(y > 0.f, dy, Vec{}); }
};
struct Tanh {
  static Vec of(Vec x) { return tanh(x); }
  static Vec back(Vec y, Vec dy) { return dy * (1.f - y * y); }
};
struct Sigmoid {
  static Vec of(Vec x) { return sigmoid(x); }
  static Vec back(Vec y, Vec dy) { return dy * (y * (1.f - y)); }
};

template <typename Use>
void with_activation(int64_t number, Use&& use) {
  switch (number) {
    case 0: return use(Linear());
    case 1: return use(Relu());
    case 2: return use(Tanh());
    default: return use(Sigmoid());
  }
}

template <typename Activation>
void finish(const float* bias, Vec* sums, int rows, int vectors, int64_t unit, int in_last) {
  for (int j = 0; j < vectors; j++) {
    Vec with = load(bias + unit + j * kLanes, j == vectors - 1 ? in_last : kLanes);
    for (int i = 0; i < rows; i++) sums[i * vectors + j] = Activation::of(sums[i * vectors + j] + with);
  }
}

ffi::Error dense(ffi::ThreadPool pool, Array x, Array kernel, Array bias, Output y, int64_t activation) {
  want::rank("x", x.dimensions(), 2);
  want::rank("kernel", kernel.dimensions(), 2);
  want::shape("kernel", kernel.dimensions(), {columns(x), columns(kernel)});
  want::shape("bias", bias.dimensions(), {columns(kernel)});
  want::shape("y", y->dimensions(), {rows(x), columns(kernel)});
  want::between("activation", activation, 0, 3);
  Result result{y->typed_data(), columns(*y), false, nullptr, bias.typed_data()};
  with_activation(activation, [&](auto act) { result.finish = finish<decltype(act)>; });
  multiply_all(pool, rows(*y), columns(*y), columns(x), matrix(x), matrix(kernel), result);
  return ffi::Error::Success();
}

// dz = slope(y) dy; the kernel's gradient is x^T dz, and the bias's the sum of dz over the batch.
ffi::Error dense_backward(ffi::ThreadPool pool, Array x, Array y, Array dy, Output dz, Output dkernel, Output dbias,
                          int64_t activation) {
  want::rank("x", x.dimensions(), 2);
  want::rank("y", y.dimensions(), 2);
  int64_t batch = rows(y), units = columns(y);
  want::shape("x", x.dimensions(), {batch, columns(x)});
  want::shape("dy", dy.dimensions(), {batch, units});
  want::shape("dz", dz->dimensions(), {batch, units});
  want::shape("dkernel", dkernel->dimensions(), {columns(x), units});
  want::shape("dbias", dbias->dimensions(), {units});
  want::between("activation", activation, 0, 3);
  auto slope = [&](auto act, int64_t unit) {
    int count = std::min<int64_t>(kLanes, units - unit);
    Vec total{};
    for (int64_t i = unit, end = batch * units; i < end; i += units) {
      Vec change = act.back(load(y.typed_data() + i, count), load(dy.typed_data() + i, count));
      store(dz->typed_data() + i, change, count);
      total += change;
    }
    store(dbias->typed_data() + unit, total, count);
  };
  with_activation(activation, [&](auto act) {
    constexpr int64_t kTask = 1 << 13;  // numbers: a microsecond or two
    int64_t vectors = (units + kLanes - 1) / kLanes;
    int64_t some = std::max<int64_t>(1, std::min(vectors, kTask / std::max<int64_t>(1, batch * kLanes)));
    parallel(pool, (vectors + some - 1) / some, [&](int64_t task) {
      for (int64_t v = task * some; v < std::min(vectors, (task + 1) * some); v++) slope(act, v * kLanes);
    });
  });
  multiply_all(pool, rows(*dkernel), units, batch, matrix(x).transposed(), matrix(*dz), {dkernel->typed_data(), units});
  return ffi::Error::Success();
}

}  // namespace

KERYX_HANDLER(keryx_product_1, product,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Array>()
                  .Arg<Array>()
                  .Ret<Array>()
                  .Attr<bool>("left_transposed")
                  .Attr<bool>("right_transposed"));

KERYX_HANDLER(keryx_dense_1, dense,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Array>()
                  .Arg<Array>()
                  .Arg<Array>()
                  .Ret<Array>()
                  .Attr<int64_t>("activation"));

KERYX_HANDLER(keryx_dense_backward_1, dense_backward,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Array>()
                  .Arg<Array>()
                  .Arg<Array>()
                  .Ret<Array>()
                  .Ret<Array>()
                  .Ret<Array>()
                  .Attr<int64_t>("activation"));

}  // namespace keryx
