// Calls of a library's handlers as XLA makes them, but on threads of this program's own and with memory that may run
// out; and the arrays, numbers and comparisons of the tests.
//
// The program is given a library and runs all tests on its handlers: on those that ship, whatever they were compiled
// for, and on another processor under emulation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <variant>
#include <vector>

#include "xla/ffi/api/c_api.h"

using Shape = std::vector<int64_t>;
using Doubles = std::vector<double>;

inline int64_t size_of(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<int64_t>());
}

// Memory between two strips that nobody may write to; those of floats are NaN, for whoever reads them and uses it.
struct Array {
  Shape shape;
  XLA_FFI_DataType dtype;
  int64_t width;  // bytes of a number

  Array(Shape of, XLA_FFI_DataType dtype);
  Array(Array&&) = default;

  int64_t size() const { return size_of(shape); }
  std::byte* bytes() const { return memory_.get() + kStrip; }
  template <typename T>
  T* as() const {
    return reinterpret_cast<T*>(bytes());
  }
  float& operator[](int64_t i) const { return as<float>()[i]; }
  void soil() const;   // fills it with what no result is
  void check() const;  // that the strips are as they were
  Doubles doubles() const;
  std::vector<std::byte> copy() const { return {bytes(), bytes() + size() * width}; }

 private:
  static constexpr int64_t kStrip = 256;
  std::unique_ptr<std::byte[]> memory_;
};

Array empty(Shape shape);                    // floats
Array numbers(Shape shape, unsigned seed);   // floats from -1 to 1
Array numbers(Shape shape, const Doubles&);  // floats that are given
Array integers(const std::vector<int32_t>&);
Array bytes(Shape shape, XLA_FFI_DataType dtype = XLA_FFI_DataType_U8);  // zeros

struct Error {
  XLA_FFI_Error_Code code = XLA_FFI_Error_Code_OK;
  std::string message;
};

// A call of a handler. It is made on one thread and on several, which has to give the same bits; and if it is not large,
// before that, with each of its allocations refused, and all from each on: that has to give an error or to do without.
class Call {
 public:
  explicit Call(std::string handler) : handler_(std::move(handler)) {}
  Call& operand(const Array& array);
  Call& result(const Array& array);
  template <typename... Arrays>
  Call& operands(const Arrays&... arrays) {
    return (operand(arrays), ...);
  }
  template <typename... Arrays>
  Call& results(const Arrays&... arrays) {
    return (result(arrays), ...);
  }
  Call& attribute(const std::string& name, std::variant<bool, int64_t, Shape, Doubles> value);
  void run();
  Error once(int threads);

 private:
  void without_memory();

  std::string handler_;
  std::vector<const Array*> operands_, results_;
  std::map<std::string, std::variant<bool, int64_t, Shape, Doubles>> attributes_;
};

// That floats are what was computed in double precision, up to `error` of the largest of them.
void compare(const std::string& what, const Array& got, const Doubles& wanted, double error = 2e-6);
void expect(bool holds, const std::string& what);

struct Test {
  Test(const char* name, void (*run)());
};
#define TEST(name)                            \
  static void name();                         \
  static const Test test_of_##name(#name, name); \
  static void name()
