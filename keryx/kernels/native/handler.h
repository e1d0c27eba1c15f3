// How XLA calls a kernel: what is wrong with a call is said before any memory is touched, and no exception gets out.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>

#include "xla/ffi/api/ffi.h"

namespace keryx {

namespace ffi = xla::ffi;
using Numbers = ffi::Span<const int64_t>;  // sizes of an array, or an attribute

// A call that is refused: the caller gets it as an error that an argument is invalid.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a handler wants of its operands and attributes. Each of these refuses the call where it is otherwise, and says
// what was wanted and what came.
namespace want {

inline constexpr int64_t kFar = (int64_t{1} << 31) - 1;  // steps and sizes up to it can be multiplied in pairs

struct Name {
  const char* kind;
  int64_t number;  // negative where there is but one
  Name(const char* kind, int64_t number = -1) : kind(kind), number(number) {}
};

[[noreturn]] void refuse(Name name, const std::string& wanted, const std::string& came);
std::string text(Numbers numbers);

void shape(Name name, Numbers came, std::initializer_list<int64_t> wanted);
void same(Name name, Numbers came, Numbers wanted);
void rank(Name name, Numbers came, size_t wanted);
void length(Name name, size_t came, size_t wanted);
void between(Name name, int64_t came, int64_t least, int64_t most);
void between(Name name, Numbers came, int64_t least, int64_t most);

// Along `axis`, as many outputs as there are windows of `reach` numbers, one every `stride`, with `before` zeros before
// the inputs and up to `after` behind them.
void outputs(Name name, int axis, int64_t came, int64_t inputs, int64_t reach, int64_t stride, int64_t before,
             int64_t after);

// The sizes of an array of so many axes.
template <size_t N, typename Buffer>
std::array<int64_t, N> sizes(Name name, const Buffer& buffer) {
  Numbers came = buffer.dimensions();
  rank(name, came, N);
  std::array<int64_t, N> found;
  for (size_t i = 0; i < N; i++) found[i] = came[i];
  return found;
}

}  // namespace want

// Calls a handler; what it throws becomes an error that names it.
XLA_FFI_Error* guarded(const char* name, XLA_FFI_CallFrame* frame, XLA_FFI_Handler* handler);

}  // namespace keryx

// Exports `function`, to which `binding` hands operands, results and attributes.
#define KERYX_HANDLER(symbol, function, ...)                                                       \
  extern "C" __attribute__((visibility("default"))) XLA_FFI_Error* symbol(XLA_FFI_CallFrame* frame) { \
    return keryx::guarded(#symbol, frame, [](XLA_FFI_CallFrame* inner) {                           \
      XLA_FFI_DEFINE_HANDLER(handler, function, __VA_ARGS__);                                      \
      return (*handler)(inner);                                                                    \
    });                                                                                            \
  }
