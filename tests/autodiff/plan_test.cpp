#include "autodiff/plan.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/run_plan.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("plan: an update writes into the memory that is bound, run after run") {
  Tape tape;
  ThreadPool pool(1);
  const Expr W = tape.input("W", {2, 3}, InputKind::kParameter), x = tape.input("x", {3});
  const Expr cost = sum(square(W - x));
  const Program program{{cost}, {{W, W - 0.25 * gradient(cost, {W})[0]}}, {cost}};
  Plan<double> plan(tape, program, pool);
  std::vector<double> w = {1, 2, 3, 4, 5, 6};
  const std::vector<double> data = {1, 0, -1};
  plan.bind("W", w);
  plan.bind_constant("x", data);
  CHECK(plan.run(0, 0));
  CHECK(plan.scalar(0) == 0 + 4 + 16 + 9 + 25 + 49);
  // W - (W - x) / 2
  CHECK(w == std::vector<double>{1, 1, 1, 2.5, 2.5, 2.5});
  CHECK(plan.run(0, 1));
  CHECK(plan.scalar(0) == (0 + 4 + 16 + 9 + 25 + 49) / 4.0);
}

TEST_CASE("plan: updates of one run see the values of before it") {
  Tape tape;
  ThreadPool pool(1);
  const Expr V = tape.input("V", {2, 2}, InputKind::kParameter);
  const Expr W = tape.input("W", {2, 2}, InputKind::kParameter);
  const Expr S = tape.input("S", {4}, InputKind::kState);
  const Expr x = tape.input("x", {4});
  const Feed<double> feed = {{"V", {{2, 2}, {1, 2, 3, 4}}},
                             {"W", {{2, 2}, {5, 6, 7, 8}}},
                             {"S", {{4}, {9, 9, 9, 9}}},
                             {"x", {{4}, {-1, -2, -3, -4}}}};
  SUBCASE("two that change places") {
    BoundPlan<double> plan(tape, {{W, W * V}, {{W, V}, {V, W}}, {}}, feed, pool);
    for (int i = 0; i < 3; ++i) {
      const std::vector<double> v = plan.input("V"), w = plan.input("W");
      CHECK(plan.run());
      CHECK(plan.input("V") == w);
      CHECK(plan.input("W") == v);
      CHECK(plan.output(0) == w);  // an output is the value of before the updates, too
      CHECK(plan.output(1) == std::vector<double>{5, 12, 21, 32});
    }
  }
  SUBCASE("a chain of reshapes") {
    BoundPlan<double> plan(
        tape, {{}, {{S, reshape(W, Shape{4})}, {W, reshape(x, Shape{2, 2})}}, {}}, feed, pool);
    CHECK(plan.run());
    CHECK(plan.input("S") == std::vector<double>{5, 6, 7, 8});
    CHECK(plan.input("W") == std::vector<double>{-1, -2, -3, -4});
    CHECK(plan.input("x") == std::vector<double>{-1, -2, -3, -4});
  }
  SUBCASE("a round of three") {
    const Expr s = reshape(S, Shape{2, 2});
    BoundPlan<double> plan(tape, {{s}, {{W, s}, {V, W}, {S, reshape(V, Shape{4})}}, {}}, feed,
                           pool);
    CHECK(plan.run());
    CHECK(plan.input("W") == std::vector<double>{9, 9, 9, 9});
    CHECK(plan.input("V") == std::vector<double>{5, 6, 7, 8});
    CHECK(plan.input("S") == std::vector<double>{1, 2, 3, 4});
    CHECK(plan.output(0) == std::vector<double>{9, 9, 9, 9});
  }
  SUBCASE("one that stays what it is, and one that becomes constant") {
    BoundPlan<double> plan(tape, {{}, {{W, W}, {S, full(tape, {4}, 0.5)}}, {}}, feed, pool);
    CHECK(plan.run());
    CHECK(plan.run());
    CHECK(plan.input("W") == std::vector<double>{5, 6, 7, 8});
    CHECK(plan.input("S") == std::vector<double>{0.5, 0.5, 0.5, 0.5});
  }
}

