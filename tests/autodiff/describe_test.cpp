// What is told about a rewritten cost: exact texts for small networks, and for random ones the
// values of the texts, read by a small evaluator of formulas, against the interpreter.
#include "autodiff/algebra/describe.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "autodiff/algebra/index_text.hpp"
#include "autodiff/error.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/philox.hpp"

using namespace jacquard;
using algebra::Description;

namespace {

Description described(Expr cost, Care care = Care::kFast) {
  const auto d = algebra::describe(simplify({cost}, care), sizeof(float));
  REQUIRE(d.has_value());
  return *d;
}

using Texts = std::vector<std::string>;

std::string lines(const Texts& texts) {
  std::string all;
  for (const std::string& text : texts) all += text + '\n';
  return all;
}

std::string steps_of(const Description& d) {
  Texts texts;
  for (const auto& step : d.steps)
    texts.push_back(step.text + (step.symmetric ? "  symmetric" : ""));
  return lines(texts);
}

double step_flops(const Description& d) {
  return std::accumulate(d.steps.begin(), d.steps.end(), 0.0,
                         [](double sum, const auto& step) { return sum + step.flops; });
}

// A network of labelled layers: h = sigmoid(x @ W + b), k = tanh(h @ V).
struct Net {
  Tape tape;
  Expr x = tape.input("x", {5, 6});
  Expr w = parameter("W", {6, 4}), b = parameter("b", {4}), v = parameter("V", {4, 3});
  Expr h = labelled("h", sigmoid(matmul(x, w) + b));
  Expr k = labelled("k", tanh(matmul(h, v)));

  Expr parameter(const std::string& name, Shape shape) {
    return tape.input(name, std::move(shape), InputKind::kParameter);
  }
  Expr labelled(const std::string& name, Expr e) {
    tape.label(e, name);
    return e;
  }
};

// ------------------------------------------------------------------ formulas read back
using Environment = std::map<std::string, std::int64_t>;

// "d[b,j] = h * (1 - h)" and the like as tensors; a formula without indices on its left: a scalar.
class Formulas {
 public:
  explicit Formulas(std::map<std::string, Tensor<double>> values) : values_(std::move(values)) {}

  void define(const std::string& line) {
    const std::size_t equals = line.find(" = ");
    const std::string left = line.substr(0, equals);
    definitions_[left.substr(0, left.find('['))] = {indices_in(left), line.substr(equals + 3)};
  }

  const Tensor<double>& value(const std::string& name) {
    if (const auto it = values_.find(name); it != values_.end()) return it->second;
    CAPTURE(name);
    REQUIRE(definitions_.contains(name));
    const auto [indices, text] = definitions_.at(name);
    return values_[name] = tensor(text, indices);
  }

  Tensor<double> tensor(const std::string& text, const Texts& indices) {
    Reader reader{*this, text, indices, {}};
    reader.find_sizes();
    std::vector<std::int64_t> sizes;
    for (const std::string& i : indices) sizes.push_back(reader.sizes.at(i));
    Tensor<double> result(Shape{sizes});
    for (std::int64_t at = 0; at < result.size(); ++at) {
      Environment e;
      std::int64_t rest = at;
      for (std::size_t i = indices.size(); i-- > 0; rest /= sizes[i])
        e[indices[i]] = rest % sizes[i];
      reader.at = 0;
      result.data[static_cast<std::size_t>(at)] = reader.addition(e);
      REQUIRE(reader.at == text.size());
    }
    return result;
  }

 private:
  // What stands in the brackets of "name[i,j]".
  static Texts indices_in(const std::string& text) {
    Texts result;
    const std::size_t open = text.find('[');
    if (open == text.npos) return result;
    std::string index;
    for (const char c : text.substr(open + 1))
      if (c == ',' || c == ']') {
        result.push_back(index);
        index.clear();
      } else {
        index += c;
      }
    return result;
  }

  struct Reader {
    Formulas& formulas;
    const std::string& text;
    const Texts& left;  // indices of names that stand without any
    std::map<std::string, std::int64_t> sizes;
    std::size_t at = 0;

