// Long short-term memory: c' = f * c + i * g, h' = o * tanh(c').

#include "recurrent.h"

namespace keryx {
namespace {

struct Lstm : Sequence {
  static constexpr int kGates = 4, kSums = 4;
  States h, c;
  float* gates;       // (batch, time, 4, units): x @ kernel, then i, f, g, o, then their cotangents
  const float* bias;  // (4, units)
  // Backward only.
  const float* d_outputs;  // (batch, time, units)
  float *dh, *dc;          // (batch, units)

  float* gate(const Step& at, int which) const { return gates + offset(at, 4, which); }

  template <typename At>
  void forward(const Vec* from_h, const At& at) const {
    auto z = [&](int k) {
      return load(gate(at, k), at.count()) + load(bias + k * units + at.unit, at.count()) + from_h[k];
    };
    Vec i = sigmoid(z(0)), f = sigmoid(z(1)), g = tanh(z(2)), o = sigmoid(z(3));
    Vec c_before = c.before(*this, at);
    Vec c_after = f * c_before + i * g, h_after = o * tanh(c_after);
    if (skips(at)) c_after = c_before, h_after = h.before(*this, at);
    store(gate(at, 0), i, at.count());
    store(gate(at, 1), f, at.count());
    store(gate(at, 2), g, at.count());
    store(gate(at, 3), o, at.count());
    c.put(*this, at, c_after);
    h.put(*this, at, h_after);
  }

  template <typename At>
  void backward(Vec* sums, const At& at) const {
    float* dh_here = dh + at.row * units + at.unit;
    float* dc_here = dc + at.row * units + at.unit;
    Vec d_h = load(dh_here, at.count()) + load(d_outputs + offset(at, 1, 0), at.count()), d_c = load(dc_here, at.count());
    Vec dz[4] = {};
    if (!skips(at)) {
      Vec i = load(gate(at, 0), at.count()), f = load(gate(at, 1), at.count()), g = load(gate(at, 2), at.count());
      Vec o = load(gate(at, 3), at.count()), tanh_c = tanh(c.after(*this, at));
      d_c += d_h * o * (1.0f - tanh_c * tanh_c);
      dz[0] = d_c * g * i * (1.0f - i);
      dz[1] = d_c * c.before(*this, at) * f * (1.0f - f);
      dz[2] = d_c * i * (1.0f - g * g);
      dz[3] = d_h * tanh_c * o * (1.0f - o);
      d_c *= f;
      d_h = Vec{};
    }
    for (int k = 0; k < 4; k++) {
      store(gate(at, k), dz[k], at.count());
      sums[k] += dz[k];
    }
    store(dh_here, d_h, at.count());  // what goes past the step
    store(dc_here, d_c, at.count());
  }

  template <int M, int N>
  void multiply_back(Vec (&tile)[M][N], const float* panel, const Step& at) const {
    const float* dz = gates + (at.row * time + at.t) * 4 * units;
    multiply(tile, dz, time * 4 * units, 1, panel, N * kLanes, 4 * units);
  }
};

ffi::Error lstm(ffi::ThreadPool pool, Floats<3> from_x, Floats<2> recurrent_kernel, Floats<1> bias, Floats<2> h,
                Floats<2> c, Mask mask, ffi::Result<Floats<3>> hs, ffi::Result<Floats<3>> cs,
                ffi::Result<Floats<3>> gates, bool reverse) {
  Lstm cell{sequence_of(*hs, mask, reverse)};
  cell.h = {h.typed_data(), hs->typed_data()};
  cell.c = {c.typed_data(), cs->typed_data()};
  cell.bias = bias.typed_data();
  cell.gates = overwritten(from_x, gates);
  run_forward(pool, cell, recurrent_kernel.typed_data());
  return ffi::Error::Success();
}

ffi::Error lstm_backward(ffi::ThreadPool pool, Floats<2> recurrent_kernel, Floats<2> h, Floats<2> c, Mask mask,
                         Floats<3> hs, Floats<3> cs, Floats<3> gates, Floats<3> d_outputs, Floats<2> dh_last,
                         Floats<2> dc_last, ffi::Result<Floats<3>> dz, ffi::Result<Floats<2>> d_recurrent,
                         ffi::Result<Floats<1>> d_bias, ffi::Result<Floats<2>> dh, ffi::Result<Floats<2>> dc,
                         bool reverse) {
  Lstm cell{sequence_of(hs, mask, reverse)};
  cell.h = {h.typed_data(), hs.typed_data()};
  cell.c = {c.typed_data(), cs.typed_data()};
  cell.gates = overwritten(gates, dz);
  cell.d_outputs = d_outputs.typed_data();
  cell.dh = overwritten(dh_last, dh);
  cell.dc = overwritten(dc_last, dc);
  run_backward(pool, cell, recurrent_kernel.typed_data(), d_bias->typed_data());
  int64_t width = 4 * cell.units;
  recurrent_gradient(pool, cell, cell.h, cell.gates, width, width, d_recurrent->typed_data(), width);
  return ffi::Error::Success();
}

}  // namespace
}  // namespace keryx

#pragma GCC visibility push(default)

XLA_FFI_DEFINE_HANDLER_SYMBOL(keryx_lstm_1, keryx::lstm,
                              xla::ffi::Ffi::Bind()
                                  .Ctx<xla::ffi::ThreadPool>()
                                  .Arg<keryx::Floats<3>>()   // x @ kernel
                                  .Arg<keryx::Floats<2>>()   // recurrent kernel
                                  .Arg<keryx::Floats<1>>()   // bias
                                  .Arg<keryx::Floats<2>>()   // h
                                  .Arg<keryx::Floats<2>>()   // c
                                  .Arg<keryx::Mask>()
                                  .Ret<keryx::Floats<3>>()   // h after each step
                                  .Ret<keryx::Floats<3>>()   // c after each step
                                  .Ret<keryx::Floats<3>>()   // gates
                                  .Attr<bool>("reverse"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(keryx_lstm_backward_1, keryx::lstm_backward,
                              xla::ffi::Ffi::Bind()
                                  .Ctx<xla::ffi::ThreadPool>()
                                  .Arg<keryx::Floats<2>>()   // recurrent kernel
                                  .Arg<keryx::Floats<2>>()   // h
                                  .Arg<keryx::Floats<2>>()   // c
                                  .Arg<keryx::Mask>()
                                  .Arg<keryx::Floats<3>>()   // h after each step
                                  .Arg<keryx::Floats<3>>()   // c after each step
                                  .Arg<keryx::Floats<3>>()   // gates
                                  .Arg<keryx::Floats<3>>()   // cotangents of h after each step,
                                  .Arg<keryx::Floats<2>>()   // of the last h
                                  .Arg<keryx::Floats<2>>()   // and of the last c
                                  .Ret<keryx::Floats<3>>()   // those of x @ kernel,
                                  .Ret<keryx::Floats<2>>()   // of the recurrent kernel,
                                  .Ret<keryx::Floats<1>>()   // bias,
                                  .Ret<keryx::Floats<2>>()   // h
                                  .Ret<keryx::Floats<2>>()   // and c
                                  .Attr<bool>("reverse"));

#pragma GCC visibility pop
