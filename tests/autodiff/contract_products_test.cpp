#include "autodiff/ops/contract_products.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/pool.hpp"
#include "autodiff/tensor.hpp"
#include "autodiff/work.hpp"
#include "tests/support/random.hpp"
#include "tests/support/run_plan.hpp"

using namespace jacquard;
using jacquard::testing::Random;

namespace {

constexpr std::int64_t kCanary = 64;

// Memory between two fences, all of it NaN, so that reading before writing and writing beside it
// both show.
template <class T>
class Fenced {
 public:
  explicit Fenced(std::int64_t count)
      : count_(count),
        memory_(static_cast<std::size_t>(count + 2 * kCanary),
                std::numeric_limits<T>::quiet_NaN()) {
    std::fill_n(memory_.begin(), kCanary, T(77));
    std::fill_n(memory_.end() - kCanary, kCanary, T(77));
  }
  T* data() { return memory_.data() + kCanary; }
  std::vector<T> values() const {
    return {memory_.begin() + kCanary, memory_.begin() + kCanary + count_};
  }
  bool intact() const {
    const auto fence = [](T x) { return x == T(77); };
    return std::all_of(memory_.begin(), memory_.begin() + kCanary, fence) &&
           std::all_of(memory_.end() - kCanary, memory_.end(), fence);
  }

 private:
  std::int64_t count_;
  std::vector<T> memory_;
};

struct Contraction {
  std::string text;
  std::vector<Shape> shapes;
};

// Any mix of indices: of both operands and the result (batch), of one and the result (rows,
// columns), of both and not the result (inner), of one alone, repeated within one.
Contraction random_contraction(Random& random) {
  constexpr std::array<std::int64_t, 9> kSizes = {1, 2, 2, 3, 3, 5, 5, 17, 0};
  const std::int64_t letters = 1 + random.below(6);
  std::array<std::int64_t, 6> size{};
  std::int64_t total = 1;
  for (std::int64_t i = 0; i < letters; ++i) {
    const std::int64_t n =
        kSizes[static_cast<std::size_t>(random.below(random.below(4) == 0 ? 9 : 8))];
    size[static_cast<std::size_t>(i)] = total * n > 3000 ? 1 : n;
    total *= std::max<std::int64_t>(1, size[static_cast<std::size_t>(i)]);
  }
  Contraction result;
  std::string seen;
  const bool regular = random.below(3) != 0;  // no repeated and no private indices
  std::array<std::string, 2> labels;
  std::string output;
  for (std::int64_t i = 0; i < letters; ++i) {
    const char c = static_cast<char>('a' + i);
    auto where =
        static_cast<std::size_t>(1 + random.below(3));  // bit 0: in the first, bit 1: in the second
    const bool kept = random.coin();
    if (regular && !kept) where = 3;
    for (std::size_t k = 0; k < 2; ++k)
      if (where & (k + 1)) labels[k] += std::string(!regular && random.below(6) == 0 ? 2 : 1, c);
    if (kept) output += c;
  }
  const auto shuffle = [&](std::string& s) {
    for (std::size_t i = s.size(); i > 1; --i)
      std::swap(s[i - 1], s[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(i)))]);
  };
  for (std::string& s : labels) shuffle(s);
  shuffle(output);
  result.text = labels[0] + ',' + labels[1] + "->" + output;
  for (const std::string& s : labels) {
    std::vector<std::int64_t> sizes;
    for (const char c : s) sizes.push_back(size[static_cast<std::size_t>(c - 'a')]);
    result.shapes.emplace_back(std::move(sizes));
  }
  return result;
}

template <class T>
Prepared<T> prepared(const Op& op, const ShapeCall& call) {
  if constexpr (std::is_same_v<T, float>)
    return op.prepare_float(call);
  else
    return op.prepare_double(call);
}

template <class T>
std::vector<T> run_prepared(Expr e, const std::vector<Operand<T>>& in, ThreadPool& pool) {
  const Node& node = e.tape->node(e);
  std::vector<const Shape*> shapes;
  for (const Operand<T>& o : in) shapes.push_back(o.shape);
  const Prepared<T> call = prepared<T>(*node.op, {shapes, node.shape, node.attributes});
  Fenced<T> out(node.shape.size()), workspace(call.workspace);
  const RunContext context{.pool = &pool};
  call.run({in, node.shape, out.data(), node.attributes, context, workspace.data()});
  CHECK(out.intact());
  CHECK(workspace.intact());
  return out.values();
}