    bool next(const std::string& token) {
      if (text.compare(at, token.size(), token) != 0) return false;
      at += token.size();
      return true;
    }
    std::string word() {
      const std::size_t from = at;
      while (at < text.size() &&
             (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '_'))
        ++at;
      return text.substr(from, at - from);
    }
    Texts brackets() {
      if (at >= text.size() || text[at] != '[') return {};
      const std::size_t from = at;
      at = text.find(']', at) + 1;
      return indices_in(text.substr(from, at - from));
    }
    // The sizes of all indices, from the tensors that they stand on.
    void find_sizes() {
      while (at < text.size()) {
        const std::string name = word();
        if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) {
          at += name.empty();
          continue;
        }
        const bool prefix = name.starts_with("sum_") || name.starts_with("mean_");
        if (prefix && text[at] == '{') at = text.find('}', at);
        if (prefix || (at < text.size() && text[at] == '(')) continue;
        Texts indices = brackets();
        if (name == "delta") continue;
        const Shape& shape = formulas.value(name).shape;
        if (indices.empty()) indices = left;
        if (shape.rank() == 0) continue;
        for (std::size_t i = 0; i < indices.size(); ++i)
          sizes[indices[i]] = shape[static_cast<int>(i)];
      }
    }
    double addition(Environment& e) {
      double result = sum(e);
      for (;;)
        if (next(" + "))
          result += sum(e);
        else if (next(" - "))
          result -= sum(e);
        else
          return result;
    }
    double sum(Environment& e) {
      if (next("-")) return -product(e);
      const bool mean = next("mean_");
      if (!mean && !next("sum_")) return product(e);
      const std::size_t end = text.find(' ', at);
      std::string list = text.substr(at, end - at);
      if (list[0] == '{') list = list.substr(1, list.size() - 2);
      at = end + 1;
      const Texts over = indices_in('[' + list + ']');
      const std::size_t body = at;
      double count = 0;
      const double total = summed(e, over, 0, body, count);
      return mean ? total / count : total;
    }
    double summed(Environment& e, const Texts& over, std::size_t i, std::size_t body,
                  double& count) {
      if (i == over.size()) {
        at = body;
        ++count;
        return product(e);
      }
      double total = 0;
      for (std::int64_t n = 0; n < sizes.at(over[i]); ++n) {
        e[over[i]] = n;
        total += summed(e, over, i + 1, body, count);
      }
      e.erase(over[i]);
      return total;
    }
    double product(Environment& e) {
      double result = power(e);
      for (;;)
        if (next(" * "))
          result *= power(e);
        else if (next(" / ") || next("/"))
          result /= power(e);
        else if (at + 1 < text.size() && text[at] == ' ' &&
                 (std::isalpha(static_cast<unsigned char>(text[at + 1])) || text[at + 1] == '('))
          result *= (++at, power(e));
        else
          return result;
    }
    double power(Environment& e) {
      const double base = atom(e);
      return next("^") ? std::pow(base, atom(e)) : base;
    }
    double atom(Environment& e) {
      if (text.compare(at, 4, "sum_") == 0 || text.compare(at, 5, "mean_") == 0) return sum(e);
      if (next("(")) {
        const double inner = addition(e);
        REQUIRE(next(")"));
        return inner;
      }
      if (std::isdigit(static_cast<unsigned char>(text[at]))) {
        std::size_t length = 0;
        const double number = std::stod(text.substr(at), &length);
        at += length;
        return number;
      }
      const std::string name = word();
      if (next("(")) {
        const double operand = addition(e);
        REQUIRE(next(")"));
        if (name == "cos") return std::cos(operand);
        if (name == "sin") return std::sin(operand);
        if (name == "tanh") return std::tanh(operand);
        REQUIRE(name == "sigmoid");
        return 1 / (1 + std::exp(-operand));
      }
      Texts indices = brackets();
      if (name == "delta") return e.at(indices[0]) == e.at(indices[1]) ? 1 : 0;
      const Tensor<double>& tensor = formulas.value(name);
      if (indices.empty() && tensor.shape.rank() > 0) indices = left;
      std::int64_t place = 0;
      REQUIRE(static_cast<int>(indices.size()) == tensor.shape.rank());
      for (std::size_t i = 0; i < indices.size(); ++i)
        place = place * tensor.shape[static_cast<int>(i)] + e.at(indices[i]);
      return tensor[place];
    }
  };

