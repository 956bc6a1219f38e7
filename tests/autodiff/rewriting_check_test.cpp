// Terms as they were written against what they were rewritten to: nothing that differs may pass.
#include "autodiff/rewriting_check.hpp"

#include <doctest/doctest.h>

#include "autodiff/ops.hpp"
#include "tests/support/numeric.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

struct Terms {
  Tape tape;
  Expr x = tape.input("x", {4, 3});
  Expr W = tape.input("W", {3, 5}, InputKind::kParameter);
  Expr b = tape.input("b", {5}, InputKind::kParameter);
  Expr h = tanh(matmul(x, W) + b);
  Expr large = 1e6 * sum(square(h)), small = 1e-6 * sum(h);
  Feed<double> feed = random_feed({x, W, b}, 1);

  bool agree(const std::vector<Expr>& written, const std::vector<Expr>& rewritten) const {
    const RunContext context{.seed = 3};
    return agrees_with_written(TermSlopes(rewritten, {W, b}, feed, context), written, context);
  }
};

}  // namespace

TEST_CASE("rewriting check: equal terms agree, however they are written") {
  Terms t;
  CHECK(t.agree({t.large, t.small}, {t.large, t.small}));
  CHECK(t.agree({t.large, t.small}, {sum((1e6 * t.h) * t.h), sum(1e-6 * t.h)}));
}

TEST_CASE("rewriting check: values that differ in any term do not agree") {
  Terms t;
  CHECK_FALSE(t.agree({t.large, t.small}, {t.large, t.small + 1e-18}));
  CHECK_FALSE(t.agree({t.large, t.small}, {t.large * (1 + 1e-15), t.small}));
  CHECK_FALSE(t.agree({t.large, t.small}, {t.small, t.large}));
}

TEST_CASE("rewriting check: gradients that differ in any term do not agree, at equal values") {
  Terms t;
  const Expr held = stop_gradient(t.h);
  CHECK_FALSE(t.agree({t.large, t.small}, {t.large, 1e-6 * sum(held)}));
  CHECK_FALSE(t.agree({t.large, t.small}, {1e6 * sum(t.h * held), t.small}));
  // What one term lacks and another has too much of is seen as well.
  const Expr moved = sum(t.h) - sum(held);
  CHECK_FALSE(t.agree({t.large, t.small}, {t.large + moved, t.small - moved}));
}

TEST_CASE("rewriting check: what is no number agrees with nothing") {
  Terms t;
  const Expr bad = sum(sqrt(t.h * 0.0 - 1.0));
  CHECK_FALSE(t.agree({t.large, bad}, {t.large, bad}));
}
