// The geometry that a convolution and its gradients share: three axes, channels last; fewer axes have leading ones.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "handler.h"
#include "parallel.h"
#include "scratch.h"
#include "simd.h"

namespace keryx::convolution {

using Array = ffi::Buffer<ffi::F32, 5>;
using Vector = ffi::Buffer<ffi::F32, 1>;
using Result = ffi::ResultBuffer<ffi::F32, 5>;

// One axis: output p is made of the inputs at p * step + first + tap * gap.
struct Axis {
  int64_t in, out, taps, step, first, gap;
  // Where the outputs lie in their array, and the taps in the kernel: they are every one, but in an input gradient.
  int64_t out_first = 0, out_step = 1, tap_first = 0, tap_step = 1;

  int64_t place(int64_t p, int64_t tap = 0) const { return p * step + first + tap * gap; }
  int64_t reach() const { return (taps - 1) * gap + 1; }
  // The taps of output p that lie within the input are those from low(p) on, before high(p).
  int64_t low(int64_t p) const { return std::clamp<int64_t>((gap - 1 - place(p)) / gap, 0, taps); }
  int64_t high(int64_t p) const { return std::clamp<int64_t>((in - place(p) + gap - 1) / gap, low(p), taps); }
  // Whether all inputs of the outputs from p on, before `end`, are there.
  bool within(int64_t p, int64_t end) const { return place(p) >= 0 && place(end - 1, taps - 1) < in; }
};

// An array and what messages call it.
struct Named {
  const char* name;
  Numbers sizes;
};

// What all forms want of inputs, kernel and outputs, whichever of them is the result.
void want_convolution(Named x, Named kernel, Named y, Numbers strides, Numbers pads, Numbers dilation, int64_t groups);

inline int64_t up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The begin of part i, of `parts` as equal as can be.
inline int64_t part(int64_t whole, int64_t i, int64_t parts) { return whole * i / parts; }

// Where each pixel is convolved by itself, all of all images are one row; says whether they are.
inline bool join(std::array<Axis, 3>& axes, int64_t& batch) {
  int64_t pixels = batch;
  for (const Axis& axis : axes) {
    bool itself = axis.taps == 1 && axis.step == 1 && axis.out_step == 1 && axis.first == 0 && axis.in == axis.out;
    if (!itself) return false;
    pixels *= axis.in;
  }
  batch = 1;
  axes = {Axis{1, 1, 1, 1, 0, 1}, Axis{1, 1, 1, 1, 0, 1}, Axis{pixels, pixels, 1, 1, 0, 1}};
  return true;
}

}  // namespace keryx::convolution
