// Random numbers, shapes, tensors and feeds from a seed, the same on every machine.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/interpreter.hpp"
#include "autodiff/op.hpp"
#include "autodiff/tape.hpp"
#include "autodiff/tensor.hpp"

namespace jacquard::testing {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  // In [0, 1), 53 bits. Own arithmetic: the standard's distributions differ between libraries.
  double unit() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  double between(double low, double high) { return low + (high - low) * unit(); }
  // 0, 1, ..., n-1.
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(n));
  }
  bool coin() { return below(2) == 0; }

  double inside(const Domain& domain) {
    if (!domain.whole) return between(domain.low, domain.high);
    return domain.low + static_cast<double>(below(std::llround(domain.high - domain.low) + 1));
  }

  // Up to max_rank axes of sizes 1 .. max_size.
  Shape shape(int max_rank, std::int64_t max_size) {
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(below(max_rank + 1)));
    for (std::int64_t& size : sizes) size = 1 + below(max_size);
    return Shape(std::move(sizes));
  }

  template <class T = double>
  Tensor<T> tensor(const Shape& shape, const Domain& domain = {}) {
    Tensor<T> result(shape);
    for (T& x : result.data) x = static_cast<T>(inside(domain));
    return result;
  }

 private:
  std::mt19937_64 engine_;
};

// Random values for every input that the roots read.
template <class T = double>
Feed<T> random_feed(const std::vector<Expr>& roots, std::uint64_t seed, const Domain& domain = {}) {
  Random random(seed);
  Feed<T> feed;
  const Tape& tape = *roots.at(0).tape;
  for (const NodeId id : ancestors(tape, roots)) {
    const Node& node = tape.node(id);
    if (is_input(node)) feed[input_name(node)] = random.tensor<T>(node.shape, domain);
  }
  return feed;
}

template <class To, class From>
Feed<To> cast(const Feed<From>& from) {
  Feed<To> to;
  for (const auto& [name, tensor] : from) to[name] = jacquard::cast<To>(tensor);
  return to;
}

}  // namespace jacquard::testing
