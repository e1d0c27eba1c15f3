// Gated recurrent unit, the reset gate after the product: h' = z * h + (1 - z) * tanh(x_g + r * h_g).

#include "recurrent.h"

namespace keryx {
namespace {

struct Gru : Sequence {
  static constexpr int kGates = 3, kSums = 4;
  States h{};
  float* gates = nullptr;       // (batch, time, 3, units): x @ kernel, then z, r, g, then its cotangents
  float* h_g = nullptr;         // (batch, time, units): h @ recurrent_kernel of the gate g, then its cotangents
  const float* bias = nullptr;  // (2, 3, units): for x and for h
  // Backward only.
  const float* d_outputs = nullptr;  // (batch, time, units)
  float* dh = nullptr;               // (batch, units)

  float* gate(const Step& at, int which) const { return gates + offset(at, 3, which); }

  template <typename At>
  void forward(const Vec* from_h, const At& at) const {
    auto x_part = [&](int k) { return load(gate(at, k), at.count()) + load(bias + k * units + at.unit, at.count()); };
    auto h_part = [&](int k) { return from_h[k] + load(bias + (3 + k) * units + at.unit, at.count()); };
    Vec z = sigmoid(x_part(0) + h_part(0)), r = sigmoid(x_part(1) + h_part(1));
    Vec h_part_g = h_part(2), g = tanh(x_part(2) + r * h_part_g), h_before = h.before(*this, at);
    Vec h_after = z * h_before + (1.0f - z) * g;
    store(gate(at, 0), z, at.count());
    store(gate(at, 1), r, at.count());
    store(gate(at, 2), g, at.count());
    store(h_g + offset(at, 1, 0), h_part_g, at.count());
    h.put(*this, at, skips(at) ? h_before : h_after);
  }

  template <typename At>
  void backward(Vec* sums, const At& at) const {
    float* dh_here = dh + at.row * units + at.unit;
    float* h_g_here = h_g + offset(at, 1, 0);
    Vec d_h = load(dh_here, at.count()) + load(d_outputs + offset(at, 1, 0), at.count());
    Vec dz{}, dr{}, dg{}, d_h_g{};
    if (!skips(at)) {
      Vec z = load(gate(at, 0), at.count()), r = load(gate(at, 1), at.count()), g = load(gate(at, 2), at.count());
      dz = d_h * (h.before(*this, at) - g) * z * (1.0f - z);
      dg = d_h * (1.0f - z) * (1.0f - g * g);
      dr = dg * load(h_g_here, at.count()) * r * (1.0f - r);
      d_h_g = dg * r;
      d_h *= z;
    }
    store(gate(at, 0), dz, at.count());
    store(gate(at, 1), dr, at.count());
    store(gate(at, 2), dg, at.count());
    store(h_g_here, d_h_g, at.count());
    sums[0] += dz;
    sums[1] += dr;
    sums[2] += dg;
    sums[3] += d_h_g;
    store(dh_here, d_h, at.count());  // what goes past the step's product
  }