TEST_CASE("plan: making one leaves the tape as it is") {
  Tape tape;
  ThreadPool pool(1);
  const Expr W = tape.input("W", {2}, InputKind::kParameter);
  const Expr V = tape.input("V", {2}, InputKind::kParameter);
  const std::size_t size = tape.size();
  const Plan<float> plan(tape, {{W}, {{W, V}, {V, W}}, {}}, pool);
  CHECK(tape.size() == size);
}

TEST_CASE("plan: updates of what is no parameter, of another shape or twice are internal errors") {
  Tape tape;
  ThreadPool pool(1);
  const Expr W = tape.input("W", {2}, InputKind::kParameter), x = tape.input("x", {2});
  const auto error = [&](const std::vector<Update>& updates) {
    return error_of([&] { Plan<float>(tape, {{}, updates, {}}, pool); });
  };
  CHECK(error({{x, W}}) ==
        "plan: the update of %1 'x' [2] by a value of shape [2]; a parameter or a state is updated "
        "by a value of its shape");
  CHECK(error({{W, sum(W)}}) ==
        "plan: the update of %0 'W' [2] by a value of shape []; a parameter or a state is updated "
        "by a value of its shape");
  CHECK(error({{W, x}, {W, W}}) == "plan: %0 'W' is updated twice");
  CHECK_THROWS_AS(Plan<float>(tape, {{}, {{W + W, W}}, {}}, pool), InternalError);
}

TEST_CASE("plan: a guard that is not finite stops every update and says so") {
  Tape tape;
  ThreadPool pool(1);
  const Expr W = tape.input("W", {2}, InputKind::kParameter);
  const Expr count = tape.input("count", {}, InputKind::kState);
  const Expr x = tape.input("x", {2});
  const Expr cost = sum(log(W * x)), other = sum(exp(x));
  const Feed<double> feed = {
      {"W", {{2}, {1, 2}}}, {"count", Tensor<double>()}, {"x", {{2}, {1, 1}}}};
  BoundPlan<float> plan(tape, {{cost}, {{W, W + 1.0}, {count, count + 1.0}}, {cost, other}}, feed,
                        pool);
  CHECK(plan.run());
  CHECK(plan.input("W") == std::vector<float>{2, 3});
  CHECK(plan.input("count") == std::vector<float>{1});
  for (const float bad : {0.0F, -1.0F, 1000.0F, std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()}) {
    plan.input("x")[1] = bad;
    CHECK_FALSE(plan.run());
    CHECK(plan.input("W") == std::vector<float>{2, 3});
    CHECK(plan.input("count") == std::vector<float>{1});
  }
  plan.input("x")[1] = 1;
  CHECK(plan.run());
  CHECK(plan.input("count") == std::vector<float>{2});
}

TEST_CASE("plan: binding says what is wrong with every value involved") {
  Tape tape;
  ThreadPool pool(1);
  const Expr W = tape.input("W", {2, 3}, InputKind::kParameter), x = tape.input("x", {3});
  tape.input("unread", {5});
  Plan<float> plan(tape, {{sum(W * x)}, {{W, 0.5 * W}}, {}}, pool);
  CHECK(plan.inputs() == std::vector<std::string>{"W", "x"});
  CHECK(plan.has_input("x"));
  CHECK_FALSE(plan.has_input("unread"));
  std::vector<float> six(6, 1), three(3, 1), none;
  CHECK(error_of([&] { plan.run(0, 0); }) == "plan: input 'W' of shape [2, 3] is not bound");
  CHECK(error_of([&] { plan.bind("W", three); }) ==
        "plan: input 'W' has shape [2, 3] and was given 3 numbers");
  CHECK(error_of([&] { plan.bind_constant("x", none); }) ==
        "plan: input 'x' has shape [3] and was given 0 numbers");
  CHECK(error_of([&] { plan.bind_constant("W", six); }) ==
        "plan: input 'W' is updated but bound to constant memory");
  plan.bind("W", six);
  CHECK(error_of([&] { plan.run(0, 0); }) == "plan: input 'x' of shape [3] is not bound");
  plan.bind("unread", none);  // ignored
  plan.bind("x", three);
  CHECK(plan.run(0, 0));
  CHECK(plan.scalar(0) == 6);
  std::vector<float> others(3, 2);
  plan.bind_constant("x", others);  // binding anew is allowed
  CHECK(plan.run(0, 1));
  CHECK(plan.scalar(0) == 6);
  CHECK(six == std::vector<float>(6, 0.25F));
}

