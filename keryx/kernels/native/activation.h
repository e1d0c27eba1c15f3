// exp, sigmoid and tanh on vectors, to two units in the last place; infinities give the limits, NaN gives NaN.
#pragma once

#include "simd.h"

namespace keryx {

// x = n * log(2) + r with a whole n and |r| <= log(2) / 2; `less_one` is exp(r) - 1.
struct Halved {
  Ints n;
  Vec less_one;
};

inline Halved halved(Vec x) {
  constexpr float kRounds = 12582912.0f;  // 1.5 * 2^23: what is added to it loses its fraction
  Vec shifted = x * 1.44269504f + kRounds;
  Vec n = shifted - kRounds;
  Vec r = x - n * 0.693359375f;  // log(2) in two parts, the first of so few digits that n times it is exact
  r = r + n * 2.12194440e-4f;
  // (exp(r) - 1) / r by Chebyshev interpolation, the first two terms exact.
  Vec p = r * 1.39187730e-3f + 8.35724827e-3f;
  p = p * r + 4.16666232e-2f;
  p = p * r + 0.166666314f;
  p = p * r + 0.5f;
  return {(Ints)shifted - (Ints)fill(kRounds), p * r * r + r};
}

// 2^n for n from -126 to 127.
inline Vec power_of_two(Ints n) { return (Vec)((n + 127) << 23); }

inline Vec exp(Vec x) {
  x = select(x > 89.0f, fill(89.0f), x);  // beyond these it is inf and 0, in float32
  x = select(x < -104.0f, fill(-104.0f), x);
  Halved h = halved(x);
  Ints half = h.n >> 1;
  return (h.less_one + 1.0f) * power_of_two(half) * power_of_two(h.n - half);
}

inline Vec sigmoid(Vec x) { return 1.0f / (1.0f + exp(-x)); }

// With e = exp(2 x) - 1, tanh(x) = e / (e + 2): exact where x is small, too.
inline Vec tanh(Vec x) {
  x = select(x > 10.0f, fill(10.0f), x);  // beyond 9.02 it is 1, in float32
  x = select(x < -10.0f, fill(-10.0f), x);
  Halved h = halved(2.0f * x);
  Vec scale = power_of_two(h.n);
  Vec e = h.less_one * scale + (scale - 1.0f);
  return e / (e + 2.0f);
}

}  // namespace keryx
