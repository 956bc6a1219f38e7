// Identities of the literature on autoencoders that hold to machine precision, on the tape as
// written, through the contraction algebra and through the passes of a plan, in quad precision.
#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "autodiff/algebra/simplify.hpp"
#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/passes.hpp"
#include "tests/support/numeric.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

constexpr double kExact = 1e-25;

// Values of the roots by each way in which they can be computed.
struct Route {
  std::string name;
  std::vector<Tensor<Quad>> values;
};

std::vector<Expr> with_gradients(Expr cost, const std::vector<Expr>& parameters) {
  std::vector<Expr> roots{cost};
  for (const Expr& g : gradient(cost, parameters, Unused::kZero)) roots.push_back(g);
  return roots;
}

// A scalar cost and its gradients: as written, simplified, and each after the passes of a plan.
std::vector<Route> routes(Expr cost, const std::vector<Expr>& parameters, const Feed<Quad>& feed) {
  const Tape& tape = *cost.tape;
  std::vector<Route> result;
  const auto add = [&](const std::string& name, Expr form) {
    const std::vector<Expr> roots = with_gradients(form, parameters);
    result.push_back({name, Interpreter<Quad>(tape, roots).run(feed)});
    const Graph graph = prepare(tape, roots);
    result.push_back({name + ", passes", Interpreter<Quad>(*graph.tape, graph.roots).run(feed)});
  };
  add("as written", cost);
  add("simplified", simplified(cost));
  add("careful", simplify({cost}, Care::kCareful).roots[0]);
  return result;
}

// Two costs have the same value and gradients by every route of both.
void check_same(Expr a, Expr b, const std::vector<Expr>& parameters, const Feed<Quad>& feed) {
  const auto of_a = routes(a, parameters, feed), of_b = routes(b, parameters, feed);
  const Route& truth = of_b[0];
  for (const std::vector<Route>* side : {&of_a, &of_b})
    for (const Route& route : *side) {
      CAPTURE(route.name);
      for (std::size_t i = 0; i < truth.values.size(); ++i) {
        CAPTURE(i);
        CHECK_LE(tensor_error(route.values[i], truth.values[i]), kExact);
      }
    }
}

// One layer with its activation and that one's slope.
struct Layer {
  const char* name;
  std::function<Expr(Expr)> activation;
  std::function<Expr(Expr)> slope;  // of the activation's value
};
const Layer kLayers[] = {
    {"sigmoid", [](Expr a) { return sigmoid(a); }, [](Expr h) { return h * (1.0 - h); }},
    {"tanh", [](Expr a) { return tanh(a); }, [](Expr h) { return 1.0 - square(h); }},
};

struct Net {
  Tape tape;
  Expr x, W, b, c;
  std::vector<Expr> parameters;

  Net(std::int64_t batch, std::int64_t in, std::int64_t hidden)
      : x(tape.input("x", {batch, in})),
        W(tape.input("W", {in, hidden}, InputKind::kParameter)),
        b(tape.input("b", {hidden}, InputKind::kParameter)),
        c(tape.input("c", {in}, InputKind::kParameter)),
        parameters{W, b, c} {}

  Expr hidden(const Layer& layer, Expr at) const { return layer.activation(matmul(at, W) + b); }
  Expr decoded(Expr h) const { return matmul(h, transpose(W)) + c; }
  Feed<Quad> feed(std::vector<Expr> roots, std::uint64_t seed) const {
    for (const Expr& e : {x, W, b, c}) roots.push_back(e);
    return random_feed<Quad>(roots, seed);
  }
};

// The sizes that every identity is held at: batch, inputs, hidden units.
constexpr std::int64_t kSizes[][3] = {{3, 4, 5}, {1, 1, 1}, {2, 5, 1}, {1, 3, 7}};

void for_each_layer(const std::function<void(Net&, const Layer&)>& test) {
  for (const Layer& layer : kLayers)
    for (const auto& size : kSizes) {
      CAPTURE(layer.name);
      CAPTURE(cat(size[0], ' ', size[1], ' ', size[2]));
      Net net(size[0], size[1], size[2]);
      test(net, layer);
    }
}