TEST_CASE("plan: a target is bound though nobody reads its old value") {
  Tape tape;
  ThreadPool pool(1);
  const Expr S = tape.input("S", {2}, InputKind::kState), x = tape.input("x", {2});
  BoundPlan<double> plan(tape, {{}, {{S, 2.0 * x}}, {}},
                         {{"S", Tensor<double>({2})}, {"x", {{2}, {1, 2}}}}, pool);
  CHECK(plan.plan().inputs() == std::vector<std::string>{"S", "x"});
  CHECK(plan.run());
  CHECK(plan.input("S") == std::vector<double>{2, 4});
}

TEST_CASE("plan: inputs that the cost does not read are no inputs of the plan") {
  Tape tape;
  ThreadPool pool(1);
  const Expr W = tape.input("W", {3}, InputKind::kParameter), x = tape.input("x", {100, 3});
  const Expr unread = sum(x * W), cost = sum(square(W));
  Plan<double> plan(tape, {{cost, gradient(cost, {W})[0]}, {}, {cost}}, pool);
  CHECK(plan.inputs() == std::vector<std::string>{"W"});
  std::vector<double> w = {1, 2, 3};
  plan.bind("W", w);
  CHECK(plan.run(0, 0));
  CHECK(plan.scalar(0) == 14);
  CHECK(unread.shape().rank() == 0);
}

TEST_CASE("plan: outputs may be inputs, reshapes of them, constants and each other") {
  Tape tape;
  ThreadPool pool(1);
  const Expr x = tape.input("x", {2, 2});
  const Expr y = square(x);
  const auto got = run_plan<double>(
      tape,
      {x, reshape(x, Shape{4}), y, y, reshape(y, Shape{1, 4}), constant(tape, 3), eye(tape, 2)},
      {{"x", {{2, 2}, {1, 2, 3, 4}}}}, pool, {.poison = true});
  CHECK(got[0] == std::vector<double>{1, 2, 3, 4});
  CHECK(got[1] == got[0]);
  CHECK(got[2] == std::vector<double>{1, 4, 9, 16});
  CHECK(got[3] == got[2]);
  CHECK(got[4] == got[2]);
  CHECK(got[5] == std::vector<double>{3});
  CHECK(got[6] == std::vector<double>{1, 0, 0, 1});
}

TEST_CASE("plan: a value that is read through a reshape is not overwritten before") {
  Tape tape;
  ThreadPool pool(1);
  const Expr x = tape.input("x", {2, 2});
  const Expr y = 2.0 * x, z = square(y), flat = reshape(y, Shape{4});
  const Expr row = reshape(flat, Shape{1, 4});
  const auto got = run_plan<double>(tape, {sum(z), row + 1.0, sum(exp(flat) * 0.0)},
                                    {{"x", {{2, 2}, {1, 2, 3, 4}}}}, pool, {.poison = true});
  CHECK(got[0] == std::vector<double>{120});
  CHECK(got[1] == std::vector<double>{3, 5, 7, 9});
  CHECK(got[2] == std::vector<double>{0});
}

