// The three transforms of Winograd's convolution with tiles of 6 x 6, at the points 0, p, -p, q, -q, infinity.
//
// A convolution is a product of polynomials: evaluate both at six points, multiply there, and go back. One dimension:
// the outputs are y = A^T ((G g) * (B^T d)), for K weights g, 6 numbers d and 7 - K outputs. Only B^T depends on all
// points at once; A evaluates a polynomial of 7 - K coefficients, and G one of K, divided by kScale. The transpose of
// the same serves the gradient: dg = G^T ((A dy) * (B^T d)).
//
// Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015, https://arxiv.org/abs/1509.09308.
#pragma once

#include "simd.h"

namespace keryx::winograd {

inline constexpr int kTile = 6;
inline constexpr int kPoints = kTile * kTile;

// With p = sqrt(1/2) and q = sqrt(2) nearly all constants are 1, 2 or 1/2, none is large, and the errors are a quarter
// of those of the usual 1 and 2.
inline constexpr float kSquares[2] = {0.5f, 2.0f};
inline constexpr float kRoots[2] = {0.70710678f, 1.41421356f};
// What G divides by: the product of each point's distances to the other finite ones.
inline constexpr float kScale[kTile] = {1.0f, -1 / 1.5f, -1 / 1.5f, 1 / 6.0f, 1 / 6.0f, 1.0f};

// B^T: row i has the coefficients of the product of (z - point) over all finite points but the i-th.
struct Interpolate {
  static constexpr int kIn = kTile, kOut = kTile;
  __attribute__((always_inline)) static void line(const Vec (&d)[kTile], Vec (&v)[kTile]) {
    v[0] = d[4] - 2.5f * d[2] + d[0];
    v[5] = d[5] - 2.5f * d[3] + d[1];
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
      Vec even = d[4] - kSquares[1 - i] * d[2], odd = kRoots[i] * (d[3] - kSquares[1 - i] * d[1]);
      v[1 + 2 * i] = even + odd;
      v[2 + 2 * i] = even - odd;
    }
  }
};

// A, and G but for its scale: a polynomial of N coefficients at the six points.
template <int N>
struct Evaluate {
  static constexpr int kIn = N, kOut = kTile;
  __attribute__((always_inline)) static void line(const Vec (&g)[N], Vec (&v)[kTile]) {
    v[0] = g[0];
    v[5] = g[N - 1];
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
      Vec even = g[0], odd = g[1];
      if constexpr (N == 5) even += kSquares[i] * (g[2] + kSquares[i] * g[4]);
      if constexpr (N == 3 || N == 4) even += kSquares[i] * g[2];
      if constexpr (N >= 4) odd += kSquares[i] * g[3];
      odd *= kRoots[i];
      v[1 + 2 * i] = even + odd;
      v[2 + 2 * i] = even - odd;
    }
  }
};

// A^T, and G^T but for its scale.
template <int N>
struct Combine {
  static constexpr int kIn = kTile, kOut = N;
  __attribute__((always_inline)) static void line(const Vec (&m)[kTile], Vec (&y)[N]) {
    Vec even[2] = {m[1] + m[2], m[3] + m[4]}, odd[2] = {kRoots[0] * (m[1] - m[2]), kRoots[1] * (m[3] - m[4])};
    y[0] = m[0] + even[0] + even[1];
    y[1] = odd[0] + odd[1];
    if constexpr (N >= 3) y[2] = kSquares[0] * even[0] + kSquares[1] * even[1];
    if constexpr (N >= 4) y[3] = kSquares[0] * odd[0] + kSquares[1] * odd[1];
    if constexpr (N == 5) y[4] = kSquares[0] * kSquares[0] * even[0] + kSquares[1] * kSquares[1] * even[1];
    y[N - 1] += m[5];
  }
};

// Columns first, then rows: put(i, j, number) of each number of the result, for get(i, j) of those given.
template <typename Transform, typename Get, typename Put>
__attribute__((always_inline)) inline void transform(Get get, Put put) {
  constexpr int kIn = Transform::kIn, kOut = Transform::kOut;
  Vec half[kOut][kIn];
#pragma GCC unroll 6
  for (int j = 0; j < kIn; j++) {
    Vec in[kIn], out[kOut];
#pragma GCC unroll 6
    for (int i = 0; i < kIn; i++) in[i] = get(i, j);
    Transform::line(in, out);
#pragma GCC unroll 6
    for (int i = 0; i < kOut; i++) half[i][j] = out[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < kOut; i++) {
    Vec out[kOut];
    Transform::line(half[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < kOut; j++) put(i, j, out[j]);
  }
}

}  // namespace keryx::winograd
