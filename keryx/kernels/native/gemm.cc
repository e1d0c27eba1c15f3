// Products of matrices by tiles that stay in registers. The tiles are compiled once, for all that multiply.
#include "gemm.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

namespace keryx {

namespace {

constexpr int64_t kDepth = 256;            // a panel of B is 32 KiB at most, and stays in L1
constexpr int64_t kBlockRows = 20 * kRows;  // kDepth columns of them are 240 KiB, and stay in L2

// Where a task stands.
struct Place {
  int64_t row, column;    // of C
  int columns;            // up to kPanel of them
  int64_t depth;          // of the depth, the part now in work
  int64_t readable;       // rows of B of which a whole panel may be read
  bool first, last;       // part of the depth
};

template <int M, int N>
void compute_tile(Matrix a, Matrix b, const Result& c, const Place& at) {
  float* out = c.data + at.row * c.row + at.column;
  Vec tile[M][N] = {};
  int in_last = at.columns - (N - 1) * kLanes;
  auto count = [&](int j) { return j == N - 1 ? in_last : kLanes; };
  if (!at.first) {
    for (int i = 0; i < M; i++) {
      for (int j = 0; j < N; j++) tile[i][j] = load(out + i * c.row + j * kLanes, count(j));
    }
  }
  multiply(tile, a.data, a.row, a.column, b.data, b.row, at.readable);
  for (int64_t k = at.readable; k < at.depth; k++) {
    float row[N * kLanes] = {};
    std::memcpy(row, b.data + k * b.row, at.columns * sizeof(float));
    multiply(tile, a.data + k * a.column, a.row, a.column, row, 0, 1);
  }
  if (at.last && c.finish) {
    Vec sums[M][N];  // a copy in memory, so that the tile itself need not be there
    for (int i = 0; i < M; i++) {
      for (int j = 0; j < N; j++) sums[i][j] = tile[i][j];
    }
    c.finish(c.bias, sums[0], M, N, at.column, in_last);
    for (int i = 0; i < M; i++) {
      for (int j = 0; j < N; j++) store(out + i * c.row + j * kLanes, sums[i][j], count(j));
    }
    return;
  }
  for (int i = 0; i < M; i++) {
    for (int j = 0; j < N; j++) store(out + i * c.row + j * kLanes, tile[i][j], count(j));
  }
}

template <int M>
void compute_rows(int rows, Matrix a, Matrix b, const Result& c, const Place& at) {
  if (rows < M) {
    if constexpr (M > 1) compute_rows<M - 1>(rows, a, b, c, at);
  } else if (at.columns > kLanes) {
    compute_tile<M, 2>(a, b, c, at);
  } else {
    compute_tile<M, 1>(a, b, c, at);
  }
}

// Of a square of vectors, swaps what lies H lanes right of the diagonal with what lies H vectors below it.
template <int H, size_t... lane>
__attribute__((always_inline)) inline void swap_across(Vec (&square)[kLanes], std::index_sequence<lane...>) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) {
    if (i & H) continue;
    Vec upper = square[i], lower = square[i + H];
    square[i] = __builtin_shufflevector(upper, lower, ((lane & H) ? kLanes + lane - H : lane)...);
    square[i + H] = __builtin_shufflevector(upper, lower, ((lane & H) ? kLanes + lane : lane + H)...);
  }
}

template <int H = kLanes / 2>
__attribute__((always_inline)) inline void transpose(Vec (&square)[kLanes]) {
  swap_across<H>(square, std::make_index_sequence<kLanes>());
  if constexpr (H > 1) transpose<H / 2>(square);
}

