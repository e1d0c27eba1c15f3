// Products, dense layers, what follows convolutions, rows of tables, and steps of gradient descent.
#include <cmath>
#include <limits>

#include "harness.h"

namespace {

Doubles product(const Doubles& a, const Doubles& b, int64_t rows, int64_t depth, int64_t columns, bool a_turned = false,
                bool b_turned = false) {
  Doubles c(rows * columns);
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t k = 0; k < depth; k++) {
      double left = a_turned ? a[k * rows + i] : a[i * depth + k];
      for (int64_t j = 0; j < columns; j++) {
        c[i * columns + j] += left * (b_turned ? b[j * depth + k] : b[k * columns + j]);
      }
    }
  }
  return c;
}

double activated(int64_t activation, double x) {
  if (activation == 2) return std::tanh(x);
  if (activation == 3) return 1 / (1 + std::exp(-x));
  return activation == 1 ? std::max(x, 0.) : x;
}

double slope(int64_t activation, double y) {
  return activation == 0 ? 1 : activation == 1 ? y > 0 : activation == 2 ? 1 - y * y : y * (1 - y);
}

const int64_t kSizes[][3] = {{1, 1, 1},      {5, 3, 4},     {37, 70, 65}, {3, 3000, 70},
                             {130, 200, 70}, {70, 33, 300}, {2, 0, 3}};

// What rounding may do to sums of so many products.
double rounding(int64_t depth) { return 2e-6 + 4e-7 * std::sqrt(depth); }

}  // namespace

TEST(product) {
  for (auto [rows, depth, columns] : kSizes) {
    for (int turned = 0; turned < 4; turned++) {
      bool left = turned & 1, right = turned & 2;
      Array a = numbers(left ? Shape{depth, rows} : Shape{rows, depth}, 1);
      Array b = numbers(right ? Shape{columns, depth} : Shape{depth, columns}, 2), c = empty({rows, columns});
      Call call("keryx_product_1");
      call.operands(a, b).results(c).attribute("left_transposed", left).attribute("right_transposed", right).run();
      compare("product", c, product(a.doubles(), b.doubles(), rows, depth, columns, left, right), rounding(depth));
    }
  }
}

TEST(dense) {
  for (auto [batch, features, units] : kSizes) {
    for (int64_t activation = 0; activation < 4; activation++) {
      Array x = numbers({batch, features}, 1), kernel = numbers({features, units}, 2), bias = numbers({units}, 3);
      Array y = empty({batch, units});
      Call("keryx_dense_1").operands(x, kernel, bias).results(y).attribute("activation", activation).run();
      Doubles wanted = product(x.doubles(), kernel.doubles(), batch, features, units);
      for (int64_t i = 0; i < y.size(); i++) wanted[i] = activated(activation, wanted[i] + bias[i % units]);
      compare("y", y, wanted, rounding(features));

      Array dy = numbers({batch, units}, 4), dz = empty({batch, units}), dkernel = empty({features, units});
      Array dbias = empty({units});
      Call backward("keryx_dense_backward_1");
      backward.operands(x, y, dy).results(dz, dkernel, dbias).attribute("activation", activation).run();
      Doubles wanted_dz(y.size()), wanted_dbias(units);
      for (int64_t i = 0; i < y.size(); i++) {
        wanted_dz[i] = dy[i] * slope(activation, y[i]);
        wanted_dbias[i % units] += wanted_dz[i];
      }
      compare("dz", dz, wanted_dz);
      compare("dbias", dbias, wanted_dbias);
      compare("dkernel", dkernel, product(x.doubles(), wanted_dz, features, batch, units, true), rounding(batch));
    }
  }
}

TEST(activations_to_the_last_places) {
  Doubles z;
  for (double x = -30; x < 30; x += 1.0 / 64) z.push_back(x);
  int64_t count = static_cast<int64_t>(z.size());
  Array x = numbers({count, 1}, z), kernel = numbers({1, 1}, Doubles{1}), bias = numbers({1}, Doubles{0});
  Array y = empty({count, 1});
  for (int64_t activation : {2, 3}) {
    Call("keryx_dense_1").operands(x, kernel, bias).results(y).attribute("activation", activation).run();
    double worst = 0;
    for (int64_t i = 0; i < count; i++) {
      double wanted = activated(activation, z[i]);
      worst = std::max(worst, std::abs(y[i] - wanted) / std::max(std::abs(wanted), 1e-30));
    }
    expect(worst < 3e-7, "tanh and sigmoid are right to two units in the last place: " + std::to_string(worst));
  }
}