  std::map<std::string, Tensor<double>> values_;
  std::map<std::string, std::pair<Texts, std::string>> definitions_;
};

// Inputs and labelled nodes with their values.
std::map<std::string, Tensor<double>> named_values(Tape& tape) {
  Feed<double> feed;
  std::map<std::string, Tensor<double>> values;
  for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id) {
    const Node& node = tape.node(id);
    if (!is_input(node) || input_kind(node) == InputKind::kPlaceholder) continue;
    Tensor<double> value(node.shape);
    fill_normal(std::span<double>(value.data), 1, input_name(node), 0);
    values[input_name(node)] = feed[input_name(node)] = value;
  }
  for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id)
    if (const std::string& label = tape.label(id); !label.empty() && !is_input(tape.node(id)))
      values[label] = evaluate(tape.expr(id), feed);
  return values;
}

// The formula has the value of the cost as it was written, and so have the steps.
void check_values(Expr cost, Care care) {
  const Description d = described(cost, care);
  CAPTURE(d.formula);
  const auto values = named_values(*cost.tape);
  Feed<double> feed;
  for (const auto& [name, value] : values) feed[name] = value;
  const double exact = evaluate(cost, feed)[0];
  Formulas formula(values), steps(values);
  for (const std::string& line : d.where) {
    formula.define(line);
    steps.define(line);
  }
  CHECK(formula.tensor(d.formula, {})[0] == doctest::Approx(exact).epsilon(1e-5));
  std::string last;
  for (const auto& step : d.steps) {
    CAPTURE(step.text);
    last = step.text.substr(0, step.text.find_first_of(" ["));
    steps.define(step.text);  // of a part, in place of its formula
    CHECK(static_cast<double>(steps.value(last).size()) * 4 == step.bytes);
  }
  if (last.starts_with("p")) {
    CHECK(steps.tensor(d.formula, {})[0] == doctest::Approx(exact).epsilon(1e-5));
  } else if (d.formula.find(" + ") == d.formula.npos && !d.formula.ends_with(")^2")) {
    const bool number = std::isdigit(static_cast<unsigned char>(d.formula[0]));
    const double coefficient = number ? std::stod(d.formula) : 1;
    const double fraction = d.formula.starts_with("1/") ? std::stod(d.formula.substr(2)) : 1;
    CHECK(coefficient / fraction * steps.value(last)[0] == doctest::Approx(exact).epsilon(1e-5));
  }
}

}  // namespace

TEST_CASE("describe: one layer is the formula of the contractive autoencoder") {
  Net net;
  // Rifai et al. 2011, eq. 7: sum_j (h_j (1 - h_j))^2 sum_i W_ij^2, here the mean over a batch.
  const Description d = described(mean(sqnorm(jacobian(net.h, net.x))));
  CHECK(d.formula == "0.2 * sum_{b,i,j} d[b,j]^2 W[i,j]^2");
  CHECK(lines(d.where) == lines({"d[b,j] = h * (1 - h)"}));
  CHECK(lines(d.names) == lines({"W", "h"}));
  CHECK(steps_of(d) == lines({"s1[b,j] = d[b,j]^2", "s2[i,j] = W[i,j]^2", "s3[j] = sum_b s1[b,j]",
                              "s4[j] = sum_i s2[i,j]", "s5 = sum_j s3[j] s4[j]"}));
  CHECK(d.steps[2].flops == 20);
  CHECK(d.steps[3].flops == 24);
  CHECK(d.steps[2].bytes == 16);
  CHECK_FALSE(d.gram);
  CHECK_FALSE(d.expanded);
}

