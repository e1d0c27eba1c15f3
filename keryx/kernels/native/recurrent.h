// Recurrence over time, for every kind of cell.
//
// Samples do not wait for one another, so a task takes some of them through all steps, forward or backward. A step is a
// product of their states with the recurrent kernel, tile after tile, and the maths of the cell on each tile. The
// recurrent kernel is laid out beforehand so that a tile reads it from one end to the other.
#pragma once

#include <algorithm>

#include "activation.h"
#include "gemm.h"
#include "handler.h"
#include "parallel.h"
#include "scratch.h"
#include "simd.h"

namespace keryx {

template <size_t rank>
using Floats = ffi::Buffer<ffi::F32, rank>;
using Mask = ffi::Buffer<ffi::PRED>;  // (batch, time), or empty where no step is left out

// A step of a sample, `count()` units from `unit` on. Where that is a whole vector the compiler has to know it: what a
// cell computes then stays in registers.
struct Step {
  int64_t row, t, steps_before, unit;
  int64_t units_left;

  int count() const { return int(units_left); }
};
struct WholeStep : Step {
  int count() const { return kLanes; }
};

struct Sequence {
  int64_t batch, time, units;
  bool reverse;
  const uint8_t* mask;  // 0 where a step is left out; null where none is

  // Where in memory the nth step lies.
  int64_t place(int64_t n) const { return reverse ? time - 1 - n : n; }
  bool skips(const Step& at) const { return mask && !mask[at.row * time + at.t]; }
  // Offset into an array of (batch, time, width, units).
  int64_t offset(const Step& at, int width, int which) const {
    return ((at.row * time + at.t) * width + which) * units + at.unit;
  }
};

// Of the states after each step; that there are steps and units is wanted, and a mask of all steps or none.
inline Sequence sequence_of(const Floats<3>& hs, const Mask& mask, bool reverse) {
  auto sizes = want::sizes<3>("hs", hs);
  want::between("steps and units", std::min(sizes[1], sizes[2]), 1, want::kFar);
  if (mask.element_count()) want::shape("mask", mask.dimensions(), {sizes[0], sizes[1]});
  const void* bytes = mask.element_count() ? mask.untyped_data() : nullptr;
  return {sizes[0], sizes[1], sizes[2], reverse, static_cast<const uint8_t*>(bytes)};
}

// Arrays of (units, gates * units), of (batch, units), and of (batch, time, width * units).
template <typename Buffer>
void want_kernel(const Sequence& s, want::Name name, const Buffer& buffer, int64_t gates) {
  want::shape(name, buffer.dimensions(), {s.units, gates * s.units});
}
template <typename Buffer>
void want_state(const Sequence& s, want::Name name, const Buffer& buffer) {
  want::shape(name, buffer.dimensions(), {s.batch, s.units});
}
template <typename Buffer>
void want_steps(const Sequence& s, want::Name name, const Buffer& buffer, int64_t width = 1) {
  want::shape(name, buffer.dimensions(), {s.batch, s.time, width * s.units});
}

// The memory of a result that takes its operand's place; XLA may have kept the two apart.
template <typename Buffer>
float* overwritten(const Buffer& operand, ffi::Result<Buffer>& result) {
  float* data = result->typed_data();
  if (data != operand.typed_data()) std::copy_n(operand.typed_data(), operand.element_count(), data);
  return data;
}

// A state before all steps, and after each.
struct States {
  const float* initial;  // (batch, units)
  float* all;            // (batch, time, units)

