// Vectors of floats as GCC and Clang know them, as wide as the instruction set that this file is compiled for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace keryx {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
inline constexpr int kRows = 12;  // 12 x 2 accumulators, 2 for a row of B, 1 for a number of A: 27 of 32 registers
#elif defined(__AVX__)
inline constexpr int kLanes = 8;
inline constexpr int kRows = 6;  // 6 x 2 + 2 + 1: 15 of 16 registers
#elif defined(__aarch64__)
inline constexpr int kLanes = 4;
inline constexpr int kRows = 12;
#else
inline constexpr int kLanes = 4;
inline constexpr int kRows = 6;
#endif
inline constexpr int kPanel = 2 * kLanes;  // columns in a tile

// In memory a vector may lie anywhere, and is floats to everyone else.
typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef float VecInMemory __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes)));

inline Vec load(const float* p) { return *reinterpret_cast<const VecInMemory*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<VecInMemory*>(p) = v; }
inline Vec fill(float x) { return x - Vec{}; }

// The first `n` lanes of memory; the others are 0 and are neither read nor written. Such loops become one masked move.
inline Vec load(const float* p, int n) {
  if (n >= kLanes) return load(p);
  Vec v{};
  for (int i = 0; i < kLanes; i++) {
    float x = 0;
    if (i < n) x = p[i];
    v[i] = x;
  }
  return v;
}
inline void store(float* p, Vec v, int n) {
  if (n >= kLanes) return store(p, v);
  for (int i = 0; i < kLanes; i++) {
    if (i < n) p[i] = v[i];
  }
}

inline Vec select(Ints which, Vec yes, Vec no) { return which ? yes : no; }
// As in XLA, NaN wins over every number.
inline Vec max(Vec a, Vec b) { return select((a > b) | (a != a), a, b); }
inline float max(float a, float b) { return a > b || a != a ? a : b; }
inline float sum(Vec v) {
  float total = 0;
  for (int i = 0; i < kLanes; i++) total += v[i];
  return total;
}

// tile[i][:] += sum over k < depth of a[i * row + k * column] * b[k * b_row][:]
//
// All of `tile` stays in registers: M <= kRows rows of N <= 4 vectors. What lies in memory is read in place, whatever
// its strides; so one loop serves x @ w (row = features, column = 1), x.T @ dy (row = 1, column = features), and the
// pixels of a convolution (row = strides * channels).
template <int M, int N>
__attribute__((always_inline)) inline void multiply(Vec (&tile)[M][N], const float* a, ptrdiff_t row, ptrdiff_t column,
                                                    const float* b, ptrdiff_t b_row, int64_t depth) {
  for (int64_t k = 0; k < depth; k++) {
    Vec across[N];
#pragma GCC unroll 4
    for (int j = 0; j < N; j++) across[j] = load(b + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < M; i++) {
#pragma GCC unroll 4
      for (int j = 0; j < N; j++) tile[i][j] += a[i * row] * across[j];
    }
    a += column;
    b += b_row;
  }
}

}  // namespace keryx