TEST_CASE("describe: logits of a tied autoencoder are two Gram matrices") {
  Net net;
  const Expr logits = matmul(net.h, transpose(net.w));
  const Description d = described(mean(sqnorm(jacobian(logits, net.x))));
  CHECK(d.formula == "0.2 * sum_{b,i,k} (sum_j W[k,j] d[b,j] W[i,j])^2");
  CHECK(lines(d.where) == lines({"d[b,j] = h * (1 - h)"}));
  CHECK(steps_of(d) == lines({"s1[j,j'] = sum_b d[b,j] d[b,j']  symmetric",
                              "s2[j,j'] = sum_k W[k,j] W[k,j']  symmetric", "s3[j,j'] = s2[j,j']^2",
                              "s4 = sum_{j,j'} s1[j,j'] s3[j,j']"}));
  CHECK(d.steps[0].flops == 5 * 4 * 4);
  CHECK(d.steps[1].flops == 6 * 4 * 4);  // half of two operations for each of i, j, j'
  CHECK(d.gram);
}

TEST_CASE("describe: two layers are a square of a product, by Gram matrices or formed") {
  Net net;
  const Expr cost = mean(sqnorm(jacobian(net.k, net.x)));
  const Description d = described(cost);
  CHECK(d.formula == "0.2 * sum_{b,i,k} (sum_j d2[b,k] V[j,k] d1[b,j] W[i,j])^2");
  CHECK(lines(d.where) == lines({"d1[b,j] = h * (1 - h)", "d2[b,k] = 1 - k^2"}));
  // The order may be another one day, but not the work: W'W, and X'X over examples and outputs.
  const std::string steps = steps_of(d);
  CHECK(steps.find("[j,j'] = sum_i W[i,j] W[i,j']  symmetric\n") != std::string::npos);
  CHECK(steps.find("[j,j'] = sum_{b,k} s") != std::string::npos);
  CHECK(step_flops(d) == 6 * 4 * 4 + 2 * 5 * 4 * 3 + 5 * 3 * 4 * 4 + 2 * 4 * 4);
  CHECK(d.gram);
  const Description careful = described(cost, Care::kCareful);
  CHECK(careful.formula == d.formula);
  // The product is formed for each example, output and input.
  CHECK(std::any_of(careful.steps.begin(), careful.steps.end(), [](const auto& s) {
    return s.flops == 2 * 5 * 3 * 6 * 4 && s.bytes == 5 * 3 * 6 * 4;
  }));
  CHECK_FALSE(careful.gram);
}

TEST_CASE("describe: a difference of encoders is one factor") {
  Net net;
  const Expr noisy = net.labelled("noisy", net.x + 0.1 * net.tape.input("noise", {5, 6}));
  const Expr h2 = net.labelled("h2", sigmoid(matmul(noisy, net.w) + net.b));
  const Description d = described(mean(sqnorm(jacobian(net.h, net.x) - jacobian(h2, noisy))));
  CHECK(d.formula == "0.2 * sum_{b,i,j} d[b,j]^2 W[i,j]^2");
  CHECK(lines(d.where) == lines({"d[b,j] = h * (1 - h) - h2 * (1 - h2)"}));
  CHECK_FALSE(d.gram);
}

TEST_CASE("describe: the Jacobian of a softmax is formed per example") {
  Net net;
  const Expr p = net.labelled("p", softmax(matmul(net.x, net.w)));
  const Description d = described(mean(sqnorm(jacobian(p, net.x))));
  CHECK(d.formula == "0.2 * sum_{b,i,k} (sum_j d[k,b,j] W[i,j])^2");
  REQUIRE(!d.where.empty());
  CHECK(d.where[0].starts_with("d[k,b,j] = "));
  CHECK(d.where[0].find("delta[k,j]") != std::string::npos);
  CHECK(d.where[0].find("p[b,k]") != std::string::npos);
  // What is formed stands among the steps.
  CHECK(std::any_of(d.steps.begin(), d.steps.end(),
                    [](const auto& s) { return s.bytes == 4 * 4 * 5 * 4; }));
}

