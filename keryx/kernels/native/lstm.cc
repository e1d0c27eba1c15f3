// Long short-term memory: c' = f * c + i * g, h' = o * tanh(c').

#include "recurrent.h"

namespace keryx {
namespace {

struct Lstm : Sequence {
  static constexpr int kGates = 4, kSums = 4;
  States h{}, c{};
  float* gates = nullptr;       // (batch, time, 4, units): x @ kernel, then i, f, g, o, then their cotangents
  const float* bias = nullptr;  // (4, units)
  // Backward only.
  const float* d_outputs = nullptr;  // (batch, time, units)
  float *dh = nullptr, *dc = nullptr;          // (batch, units)

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
  want_kernel(cell, "recurrent_kernel", recurrent_kernel, 4);
  want::shape("bias", bias.dimensions(), {4 * cell.units});
  want_state(cell, "h", h);
  want_state(cell, "c", c);
  want_steps(cell, "from_x", from_x, 4);
  want_steps(cell, "cs", *cs);
  want_steps(cell, "gates", *gates, 4);
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
  want_kernel(cell, "recurrent_kernel", recurrent_kernel, 4);
  want_kernel(cell, "d_recurrent", *d_recurrent, 4);
  want::shape("d_bias", d_bias->dimensions(), {4 * cell.units});
  want_state(cell, "h", h);
  want_state(cell, "c", c);
  want_state(cell, "dh_last", dh_last);
  want_state(cell, "dc_last", dc_last);
  want_state(cell, "dh", *dh);
  want_state(cell, "dc", *dc);
  want_steps(cell, "cs", cs);
  want_steps(cell, "gates", gates, 4);
  want_steps(cell, "d_outputs", d_outputs);
  want_steps(cell, "dz", *dz, 4);
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

KERYX_HANDLER(keryx_lstm_1, lstm,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Floats<3>>()   // x @ kernel
                  .Arg<Floats<2>>()   // recurrent kernel
                  .Arg<Floats<1>>()   // bias
                  .Arg<Floats<2>>()   // h
                  .Arg<Floats<2>>()   // c
                  .Arg<Mask>()
                  .Ret<Floats<3>>()   // h after each step
                  .Ret<Floats<3>>()   // c after each step
                  .Ret<Floats<3>>()   // gates
                  .Attr<bool>("reverse"));

KERYX_HANDLER(keryx_lstm_backward_1, lstm_backward,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Floats<2>>()   // recurrent kernel
                  .Arg<Floats<2>>()   // h
                  .Arg<Floats<2>>()   // c
                  .Arg<Mask>()
                  .Arg<Floats<3>>()   // h after each step
                  .Arg<Floats<3>>()   // c after each step
                  .Arg<Floats<3>>()   // gates
                  .Arg<Floats<3>>()   // cotangents of h after each step,
                  .Arg<Floats<2>>()   // of the last h
                  .Arg<Floats<2>>()   // and of the last c
                  .Ret<Floats<3>>()   // those of x @ kernel,
                  .Ret<Floats<2>>()   // of the recurrent kernel,
                  .Ret<Floats<1>>()   // bias,
                  .Ret<Floats<2>>()   // h
                  .Ret<Floats<2>>()   // and c
                  .Attr<bool>("reverse"));

}  // namespace keryx