// (A)^-1 B for a well-conditioned A, by elimination with pivots.
std::vector<std::vector<Quad>> solve(std::vector<std::vector<Quad>> a,
                                     std::vector<std::vector<Quad>> b) {
  const std::size_t n = a.size();
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k; i < n; ++i)
      if (number::abs(a[i][k]) > number::abs(a[pivot][k])) pivot = i;
    std::swap(a[k], a[pivot]);
    std::swap(b[k], b[pivot]);
    for (std::size_t i = 0; i < n; ++i) {
      if (i == k) continue;
      const Quad factor = a[i][k] / a[k][k];
      for (std::size_t j = 0; j < n; ++j) a[i][j] -= factor * a[k][j];
      for (std::size_t j = 0; j < b[i].size(); ++j) b[i][j] -= factor * b[k][j];
    }
  }
  for (std::size_t i = 0; i < n; ++i)
    for (Quad& value : b[i]) value /= a[i][i];
  return b;
}

}  // namespace

// Rifai et al. 2011a, section 4.
TEST_CASE("a: a linear contractive autoencoder is one with weight decay") {
  for (const auto& size : kSizes) {
    Net net(size[0], size[1], size[2]);
    const Expr h = matmul(net.x, net.W) + net.b;
    const Expr reconstruction = mean(sqnorm(net.decoded(h) - net.x));
    const Expr contractive = reconstruction + 0.3 * mean(sqnorm(jacobian(h, net.x)));
    const Expr decay = reconstruction + 0.3 * sum(square(net.W));
    check_same(contractive, decay, net.parameters, net.feed({}, 1));
  }
}

// Rifai et al. 2011a, eq. 4.
TEST_CASE("b: the penalty of one layer is its closed form, and double backpropagation") {
  for_each_layer([](Net& net, const Layer& layer) {
    const Expr h = net.hidden(layer, net.x);
    const Expr penalty = mean(sqnorm(jacobian(h, net.x)));
    const Expr closed = mean(matmul(square(layer.slope(h)), sum(square(net.W), {0})));
    std::vector<Expr> units;  // of each the squared slope along the input, by backpropagation
    for (std::int64_t j = 0; j < h.shape()[1]; ++j)
      units.push_back(sqnorm(gradient(sum(slice(h, 1, j, j + 1)), {net.x})[0]));
    const Expr twice = mean(add_all(units));
    const Feed<Quad> feed = net.feed({}, 2);
    check_same(penalty, closed, net.parameters, feed);
    check_same(penalty, twice, net.parameters, feed);
  });
}

// Rifai et al. 2011b: the stochastic Hessian penalty.
TEST_CASE("c: the higher-order penalty of one layer is a difference of slopes") {
  for_each_layer([](Net& net, const Layer& layer) {
    const Expr noisy = net.x + 0.1 * net.tape.input("noise", net.x.shape());
    const Expr h = net.hidden(layer, net.x), h2 = net.hidden(layer, noisy);
    const Expr penalty = mean(sqnorm(jacobian(h, net.x) - jacobian(h2, noisy)));
    const Expr closed =
        mean(matmul(square(layer.slope(h) - layer.slope(h2)), sum(square(net.W), {0})));
    check_same(penalty, closed, net.parameters, net.feed({penalty}, 3));
  });
}

// Hoffman et al. 2019. Moments of the uniform distribution on the sphere by a cubature that is
// exact to degree 5: +-e_i, and (+-e_i +- e_k) / sqrt(2), with weights that may be negative.
TEST_CASE("d: random projections have the penalty as their mean, and the stated variance") {
  for (const Layer& layer : kLayers)
    for (const auto& size : kSizes) {
      Net net(size[0], size[1], size[2]);
      const std::int64_t m = size[2];
      const Expr n = constant(net.tape, static_cast<double>(m));  // divided in quad, not in double
      const Expr h = net.hidden(layer, net.x), J = jacobian(h, net.x), one = eye(net.tape, m);
      const Expr half = sqrt(constant(net.tape, 0.5));
      const Expr axis_weight = (4.0 - n) / (2.0 * n * (n + 2.0)),
                 edge_weight = 1.0 / (n * (n + 2.0));
      std::vector<Expr> means, squares;
      const auto add = [&](Expr v, Expr weight) {  // v and -v
        const Expr estimate = n * sqnorm(vjp(h, net.x, broadcast_to(v, h.shape())));
        means.push_back(2.0 * weight * estimate);
        squares.push_back(2.0 * weight * square(estimate));
      };
      for (std::int64_t i = 0; i < m; ++i) {
        const Expr e = slice(one, 0, i, i + 1);
        add(e, axis_weight);
        for (std::int64_t k = 0; k < i; ++k) {
          const Expr other = slice(one, 0, k, k + 1);
          add(half * (e + other), edge_weight);
          add(half * (e - other), edge_weight);
        }
      }
      const Feed<Quad> feed = net.feed({}, 4);
      const Expr exact = sqnorm(J), A = matmul(J, transpose(J));
      check_same(mean(add_all(means)), mean(exact), net.parameters, feed);
      const Expr second =
          2.0 * n / (n + 2.0) * sqnorm(A) + (1.0 - 2.0 / (n + 2.0)) * square(trace(A));
      check_same(mean(add_all(squares)), mean(second), net.parameters, feed);
    }
}

