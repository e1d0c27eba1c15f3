// Memory that a call borrows.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <new>

namespace keryx {

struct Freed {
  void operator()(float* p) const { ::operator delete[](p, std::align_val_t(64)); }
};
using Scratch = std::unique_ptr<float[], Freed>;

// Not cleared; begins with a line of the cache. Throws where there is no more memory.
inline Scratch scratch(int64_t numbers) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / sizeof(float);
  if (numbers < 0 || numbers > kMost) throw std::bad_array_new_length();
  return Scratch(static_cast<float*>(::operator new[](numbers * sizeof(float), std::align_val_t(64))));
}

}  // namespace keryx
