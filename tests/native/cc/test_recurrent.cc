// LSTM, GRU and simple RNN against a step by step recurrence in double precision; gradients against its differences.
#include <cmath>

#include "harness.h"

namespace {

struct Sizes {
  int64_t batch, time, units;
  bool reverse, masked;
};
const Sizes kSizes[] = {
    {1, 1, 1, false, false}, {3, 4, 5, true, true}, {2, 3, 17, false, true}, {7, 2, 9, true, false}};
const Sizes kLarge[] = {{40, 3, 70, false, true}, {5, 4, 300, true, false}};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

Array mask_of(const Sizes& s) {
  if (!s.masked) return bytes({0, 0}, XLA_FFI_DataType_PRED);
  Array mask = bytes({s.batch, s.time}, XLA_FFI_DataType_PRED);
  for (int64_t i = 0; i < mask.size(); i++) mask.as<uint8_t>()[i] = i % 3 != 1;
  return mask;
}

// What goes into a cell, in the order of its gradients: x @ kernel, recurrent kernel, bias, and states.
using Inputs = std::vector<Doubles>;
// States after each step: hs, and cs of an LSTM.
using States = std::vector<Doubles>;

// step(z of x, h, states of the unit before, unit) -> states of the unit after.
template <typename StepOf>
States recur(const Sizes& s, const Array& mask, const Inputs& in, int states, StepOf step) {
  States all(states, Doubles(s.batch * s.time * s.units));
  for (int64_t row = 0; row < s.batch; row++) {
    std::vector<Doubles> now(states);
    for (int k = 0; k < states; k++) now[k].assign(&in[3 + k][row * s.units], &in[3 + k][row * s.units] + s.units);
    for (int64_t n = 0; n < s.time; n++) {
      int64_t t = row * s.time + (s.reverse ? s.time - 1 - n : n);
      std::vector<Doubles> next = now;
      for (int64_t unit = 0; unit < s.units && (!s.masked || mask.as<uint8_t>()[t]); unit++) step(t, now, next, unit);
      now = next;
      for (int k = 0; k < states; k++) std::copy(now[k].begin(), now[k].end(), &all[k][t * s.units]);
    }
  }
  return all;
}

double recurrent(const Sizes& s, const Inputs& in, const Doubles& h, int64_t gates, int64_t gate, int64_t unit) {
  double sum = 0;
  for (int64_t k = 0; k < s.units; k++) sum += h[k] * in[1][(k * gates + gate) * s.units + unit];
  return sum;
}

States lstm(const Sizes& s, const Array& mask, const Inputs& in) {
  return recur(s, mask, in, 2, [&](int64_t t, const States& now, States& next, int64_t unit) {
    auto z = [&](int64_t gate) {
      int64_t at = gate * s.units + unit;
      return in[0][t * 4 * s.units + at] + in[2][at] + recurrent(s, in, now[0], 4, gate, unit);
    };
    next[1][unit] = sigmoid(z(1)) * now[1][unit] + sigmoid(z(0)) * std::tanh(z(2));
    next[0][unit] = sigmoid(z(3)) * std::tanh(next[1][unit]);
  });
}

States gru(const Sizes& s, const Array& mask, const Inputs& in) {
  return recur(s, mask, in, 1, [&](int64_t t, const States& now, States& next, int64_t unit) {
    auto x_part = [&](int64_t gate) { return in[0][(t * 3 + gate) * s.units + unit] + in[2][gate * s.units + unit]; };
    auto h_part = [&](int64_t gate) {
      return recurrent(s, in, now[0], 3, gate, unit) + in[2][(3 + gate) * s.units + unit];
    };
    double z = sigmoid(x_part(0) + h_part(0)), r = sigmoid(x_part(1) + h_part(1));
    next[0][unit] = z * now[0][unit] + (1 - z) * std::tanh(x_part(2) + r * h_part(2));
  });
}

States simple_rnn(const Sizes& s, const Array& mask, const Inputs& in) {
  return recur(s, mask, in, 1, [&](int64_t t, const States& now, States& next, int64_t unit) {
    next[0][unit] = std::tanh(in[0][t * s.units + unit] + in[2][unit] + recurrent(s, in, now[0], 1, 0, unit));
  });
}

struct Cell {
  const char* name;
  States (*way)(const Sizes&, const Array&, const Inputs&);
  int64_t gates;
  int states, saved;  // `saved`: arrays that the backward pass needs beside the states
};
const Cell kCells[] = {{"lstm", lstm, 4, 2, 1}, {"gru", gru, 3, 1, 2}, {"simple_rnn", simple_rnn, 1, 1, 0}};

void run(const Cell& cell, const Sizes& s, bool backward) {
  int64_t width = cell.gates * s.units;
  Array mask = mask_of(s);
  std::vector<Array> in, after, gradients;
  in.push_back(numbers({s.batch, s.time, width}, 1));
  in.push_back(numbers({s.units, width}, 2));
  in.push_back(numbers(cell.saved == 2 ? Shape{2, width} : Shape{width}, 3));
  for (int k = 0; k < cell.states; k++) in.push_back(numbers({s.batch, s.units}, 4 + k));
  Inputs inputs;
  for (const Array& array : in) {
    inputs.push_back(array.doubles());
    gradients.push_back(empty(array.shape));
  }
  for (int k = 0; k < cell.states; k++) after.push_back(empty({s.batch, s.time, s.units}));
  if (cell.saved) after.push_back(empty({s.batch, s.time, width}));
  if (cell.saved == 2) after.push_back(empty({s.batch, s.time, s.units}));

  Call forward("keryx_" + std::string(cell.name) + "_1");
  for (const Array& array : in) forward.operand(array);
  forward.operand(mask).attribute("reverse", s.reverse);
  for (const Array& array : after) forward.result(array);
  forward.run();
  States wanted = cell.way(s, mask, inputs);
  double rounding = s.units > 50 ? 2e-4 : 5e-6;  // it grows from step to step, the more the more units there are
  for (int k = 0; k < cell.states; k++) compare(std::string(cell.name) + " states", after[k], wanted[k], rounding);
  if (!backward) return;

  // The loss: hs * d_outputs + the last states * their cotangents.
  Array d_outputs = numbers({s.batch, s.time, s.units}, 7);
  std::vector<Array> d_last;
  for (int k = 0; k < cell.states; k++) d_last.push_back(numbers({s.batch, s.units}, 8 + k));
  auto loss = [&](const Inputs& changed) {
    States states = cell.way(s, mask, changed);
    double sum = 0;
    for (int64_t i = 0; i < d_outputs.size(); i++) sum += states[0][i] * d_outputs[i];
    for (int k = 0; k < cell.states; k++) {
      for (int64_t i = 0; i < s.batch * s.units; i++) {
        int64_t t = i / s.units * s.time + (s.reverse ? 0 : s.time - 1);
        sum += states[k][t * s.units + i % s.units] * d_last[k][i];
      }
    }
    return sum;
  };
  Call back("keryx_" + std::string(cell.name) + "_backward_1");
  back.operand(in[1]);
  for (int k = 0; k < cell.states; k++) back.operand(in[3 + k]);
  back.operand(mask);
  for (const Array& array : after) back.operand(array);
  back.operand(d_outputs);
  for (const Array& array : d_last) back.operand(array);
  Array d_h_g = empty({s.batch, s.time, s.units});
  back.result(gradients[0]);
  if (cell.saved == 2) back.result(d_h_g);
  for (size_t i = 1; i < gradients.size(); i++) back.result(gradients[i]);
  back.attribute("reverse", s.reverse).run();
  for (size_t i = 0; i < inputs.size(); i++) {
    Doubles slopes(inputs[i].size());
    for (size_t j = 0; j < slopes.size(); j++) {
      const double kStep = 1e-5, before = inputs[i][j];
      inputs[i][j] = before + kStep;
      double more = loss(inputs);
      inputs[i][j] = before - kStep;
      slopes[j] = (more - loss(inputs)) / (2 * kStep);
      inputs[i][j] = before;
    }
    compare(std::string(cell.name) + " gradient " + std::to_string(i), gradients[i], slopes, 1e-5);
  }
}

}  // namespace

TEST(recurrent) {
  for (const Cell& cell : kCells) {
    for (const Sizes& s : kSizes) run(cell, s, true);
  }
}

TEST(recurrent_large) {
  for (const Cell& cell : kCells) {
    for (const Sizes& s : kLarge) run(cell, s, false);
  }
}