// Vincent 2011, with E(x) = -(c.x - |x|^2/2 + sum_j softplus(W_j.x + b_j)) / s^2.
TEST_CASE("f: denoising score matching is a denoising autoencoder, sample by sample") {
  for (const auto& size : kSizes) {
    Net net(size[0], size[1], size[2]);
    const Expr s2 = square(net.tape.input("s", {}));
    const Expr noise = net.tape.input("noise", net.x.shape()), noisy = net.x + noise;
    const Expr a = matmul(noisy, net.W) + net.b;
    const Expr energy = -(matmul(noisy, net.c) - 0.5 * sqnorm(noisy) + sum(softplus(a), {1})) / s2;
    const Expr score = -gradient(sum(energy), {noisy})[0];
    const Expr matching = 0.5 * sqnorm(score + noise / s2);
    const Expr denoising = sqnorm(net.decoded(sigmoid(a)) - net.x) / (2.0 * square(s2));
    Feed<Quad> feed = net.feed({matching}, 5);
    feed["s"] = Tensor<Quad>(Shape{}, static_cast<Quad>(0.3));
    for (std::int64_t k = 0; k < size[0]; ++k)
      check_same(sum(slice(matching, 0, k, k + 1)), sum(slice(denoising, 0, k, k + 1)),
                 net.parameters, feed);
    // Its trace (Hyvarinen 2005) and the Hessian of the energy are closed forms too.
    const Expr slope = kLayers[0].slope(sigmoid(a));
    const Expr closed = matmul(slope, sum(square(net.W), {0})) - static_cast<double>(size[1]);
    check_same(mean(trace(jacobian(score, noisy))), mean(closed) / s2, net.parameters, feed);
    check_same(mean(trace(hessian(energy, noisy))), -mean(closed) / s2, net.parameters, feed);
  }
}

// Data of N(0, S): r(x) = S (S + s^2)^-1 x.
TEST_CASE("g: the best linear denoiser of Gaussian data knows the score of the noisy density") {
  constexpr std::int64_t kSize = 5;
  for (const double s : {0.01, 0.5, 3.0}) {
    CAPTURE(s);
    const Quad s2 = static_cast<Quad>(s) * static_cast<Quad>(s);
    // Rows +-sqrt(n) L_i of a sample whose covariance is S = L L' exactly, and its sums.
    const Tensor<Quad> root = Random(6).tensor<Quad>({kSize, kSize});
    std::vector<std::vector<Quad>> S(kSize, std::vector<Quad>(kSize)), noisy, one = S;
    Tensor<Quad> data({2 * kSize, kSize});
    for (std::int64_t i = 0; i < kSize; ++i)
      for (std::int64_t j = 0; j < kSize; ++j) {
        for (std::int64_t k = 0; k < kSize; ++k)
          S[std::size_t(i)][std::size_t(j)] += root[k * kSize + i] * root[k * kSize + j];
        const Quad value = number::sqrt(static_cast<Quad>(kSize)) * root[i * kSize + j];
        data[i * kSize + j] = value;
        data[(kSize + i) * kSize + j] = -value;
      }
    noisy = S;
    for (std::size_t i = 0; i < kSize; ++i) {
      noisy[i][i] += s2;
      one[i][i] = Quad(1);
    }
    const auto R = solve(noisy, S), precision = solve(noisy, one);  // symmetric both

    Tape tape;
    const Expr x = tape.input("x", data.shape);
    const Expr r = tape.input("R", {kSize, kSize}, InputKind::kParameter);
    const Expr p = tape.input("precision", {kSize, kSize}), deviation = tape.input("s", {});
    Feed<Quad> feed{{"x", data}, {"s", Tensor<Quad>(Shape{}, static_cast<Quad>(s))}};
    feed["R"] = feed["precision"] = Tensor<Quad>({kSize, kSize});
    for (std::size_t i = 0; i < kSize * kSize; ++i) {
      feed["R"].data[i] = R[i / kSize][i % kSize];
      feed["precision"].data[i] = precision[i / kSize][i % kSize];
    }
    const Expr out = matmul(x, r), variance = square(deviation);
    // The noise is integrated exactly: E|r(x + e) - x|^2 = |r(x) - x|^2 + s^2 |J|^2.
    const Expr cost = mean(sqnorm(out - x)) + variance * mean(sqnorm(jacobian(out, x)));
    for (const Route& route : routes(cost, {r}, feed))
      for (const Quad& g : route.values[1].data)
        CHECK_LE(static_cast<double>(number::abs(g)), 1e-28);
    const Expr score = (out - x) / variance;
    const Expr log_density = -0.5 * sum(matmul(x, p) * x, {1});
    const auto same = [&](Expr a, Expr b) {
      CHECK_LE(tensor_error(evaluate<Quad>(a, feed), evaluate<Quad>(b, feed)), kExact);
    };
    same(score, gradient(sum(log_density), {x})[0]);
    same(jacobian(score, x), hessian(log_density, x));
    same(simplified(sum(trace(jacobian(score, x)))),
         simplified(sum(trace(hessian(log_density, x)))));
  }
}

