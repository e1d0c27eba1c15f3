// Products of matrices: C = A B, on one thread or on all.
#pragma once

#include "parallel.h"
#include "simd.h"

namespace keryx {

// Numbers `row` apart from row to row, and `column` apart from column to column.
struct Matrix {
  const float* data;
  ptrdiff_t row, column = 1;

  Matrix at(int64_t i, int64_t j) const { return {data + i * row + j * column, row, column}; }
  Matrix transposed() const { return {data, column, row}; }
};

// What a tile of C becomes before it is stored: `rows` rows of `vectors` vectors from `column` on, of the last of which
// `in_last` lanes are there. `bias` is what Result has.
using Finish = void(const float* bias, Vec* sums, int rows, int vectors, int64_t column, int in_last);

// What C is.
struct Result {
  float* data;
  ptrdiff_t row;
  bool accumulate = false;  // C += A B
  Finish* finish = nullptr;
  const float* bias = nullptr;
};

// Rows [i_begin, i_end) and columns [j_begin, j_end) of C, on this thread.
void multiply_block(int64_t i_begin, int64_t i_end, int64_t j_begin, int64_t j_end, int64_t depth, Matrix a, Matrix b,
                    const Result& c);

// C on all threads, by tasks that the shapes alone decide.
void multiply_all(xla::ffi::ThreadPool& pool, int64_t rows, int64_t columns, int64_t depth, Matrix a, Matrix b,
                  const Result& c);

}  // namespace keryx