TEST_CASE("describe: a skip connection gives several terms, and its square is expanded") {
  Net net;
  const Expr r = net.x + matmul(net.h, transpose(net.w));
  const Description d = described(mean(sqnorm(jacobian(r, net.x))));
  CHECK(d.formula ==
        "6 + 0.2 * sum_{b,i,k} (sum_j W[k,j] d[b,j] W[i,j])^2 + 0.4 * sum_{b,i,j} d[b,j] W[i,j]^2");
  CHECK(d.expanded);
  const Description minus = described(2.0 - sum(trace(jacobian(r, net.x))));
  CHECK(minus.formula == "2 - p1");
}

TEST_CASE("describe: parts of a larger expression have names") {
  Net net;
  const Description d = described(mean(square(net.h - 0.5)) + mean(norm(jacobian(net.h, net.x))));
  CHECK(d.formula == "mean_{b,i} (h[b,i] - 0.5)^2 + mean_b where(0 < p1[b], sqrt(p1[b]), 0)");
  CHECK(lines(d.where) == lines({"p1[b] = sum_{i,j} d[b,j]^2 W[i,j]^2", "d[b,j] = h * (1 - h)"}));
  CHECK(d.steps.back().text == "p1[b] = sum_j s1[b,j] s3[j]");
}

TEST_CASE("describe: layers without names are written out, once") {
  Tape tape;
  const Expr x = tape.input("x", {5, 6});
  const Expr w = tape.input("W", {6, 4}, InputKind::kParameter);
  const auto where = [&](Expr h) { return lines(described(mean(sqnorm(jacobian(h, x)))).where); };
  CHECK(where(relu(matmul(x, w))) == lines({"d[b,j] = 0 < sum_i x[b,i] W[i,j]"}));
  CHECK(where(sigmoid(matmul(x, w))) ==
        lines({"d[b,j] = u1 * (1 - u1)", "u1[b,j] = sigmoid(sum_i x[b,i] W[i,j])"}));
}

TEST_CASE("describe: a factor that is larger than what it is made of is formed in steps") {
  Net net;
  const Expr centred = net.h - mean(net.h, {1}, true);
  const Description d = described(mean(sqnorm(jacobian(centred, net.x))));
  CHECK(d.formula == "0.2 * sum_{b,i,k} (sum_j d2[k,j] d1[b,j] W[i,j])^2");
  CHECK(lines(d.where) == lines({"d1[b,j] = h * (1 - h)", "d2[k,j] = delta[k,j] - 0.25"}));
  CHECK(steps_of(d).find(" = delta[i,j] - 0.25\n") != std::string::npos);
}

TEST_CASE("describe: names of the user are not given to anything else") {
  Net net;
  const Expr d = net.labelled("d", sigmoid(matmul(net.x, net.parameter("s1", {6, 2}))));
  const Description told = described(mean(sqnorm(jacobian(d, net.x))));
  CHECK(lines(told.where) == lines({"d1[b,j] = d * (1 - d)"}));
  CHECK(told.steps[0].text == "s2[b,j] = d1[b,j]^2");
}

TEST_CASE("describe: axes of one element have no index, and none of nothing is no mistake") {
  for (const std::int64_t batch : {0, 1, 3})
    for (const std::int64_t in : {1, 2})
      for (const std::int64_t out : {1, 2}) {
        CAPTURE(batch);
        CAPTURE(in);
        CAPTURE(out);
        Tape tape;
        const Expr x = tape.input("x", {batch, in});
        const Expr w = tape.input("W", {in, out}, InputKind::kParameter);
        const Expr h = sigmoid(matmul(x, w));
        tape.label(h, "h");
        const auto d = algebra::describe(simplify({sum(sqnorm(jacobian(h, x)))}), 4);
        if (batch == 3 && in == 2 && out == 1) {
          REQUIRE(d.has_value());
          CHECK(d->formula == "sum_{b,i} d[b]^2 W[i]^2");
        }
      }
}