// E|r(x+e) - x|^2 = |r(x) - x|^2 + s^2 (|dr/dx|^2 + (r(x) - x).Lap r(x)) + O(s^4), with the noise
// at +-s sqrt(n) e_i: its moments to order 3 are those of N(0, s^2).
TEST_CASE("h: a denoising autoencoder with little noise is a contractive one, to order s^4") {
  for (const Layer& layer : kLayers)
    for (const auto& size : kSizes) {
      CAPTURE(layer.name);
      Net net(size[0], size[1], size[2]);
      const std::int64_t n = size[1];
      const Expr s = net.tape.input("s", {}), one = eye(net.tape, n);
      const auto r = [&](Expr at) { return net.decoded(net.hidden(layer, at)); };
      const Expr out = r(net.x);
      const Expr reach = s * sqrt(constant(net.tape, static_cast<double>(n)));
      std::vector<Expr> denoised, laplacian;
      for (std::int64_t i = 0; i < n; ++i) {
        const Expr e = reach * slice(one, 0, i, i + 1);
        denoised.push_back(sqnorm(r(net.x + e) - net.x));
        denoised.push_back(sqnorm(r(net.x - e) - net.x));
        const Expr unit = remove_axis(slice(out, 1, i, i + 1), 1);
        laplacian.push_back(insert_axis(trace(hessian(unit, net.x)), 1));
      }
      const Expr mean_denoised = mean(add_all(denoised)) / (2.0 * static_cast<double>(n));
      const Expr contraction =
          sqnorm(jacobian(out, net.x)) + sum((out - net.x) * concat(laplacian, 1), {1});
      const Expr expansion = mean(sqnorm(out - net.x)) + square(s) * mean(contraction);
      Feed<Quad> feed = net.feed({mean_denoised}, 7);
      const auto remainder = [&](double deviation) {
        feed["s"] = Tensor<Quad>(Shape{}, static_cast<Quad>(deviation));
        std::vector<Route> of = routes(expansion, net.parameters, feed);
        const auto exact =
            Interpreter<Quad>(net.tape, with_gradients(mean_denoised, net.parameters)).run(feed);
        for (Route& route : of)
          for (std::size_t i = 0; i < exact.size(); ++i)
            for (std::int64_t k = 0; k < exact[i].size(); ++k)
              route.values[i][k] = exact[i][k] - route.values[i][k];
        return of;
      };
      const auto coarse = remainder(0x1p-10), fine = remainder(0x1p-11);
      for (std::size_t k = 0; k < coarse.size(); ++k) {
        CAPTURE(coarse[k].name);
        for (std::size_t i = 0; i < coarse[k].values.size(); ++i) {
          CAPTURE(i);
          Tensor<Quad> sixteenth = coarse[k].values[i];
          for (Quad& value : sixteenth.data) value /= Quad(16);
          CHECK_LE(tensor_error(fine[k].values[i], sixteenth), 1e-4);
        }
      }
    }
}
