// One step of gradient descent for all weights: each number of a weight, its gradient and its slots is read once.

#include <algorithm>
#include <cmath>
#include <vector>

#include "handler.h"
#include "parallel.h"
#include "simd.h"

namespace keryx {
namespace {

constexpr int64_t kChunk = 8192;  // numbers in a task: a few microseconds

// 1 / sqrt(x) for x > 0, to float32 rounding: a guess by the bits of x (Lomont 2003), then three steps of Newton's
// method. Half the time of a division and a root, which for weights in the cache is most of the step.
Vec reciprocal_root(Vec x) {
  Ints bits = 0x5f375a86 - (reinterpret_cast<Ints>(x) >> 1);
  Vec y = reinterpret_cast<Vec>(bits);
  Vec half = 0.5f * x;
  for (int i = 0; i < 3; i++) y = y * (1.5f - half * y * y);
  return select(x <= fill(__FLT_MAX__), y, 1 / x);  // infinity gives 0, NaN stays NaN
}

Vec root(Vec x) {
  for (int i = 0; i < kLanes; i++) x[i] = std::sqrt(x[i]);
  return x;
}

// What a rule does to a vector of numbers: w the weights, g the gradients, s the slots. `n` are the rule's numbers, in
// double precision: 1 - 0.999 has few digits left in single.
struct Descent {
  static constexpr int kSlots = 0;
  explicit Descent(const double*) {}
  void operator()(Vec& w, Vec g, Vec*, float rate) const { w -= rate * g; }
};
struct Momentum {
  static constexpr int kSlots = 1;
  float momentum;
  explicit Momentum(const double* n) : momentum(n[0]) {}
  void operator()(Vec& w, Vec g, Vec* s, float rate) const {
    s[0] = momentum * s[0] - rate * g;
    w += s[0];
  }
};
struct Nesterov {
  static constexpr int kSlots = 1;
  float momentum;
  explicit Nesterov(const double* n) : momentum(n[0]) {}
  void operator()(Vec& w, Vec g, Vec* s, float rate) const {
    s[0] = momentum * s[0] - rate * g;
    w += momentum * s[0] - rate * g;
  }
};
struct Rms {
  static constexpr int kSlots = 1;
  float rho, rest, epsilon;
  explicit Rms(const double* n) : rho(n[0]), rest(1 - n[0]), epsilon(n[1]) {}
  void operator()(Vec& w, Vec g, Vec* s, float rate) const {
    s[0] = rho * s[0] + rest * g * g;
    w -= rate * g * reciprocal_root(s[0] + epsilon);
  }
};
struct Adam {  // the rate holds the correction
  static constexpr int kSlots = 2;
  float rest_1, rest_2, epsilon;
  explicit Adam(const double* n) : rest_1(1 - n[0]), rest_2(1 - n[1]), epsilon(n[2]) {}
  void operator()(Vec& w, Vec g, Vec* s, float rate) const {
    s[0] += (g - s[0]) * rest_1;
    s[1] += (g * g - s[1]) * rest_2;
    w -= rate * s[0] / (root(s[1]) + epsilon);
  }
};

// Where the numbers of one weight lie. Results may lie where the operands do.
struct Places {
  int64_t size;
  const float *weight, *gradient;
  std::vector<const float*> slots;
  float* new_weight;
  std::vector<float*> new_slots;
};

template <typename Rule>
void step(const Rule& rule, const Places& at, int64_t begin, int64_t end, float rate) {
  for (int64_t i = begin; i < end; i += kLanes) {
    int n = static_cast<int>(std::min<int64_t>(kLanes, end - i));
    Vec weight = load(at.weight + i, n);
    Vec slots[2] = {};
    for (int k = 0; k < Rule::kSlots; k++) slots[k] = load(at.slots[k] + i, n);
    rule(weight, load(at.gradient + i, n), slots, rate);
    store(at.new_weight + i, weight, n);
    for (int k = 0; k < Rule::kSlots; k++) store(at.new_slots[k] + i, slots[k], n);
  }
}

template <typename Rule>
ffi::Error update(ffi::ThreadPool& pool, const std::vector<Places>& weights, float rate, const double* numbers) {
  Rule rule(numbers);
  struct Task {
    const Places* at;
    int64_t begin, end;
  };
  std::vector<std::vector<Task>> tasks;  // of about kChunk numbers each: small weights share one
  int64_t room = 0;
  for (const Places& at : weights) {
    for (int64_t begin = 0; begin < at.size; begin += kChunk) {
      int64_t end = std::min(at.size, begin + kChunk);
      if (room < end - begin) {
        tasks.emplace_back();
        room = kChunk;
      }
      tasks.back().push_back({&at, begin, end});
      room -= end - begin;
    }
  }
  parallel(pool, tasks.size(), [&](int64_t t) {
    for (const Task& task : tasks[t]) step(rule, *task.at, task.begin, task.end, rate);
  });
  return ffi::Error::Success();
}

// What belongs to a weight has its shape.
float* floats_of(want::Name name, const ffi::AnyBuffer& buffer, Numbers shape) {
  if (buffer.element_type() != ffi::F32) want::refuse(name, "float32", "another dtype");
  want::same(name, buffer.dimensions(), shape);
  return buffer.typed_data<float>();
}

// Operands: the rate; the weights, their gradients, and slot by slot theirs. Results: the new weights and slots.
ffi::Error Update(ffi::ThreadPool pool, ffi::Buffer<ffi::F32> rate, ffi::RemainingArgs args, ffi::RemainingRets results,
                  int64_t rule, ffi::Span<const double> numbers) {
  constexpr int kSlotsOf[] = {Descent::kSlots, Momentum::kSlots, Nesterov::kSlots, Rms::kSlots, Adam::kSlots};
  constexpr int kNumbersOf[] = {0, 1, 1, 2, 3};
  want::between("rule", rule, 0, 4);
  want::length("numbers", numbers.size(), kNumbersOf[rule]);
  want::shape("rate", rate.dimensions(), {});
  int64_t slots = kSlotsOf[rule], count = static_cast<int64_t>(args.size()) / (2 + slots);
  want::length("operands behind the rate", args.size(), count * (2 + slots));
  want::length("results", results.size(), count * (1 + slots));
  std::vector<Places> weights(count);
  for (int64_t i = 0; i < count; i++) {
    Places& at = weights[i];
    const ffi::AnyBuffer weight = *args.get<ffi::AnyBuffer>(i);
    auto operand = [&](int64_t k) {
      int64_t number = k * count + i;
      return floats_of({"operand", 1 + number}, *args.get<ffi::AnyBuffer>(number), weight.dimensions());
    };
    auto result = [&](int64_t k) {
      int64_t number = k * count + i;
      return floats_of({"result", number}, **results.get<ffi::AnyBuffer>(number), weight.dimensions());
    };
    at.size = weight.element_count();
    at.weight = operand(0), at.gradient = operand(1), at.new_weight = result(0);
    for (int64_t k = 0; k < slots; k++) at.slots.push_back(operand(2 + k)), at.new_slots.push_back(result(1 + k));
  }
  float now = *rate.typed_data();
  switch (rule) {
    case 0: return update<Descent>(pool, weights, now, numbers.begin());
    case 1: return update<Momentum>(pool, weights, now, numbers.begin());
    case 2: return update<Nesterov>(pool, weights, now, numbers.begin());
    case 3: return update<Rms>(pool, weights, now, numbers.begin());
    default: return update<Adam>(pool, weights, now, numbers.begin());
  }
}

}  // namespace

KERYX_HANDLER(keryx_update_1, Update,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<ffi::Buffer<ffi::F32>>()
                  .RemainingArgs()
                  .RemainingRets()
                  .Attr<int64_t>("rule")
                  .Attr<ffi::Span<const double>>("numbers"));

}  // namespace keryx