  // Before step n of a row, and how far on the same of the next row is.
  const float* before(const Sequence& s, int64_t row, int64_t n) const {
    return n ? all + (row * s.time + s.place(n - 1)) * s.units : initial + row * s.units;
  }
  int64_t stride(const Sequence& s, int64_t n) const { return n ? s.time * s.units : s.units; }
  template <typename At>
  Vec before(const Sequence& s, const At& at) const {
    return load(before(s, at.row, at.steps_before) + at.unit, at.count());
  }
  template <typename At>
  Vec after(const Sequence& s, const At& at) const {
    return load(all + s.offset(at, 1, 0), at.count());
  }
  template <typename At>
  void put(const Sequence& s, const At& at, Vec v) const {
    store(all + s.offset(at, 1, 0), v, at.count());
  }
};

inline int64_t whole_vectors(int64_t units) { return (units + kLanes - 1) / kLanes * kLanes; }

// A tile has to fit into the registers: 24 sums of 32, or 12 of 16.
template <typename Cell>
inline constexpr int kTileRows = std::min((kRows > 6 ? 24 : 12) / Cell::kGates, kRows);
// Vectors of units in a tile of the backward pass.
template <typename Cell>
inline constexpr int kAcross = Cell::kGates == 1 ? 2 : kRows > 6 ? Cell::kGates : 2;

// How many parts the batch is cut into. A recurrent kernel that stays in L2 is read once for each tile of rows, a larger
// one for three of them; and two processors both have something to do where reading is not all that there is.
template <typename Cell>
int64_t tasks_of(const Cell& cell) {
  int64_t numbers = Cell::kGates * cell.units * cell.units, tile = kTileRows<Cell>;
  int64_t rows = numbers <= 256 * 1024 ? tile : 3 * tile, least = numbers <= 128 * 1024 ? 1 : tile;
  auto parts = [&](int64_t size) { return (cell.batch + size - 1) / size; };
  return std::max(parts(rows), std::min<int64_t>(parts(least), 2));
}

// Calls work(task, first row, end) for parts of the batch.
template <typename Cell, typename Work>
void over_batch(ffi::ThreadPool& pool, const Cell& cell, int64_t tasks, Work&& work) {
  parallel(pool, tasks, [&](int64_t i) { work(i, i * cell.batch / tasks, (i + 1) * cell.batch / tasks); });
}

// Calls work(unit) for each block of `width` units: up and down in turn, for what was read last is still at hand.
template <typename Work>
void over_units(int64_t units, int64_t width, int64_t n, Work&& work) {
  int64_t blocks = (units + width - 1) / width;
  for (int64_t i = 0; i < blocks; i++) work((n % 2 ? blocks - 1 - i : i) * width);
}

// -- forward ----------------------------------------------------------------------------------------------------------

// (units / kLanes, units, gates, kLanes): the columns of one vector of units, of all gates, lie together.
template <typename Cell>
Scratch panels_of(ffi::ThreadPool& pool, const Cell& cell, const float* recurrent_kernel) {
  constexpr int G = Cell::kGates;
  int64_t units = cell.units;
  Scratch panels = scratch(whole_vectors(units) * units * G);
  parallel(pool, whole_vectors(units) / kLanes, [&, to = panels.get()](int64_t block) {
    int64_t unit = block * kLanes;
    int count = std::min<int64_t>(kLanes, units - unit);
    for (int64_t k = 0; k < units; k++) {
      for (int gate = 0; gate < G; gate++) {
        Vec columns = load(recurrent_kernel + (k * G + gate) * units + unit, count);
        store(to + ((block * units + k) * G + gate) * kLanes, columns);
      }
    }
  });
  return panels;
}

template <typename Work>
inline void over_rows(int64_t rows, const Step& first, Work&& work) {
  if (first.units_left >= kLanes) {
    for (WholeStep at{first}; rows > 0; rows--, at.row++) work(at);
  } else {
    for (Step at = first; rows > 0; rows--, at.row++) work(at);
  }
}

template <typename Cell>
[[gnu::noinline]] void apply_forward(const Cell& cell, const Vec* from_h, int rows, const Step& at) {
  over_rows(rows, at, [&](const auto& row) {
    cell.forward(from_h, row);
    from_h += Cell::kGates;
  });
}

template <typename Cell>
[[gnu::noinline]] void apply_backward(const Cell& cell, float* sums, int64_t rows, const Step& at) {
  Vec total[Cell::kSums];
  int count = std::min<int64_t>(kLanes, at.units_left);
  for (int k = 0; k < Cell::kSums; k++) total[k] = load(sums + k * cell.units + at.unit, count);
  over_rows(rows, at, [&](const auto& row) { cell.backward(total, row); });
  for (int k = 0; k < Cell::kSums; k++) store(sums + k * cell.units + at.unit, total[k], count);
}

template <int M, typename Cell>
void step_tile(const Cell& cell, const float* panel, int64_t rows, const Step& at) {
  if (rows < M) {
    if constexpr (M > 1) step_tile<M - 1>(cell, panel, rows, at);
    return;
  }
  constexpr int G = Cell::kGates;
  Vec tile[M][G] = {}, sums[M][G];
  multiply(tile, cell.h.before(cell, at.row, at.steps_before), cell.h.stride(cell, at.steps_before), 1, panel,
           G * kLanes, cell.units);
#pragma GCC unroll 16
  for (int i = 0; i < M; i++) {
#pragma GCC unroll 4
    for (int gate = 0; gate < G; gate++) sums[i][gate] = tile[i][gate];
  }
  apply_forward(cell, sums[0], M, at);
}

template <typename Cell>
void run_forward(ffi::ThreadPool& pool, const Cell& cell, const float* recurrent_kernel) {
  constexpr int kTile = kTileRows<Cell>;
  Scratch panels = panels_of(pool, cell, recurrent_kernel);
  over_batch(pool, cell, tasks_of(cell), [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t n = 0; n < cell.time; n++) {
      over_units(cell.units, kLanes, n, [&](int64_t unit) {
        const float* panel = panels.get() + unit * cell.units * Cell::kGates;
        for (Step at{begin, cell.place(n), n, unit, cell.units - unit}; at.row < end; at.row += kTile) {
          step_tile<kTile>(cell, panel, std::min<int64_t>(kTile, end - at.row), at);
        }
      });
    }
  });
}

// -- backward ---------------------------------------------------------------------------------------------------------