template <class T>
std::vector<T> run_plain(Expr e, const std::vector<Operand<T>>& in) {
  const Node& node = e.tape->node(e);
  Tensor<T> out(node.shape);
  node.op->kernel(KernelCall<T>{in, node.shape, out.data.data(), node.attributes, RunContext{}});
  return out.data;
}

// The largest error in units of rounding: each of the products and each addition rounds once.
template <class T>
double worst_error(const Contraction& c, Random& random, ThreadPool& pool) {
  Tape tape;
  std::vector<Expr> in;
  std::vector<Tensor<T>> values;
  std::vector<Tensor<double>> exact, absolute;
  for (const Shape& shape : c.shapes) {
    in.push_back(tape.input(cat("in", in.size()), shape));
    values.push_back(random.tensor<T>(shape));
    exact.push_back(cast<double>(values.back()));
    absolute.push_back(exact.back());
    for (double& x : absolute.back().data) x = std::abs(x);
  }
  const Expr e = contract(c.text, in);
  std::vector<Operand<T>> operands;
  std::vector<Operand<double>> exact_operands, absolute_operands;
  for (std::size_t k = 0; k < values.size(); ++k) {
    operands.push_back({&values[k].shape, values[k].data.data()});
    exact_operands.push_back({&exact[k].shape, exact[k].data.data()});
    absolute_operands.push_back({&absolute[k].shape, absolute[k].data.data()});
  }
  const std::vector<T> got = run_prepared<T>(e, operands, pool);
  const std::vector<double> want = run_plain<double>(e, exact_operands);
  const std::vector<double> size = run_plain<double>(e, absolute_operands);
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double off = std::abs(static_cast<double>(got[i]) - want[i]);
    const double unit = size[i] * static_cast<double>(std::numeric_limits<T>::epsilon());
    if (off != off) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, off == 0 ? 0 : off / unit);
  }
  return worst;
}

// The same call with the knowledge that axes p and q of the result may be exchanged.
Expr with_symmetry(Expr e, std::int64_t p, std::int64_t q) {
  const Node& node = e.tape->node(e);
  std::vector<Expr> in;
  for (const NodeId id : node.inputs) in.push_back(e.tape->expr(id));
  return e.tape->append(*node.op, in,
                        {{"subscripts", node.attributes.text("subscripts")},
                         {"symmetric", std::vector<std::int64_t>{p, q}}});
}

std::vector<std::string> orders(std::string sorted) {
  std::vector<std::string> all;
  do all.push_back(sorted);
  while (std::ranges::next_permutation(sorted).found);
  return all;
}

}  // namespace

TEST_CASE(
    "contract products: a prepared call gives the plain kernel's value for any two operands") {
  Random random(11);
  ThreadPool pool(2);
  for (int i = 0; i < 6000; ++i) {
    const Contraction c = random_contraction(random);
    CAPTURE(i);
    CAPTURE(c.text);
    CAPTURE(c.shapes[0]);
    CAPTURE(c.shapes[1]);
    // Up to 3000 terms, whose roundings mostly cancel.
    REQUIRE(worst_error<float>(c, random, pool) < 60);
    REQUIRE(worst_error<double>(c, random, pool) < 60);
  }
}

TEST_CASE("contract products: every order of the axes of a batched product is right") {
  Random random(5);
  ThreadPool pool(1);
  const std::array<std::int64_t, 128> size = [] {
    std::array<std::int64_t, 128> s{};
    s['b'] = 3, s['i'] = 17, s['j'] = 5, s['k'] = 2;
    return s;
  }();
  const auto shape_of = [&](const std::string& labels) {
    std::vector<std::int64_t> sizes;
    for (const char c : labels) sizes.push_back(size[static_cast<std::size_t>(c)]);
    return Shape(std::move(sizes));
  };
  for (const std::string& l : orders("bij"))
    for (const std::string& r : orders("bjk"))
      for (const std::string& o : orders("bik")) {
        const Contraction c{l + ',' + r + "->" + o, {shape_of(l), shape_of(r)}};
        CAPTURE(c.text);
        CHECK(worst_error<float>(c, random, pool) < 20);
        CHECK(worst_error<double>(c, random, pool) < 20);
      }
}

