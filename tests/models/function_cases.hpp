// What the tests of the functions of the language share: the numbers they work on, loops over them,
// and the comparison with the values of texts.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "autodiff/interpreter.hpp"
#include "models/language/functions.hpp"
#include "models/language/names.hpp"
#include "models/language/syntax.hpp"
#include "models/model.hpp"

namespace jacquard::models {

using Numbers = std::vector<double>;
inline constexpr std::int64_t kB = 4, kN = 3, kM = 2;  // batch, features of x, units of h

// x, u [4, 3] with signs and ties; q [4, 3] in (0, 1); p [4, 3] positive; W [3, 2]; M [4, 3, 3];
// labels [4]; v [4, 2]; idx [2].
struct Data {
  Numbers x, u, q, p, W, M, labels, v, idx;
};

inline const Data& data() {
  static const Data d = [] {
    Data made;
    made.x = {-1.5, 0, 0.25, 2, 2, -0.5, 0.75, -3, 1, 0.5, 0.5, 0.5};
    made.u = {1, 0, -0.25, -2, 2, 0.5, 0.75, 3, -1, 1.5, -0.5, 0.25};
    for (std::size_t i = 0; i < 12; ++i) {
      made.q.push_back(0.05 + 0.075 * static_cast<double>(i));
      made.p.push_back(0.2 + 0.3 * static_cast<double>(i % 5));
    }
    made.W = {0.5, -1, 0.25, 2, -0.75, 1};
    for (int i = 0; i < 36; ++i) made.M.push_back(std::sin(1.3 * i));
    made.labels = {2, 0, 1, 2};
    made.v = {1, -1, 0.5, 2, 0, 1, -2, 0.25};
    made.idx = {2, 0};
    return made;
  }();
  return d;
}

inline Feed<double> feed() {
  const Data& d = data();
  return {
      {"x", {{kB, kN}, d.x}},           {"u", {{kB, kN}, d.u}},          {"q", {{kB, kN}, d.q}},
      {"p", {{kB, kN}, d.p}},           {"W", {{kN, kM}, d.W}},          {"M", {{kB, kN, kN}, d.M}},
      {"labels", {{kB}, d.labels}},     {"v", {{kB, kM}, d.v}},          {"idx", {Shape{2}, d.idx}},
      {"epoch", Tensor<double>({}, 3)}, {"step", Tensor<double>({}, 30)}};
}

inline constexpr std::uint64_t kSeed = 11, kStep = 6;

inline Tensor<double> value_of(const std::string& text) {
  Tape tape;
  Declarations declarations;
  declarations.parameters = {{"W", {kN, kM}}};
  declarations.define = {{"h", "tanh(x @ W)"}, {"c", "sum(h^3, axis=1)"}};
  Model model(tape, declarations,
              {{"x", {kB, kN}},
               {"u", {kB, kN}},
               {"q", {kB, kN}},
               {"p", {kB, kN}},
               {"M", {kB, kN, kN}},
               {"labels", {kB}},
               {"v", {kB, kM}},
               {"idx", {2}}});
  return evaluate<double>(model.expression(text, "test"), feed(), {.seed = kSeed, .step = kStep});
}

struct Case {
  std::string text;
  Shape shape;
  Numbers expected;
};

inline double at(const Numbers& a, std::int64_t row, std::int64_t column,
                 std::int64_t columns = kN) {
  return a[static_cast<std::size_t>(row * columns + column)];
}

inline Numbers map(const Numbers& a, const std::function<double(double)>& f) {
  Numbers result;
  for (const double v : a) result.push_back(f(v));
  return result;
}

inline Numbers map2(const Numbers& a, const Numbers& b,
                    const std::function<double(double, double)>& f) {
  Numbers result;
  for (std::size_t i = 0; i < a.size(); ++i) result.push_back(f(a[i], b[i]));
  return result;
}

// One number per row of x-like tensors.
inline Numbers per_row(const std::function<double(std::int64_t)>& f) {
  Numbers result;
  for (std::int64_t b = 0; b < kB; ++b) result.push_back(f(b));
  return result;
}

inline double sum_row(const std::function<double(std::int64_t)>& f) {
  double total = 0;
  for (std::int64_t i = 0; i < kN; ++i) total += f(i);
  return total;
}

// Compares all cases, and requires that every function of the groups is among them.
inline void check_cases(const std::vector<Case>& cases,
                        std::initializer_list<FunctionGroup> groups) {
  std::set<std::string, std::less<>> tested;
  for (const Case& c : cases) {
    CAPTURE(c.text);
    for (const std::string& name : called_functions(parse_expression(c.text))) tested.insert(name);
    const Tensor<double> got = value_of(c.text);
    CHECK(got.shape == c.shape);
    REQUIRE(got.data.size() == c.expected.size());
    for (std::size_t i = 0; i < c.expected.size(); ++i) {
      CAPTURE(i);
      CHECK(std::abs(got.data[i] - c.expected[i]) <=
            1e-12 * std::max(1.0, std::abs(c.expected[i])));
    }
  }
  for (const Function& function : functions()) {
    if (std::ranges::find(groups, function.group) == groups.end()) continue;
    CAPTURE(function.name);
    CHECK(tested.contains(function.name));
  }
}

}  // namespace jacquard::models