TEST_CASE("describe: what has no structure is not described") {
  Net net;
  CHECK_FALSE(algebra::describe(simplify({mean(square(net.h - 0.5))}), 4).has_value());
  CHECK_FALSE(algebra::describe(simplify({sum(square(net.w))}), 4).has_value());
}

TEST_CASE("describe: the steps add up to the FLOPs of the best known orders") {
  // With half the work for symmetric results. Elementwise work on the way is included: 2 %.
  const auto value_flops = [](std::vector<std::int64_t> sizes, std::int64_t batch, bool tied) {
    Tape tape;
    const Expr x = tape.input("x", {batch, sizes[0]});
    Expr e = x;
    for (std::size_t i = 1; i < sizes.size(); ++i)
      e = sigmoid(matmul(e, tape.input(cat('W', i), {sizes[i - 1], sizes[i]})));
    if (tied) e = matmul(e, transpose(tape.input("W1", {sizes[0], sizes[1]})));
    return step_flops(described(mean(sqnorm(jacobian(e, x)))));
  };
  CHECK(value_flops({784, 1000}, 100, false) == doctest::Approx(1.77e6).epsilon(0.02));
  CHECK(value_flops({784, 500, 250}, 100, false) == doctest::Approx(6.47e9).epsilon(0.02));
  CHECK(value_flops({784, 500, 250, 100}, 100, false) == doctest::Approx(5.21e9).epsilon(0.02));
  CHECK(value_flops({784, 500, 250, 100, 30}, 100, false) == doctest::Approx(1.85e9).epsilon(0.02));
  CHECK(value_flops({784, 1000}, 100, true) == doctest::Approx(8.87e8).epsilon(0.02));
}

TEST_CASE("describe: formulas and steps have the values of what they describe") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto pick = [&](int low, int high) {
      return std::uniform_int_distribution<int>(low, high)(random);
    };
    Tape tape;
    const Expr x = tape.input("x", {pick(2, 3), pick(2, 4)});
    const auto layer = [&](Expr e, int number, std::int64_t out) {
      Expr a = matmul(e, tape.input(cat('W', number), {e.shape()[1], out}, InputKind::kParameter));
      if (pick(0, 1) == 0) a = a + tape.input(cat('b', number), {out}, InputKind::kParameter);
      const int which = pick(0, number == 1 ? 2 : 3);  // not all of them linear
      Expr h = which == 0 ? sigmoid(a) : which == 1 ? tanh(a) : which == 2 ? sin(a) : a;
      if (pick(0, 1) == 0) tape.label(h, cat('h', number));
      return h;
    };
    Expr e = x;
    const int depth = pick(1, 3);
    for (int i = 1; i <= depth; ++i) e = layer(e, i, pick(2, 4));
    const bool square_jacobian = pick(0, 1) == 0;
    if (square_jacobian) e = layer(e, depth + 1, x.shape()[1]);
    if (square_jacobian && pick(0, 1) == 0) e = e + x;
    const Expr J = jacobian(e, x);
    const int form = pick(0, square_jacobian ? 3 : 2);
    const Expr cost = form == 0   ? mean(sqnorm(J))
                      : form == 1 ? sum(sqnorm(matvec(J, tape.input("v", x.shape()))))
                      : form == 2 ? mean(square(sqnorm(J)))
                                  : mean(trace(J));
    for (const Care care : {Care::kFast, Care::kCareful}) check_values(cost, care);
  }
}

TEST_CASE("describe: numbers are short where that is exact") {
  CHECK(algebra::short_number(0.01) == "0.01");
  CHECK(algebra::short_number(1.0 / 784) == "1/784");
  CHECK(algebra::short_number(-1.0 / 3) == "-1/3");
  CHECK(algebra::short_number(std::sqrt(2.0)) == "1.41421");
  CHECK(algebra::short_number(100) == "100");
}
