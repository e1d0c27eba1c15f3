// h' = tanh(x @ kernel + h @ recurrent_kernel + bias).

#include "recurrent.h"

namespace keryx {
namespace {

struct SimpleRnn : Sequence {
  static constexpr int kGates = 1, kSums = 1;
  States h{};
  const float* from_x = nullptr;  // (batch, time, units): x @ kernel
  const float* bias = nullptr;    // (units,)
  // Backward only.
  const float* d_outputs = nullptr;  // (batch, time, units)
  float* dz = nullptr;               // (batch, time, units)
  float* dh = nullptr;               // (batch, units)

  template <typename At>
  void forward(const Vec* from_h, const At& at) const {
    Vec z = load(from_x + offset(at, 1, 0), at.count()) + load(bias + at.unit, at.count()) + *from_h;
    h.put(*this, at, skips(at) ? h.before(*this, at) : tanh(z));
  }

  template <typename At>
  void backward(Vec* sums, const At& at) const {
    float* dh_here = dh + at.row * units + at.unit;
    Vec d_h = load(dh_here, at.count()) + load(d_outputs + offset(at, 1, 0), at.count()), dz_here{};
    if (!skips(at)) {
      Vec h_after = h.after(*this, at);
      dz_here = d_h * (1.0f - h_after * h_after);
      d_h = Vec{};
    }
    store(dz + offset(at, 1, 0), dz_here, at.count());
    *sums += dz_here;
    store(dh_here, d_h, at.count());  // what goes past the step
  }

  template <int M, int N>
  void multiply_back(Vec (&tile)[M][N], const float* panel, const Step& at) const {
    multiply(tile, dz + (at.row * time + at.t) * units, time * units, 1, panel, N * kLanes, units);
  }
};

ffi::Error simple_rnn(ffi::ThreadPool pool, Floats<3> from_x, Floats<2> recurrent_kernel, Floats<1> bias, Floats<2> h,
                      Mask mask, ffi::Result<Floats<3>> hs, bool reverse) {
  SimpleRnn cell{sequence_of(*hs, mask, reverse)};
  want_kernel(cell, "recurrent_kernel", recurrent_kernel, 1);
  want::shape("bias", bias.dimensions(), {cell.units});
  want_state(cell, "h", h);
  want_steps(cell, "from_x", from_x);
  cell.h = {h.typed_data(), hs->typed_data()};
  cell.from_x = from_x.typed_data();
  cell.bias = bias.typed_data();
  run_forward(pool, cell, recurrent_kernel.typed_data());
  return ffi::Error::Success();
}

ffi::Error simple_rnn_backward(ffi::ThreadPool pool, Floats<2> recurrent_kernel, Floats<2> h, Mask mask, Floats<3> hs,
                               Floats<3> d_outputs, Floats<2> dh_last, ffi::Result<Floats<3>> dz,
                               ffi::Result<Floats<2>> d_recurrent, ffi::Result<Floats<1>> d_bias,
                               ffi::Result<Floats<2>> dh, bool reverse) {
  SimpleRnn cell{sequence_of(hs, mask, reverse)};
  want_kernel(cell, "recurrent_kernel", recurrent_kernel, 1);
  want_kernel(cell, "d_recurrent", *d_recurrent, 1);
  want::shape("d_bias", d_bias->dimensions(), {cell.units});
  want_state(cell, "h", h);
  want_state(cell, "dh_last", dh_last);
  want_state(cell, "dh", *dh);
  want_steps(cell, "d_outputs", d_outputs);
  want_steps(cell, "dz", *dz);
  cell.h = {h.typed_data(), hs.typed_data()};
  cell.d_outputs = d_outputs.typed_data();
  cell.dz = dz->typed_data();
  cell.dh = overwritten(dh_last, dh);
  run_backward(pool, cell, recurrent_kernel.typed_data(), d_bias->typed_data());
  recurrent_gradient(pool, cell, cell.h, cell.dz, cell.units, cell.units, d_recurrent->typed_data(), cell.units);
  return ffi::Error::Success();
}

}  // namespace

KERYX_HANDLER(keryx_simple_rnn_1, simple_rnn,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Floats<3>>()  // x @ kernel
                  .Arg<Floats<2>>()  // recurrent kernel
                  .Arg<Floats<1>>()  // bias
                  .Arg<Floats<2>>()  // h
                  .Arg<Mask>()
                  .Ret<Floats<3>>()  // h after each step
                  .Attr<bool>("reverse"));

KERYX_HANDLER(keryx_simple_rnn_backward_1, simple_rnn_backward,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Floats<2>>()  // recurrent kernel
                  .Arg<Floats<2>>()  // h
                  .Arg<Mask>()
                  .Arg<Floats<3>>()  // h after each step
                  .Arg<Floats<3>>()  // its cotangents
                  .Arg<Floats<2>>()  // and those of the last h
                  .Ret<Floats<3>>()  // those of x @ kernel,
                  .Ret<Floats<2>>()  // of the recurrent kernel,
                  .Ret<Floats<1>>()  // bias
                  .Ret<Floats<2>>()  // and h
                  .Attr<bool>("reverse"));

}  // namespace keryx