  template <int M, int N>
  void multiply_back(Vec (&tile)[M][N], const float* panel, const Step& at) const {
    int64_t step = at.row * time + at.t;
    multiply(tile, gates + step * 3 * units, time * 3 * units, 1, panel, N * kLanes, 2 * units);
    multiply(tile, h_g + step * units, time * units, 1, panel + 2 * units * N * kLanes, N * kLanes, units);
  }
};

ffi::Error gru(ffi::ThreadPool pool, Floats<3> from_x, Floats<2> recurrent_kernel, Floats<2> bias, Floats<2> h,
               Mask mask, ffi::Result<Floats<3>> hs, ffi::Result<Floats<3>> gates, ffi::Result<Floats<3>> h_g,
               bool reverse) {
  Gru cell{sequence_of(*hs, mask, reverse)};
  want_kernel(cell, "recurrent_kernel", recurrent_kernel, 3);
  want::shape("bias", bias.dimensions(), {2, 3 * cell.units});
  want_state(cell, "h", h);
  want_steps(cell, "from_x", from_x, 3);
  want_steps(cell, "gates", *gates, 3);
  want_steps(cell, "h_g", *h_g);
  cell.h = {h.typed_data(), hs->typed_data()};
  cell.bias = bias.typed_data();
  cell.gates = overwritten(from_x, gates);
  cell.h_g = h_g->typed_data();
  run_forward(pool, cell, recurrent_kernel.typed_data());
  return ffi::Error::Success();
}

ffi::Error gru_backward(ffi::ThreadPool pool, Floats<2> recurrent_kernel, Floats<2> h, Mask mask, Floats<3> hs,
                        Floats<3> gates, Floats<3> h_g, Floats<3> d_outputs, Floats<2> dh_last,
                        ffi::Result<Floats<3>> d_from_x, ffi::Result<Floats<3>> d_h_g,
                        ffi::Result<Floats<2>> d_recurrent, ffi::Result<Floats<2>> d_bias, ffi::Result<Floats<2>> dh,
                        bool reverse) {
  Gru cell{sequence_of(hs, mask, reverse)};
  want_kernel(cell, "recurrent_kernel", recurrent_kernel, 3);
  want_kernel(cell, "d_recurrent", *d_recurrent, 3);
  want::shape("d_bias", d_bias->dimensions(), {2, 3 * cell.units});
  want_state(cell, "h", h);
  want_state(cell, "dh_last", dh_last);
  want_state(cell, "dh", *dh);
  want_steps(cell, "gates", gates, 3);
  want_steps(cell, "h_g", h_g);
  want_steps(cell, "d_outputs", d_outputs);
  want_steps(cell, "d_from_x", *d_from_x, 3);
  want_steps(cell, "d_h_g", *d_h_g);
  cell.h = {h.typed_data(), hs.typed_data()};
  cell.gates = overwritten(gates, d_from_x);
  cell.h_g = overwritten(h_g, d_h_g);
  cell.d_outputs = d_outputs.typed_data();
  cell.dh = overwritten(dh_last, dh);
  int64_t units = cell.units;
  Scratch sums = scratch(4 * units);
  run_backward(pool, cell, recurrent_kernel.typed_data(), sums.get());
  float* to = d_bias->typed_data();
  std::copy_n(sums.get(), 3 * units, to);
  std::copy_n(sums.get(), 2 * units, to + 3 * units);
  std::copy_n(sums.get() + 3 * units, units, to + 5 * units);
  float* d = d_recurrent->typed_data();
  recurrent_gradient(pool, cell, cell.h, cell.gates, 2 * units, 3 * units, d, 3 * units);
  recurrent_gradient(pool, cell, cell.h, cell.h_g, units, units, d + 2 * units, 3 * units);
  return ffi::Error::Success();
}

}  // namespace

KERYX_HANDLER(keryx_gru_1, gru,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Floats<3>>()  // x @ kernel
                  .Arg<Floats<2>>()  // recurrent kernel
                  .Arg<Floats<2>>()  // biases
                  .Arg<Floats<2>>()  // h
                  .Arg<Mask>()
                  .Ret<Floats<3>>()  // h after each step
                  .Ret<Floats<3>>()  // gates
                  .Ret<Floats<3>>()  // h @ recurrent kernel of the gate g
                  .Attr<bool>("reverse"));

KERYX_HANDLER(keryx_gru_backward_1, gru_backward,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Floats<2>>()  // recurrent kernel
                  .Arg<Floats<2>>()  // h
                  .Arg<Mask>()
                  .Arg<Floats<3>>()  // h after each step
                  .Arg<Floats<3>>()  // gates
                  .Arg<Floats<3>>()  // h @ recurrent kernel of the gate g
                  .Arg<Floats<3>>()  // cotangents of h after each step
                  .Arg<Floats<2>>()  // and of the last h
                  .Ret<Floats<3>>()  // those of x @ kernel,
                  .Ret<Floats<3>>()  // of h @ recurrent kernel of the gate g,
                  .Ret<Floats<2>>()  // of the recurrent kernel,
                  .Ret<Floats<2>>()  // biases
                  .Ret<Floats<2>>()  // and h
                  .Attr<bool>("reverse"));

}  // namespace keryx