TEST(epilogue_gradient) {
  for (auto [rows, columns] : {std::pair<int64_t, int64_t>{1, 1}, {5, 3}, {1300, 40}, {7, 130}, {0, 3}}) {
    Array y = numbers({rows, columns}, 1), dy = numbers({rows, columns}, 2);
    Array dz = empty({rows, columns}), sums = empty({columns});
    for (int64_t activation = 0; activation < 4; activation++) {
      Call("keryx_epilogue_gradient_1").operands(y, dy).results(dz, sums).attribute("activation", activation).run();
      Doubles wanted(y.size()), wanted_sums(columns);
      for (int64_t i = 0; i < y.size(); i++) {
        wanted[i] = dy[i] * slope(activation, y[i]);
        wanted_sums[i % columns] += wanted[i];
      }
      compare("dz", dz, wanted);
      compare("sums", sums, wanted_sums, 1e-5);
    }
    Call("keryx_sum_of_rows_1").operands(dy).results(sums).run();
    Doubles wanted(columns);
    for (int64_t i = 0; i < dy.size(); i++) wanted[i % columns] += dy[i];
    compare("sums of rows", sums, wanted, 1e-5);
  }
}

TEST(rows_of_tables) {
  for (int64_t width : {1, 5, 64, 300}) {
    Array table = numbers({50, width}, 1), ids = integers({3, 49, 0, -1, 3, 50, 2000000000, 3, -2000000000});
    Array y = empty({9, width}), dy = numbers({9, width}, 2), sums = empty({50, width});
    Call("keryx_take_rows_1").operands(table, ids).results(y).attribute("nan", false).run();
    Call("keryx_add_rows_1").operands(dy, ids).results(sums).run();
    Doubles wanted(9 * width), wanted_sums(50 * width);
    for (int64_t i = 0; i < 9 * width; i++) {
      int64_t id = ids.as<int32_t>()[i / width];
      if (id < 0 || id >= 50) continue;
      wanted[i] = table[id * width + i % width];
      wanted_sums[id * width + i % width] += dy[i];
    }
    compare("rows", y, wanted, 0);
    compare("sums", sums, wanted_sums);
    Call("keryx_take_rows_1").operands(table, ids).results(y).attribute("nan", true).run();
    expect(std::isnan(y[3 * width]) && !std::isnan(y[4 * width]), "an id outside gives NaN");
  }
}

TEST(update) {
  const Doubles kNumbers[] = {{}, {0.9}, {0.9}, {0.9, 1e-7}, {0.9, 0.999, 1e-7}};
  const int kSlots[] = {0, 1, 1, 1, 2};
  const double rate = 0.01f;
  for (int64_t rule = 0; rule < 5; rule++) {
    const Doubles& n = kNumbers[rule];
    std::vector<Array> operands, results;
    operands.push_back(numbers({}, Doubles{rate}));
    Shape sizes{1, 37, 20000};
    for (int kind = 0; kind < 2 + kSlots[rule]; kind++) {
      for (int64_t size : sizes) {
        Array array = numbers({size}, static_cast<unsigned>(kind + size));
        for (int64_t i = 0; kind == 1 + kSlots[rule] && rule > 2 && i < size; i++) array[i] = std::abs(array[i]);
        operands.push_back(std::move(array));
        if (kind != 1) results.push_back(empty({size}));
      }
    }
    Call call("keryx_update_1");
    for (const Array& array : operands) call.operand(array);
    for (const Array& array : results) call.result(array);
    call.attribute("rule", rule).attribute("numbers", n).run();
    for (size_t which = 0; which < sizes.size(); which++) {
      int64_t size = sizes[which];
      auto of = [&](int kind) { return operands[1 + kind * sizes.size() + which].doubles(); };
      Doubles w = of(0), g = of(1), s(size), v(size);
      if (kSlots[rule] > 0) s = of(2);
      if (kSlots[rule] > 1) v = of(3);
      for (int64_t i = 0; i < size; i++) {
        if (rule == 0) w[i] -= rate * g[i];
        if (rule == 1 || rule == 2) s[i] = n[0] * s[i] - rate * g[i];
        if (rule == 1) w[i] += s[i];
        if (rule == 2) w[i] += n[0] * s[i] - rate * g[i];
        if (rule == 3) s[i] = n[0] * s[i] + (1 - n[0]) * g[i] * g[i], w[i] -= rate * g[i] / std::sqrt(s[i] + n[1]);
        if (rule == 4) {
          s[i] += (g[i] - s[i]) * (1 - n[0]);
          v[i] += (g[i] * g[i] - v[i]) * (1 - n[1]);
          w[i] -= rate * s[i] / (std::sqrt(v[i]) + n[2]);
        }
      }
      compare("weights", results[which], w);
      if (kSlots[rule]) compare("first slot", results[sizes.size() + which], s);
      if (kSlots[rule] > 1) compare("second slot", results[2 * sizes.size() + which], v);
    }
  }
}

TEST(ceiling) {
  Array x = numbers({7}, Doubles{0, 0, 0, 0, 0, 0, 0}), y = empty({7});
  Call("keryx_ceiling_1").operands(x).results(y).attribute("steps", int64_t{1000}).run();
  for (int64_t i = 1; i < 7; i++) expect(y[i] == y[0] && y[i] > 0, "products with 0 leave the last sums");
}
