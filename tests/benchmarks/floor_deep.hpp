// The floor of W5: a step of a deep sigmoid network with squared error under Adam, by hand.
//
// Three products a layer. The update follows each gradient in strips of its rows: a strip is made
// by one product into memory of the thread and given to Adam while it is in the cache, so that no
// gradient of a weight matrix ever exists as a whole.
#pragma once

#include <cstdint>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/products.hpp"
#include "tests/benchmarks/named_array.hpp"
#include "tests/benchmarks/network_kernels.hpp"

namespace jacquard::benchmarks {

template <class T>
struct DeepOptions {
  std::int64_t batch;
  std::vector<std::int64_t> widths;  // of the input and of every layer; the last is the input's
  T rate = 0;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
};

template <class T>
class DeepFloor {
 public:
  DeepFloor(ThreadPool& pool, const DeepOptions<T>& options)
      : pool_(pool), o_(options), x_(size(o_.batch * o_.widths[0])), costs_(size(o_.widths[0])) {
    for (std::size_t l = 1; l < o_.widths.size(); ++l) {
      const std::int64_t in = o_.widths[l - 1], out = o_.widths[l];
      layers_.push_back({in, out, Trained(in * out), Trained(out), std::vector<T>(size(out)),
                         std::vector<T>(size(o_.batch * out)),
                         std::vector<T>(size(o_.batch * out))});
    }
  }

  std::vector<NamedArray<T>> arrays() {
    std::vector<NamedArray<T>> all{{"x", InputKind::kData, x_}};
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      add_trained(all, cat("W", l), layers_[l].weights);
      add_trained(all, cat("b", l), layers_[l].bias);
    }
    return all;
  }

  // Returns the cost before the update. The products alone leave the parameters as they are.
  T run(Work work = Work::kAll) {
    const bool all = work == Work::kAll;
    for (std::size_t l = 0; l < layers_.size(); ++l) forward(l, all);
    const T cost = all ? compare() : T(0);
    if (all) adam_ = next_constants();
    for (std::size_t l = layers_.size(); l-- > 0;) backward(l, all);
    return cost;
  }

  double product_flops() const {  // of a step; nothing is sent back to x
    double flops = 0;
    for (std::size_t l = 0; l < layers_.size(); ++l)
      flops += (l == 0 ? 4.0 : 6.0) * static_cast<double>(o_.batch) *
               static_cast<double>(layers_[l].in * layers_[l].out);
    return flops;
  }

 private:
  static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

  struct Trained {
    explicit Trained(std::int64_t count) : values(size(count)), mean(values), square(values) {}
    std::vector<T> values, mean, square;
  };

  struct Layer {
    std::int64_t in, out;
    Trained weights, bias;  // [in, out], [out]
    std::vector<T> bias_gradient;
    std::vector<T> h, delta;  // [batch, out]; the last layer has its delta in h
  };

  // The first step of Adam moves every parameter by nearly the rate, whichever way its gradient
  // points; where that is a sum of terms that cancel, rounding chooses. The means show the
  // gradient.
  static void add_trained(std::vector<NamedArray<T>>& all, const std::string& name, Trained& t) {
    all.push_back({name, InputKind::kParameter, t.values, 1e-2});
    all.push_back({"adam/mean/" + name, InputKind::kState, t.mean});
    all.push_back({"adam/square/" + name, InputKind::kState, t.square, 3e-5});
  }

  const T* input_of(std::size_t l) const { return l == 0 ? x_.data() : layers_[l - 1].h.data(); }
  T* delta_of(std::size_t l) {
    return l + 1 == layers_.size() ? layers_[l].h.data() : layers_[l].delta.data();
  }

  void forward(std::size_t l, bool all) {
    Layer& layer = layers_[l];
    product<T>(pool_, {1, o_.batch, layer.out, layer.in}, {input_of(l), layer.in, 0, false},
               {layer.weights.values.data(), layer.out, 0, false}, {layer.h.data(), layer.out, 0});
    if (!all || l + 1 == layers_.size()) return;
    for_each_strip(pool_, layer.out, [&](std::int64_t first, std::int64_t columns) {
      const T* const bias = layer.bias.values.data() + first;
      on_this_machine<SigmoidStrip>(Strip{o_.batch, columns, layer.out}, layer.h.data() + first,
                                    bias);
    });
  }

