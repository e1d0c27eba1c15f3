// Rows of a table by their numbers, and the sum of rows by their numbers.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "handler.h"
#include "parallel.h"
#include "simd.h"

namespace keryx {
namespace {

using Floats = ffi::Buffer<ffi::F32>;
using Ids = ffi::Buffer<ffi::S32>;

constexpr int64_t kTask = 1 << 15;   // floats copied in a task
constexpr int64_t kZeros = 1 << 18;  // floats zeroed in a task
constexpr int64_t kColumns = 128;    // columns summed in a task

int64_t blocks(int64_t count, int64_t size) { return (count + size - 1) / size; }

// y[i] = table[ids[i]], of an id outside NaN or 0.
ffi::Error take_rows(ffi::ThreadPool threads, Floats table, Ids ids, ffi::Result<Floats> y, bool nan) {
  auto sizes = want::sizes<2>("table", table);
  int64_t rows = sizes[0], width = sizes[1], count = want::sizes<1>("ids", ids)[0];
  want::shape("y", y->dimensions(), {count, width});
  int64_t in_task = std::max<int64_t>(1, kTask / std::max<int64_t>(1, width));
  const float* from = table.typed_data();
  const int32_t* id = ids.typed_data();
  float* to = y->typed_data();
  parallel(threads, blocks(count, in_task), [=](int64_t task) {
    for (int64_t i = task * in_task; i < std::min(count, (task + 1) * in_task); i++) {
      if (id[i] >= 0 && id[i] < rows) {
        std::memcpy(to + i * width, from + id[i] * width, width * sizeof(float));
      } else {
        std::fill_n(to + i * width, width, nan ? std::nanf("") : 0.0f);
      }
    }
  });
  return ffi::Error::Success();
}

// table[r] = the sum of dy[i] over the i whose id is r, in the order of i. Ids outside are left out.
//
// Zeros in large pieces, which memset writes without reading what was there; then a block of columns a task, so that all
// have as much to do, however often an id comes.
ffi::Error add_rows(ffi::ThreadPool threads, Floats dy, Ids ids, ffi::Result<Floats> table) {
  auto sizes = want::sizes<2>("table", *table);
  int64_t rows = sizes[0], width = sizes[1], count = want::sizes<1>("ids", ids)[0];
  want::shape("dy", dy.dimensions(), {count, width});
  const float* from = dy.typed_data();
  const int32_t* id = ids.typed_data();
  float* to = table->typed_data();
  parallel(threads, blocks(rows * width, kZeros), [=](int64_t task) {
    std::memset(to + task * kZeros, 0, std::min(kZeros, rows * width - task * kZeros) * sizeof(float));
  });
  parallel(threads, blocks(width, kColumns), [=](int64_t task) {
    int64_t left = task * kColumns, columns = std::min(kColumns, width - left);
    for (int64_t i = 0; i < count; i++) {
      if (id[i] < 0 || id[i] >= rows) continue;
      float* sum = to + id[i] * width + left;
      const float* row = from + i * width + left;
      for (int64_t c = 0; c < columns; c++) sum[c] += row[c];
    }
  });
  return ffi::Error::Success();
}

}  // namespace

KERYX_HANDLER(keryx_take_rows_1, take_rows,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Floats>()
                  .Arg<Ids>()
                  .Ret<Floats>()
                  .Attr<bool>("nan"));

KERYX_HANDLER(keryx_add_rows_1, add_rows,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Floats>()
                  .Arg<Ids>()
                  .Ret<Floats>());

}  // namespace keryx