TEST_CASE("plan: an empty program and values without elements run") {
  Tape tape;
  ThreadPool pool(1);
  Plan<float> nothing(tape, {}, pool);
  CHECK(nothing.run(0, 0));
  CHECK(nothing.statistics().instructions == 0);
  const Expr x = tape.input("x", {0, 3}), W = tape.input("W", {3, 2}, InputKind::kParameter);
  const Expr h = tanh(matmul(x, W)), cost = sum(square(h));
  const auto got = run_plan<float>(
      tape, {h, cost, gradient(cost, {W})[0]},
      {{"x", Tensor<double>({0, 3})}, {"W", Tensor<double>({3, 2}, 1)}}, pool, {.poison = true});
  CHECK(got[0].empty());
  CHECK(got[1] == std::vector<float>{0});
  CHECK(got[2] == std::vector<float>(6, 0));
}

TEST_CASE("plan: what depends on no input is computed once") {
  Tape tape;
  ThreadPool pool(1);
  const Expr x = tape.input("x", {3, 3});
  const Expr table = exp(2.0 * eye(tape, 3)) + broadcast_to(iota(tape, 3), {3, 3});
  BoundPlan<double> plan(tape, {{x * table}, {}, {}}, {{"x", Tensor<double>({3, 3}, 1)}}, pool);
  CHECK(plan.plan().statistics().instructions == 1);
  plan.run();
  CHECK(plan.output(0) == evaluate<double>(table).data);
}

TEST_CASE("plan: draws are those of the interpreter, for every seed and step") {
  Tape tape;
  ThreadPool pool(2);
  const Expr n = normal(tape, {70, 90}, "noise"), u = uniform(tape, {11}, "u");
  const Expr like = n * 2.0;
  BoundPlan<double> plan(tape, {{n, u, like}, {}, {}}, {}, pool);
  std::vector<double> last;
  for (const RunContext context : {RunContext{1, 0}, RunContext{1, 1}, RunContext{2, 1}}) {
    plan.run(context);
    const auto want = Interpreter<double>(tape, {n, u, like}).run({}, context);
    for (std::size_t i = 0; i < want.size(); ++i) CHECK(plan.output(i) == want[i].data);
    CHECK(plan.output(0) != last);
    last = plan.output(0);
  }
}

TEST_CASE("plan: one that was moved goes on, and the place it left can be filled again") {
  Tape tape;
  ThreadPool pool(1);
  const Expr x = tape.input("x", {2});
  std::vector<double> memory = {1, 2};
  Plan<double> first(tape, {{sum(x)}, {}, {}}, pool);
  first.bind("x", memory);
  CHECK(first.run(0, 0));
  Plan<double> second(std::move(first));
  CHECK(second.scalar(0) == 3);
  memory = {3, 4};
  CHECK(second.run(0, 1));
  CHECK(second.scalar(0) == 7);
  first = Plan<double>(tape, {{sum(2.0 * x)}, {}, {}}, pool);
  first.bind("x", memory);
  CHECK(first.run(0, 0));
  CHECK(first.scalar(0) == 14);
  first = std::move(second);
  CHECK(first.run(0, 2));
  CHECK(first.scalar(0) == 7);
}

TEST_CASE("plan: the tape may go before the plan runs") {
  ThreadPool pool(1);
  auto tape = std::make_unique<Tape>();
  const Expr x = tape->input("x", {2});
  Plan<double> plan(*tape, {{sum(square(x))}, {}, {}}, pool);
  tape.reset();
  std::vector<double> memory = {3, 4};
  plan.bind("x", memory);
  CHECK(plan.run(0, 0));
  CHECK(plan.scalar(0) == 25);
}

TEST_CASE("plan: a chain of elementwise operations needs the memory of one") {
  Tape tape;
  ThreadPool pool(1);
  const auto arena = [&](int length) {
    const Expr x = tape.input("x", {50, 100}), y = tape.input("y", {100});
    Expr e = x;
    for (int i = 0; i < length; ++i) e = i % 2 ? tanh(e) : e * y;
    return Plan<float>(tape, {{e}, {}, {}}, pool).statistics().arena_bytes;
  };
  CHECK(arena(1) == 20032);  // 20000 bytes, rounded up to 64
  CHECK(arena(2) == 20032);
  CHECK(arena(300) == 20032);
}

