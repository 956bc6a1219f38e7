// Kernels on tensors that are larger than the pieces, strips and runs they are cut into, against
// plain index arithmetic. The numbers are small and whole, so that every sum is exact.
#include <doctest/doctest.h>

#include <functional>

#include "autodiff/error.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/pool.hpp"
#include "tests/support/random.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

Tensor<float> whole_numbers(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  return random.tensor<float>(shape, {-4, 4, true});
}

std::vector<std::int64_t> place_of(const Shape& shape, std::int64_t index) {
  std::vector<std::int64_t> place(static_cast<std::size_t>(shape.rank()));
  for (int i = shape.rank() - 1; i >= 0; --i) {
    place[static_cast<std::size_t>(i)] = index % shape[i];
    index /= shape[i];
  }
  return place;
}

std::int64_t offset(const std::vector<std::int64_t>& place,
                    const std::vector<std::int64_t>& steps) {
  std::int64_t at = 0;
  for (std::size_t i = 0; i < place.size(); ++i) at += place[i] * steps[i];
  return at;
}

Tensor<float> run(Expr e, const Feed<float>& feed, int threads) {
  ThreadPool pool(threads);
  return evaluate<float>(e, feed, {.pool = &pool});
}

}  // namespace

TEST_CASE("elementwise kernels read the broadcast place of every operand") {
  const std::vector<std::vector<Shape>> cases = {
      {{40'000}, {40'000}, {40'000}},
      {{200, 130}, {130}, {}},
      {{200, 1}, {130}, {200, 130}},
      {{1, 130}, {200, 1}, {1}},
      {{40, 1, 50}, {30, 1}, {1, 1, 50}},
      {{20, 30, 50}, {20, 1, 1}, {30, 1}},
      {{}, {50'000}, {1}},
      {{7, 1, 11, 1, 13}, {5, 1, 3, 1}, {7, 5, 11, 3, 13}},
      {{300, 2, 40}, {300, 1, 40}, {2, 40}},
      {{2, 20'000}, {2, 1}, {20'000}},
  };
  for (const std::vector<Shape>& shapes : cases) {
    Tape tape;
    std::vector<Expr> in;
    std::vector<Tensor<float>> values;
    Feed<float> feed;
    for (std::size_t k = 0; k < 3; ++k) {
      const std::string name = cat("x", k);
      in.push_back(tape.input(name, shapes[k]));
      values.push_back(whole_numbers(shapes[k], k + 1));
      feed[name] = values.back();
    }
    const std::vector<Expr> outs{in[0] - in[1], add_all({in[0], in[1], in[2]}),
                                 where(in[0], in[1], in[2]), square(in[0])};
    const std::vector<std::function<float(float, float, float)>> rules = {
        [](float a, float b, float) { return a - b; },
        [](float a, float b, float c) { return a + b + c; },
        [](float a, float b, float c) { return a != 0 ? b : c; },
        [](float a, float, float) { return a * a; }};
    for (std::size_t r = 0; r < outs.size(); ++r) {
      const Shape& shape = outs[r].shape();
      const Tensor<float> got = run(outs[r], feed, r % 2 == 0 ? 1 : 2);
      const std::size_t operands = r == 0 ? 2 : r == 3 ? 1 : 3;
      std::int64_t wrong = 0;
      for (std::int64_t i = 0; i < shape.size(); ++i) {
        float x[3] = {0, 0, 0};
        for (std::size_t k = 0; k < operands; ++k)
          x[k] = values[k][offset(place_of(shape, i), broadcast_strides(shapes[k], shape))];
        wrong += got[i] == rules[r](x[0], x[1], x[2]) ? 0 : 1;
      }
      CHECK_EQ(wrong, 0);
    }
  }
}

TEST_CASE("reductions add up every element once, over any axes") {
  const std::vector<Shape> shapes{{70'000},  {130, 300},   {300, 130},         {9000, 5},
                                  {5, 9000}, {20, 30, 40}, {3, 1, 200, 1, 50}, {2, 3, 4, 5, 6, 7}};
  for (const Shape& shape : shapes) {
    Tape tape;
    const Expr x = tape.input("x", shape);
    const Tensor<float> values = whole_numbers(shape, 9);
    for (int bits = 1; bits < (1 << shape.rank()); ++bits) {
      Axes axes;
      std::vector<std::int64_t> kept_sizes = shape.sizes();
      for (int i = 0; i < shape.rank(); ++i)
        if ((bits >> i & 1) != 0) {
          axes.push_back(i);
          kept_sizes[static_cast<std::size_t>(i)] = 1;
        }
      const Shape kept(kept_sizes);
      Tensor<float> total(kept), largest(kept, -100.0f), smallest(kept, 100.0f);
      const auto steps = broadcast_strides(kept, shape);
      for (std::int64_t i = 0; i < shape.size(); ++i) {
        const std::int64_t at = offset(place_of(shape, i), steps);
        total[at] += values[i];
        largest[at] = std::max(largest[at], values[i]);
        smallest[at] = std::min(smallest[at], values[i]);
      }
      const Feed<float> feed{{"x", values}};
      CHECK(run(sum(x, axes, true), feed, 2) == total);
      CHECK(run(max(x, axes, true), feed, 2) == largest);
      CHECK(run(min(x, axes, true), feed, 1) == smallest);
    }
  }
}

TEST_CASE("large transpositions, slices, joins and lookups move every element to its place") {
  Tape tape;
  const Shape shape{40, 30, 20};
  const Expr x = tape.input("x", shape), rows = tape.input("rows", {100});
  const Tensor<float> values = whole_numbers(shape, 10);
  Random random(11);
  const Tensor<float> picked = random.tensor<float>({100}, {0, 29, true});
  const Feed<float> feed{{"x", values}, {"rows", picked}};
  // The value at each place of the result, as the place it comes from.
  using From = std::function<std::int64_t(std::int64_t, std::int64_t, std::int64_t)>;
  const auto at = [](std::int64_t i, std::int64_t j, std::int64_t k) {
    return (i * 30 + j) * 20 + k;
  };
  const std::vector<std::pair<Expr, From>> cases = {
      {transpose(x, {2, 0, 1}), [at](auto a, auto b, auto c) { return at(b, c, a); }},
      {transpose(x, {1, 0, 2}), [at](auto a, auto b, auto c) { return at(b, a, c); }},
      {transpose(x, {2, 1, 0}), [at](auto a, auto b, auto c) { return at(c, b, a); }},
      {slice(x, 1, 5, 25), [at](auto a, auto b, auto c) { return at(a, b + 5, c); }},
      {concat({slice(x, 0, 10, 40), slice(x, 0, 0, 10)}, 0),
       [at](auto a, auto b, auto c) { return at((a + 10) % 40, b, c); }},
      {take(x, rows, 1),
       [at, &picked](auto a, auto b, auto c) {
         return at(a, static_cast<std::int64_t>(picked[b]), c);
       }},
  };
  for (const auto& [e, from] : cases) {
    const Tensor<float> got = run(e, feed, 2);
    std::int64_t wrong = 0;
    for (std::int64_t i = 0; i < got.size(); ++i) {
      const auto place = place_of(got.shape, i);
      wrong += got[i] == values[from(place[0], place[1], place[2])] ? 0 : 1;
    }
    CHECK_EQ(wrong, 0);
  }
}