TEST_CASE("contract products: the plain orders of a matrix product need no scratch memory") {
  Tape tape;
  const auto workspace = [&](const char* text, const Shape& a, const Shape& b) {
    const Expr e = contract(text, {tape.input(cat("a", a), a), tape.input(cat("b", b), b)});
    const std::array<const Shape*, 2> in = {&a, &b};
    return prepare_contraction<float>({in, e.shape(), e.tape->node(e).attributes}).workspace;
  };
  for (const std::int64_t n : {1, 2, 5, 17}) {
    CAPTURE(n);
    CHECK(workspace("bi,ij->bj", {n, 3}, {3, 4}) == 0);
    CHECK(workspace("bi,ji->bj", {n, 3}, {4, 3}) == 0);
    CHECK(workspace("bi,bj->ij", {n, 3}, {n, 4}) == 0);
    CHECK(workspace("bi,bj->ji", {n, 3}, {n, 4}) == 0);
    CHECK(workspace("bij,bjk->bik", {n, 3, 2}, {n, 2, 5}) == 0);
    CHECK(workspace("bij,j->bi", {n, 3, 2}, {2}) == 0);
    CHECK(workspace("bij,bj->bi", {n, 3, 2}, {n, 2}) == 0);
    CHECK(workspace("bij,jk->bik", {n, 3, 2}, {2, 5}) == 0);
    CHECK(workspace("bij,kj->bik", {n, 3, 2}, {5, 2}) == 0);
    CHECK(workspace("bi,bi->b", {n, 3}, {n, 3}) == 0);
  }
}

TEST_CASE("contract products: the bits are the same for one, two and three threads") {
  Random random(3);
  ThreadPool one(1), two(2), three(3);
  for (const Contraction& c :
       std::vector<Contraction>{{"bi,ij->bj", {Shape{100, 300}, Shape{300, 90}}},
                                {"bij,bkj->bik", {Shape{30, 20, 40}, Shape{30, 50, 40}}},
                                {"bij,bjk->kbi", {Shape{30, 20, 40}, Shape{30, 40, 7}}},
                                {"ab,b->a", {Shape{700, 300}, Shape{300}}},
                                {"aab,bc->ac", {Shape{40, 40, 30}, Shape{30, 60}}},
                                {"ab,cd->dacb", {Shape{20, 30}, Shape{40, 5}}}}) {
    CAPTURE(c.text);
    Tape tape;
    const Shape &a = c.shapes[0], &b = c.shapes[1];
    const Expr e = contract(c.text, {tape.input("a", a), tape.input("b", b)});
    const Tensor<float> x = random.tensor<float>(a), y = random.tensor<float>(b);
    const std::vector<Operand<float>> in = {{&x.shape, x.data.data()}, {&y.shape, y.data.data()}};
    const std::vector<float> first = run_prepared<float>(e, in, one);
    CHECK(run_prepared<float>(e, in, two) == first);
    CHECK(run_prepared<float>(e, in, three) == first);
    CHECK(worst_error<double>(c, random, three) < 60);
  }
}

TEST_CASE(
    "contract products: a symmetric result is exactly symmetric and agrees with the plain kernel") {
  Random random(17);
  ThreadPool one(1), three(3);
  struct Gram {
    const char* text;
    Shape x;
    std::int64_t p, q;
  };
  for (const Gram& g : std::vector<Gram>{{"ik,jk->ij", {90, 30}, 0, 1},
                                         {"ik,jk->ji", {7, 300}, 1, 0},
                                         {"ki,kj->ij", {30, 120}, 0, 1},
                                         {"bik,bjk->bij", {5, 70, 40}, 1, 2},
                                         {"bik,bjk->ijb", {3, 70, 40}, 0, 1},
                                         {"bki,bkj->ibj", {4, 20, 80}, 2, 0},
                                         {"ikl,jkl->ij", {66, 8, 9}, 0, 1},
                                         {"ik,jk->ij", {1, 30}, 0, 1},
                                         {"ik,jk->ij", {0, 30}, 0, 1}}) {
    CAPTURE(g.text);
    Tape tape;
    const Expr x = tape.input("x", g.x);
    const Expr e = with_symmetry(contract(g.text, {x, x}), g.p, g.q);
    const Tensor<double> value = random.tensor<double>(g.x);
    const std::vector<Operand<double>> in(2, {&value.shape, value.data.data()});
    const std::vector<double> got = run_prepared<double>(e, in, three);
    const std::vector<double> want = run_plain<double>(e, in);
    CHECK(run_prepared<double>(e, in, one) == got);
    double worst = 0;
    for (std::size_t i = 0; i < got.size(); ++i)
      worst = std::max(worst, std::abs(got[i] - want[i]));
    CHECK(worst < 1e-12);
    std::vector<std::int64_t> order;
    for (int axis = 0; axis < e.shape().rank(); ++axis) order.push_back(axis);
    std::swap(order[static_cast<std::size_t>(g.p)], order[static_cast<std::size_t>(g.q)]);
    const Feed<double> feed{{"result", Tensor<double>(e.shape(), got)}};
    CHECK(evaluate(transpose(tape.input("result", e.shape()), order), feed).data == got);
  }
}

