// Plans against the plain interpreter, on random programs.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/passes.hpp"
#include "autodiff/plan.hpp"
#include "tests/support/random_program.hpp"
#include "tests/support/run_plan.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

// Of every other program all that it computes, of the others the cost and its gradients alone, so
// that the plan may use memory again.
std::vector<Expr> roots_of(const RandomProgram& p, std::uint64_t seed) {
  std::vector<Expr> roots = gradient(p.cost, p.parameters);
  roots.insert(roots.begin(), p.cost);
  if (seed % 2 == 0) roots.insert(roots.end(), p.values.begin(), p.values.end());
  return roots;
}

// The values of random programs stay near 1, so that one bound serves all of them.
template <class T>
bool near(const std::vector<T>& got, const Tensor<Quad>& want) {
  if (static_cast<std::int64_t>(got.size()) != want.size()) return false;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double exact = static_cast<double>(want.data[i]);
    const double bound = 2000 * static_cast<double>(std::numeric_limits<T>::epsilon());
    if (!(std::abs(static_cast<double>(got[i]) - exact) <= bound * (1 + std::abs(exact))))
      return false;
  }
  return true;
}

template <class T>
void check_random_programs(const PlanOptions& options, std::uint64_t first, std::uint64_t count) {
  ThreadPool pool(1);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    CAPTURE(seed);
    Tape tape;
    const RandomProgram p = random_program(tape, seed);
    const std::vector<Expr> roots = roots_of(p, seed);
    const RunContext context{.seed = seed, .step = 3};
    const auto exact = Interpreter<Quad>(tape, roots).run(testing::cast<Quad>(p.feed), context);
    const auto got = run_plan<T>(tape, roots, p.feed, pool, options, context);
    for (std::size_t r = 0; r < roots.size(); ++r) {
      CAPTURE(tape.describe(roots[r].id));
      CHECK(near(got[r], exact[r]));
    }
  }
}

}  // namespace

TEST_CASE("plan: random programs and their gradients have the plain interpreter's values") {
  check_random_programs<double>({}, 0, 150);
  check_random_programs<float>({}, 0, 150);
}

TEST_CASE("plan: no value is read before it is written or after its end") {
  check_random_programs<double>({.poison = true}, 1000, 100);
  check_random_programs<float>({.poison = true}, 1000, 100);
}

TEST_CASE("plan: a copy is read before something is written over what it copies") {
  ThreadPool pool(1);
  Tape tape;
  const Shape shape{40, 40};
  const Expr x = tape.input("x", shape), a = tape.input("a", shape), b = tape.input("b", shape);
  const Expr y = stop_gradient(matmul(x, b)), w = a * a, z = y + w;
  Feed<double> feed;
  for (const char* name : {"x", "a", "b"}) {
    Tensor<double> values(shape, 0.0);
    for (std::size_t i = 0; i < values.data.size(); ++i)
      values.data[i] = static_cast<double>((i * 7 + feed.size()) % 5);
    feed.emplace(name, values);
  }
  for (const std::vector<Expr>& roots :
       {std::vector<Expr>{w, z}, std::vector<Expr>{matmul(w, z)}}) {
    const auto exact = Interpreter<Quad>(tape, roots).run(testing::cast<Quad>(feed), {});
    const PlanOptions options{.without_passes = {"following"}};
    const auto got = run_plan<double>(tape, roots, feed, pool, options, {});
    for (std::size_t r = 0; r < roots.size(); ++r) CHECK(near(got[r], exact[r]));
  }
}

TEST_CASE("plan: the values are the same with every pass switched off") {
  for (const Pass& pass : all_passes()) {
    CAPTURE(pass.name);
    check_random_programs<double>({.without_passes = {std::string(pass.name)}}, 2000, 60);
    check_random_programs<float>({.without_passes = {std::string(pass.name)}}, 2000, 60);
  }
}

TEST_CASE("plan: without products and passes the bits are those of the plain interpreter") {
  PlanOptions options{.poison = true};
  for (const Pass& pass : all_passes()) options.without_passes.emplace_back(pass.name);
  ThreadPool pool(1);
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    Tape tape;
    const RandomProgram p = random_program(tape, seed, {.contractions = false});
    const std::vector<Expr> roots = roots_of(p, seed);
    const RunContext context{.seed = 7, .step = seed};
    const auto plain = Interpreter<double>(tape, roots).run(p.feed, context);
    const auto planned = run_plan<double>(tape, roots, p.feed, pool, options, context);
    const auto plain_float =
        Interpreter<float>(tape, roots).run(testing::cast<float>(p.feed), context);
    const auto planned_float = run_plan<float>(tape, roots, p.feed, pool, options, context);
    for (std::size_t r = 0; r < roots.size(); ++r) {
      CHECK(planned[r] == plain[r].data);
      CHECK(planned_float[r] == plain_float[r].data);
    }
  }
}

TEST_CASE("plan: one, two and three threads give the same bits") {
  ThreadPool one(1), two(2), three(3);
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    Tape tape;
    const RandomProgram p = random_program(tape, seed);
    const std::vector<Expr> roots = roots_of(p, seed);
    const auto first = run_plan<float>(tape, roots, p.feed, one);
    CHECK(run_plan<float>(tape, roots, p.feed, two) == first);
    CHECK(run_plan<float>(tape, roots, p.feed, three) == first);
    CHECK(run_plan<double>(tape, roots, p.feed, three) ==
          run_plan<double>(tape, roots, p.feed, one));
  }
}