// The recurrent kernel transposed, in panels of up to kAcross vectors of units: (gates * units, panel's width) each.
template <typename Cell>
Scratch transposed_panels_of(ffi::ThreadPool& pool, const Cell& cell, const float* recurrent_kernel) {
  int64_t units = cell.units, padded = whole_vectors(units), depth = Cell::kGates * units;
  constexpr int64_t kWidest = kAcross<Cell> * kLanes, kStrip = 64;
  Scratch panels = scratch(padded * depth);
  parallel(pool, (padded + kWidest - 1) / kWidest, [&, all = panels.get()](int64_t block) {
    int64_t unit = block * kWidest, width = std::min(kWidest, padded - unit);
    float* panel = all + unit * depth;
    for (int64_t strip = 0; strip < depth; strip += kStrip) {
      int64_t end = std::min(strip + kStrip, depth);
      for (int64_t j = 0; j < width; j++) {
        const float* row = recurrent_kernel + (unit + j) * depth;
        for (int64_t k = strip; k < end; k++) panel[k * width + j] = unit + j < units ? row[k] : 0.0f;
      }
    }
  });
  return panels;
}

// dh += the cotangents of the product @ the recurrent kernel transposed, for N vectors of units.
template <int M, int N, typename Cell>
void step_back_tile(const Cell& cell, const float* panel, int64_t rows, int vectors, const Step& at) {
  if (rows < M) {
    if constexpr (M > 1) step_back_tile<M - 1, N>(cell, panel, rows, vectors, at);
    return;
  }
  if (vectors < N) {
    if constexpr (N > 1) step_back_tile<M, N - 1>(cell, panel, rows, vectors, at);
    return;
  }
  Vec tile[M][N] = {};
  cell.multiply_back(tile, panel, at);
  float* dh = cell.dh + at.row * cell.units + at.unit;
  for (int i = 0; i < M; i++, dh += cell.units) {
    for (int j = 0; j < N; j++) {
      int count = std::min<int64_t>(kLanes, cell.units - at.unit - j * kLanes);
      store(dh + j * kLanes, load(dh + j * kLanes, count) + tile[i][j], count);
    }
  }
}

// Cotangents from the last step to the first; `bias_sums` gets those of the product's parts, summed: (kSums, units).
template <typename Cell>
void run_backward(ffi::ThreadPool& pool, const Cell& cell, const float* recurrent_kernel, float* bias_sums) {
  constexpr int kVectors = kAcross<Cell>, kTile = kTileRows<Cell>;
  int64_t units = cell.units, size = Cell::kSums * units, tasks = tasks_of(cell);
  Scratch panels = transposed_panels_of(pool, cell, recurrent_kernel);
  Scratch parts = scratch(std::max<int64_t>(tasks, 1) * size);
  over_batch(pool, cell, tasks, [&](int64_t task, int64_t begin, int64_t end) {
    float* sums = parts.get() + task * size;
    std::fill_n(sums, size, 0.0f);
    for (int64_t n = cell.time - 1; n >= 0; n--) {
      Step at{begin, cell.place(n), n, 0, units};
      for (; at.unit < units; at.unit += kLanes) {
        at.units_left = units - at.unit;
        apply_backward(cell, sums, end - begin, at);
      }
      over_units(units, kVectors * kLanes, n, [&](int64_t unit) {
        const float* panel = panels.get() + unit * Cell::kGates * units;
        int vectors = std::min<int64_t>(kVectors, (units - unit + kLanes - 1) / kLanes);
        for (Step tile{begin, cell.place(n), n, unit, units - unit}; tile.row < end; tile.row += kTile) {
          step_back_tile<kTile, kVectors>(cell, panel, std::min<int64_t>(kTile, end - tile.row), vectors, tile);
        }
      });
    }
  });
  std::fill_n(bias_sums, size, 0.0f);
  for (int64_t task = 0; task < tasks; task++) {
    for (int64_t i = 0; i < size; i++) bias_sums[i] += parts[task * size + i];
  }
}

// d[units, columns] = h before each step, transposed, @ the first `columns` of dz, whose rows are `width` apart; the rows
// of d are `d_row` apart. The states lie one step off dz: a copy, small beside the product, makes one product of it.
inline void recurrent_gradient(ffi::ThreadPool& pool, const Sequence& s, const States& h, const float* dz,
                               int64_t columns, int64_t width, float* d, int64_t d_row) {
  Scratch before = scratch(s.batch * s.time * s.units);
  parallel(pool, s.batch, [&, to = before.get()](int64_t row) {
    for (int64_t n = 0; n < s.time; n++) {
      std::copy_n(h.before(s, row, n), s.units, to + (row * s.time + s.place(n)) * s.units);
    }
  });
  Matrix states{before.get(), 1, s.units};
  multiply_all(pool, s.units, columns, s.batch * s.time, states, Matrix{dz, width}, Result{d, d_row});
}

}  // namespace keryx