// Columns of B, each of which lies in one piece, as rows of kPanel numbers; 0 where there is no column.
void pack_panel(Matrix b, int64_t depth, int columns, float* panel) {
  for (int j = 0; j < columns; j += kLanes) {
    for (int64_t k = 0; k < depth; k += kLanes) {
      int across = std::min(kLanes, columns - j), down = std::min<int64_t>(kLanes, depth - k);
      Vec square[kLanes] = {};
      for (int i = 0; i < across; i++) square[i] = load(b.data + k + (j + i) * b.column, down);
      transpose(square);
      for (int i = 0; i < down; i++) store(panel + (k + i) * kPanel + j, square[i]);
    }
  }
}

// A packed tile, and some space so that tiles do not all fall on the same lines of the cache.
int64_t tile_size(int64_t depth) { return kRows * depth + kLanes; }

// Rows of A that lie column after column, as tiles of kRows: the next number of each row is kRows apart.
void pack_rows(Matrix a, int64_t rows, int64_t depth, float* tiles) {
  int64_t whole = rows / kRows, left = rows % kRows;
  for (int64_t k = 0; k < depth; k++) {
    const float* from = a.data + k * a.column;
    float* to = tiles + k * kRows;
    for (int64_t t = 0; t < whole; t++) std::memcpy(to + t * tile_size(depth), from + t * kRows, kRows * sizeof(float));
    for (int64_t i = 0; i < left; i++) to[whole * tile_size(depth) + i] = from[whole * kRows + i];
  }
}

}  // namespace

void multiply_block(int64_t i_begin, int64_t i_end, int64_t j_begin, int64_t j_end, int64_t depth, Matrix a, Matrix b,
                    const Result& c) {
  bool flat_b = b.column == 1;
  // One tile of A on few rows of B that are long: they are read from one end to the other, not in strips.
  int64_t rows = i_end - i_begin, columns = j_end - j_begin;
  bool thin = flat_b && rows <= kRows;
  bool sweeps = thin && depth * columns > 64 * 1024;
  constexpr int64_t kDeepest = kDepth * 5 / 4;
  int64_t parts = std::max<int64_t>(1, (depth + kDeepest - 1) / kDeepest);  // of like size, so that none is short
  int64_t step = sweeps ? 8 : std::max<int64_t>(1, (depth + parts - 1) / parts);
  // A few rows of B stay in L1 as they are; then C is written from one end to the other.
  int64_t block = flat_b && depth * columns <= 8 * 1024 ? kRows : kBlockRows;
  bool pack_a = a.row == 1 && a.column != 1 && columns > 4 * kPanel && depth > 64;
  std::unique_ptr<float[]> panel(flat_b ? nullptr : new float[std::min(step, depth) * kPanel]);
  std::unique_ptr<float[]> tiles(
      pack_a ? new float[tile_size(std::min(step, depth)) * ((std::min(block, rows) + kRows - 1) / kRows)] : nullptr);
  int64_t k = 0;
  do {
    Place at{};
    at.depth = std::min(step, depth - k);
    at.first = k == 0 && !c.accumulate;
    at.last = k + at.depth == depth;
    for (int64_t top = i_begin; top < i_end; top += block) {
      int64_t bottom = std::min(top + block, i_end);
      if (pack_a) pack_rows(a.at(top, k), bottom - top, at.depth, tiles.get());
      for (int64_t j = j_begin; j < j_end; j += kPanel) {
        at.column = j;
        at.columns = std::min<int64_t>(kPanel, j_end - j);
        Matrix strip = b.at(k, j);
        at.readable = at.depth;
        if (!flat_b) {
          pack_panel(strip, at.depth, at.columns, panel.get());
          strip = {panel.get(), kPanel};
        } else if (at.columns % kLanes) {
          // A whole vector may be read of all rows but those at whose end B ends.
          int64_t beyond = (at.columns + kLanes - 1) / kLanes * kLanes - at.columns;
          int64_t short_rows = k + at.depth == depth ? beyond / std::max<int64_t>(b.row, 1) + 1 : 0;
          at.readable = std::max<int64_t>(at.depth - short_rows, 0);
        }
        // The processor itself does not foresee so many rows at once.
        for (int64_t i = 0; sweeps && i < at.depth; i++) {
          const float* ahead = strip.data + i * strip.row + 8 * kPanel;
          for (int part = 0; part < kPanel; part += kLanes) __builtin_prefetch(ahead + part);
        }
        for (at.row = top; at.row < bottom; at.row += kRows) {
          Matrix tile = a.at(at.row, k);
          if (pack_a) tile = {tiles.get() + (at.row - top) / kRows * tile_size(at.depth), 1, kRows};
          compute_rows<kRows>(std::min<int64_t>(kRows, bottom - at.row), tile, strip, c, at);
        }
      }
    }
    k += at.depth;
  } while (k < depth);
}