TEST_CASE("contract products: symmetry is used where its axes are the rows and the columns") {
  // The attribute is a lie here, so that a result that is symmetric tells of its use.
  Random random(18);
  ThreadPool pool(1);
  const auto used = [&](const char* text, const Shape& a, const Shape& b, std::int64_t p,
                        std::int64_t q) {
    Tape tape;
    const Expr plain = contract(text, {tape.input("a", a), tape.input("b", b)});
    const Tensor<double> x = random.tensor<double>(a), y = random.tensor<double>(b);
    const std::vector<Operand<double>> in{{&x.shape, x.data.data()}, {&y.shape, y.data.data()}};
    return run_prepared<double>(with_symmetry(plain, p, q), in, pool) !=
           run_prepared<double>(plain, in, pool);
  };
  CHECK(used("ik,jk->ij", {70, 9}, {70, 9}, 0, 1));
  CHECK(used("ik,jk->ij", {7, 9}, {7, 9}, 1, 0));
  CHECK(used("ik,jk->ji", {7, 9}, {7, 9}, 0, 1));
  CHECK(used("bik,bkj->bij", {3, 7, 9}, {3, 9, 7}, 1, 2));
  CHECK(used("ikb,jkb->ibj", {7, 9, 3}, {7, 9, 3}, 0, 2));
  CHECK(!used("bik,bkj->bij", {7, 7, 9}, {7, 9, 7}, 0, 1));  // batch and rows
  CHECK(!used("bik,bkj->bij", {7, 7, 9}, {7, 9, 7}, 1, 0));
  CHECK(!used("bcik,bckj->bcij", {3, 3, 7, 9}, {3, 3, 9, 7}, 0, 1));
  CHECK(!used("iak,jk->iaj", {7, 2, 9}, {7, 9}, 0, 2));  // two axes are the rows
  CHECK(!used("iak,jbk->iajb", {7, 2, 9}, {7, 2, 9}, 0, 2));
}

TEST_CASE("contract products: derivatives, plans and examples ignore that a result is symmetric") {
  Tape tape;
  const Expr x = tape.input("x", {5, 80, 6});
  const Expr plain = contract("bik,bjk->bij", {x, x}), known = with_symmetry(plain, 1, 2);
  const Feed<double> feed = testing::random_feed<double>({plain}, 3);
  const auto slope = [&](Expr gram) { return gradient(sum(square(square(gram))), {x})[0]; };
  const std::vector<double> want = evaluate(slope(plain), feed).data;
  CHECK(evaluate(slope(known), feed).data == want);
  ThreadPool pool(2);
  const std::vector<double> got = testing::run_plan<double>(tape, {slope(known)}, feed, pool)[0];
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    worst = std::max(worst, std::abs(got[i] - want[i]));
    largest = std::max(largest, std::abs(want[i]));
  }
  CHECK(worst < 1e-13 * largest);
}

TEST_CASE("contract products: a contraction known to be symmetric counts half its operations") {
  Tape tape;
  const Expr x = tape.input("x", {70, 30}), gram = contract("ik,jk->ij", {x, x});
  CHECK(flops(tape, gram.id) == 2 * 70 * 70 * 30);
  CHECK(flops(tape, with_symmetry(gram, 0, 1).id) == 70 * 70 * 30);
}

TEST_CASE("contract products: axes that cannot be exchanged are refused") {
  Tape tape;
  const Expr x = tape.input("x", {4, 30});
  const Expr square = contract("ik,jk->ij", {x, x}),
             flat = contract("ik,jk->ij", {x, tape.input("y", {5, 30})});
  for (const auto& [e, p, q] : std::vector<std::tuple<Expr, std::int64_t, std::int64_t>>{
           {square, 0, 0}, {square, 0, 2}, {square, -1, 1}, {flat, 0, 1}}) {
    CHECK_THROWS_AS(with_symmetry(e, p, q), InternalError);
  }
  CHECK_THROWS_WITH_AS(
      with_symmetry(flat, 0, 1),
      "contract: the attributes subscripts=\"ab,cb->ac\", symmetric=[0, 1] do not fit the result "
      "[4, 5]; symmetric takes two different axes of equal size",
      InternalError);
}