TEST_CASE("plan: the arena holds all values that live at once") {
  Tape tape;
  ThreadPool pool(1);
  const Expr x = tape.input("x", {4096});
  std::vector<Expr> outputs;
  for (int i = 0; i < 20; ++i) outputs.push_back(sin(x * static_cast<double>(i + 2)));
  const Plan<double> all(tape, {outputs, {}, {}}, pool);
  CHECK(all.statistics().arena_bytes == 20 * 4096 * 8);
}

TEST_CASE("plan: terms that are added up as they come need the memory of two") {
  Tape tape;
  ThreadPool pool(1);
  const Expr x = tape.input("x", {4096});
  Expr total = cos(x);
  for (int i = 0; i < 10; ++i) total = total + cos(x * static_cast<double>(i + 2));
  const Program program{{total}, {}, {}};
  CHECK(
      Plan<double>(tape, program, pool, {.without_passes = {"fusion"}}).statistics().arena_bytes ==
      2 * 4096 * 8);
  // Fused, no term is stored, also where they are added at the end.
  CHECK(Plan<double>(tape, program, pool).statistics().arena_bytes == 4096 * 8);
}

TEST_CASE("plan: one that needs too much memory is refused, with its largest values named") {
  Tape tape;
  ThreadPool pool(1);
  const Expr x = tape.input("x", {1000, 50}), W = tape.input("W", {50, 200});
  const Expr h = matmul(x, W);
  tape.label(h, "h");
  const Expr cost = sum(square(h));
  const Program program{{h, square(h), cost}, {}, {}};
  CHECK_NOTHROW(Plan<float>(tape, program, pool, {.memory_limit = 1'600'192}));
  CHECK(error_of([&] { Plan<float>(tape, program, pool, {.memory_limit = 1'600'191}); }) ==
        "plan: 1.6 MB are needed, the limit is 1.6 MB; use smaller batches or raise the limit. "
        "Largest values:\n"
        "  %2 = contract(%0, %1; subscripts=\"ab,bc->ac\") [1000, 200]  # h  800.0 kB\n"
        "  %3 = square(%2) [1000, 200]  800.0 kB\n"
        "  %4 = sum(%3; axes=[-2, -1], keepdims=0) []  4 B");
  const std::string named = error_of([&] {
    Plan<float>(tape, program, pool, {.memory_limit = 1000, .limit_name = "memory_limit_gb"});
  });
  CHECK(named.find("use smaller batches or raise memory_limit_gb.") != named.npos);
}

TEST_CASE("plan: a placeholder that is left in a program is an internal error") {
  Tape tape;
  ThreadPool pool(1);
  const Expr hole = tape.input("hole", {2}, InputKind::kPlaceholder);
  CHECK(error_of([&] {
          Plan<float>(tape, {{sum(hole)}, {}, {}}, pool);
        }) == "plan: a placeholder is left in the program: %0 'hole'");
}

TEST_CASE("plan: statistics count instructions and floating-point operations") {
  Tape tape;
  ThreadPool pool(1);
  const Expr x = tape.input("x", {10, 20}), W = tape.input("W", {20, 5});
  const Expr h = relu(matmul(x, W) + 1.0), t = transpose(h);
  const Expr a = tape.input("a", {10, 5}), b = tape.input("b", {10, 5});
  const Plan<float> plan(tape, {{sum(t), add_all({h, a, b})}, {}, {}}, pool);
  // The product; relu and its argument; the transpose; its sum; the sum of three.
  CHECK(plan.statistics().instructions == 5);
  CHECK(plan.statistics().flops == 2 * 10 * 20 * 5 + 50 + 50 + 50 + 2 * 50);
}