void multiply_all(xla::ffi::ThreadPool& pool, int64_t rows, int64_t columns, int64_t depth, Matrix a, Matrix b,
                  const Result& c) {
  if (rows == 0 || columns == 0) return;
  auto work = [](int64_t m, int64_t n, int64_t k) { return 2. * m * n * k; };
  // Another thread takes some microseconds to come, about the time of a million operations.
  double most = std::clamp(work(rows, columns, depth) / 16, 2e6, 1e8);
  // A large B of which each number is used a few times only is best read from one end to the other, by cutting the
  // depth. Partial sums should be few beside what they are made of.
  bool streams = b.column == 1 && rows <= 8 * kRows && depth * columns > (1 << 18);
  int64_t least_deep = std::max(kDepth, 8 * (streams ? rows : std::max(rows, columns)));
  int64_t i_step = rows, j_step = columns, k_step = depth;
  auto halved = [](int64_t size, int64_t unit) { return (size / 2 + unit - 1) / unit * unit; };
  while (work(i_step, j_step, k_step) > most) {
    if (k_step >= 2 * least_deep) {
      k_step = halved(k_step, kLanes);
    } else if (j_step >= 2 * kPanel && (j_step >= i_step || i_step < 2 * kRows)) {
      j_step = halved(j_step, kPanel);
    } else if (i_step >= 2 * kRows) {
      i_step = halved(i_step, kRows);
    } else {
      break;
    }
  }
  auto cuts = [](int64_t size, int64_t step) { return size > step ? (size + step - 1) / step : 1; };
  int64_t tall = cuts(rows, i_step), wide = cuts(columns, j_step), deep = cuts(depth, k_step);
  std::unique_ptr<float[]> parts(deep > 1 ? new float[deep * rows * columns] : nullptr);
  parallel(pool, tall * wide * deep, [&](int64_t task) {
    int64_t i = task / wide % tall * i_step, j = task % wide * j_step, part = task / (tall * wide), k = part * k_step;
    int64_t i_end = std::min(i + i_step, rows), j_end = std::min(j + j_step, columns);
    if (deep == 1) {
      multiply_block(i, i_end, j, j_end, depth, a, b, c);
    } else {
      Result partial{parts.get() + part * rows * columns, columns};
      multiply_block(i, i_end, j, j_end, std::min(k_step, depth - k), a.at(0, k), b.at(k, 0), partial);
    }
  });
  if (deep == 1) return;
  int64_t some = std::max<int64_t>(1, (1 << 15) / columns);
  parallel(pool, cuts(rows, some), [&](int64_t task) {
    for (int64_t i = task * some; i < std::min((task + 1) * some, rows); i++) {
      for (int64_t j = 0; j < columns; j += kLanes) {
        int count = std::min<int64_t>(kLanes, columns - j);
        float* out = c.data + i * c.row + j;
        Vec total = c.accumulate ? load(out, count) : Vec{};
        for (int64_t part = 0; part < deep; part++) total += load(parts.get() + (part * rows + i) * columns + j, count);
        if (c.finish) c.finish(c.bias, &total, 1, 1, j, count);
        store(out, total, count);
      }
    }
  });
}

}  // namespace keryx