  T compare() {
    Layer& last = layers_.back();
    std::fill(costs_.begin(), costs_.end(), T(0));
    std::fill(last.bias_gradient.begin(), last.bias_gradient.end(), T(0));
    for_each_strip(pool_, last.out, [&](std::int64_t first, std::int64_t columns) {
      const T* const bias = last.bias.values.data() + first;
      const T* const x = x_.data() + first;
      on_this_machine<SquaredErrorStrip>(Strip{o_.batch, columns, last.out}, last.h.data() + first,
                                         x, bias, T(2) / static_cast<T>(o_.batch),
                                         last.bias_gradient.data() + first, costs_.data() + first);
    });
    double cost = 0;
    for (const T c : costs_) cost += static_cast<double>(c);
    return static_cast<T>(cost / static_cast<double>(o_.batch));
  }

  AdamConstants<T> next_constants() {
    ++step_;
    const auto left = [&](double beta) { return static_cast<T>(1 - std::pow(beta, step_)); };
    return {static_cast<T>(o_.beta1), static_cast<T>(o_.beta2), o_.rate,
            left(o_.beta1),           left(o_.beta2),           static_cast<T>(o_.epsilon)};
  }

  void backward(std::size_t l, bool all) {
    if (l > 0) send_back(l, all);
    update_weights(l, all);
    Layer& layer = layers_[l];
    if (all)
      on_this_machine<AdamRow>(layer.out, adam_, static_cast<const T*>(layer.bias_gradient.data()),
                               layer.bias.values.data(), layer.bias.mean.data(),
                               layer.bias.square.data());
  }

  void send_back(std::size_t l, bool all) {
    const Layer& layer = layers_[l];
    Layer& below = layers_[l - 1];
    product<T>(pool_, {1, o_.batch, layer.in, layer.out}, {delta_of(l), layer.out, 0, false},
               {layer.weights.values.data(), layer.out, 0, true}, {delta_of(l - 1), layer.in, 0});
    if (!all) return;
    std::fill(below.bias_gradient.begin(), below.bias_gradient.end(), T(0));
    for_each_strip(pool_, layer.in, [&](std::int64_t first, std::int64_t columns) {
      const T* const h = below.h.data() + first;
      on_this_machine<BackThroughSigmoid>(Strip{o_.batch, columns, layer.in},
                                          below.delta.data() + first, h,
                                          below.bias_gradient.data() + first);
    });
  }

  void update_weights(std::size_t l, bool all) {
    Layer& layer = layers_[l];
    const std::int64_t rows = std::max<std::int64_t>(1, kStripNumbers / layer.out);
    pool_.run((layer.in + rows - 1) / rows, [&](std::int64_t strip) {
      thread_local std::vector<T> gradient;
      const std::int64_t first = strip * rows, count = std::min(rows, layer.in - first);
      if (gradient.size() < size(count * layer.out)) gradient.resize(size(count * layer.out));
      product<T>(pool_, {1, count, layer.out, o_.batch}, {input_of(l) + first, layer.in, 0, true},
                 {delta_of(l), layer.out, 0, false}, {gradient.data(), layer.out, 0});
      if (!all) return;
      const std::int64_t at = first * layer.out;
      on_this_machine<AdamRow>(count * layer.out, adam_, static_cast<const T*>(gradient.data()),
                               layer.weights.values.data() + at, layer.weights.mean.data() + at,
                               layer.weights.square.data() + at);
    });
  }

  static constexpr std::int64_t kStripNumbers = 1 << 16;  // 256 KB of floats, half of a cache

  ThreadPool& pool_;
  DeepOptions<T> o_;
  std::vector<T> x_, costs_;
  std::vector<Layer> layers_;
  AdamConstants<T> adam_{};
  std::int64_t step_ = 0;
};

}  // namespace jacquard::benchmarks
