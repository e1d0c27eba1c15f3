#include "harness.h"

#include <dlfcn.h>

#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <limits>
#include <mutex>
#include <new>
#include <random>
#include <thread>

struct XLA_FFI_Error {
  Error what;
};

// -- memory that runs out ---------------------------------------------------------------------------------------------

namespace {

std::atomic<int64_t> left{std::numeric_limits<int64_t>::max()};  // allocations that are granted
std::atomic<int64_t> refusals{0};                                // at most, of those after them
thread_local bool exempt = true;                                 // this program's own

void* granted(size_t size, size_t alignment) {
  if (!exempt && left.fetch_sub(1) <= 0 && refusals.fetch_sub(1) > 0) throw std::bad_alloc();
  size = (std::max<size_t>(size, 1) + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, size);
  if (!memory) throw std::bad_alloc();
  return memory;
}

// Not inlined, so that no compiler sees what of `new` goes to `free`.
[[gnu::noinline]] void returned(void* memory) { std::free(memory); }

struct Granting {  // what runs while it lives is not refused memory, or is
  bool before;
  explicit Granting(bool exempted) : before(exempt) { exempt = exempted; }
  ~Granting() { exempt = before; }
};

}  // namespace

void* operator new(size_t size) { return granted(size, alignof(std::max_align_t)); }
void* operator new[](size_t size) { return granted(size, alignof(std::max_align_t)); }
void* operator new(size_t size, std::align_val_t to) { return granted(size, static_cast<size_t>(to)); }
void* operator new[](size_t size, std::align_val_t to) { return granted(size, static_cast<size_t>(to)); }
void operator delete(void* p) noexcept { returned(p); }
void operator delete[](void* p) noexcept { returned(p); }
void operator delete(void* p, size_t) noexcept { returned(p); }
void operator delete[](void* p, size_t) noexcept { returned(p); }
void operator delete(void* p, std::align_val_t) noexcept { returned(p); }
void operator delete[](void* p, std::align_val_t) noexcept { returned(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { returned(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { returned(p); }

// -- what XLA lends to a handler --------------------------------------------------------------------------------------

struct XLA_FFI_ExecutionContext {  // threads
  explicit XLA_FFI_ExecutionContext(int count) {
    for (int i = 0; i < count; i++) threads.emplace_back([this] { work(); });
  }
  ~XLA_FFI_ExecutionContext() {
    schedule(nullptr, nullptr);
    for (std::thread& thread : threads) thread.join();
  }
  void schedule(XLA_FFI_Task* task, void* data) {
    std::lock_guard lock(mutex);
    tasks.emplace_back(task, data);
    arrived.notify_one();
  }
  void work() {
    for (;;) {
      std::unique_lock lock(mutex);
      arrived.wait(lock, [this] { return !tasks.empty(); });
      auto [task, data] = tasks.front();
      if (!task) return arrived.notify_one();  // the end, for the next thread too
      tasks.pop_front();
      lock.unlock();
      Granting not_all(false);
      task(data);
    }
  }

  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<std::pair<XLA_FFI_Task*, void*>> tasks;
  std::vector<std::thread> threads;
};

namespace {

const XLA_FFI_Api& api() {
  static const XLA_FFI_Api api = [] {
    XLA_FFI_Api made{};
    made.struct_size = XLA_FFI_Api_STRUCT_SIZE;
    made.api_version = {XLA_FFI_Api_Version_STRUCT_SIZE, nullptr, XLA_FFI_API_MAJOR, XLA_FFI_API_MINOR};
    made.XLA_FFI_Error_Create = [](XLA_FFI_Error_Create_Args* args) {
      Granting all(true);
      return new XLA_FFI_Error{{args->errc, args->message}};
    };
    made.XLA_FFI_ThreadPool_Schedule = [](XLA_FFI_ThreadPool_Schedule_Args* args) -> XLA_FFI_Error* {
      Granting all(true);
      args->ctx->schedule(args->task, args->data);
      return nullptr;
    };
    made.XLA_FFI_ThreadPool_NumThreads = [](XLA_FFI_ThreadPool_NumThreads_Args* args) -> XLA_FFI_Error* {
      *args->num_threads = static_cast<int64_t>(args->ctx->threads.size());
      return nullptr;
    };
    return made;
  }();
  return api;
}

void* library = nullptr;
const char* test_name = "";
int failures = 0;

std::vector<std::pair<const char*, void (*)()>>& tests() {
  static std::vector<std::pair<const char*, void (*)()>> all;
  return all;
}

}  // namespace

// -- arrays -----------------------------------------------------------------------------------------------------------

Array::Array(Shape of, XLA_FFI_DataType type)
    : shape(std::move(of)),
      dtype(type),
      width(type == XLA_FFI_DataType_F32 || type == XLA_FFI_DataType_S32 ? 4 : 1),
      memory_(new std::byte[size() * width + 2 * kStrip]) {
  std::memset(memory_.get(), 0xff, size() * width + 2 * kStrip);
}

void Array::soil() const { std::memset(bytes(), 0xff, size() * width); }

void Array::check() const {
  bool whole = true;
  for (int64_t i = 0; i < kStrip; i++) {
    whole &= memory_[i] == std::byte{0xff} && bytes()[size() * width + i] == std::byte{0xff};
  }
  expect(whole, "nothing is written beside an array");
}

Doubles Array::doubles() const { return {as<float>(), as<float>() + size()}; }

Array empty(Shape shape) { return Array(std::move(shape), XLA_FFI_DataType_F32); }

Array numbers(Shape shape, unsigned seed) {
  Array array = empty(std::move(shape));
  std::mt19937 bits(seed + 1);
  for (int64_t i = 0; i < array.size(); i++) array[i] = static_cast<float>(bits() / 2147483648.0 - 1);
  return array;
}

Array numbers(Shape shape, const Doubles& values) {
  Array array = empty(std::move(shape));
  for (int64_t i = 0; i < array.size(); i++) array[i] = static_cast<float>(values[i]);
  return array;
}

Array integers(const std::vector<int32_t>& values) {
  Array array({static_cast<int64_t>(values.size())}, XLA_FFI_DataType_S32);
  std::memcpy(array.bytes(), values.data(), values.size() * 4);
  return array;
}

Array bytes(Shape shape, XLA_FFI_DataType dtype) {
  Array array(std::move(shape), dtype);
  std::memset(array.bytes(), 0, array.size());
  return array;
}

// -- calls ------------------------------------------------------------------------------------------------------------

Call& Call::operand(const Array& array) {
  operands_.push_back(&array);
  return *this;
}

Call& Call::result(const Array& array) {
  results_.push_back(&array);
  return *this;
}

Call& Call::attribute(const std::string& name, std::variant<bool, int64_t, Shape, Doubles> value) {
  attributes_[name] = std::move(value);
  return *this;
}

Error Call::once(int threads) {
  auto* handler = reinterpret_cast<XLA_FFI_Handler*>(dlsym(library, handler_.c_str()));
  if (!handler) return {XLA_FFI_Error_Code_NOT_FOUND, handler_ + " is not in the library"};
  for (const Array* array : results_) array->soil();
  std::vector<XLA_FFI_Buffer> buffers;
  buffers.reserve(operands_.size() + results_.size());
  auto all = [&](const std::vector<const Array*>& arrays) {
    std::vector<void*> found;
    for (const Array* a : arrays) {
      buffers.push_back({XLA_FFI_Buffer_STRUCT_SIZE, nullptr, a->dtype, a->bytes(),
                         static_cast<int64_t>(a->shape.size()), const_cast<int64_t*>(a->shape.data())});
      found.push_back(&buffers.back());
    }
    return found;
  };
  std::vector<void*> operands = all(operands_), results = all(results_), values;
  std::vector<XLA_FFI_ArgType> operand_types(operands.size(), XLA_FFI_ArgType_BUFFER);
  std::vector<XLA_FFI_RetType> result_types(results.size(), XLA_FFI_RetType_BUFFER);
  std::deque<XLA_FFI_ByteSpan> spans;
  std::deque<XLA_FFI_Scalar> scalars;
  std::deque<XLA_FFI_Array> sequences;
  std::vector<XLA_FFI_ByteSpan*> names;
  std::vector<XLA_FFI_AttrType> types;
  for (auto& [name, value] : attributes_) {  // sorted by name, as XLA has them
    names.push_back(&spans.emplace_back(XLA_FFI_ByteSpan{name.data(), name.size()}));
    if (auto* yes = std::get_if<bool>(&value)) {
      values.push_back(&scalars.emplace_back(XLA_FFI_Scalar{XLA_FFI_DataType_PRED, yes}));
    } else if (auto* number = std::get_if<int64_t>(&value)) {
      values.push_back(&scalars.emplace_back(XLA_FFI_Scalar{XLA_FFI_DataType_S64, number}));
    } else if (auto* shape = std::get_if<Shape>(&value)) {
      values.push_back(&sequences.emplace_back(XLA_FFI_Array{XLA_FFI_DataType_S64, shape->size(), shape->data()}));
    } else {
      Doubles& reals = std::get<Doubles>(value);
      values.push_back(&sequences.emplace_back(XLA_FFI_Array{XLA_FFI_DataType_F64, reals.size(), reals.data()}));
    }
    types.push_back(value.index() < 2 ? XLA_FFI_AttrType_SCALAR : XLA_FFI_AttrType_ARRAY);
  }
  XLA_FFI_ExecutionContext context(threads);
  XLA_FFI_CallFrame frame{};
  frame.struct_size = XLA_FFI_CallFrame_STRUCT_SIZE;
  frame.api = &api();
  frame.ctx = &context;
  frame.stage = XLA_FFI_ExecutionStage_EXECUTE;
  frame.args = {XLA_FFI_Args_STRUCT_SIZE, nullptr, static_cast<int64_t>(operands.size()), operand_types.data(),
                operands.data()};
  frame.rets = {XLA_FFI_Rets_STRUCT_SIZE, nullptr, static_cast<int64_t>(results.size()), result_types.data(),
                results.data()};
  frame.attrs = {XLA_FFI_Attrs_STRUCT_SIZE, nullptr, static_cast<int64_t>(values.size()), types.data(), names.data(),
                 values.data()};
  XLA_FFI_Error* error;
  {
    Granting not_all(false);
    error = handler(&frame);
  }
  std::unique_ptr<XLA_FFI_Error> owned(error);
  return owned ? owned->what : Error{};
}

void Call::without_memory() {
  for (int64_t most : {int64_t{1}, std::numeric_limits<int64_t>::max()}) {  // one allocation, and all from one on
    for (int64_t n = 0;; n++) {
      left = n, refusals = most;
      Error error = once(3);
      bool refused = refusals != most;
      left = std::numeric_limits<int64_t>::max(), refusals = 0;
      bool right = error.code == XLA_FFI_Error_Code_OK || error.code == XLA_FFI_Error_Code_RESOURCE_EXHAUSTED;
      expect(right, handler_ + " without allocation " + std::to_string(n) + ": " + error.message);
      if (!refused) {
        expect(error.code == XLA_FFI_Error_Code_OK, handler_ + " with all of its memory");
        break;
      }
    }
  }
}

void Call::run() {
  int64_t size = 0;
  for (const Array* array : operands_) size += array->size();
  for (const Array* array : results_) size += array->size();
  if (size < 120000) without_memory();
  std::vector<std::vector<std::byte>> first;
  for (int threads : {1, 3}) {
    Error error = once(threads);
    expect(error.code == XLA_FFI_Error_Code_OK, error.message);
    for (const Array* array : operands_) array->check();
    for (const Array* array : results_) array->check();
    for (size_t i = 0; i < results_.size(); i++) {
      if (threads == 1) first.push_back(results_[i]->copy());
      expect(results_[i]->copy() == first[i], handler_ + ": the same bits on any number of threads");
    }
  }
}

// -- tests ------------------------------------------------------------------------------------------------------------

void expect(bool holds, const std::string& what) {
  if (holds) return;
  std::printf("%s: not so: %s\n", test_name, what.c_str());
  failures++;
}

void compare(const std::string& what, const Array& got, const Doubles& wanted, double error) {
  expect(got.size() == static_cast<int64_t>(wanted.size()), what + ": as many numbers");
  double largest = 1e-30, worst = 0;
  for (double x : wanted) largest = std::max(largest, std::abs(x));
  for (int64_t i = 0; i < got.size(); i++) {
    double off = std::abs(got[i] - wanted[i]);
    if (!(off <= worst)) worst = off;  // NaN too
  }
  expect(worst <= error * largest, what + ": off by " + std::to_string(worst / largest) + " of the largest");
}

Test::Test(const char* name, void (*run)()) { tests().emplace_back(name, run); }

int main(int count, char** arguments) {
  if (count != 2) return std::fprintf(stderr, "usage: %s LIBRARY\n", arguments[0]), 2;
  library = dlopen(arguments[1], RTLD_NOW);
  if (!library) return std::fprintf(stderr, "%s\n", dlerror()), 2;
  for (auto [name, run] : tests()) {
    test_name = name;
    int before = failures;
    run();
    std::printf("%-40s %s\n", name, failures == before ? "passed" : "FAILED");
    std::fflush(stdout);
  }
  std::printf("%zu tests, %d failures\n", tests().size(), failures);
  return failures || tests().empty();
}
