// The functions of float and double against quad: their stated errors, the same bits in code for
// vectors, order, and what they make of zeros, infinities and subnormal numbers.
//
// Largest errors in units in the last place, of float at every one of them, of double at three
// million points of each function (`--test-suite=long --source-file=*number_functions*`):
//
//              exp  expm1  log   log1p  tanh  erf   sigmoid  softplus
//     float    0.55  0.51  0.52  0.52   0.51  0.51   0.55     0.55
//     double   0.75  0.97  0.79  0.88   0.76  1.33   0.78     1.07
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/number.hpp"
#include "autodiff/runs.hpp"
#include "autodiff/vector_code.hpp"
#include "tests/support/random.hpp"
#include "tests/support/ulp.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
template <class T>
constexpr T kInfinity = std::numeric_limits<T>::infinity();

template <class F>
struct Function {
  std::string name;
  F function;
  double low, high;              // samples lie between
  double float_ulp, double_ulp;  // stated errors
  std::vector<double> edges;     // another formula or power of two on the other side
};

template <class F>  // clang 14 does not deduce the argument of an aggregate by itself
Function(const char*, F, double, double, double, double, std::vector<double>)->Function<F>;

#define JACQUARD_FUNCTION(name) #name, [](auto x) { return number::name(x); }

template <class Visit>
void for_each_function(const Visit& visit) {
  const double half = std::log(2.0) / 2;
  visit(
      Function{JACQUARD_FUNCTION(exp), -760, 720, 0.55, 0.75, {-708.4, -87.3, half, 88.7, 709.8}});
  visit(Function{JACQUARD_FUNCTION(expm1), -50, 720, 0.55, 1.0, {-40, -half, half, 80, 700}});
  visit(
      Function{JACQUARD_FUNCTION(log), 0, 1e4, 0.55, 0.8, {0x1p-1022, 0x1p-126, 0.7071, 1, 1.414}});
  visit(Function{JACQUARD_FUNCTION(log1p), -1, 1e4, 0.55, 0.9, {-1, -0.2929, 0.4142, 1, 0x1p53}});
  visit(Function{JACQUARD_FUNCTION(tanh), -25, 25, 0.55, 0.8, {-10, half / 2, half, 10, 20}});
  visit(Function{JACQUARD_FUNCTION(erf), -7, 7, 0.55, 1.4, {-1, 1, 4, 5.95}});
  visit(Function{JACQUARD_FUNCTION(sigmoid), -760, 60, 0.55, 0.8, {-708.4, -87.3, half, 20, 40}});
  visit(Function{JACQUARD_FUNCTION(softplus), -760, 60, 0.55, 1.1, {-708.4, -87.3, -0.88, 20, 40}});
}
#undef JACQUARD_FUNCTION

template <class T>
T of_bits(std::uint64_t bits) {
  return std::bit_cast<T>(static_cast<Bits<T>>(bits));
}

template <class T>
std::vector<T> special_points() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> points;
  for (const T x : {T(0), T(1), T(2), Limits::min(), Limits::denorm_min(), Limits::max(),
                    Limits::infinity(), Limits::quiet_NaN()}) {
    for (const T next : {std::nextafter(x, T(0)), x, std::nextafter(x, Limits::infinity())}) {
      points.push_back(next);
      points.push_back(-next);
    }
  }
  return points;
}

// Points over the whole line by their bits, over the interval of interest, near 0, around edges.
template <class T, class F>
std::vector<T> samples(const Function<F>& f, int count, std::uint64_t seed) {
  Random random(seed);
  std::vector<T> points = special_points<T>();
  for (const double edge : f.edges) {
    T below = static_cast<T>(edge), above = below;
    for (int i = 0; i < 200; ++i) {
      points.push_back(below = std::nextafter(below, -kInfinity<T>));
      points.push_back(above = std::nextafter(above, kInfinity<T>));
    }
  }
  const auto bits = [&] { return static_cast<std::uint64_t>(random.between(0, 0x1p32)); };
  for (int i = 0; i < count; ++i) {
    points.push_back(of_bits<T>(sizeof(T) == 4 ? bits() : bits() << 32 | bits()));
    points.push_back(static_cast<T>(random.between(f.low, f.high)));
    points.push_back(static_cast<T>(random.between(-3, 3)));
  }
  return points;
}

struct Worst {
  double ulp = 0, at = 0;
  void add(double error, double x) {
    if (error > ulp) *this = {error, x};
  }
};

template <class T, class F>
Worst worst_of_samples(const Function<F>& f, int count, std::uint64_t seed) {
  Worst worst;
  for (const T x : samples<T>(f, count, seed))
    worst.add(ulp_error(f.function(x), f.function(static_cast<Quad>(x))), static_cast<double>(x));
  return worst;
}

// By the code that plans run for the op of this name; one by one where there is none.
template <class T, class F>
void map(const Function<F>& f, std::vector<T>& in, std::vector<T>& out) {
  const auto ops = all_ops();
  const auto op = std::ranges::find(ops, std::string_view(f.name), &Op::name);
  if (op == ops.end()) throw InternalError(cat("no op is called ", f.name));
  const auto code = vector_code<T>({{false}, {{&runs::recording_of<T>(*(*op)->runs), {0}}}, {1}});
  const std::array<T*, 2> places{in.data(), out.data()};
  if (code != nullptr)
    code(places.data(), std::ssize(in));
  else
    std::ranges::transform(in, out.begin(), f.function);
}

// Which of several NaNs an addition passes on is the compiler's choice of operands.
template <class T>
bool same_bits(T a, T b) {
  return std::bit_cast<Bits<T>>(a) == std::bit_cast<Bits<T>>(b) || (a != a && b != b);
}

template <class T, class F>
void check_vectors(const Function<F>& f) {
  std::vector<T> in = samples<T>(f, 20000, 5);
  in.resize(in.size() / 64 * 64 + 63);  // so that there is a rest
  std::vector<T> out(in.size());
  map(f, in, out);
  std::size_t differences = 0;
  for (std::size_t i = 0; i < in.size(); ++i) differences += !same_bits(f.function(in[i]), out[i]);
  CHECK_EQ(differences, 0);
}

// The number of places among `count` neighbours from `x` on where the function falls.
template <class T, class F>
int falls(const F& f, T x, int count) {
  int result = 0;
  for (T last = f(x); count > 0; --count) {
    x = std::nextafter(x, kInfinity<T>);
    const T next = f(x);
    result += next < last;
    last = next;
  }
  return result;
}

template <class T, class F>
void check_order(const Function<F>& f) {
  Random random(9);
  int places = 0;
  for (const double edge : f.edges) {
    T x = static_cast<T>(edge);
    for (int i = 0; i < 500; ++i) x = std::nextafter(x, -kInfinity<T>);
    places += falls(f.function, x, 1000);
  }
  for (int i = 0; i < 200; ++i)
    places += falls(f.function, static_cast<T>(random.between(f.low, f.high)), 500);
  CAPTURE(sizeof(T));
  CHECK_EQ(places, 0);
}

// All floats, from the smallest to the largest, against the function of double: it is within 2^-28
// units of a float of the true value, and quad would take hours.
template <class F>
std::pair<Worst, std::int64_t> every_float(const Function<F>& f) {
  constexpr std::int64_t kBlock = 4096, kFinite = 0x7f800000;
  std::vector<float> x(kBlock), got(kBlock);
  std::vector<double> wide(kBlock), exact(kBlock);
  Worst worst;
  std::int64_t falls = 0;
  float last = -kInfinity<float>;
  for (std::int64_t first = -kFinite; first <= kFinite; first += kBlock) {
    for (std::int64_t i = 0; i < kBlock; ++i) {
      const std::int64_t place = std::min(first + i, kFinite);
      x[static_cast<std::size_t>(i)] = std::copysign(
          of_bits<float>(static_cast<std::uint64_t>(std::abs(place))), place < 0 ? -1.0f : 1.0f);
      wide[static_cast<std::size_t>(i)] = static_cast<double>(x[static_cast<std::size_t>(i)]);
    }
    map(f, x, got);
    map(f, wide, exact);
    for (std::size_t i = 0; i < x.size(); ++i) {
      falls += got[i] < last;
      last = got[i];
      const double size = std::abs(exact[i]);
      if (!(size <= 0x1p127)) {
        worst.add(ulp_error(got[i], static_cast<Quad>(exact[i])), wide[i]);
        continue;
      }
      const double power = of_bits<double>(std::bit_cast<std::uint64_t>(size) >> 52 << 52);
      worst.add(
          std::abs(static_cast<double>(got[i]) - exact[i]) / (std::max(power, 0x1p-126) * 0x1p-23),
          wide[i]);
    }
  }
  return {worst, falls};
}

}  // namespace

TEST_CASE("functions of float and double are within their stated errors of quad") {
  for_each_function([](const auto& f) {
    CAPTURE(f.name);
    CHECK_LE(worst_of_samples<float>(f, 4000, 1).ulp, f.float_ulp);
    CHECK_LE(worst_of_samples<double>(f, 4000, 2).ulp, f.double_ulp);
  });
}

TEST_CASE("functions have the same bits one by one and in code for vectors") {
  for_each_function([](const auto& f) {
    CAPTURE(f.name);
    check_vectors<float>(f);
    check_vectors<double>(f);
  });
}

// Next to 1, erf grows by less than a unit from one number to the next; an error above half a unit
// then shows as a fall, as those of double do.
TEST_CASE("functions but erf of double keep the order of neighbouring arguments") {
  for_each_function([](const auto& f) {
    CAPTURE(f.name);
    check_order<float>(f);
    if (f.name != "erf") check_order<double>(f);
  });
}

TEST_CASE("odd functions are odd to the bit") {
  const auto check = [](auto zero) {
    using T = decltype(zero);
    Random random(11);
    const std::int64_t asymmetric = [&] {
      std::int64_t count = 0;
      for (int i = 0; i < 20000; ++i) {
        const T x = static_cast<T>(std::exp2(random.between(-30, 4)));
        count += number::tanh(-x) != -number::tanh(x);
        count += number::erf(-x) != -number::erf(x);
      }
      return count;
    }();
    CHECK_EQ(asymmetric, 0);
  };
  check(0.0f);
  check(0.0);
}

TEST_CASE("odd functions keep tiny arguments and the sign of zero, others their limits") {
  const auto check = [](auto zero) {
    using T = decltype(zero);
    const T tiny = std::numeric_limits<T>::denorm_min();
    for_each_function([&](const auto& f) {
      CAPTURE(f.name);
      for (const T x : special_points<T>()) {
        const T got = f.function(x), exact = static_cast<T>(f.function(static_cast<Quad>(x)));
        CAPTURE(x);
        CHECK_EQ(std::isnan(got), std::isnan(exact));
        CHECK_EQ(std::isinf(got), std::isinf(exact));
        if (!std::isnan(got)) CHECK_EQ(std::signbit(got), std::signbit(exact));
      }
    });
    CHECK_EQ(number::expm1(tiny), tiny);
    CHECK_EQ(number::log1p(-tiny), -tiny);
    CHECK_EQ(number::tanh(-tiny), -tiny);
    CHECK_EQ(number::erf(tiny), tiny);
    CHECK_EQ(number::log(T(1)), 0);
    CHECK_EQ(number::exp(zero), 1);
    CHECK_EQ(number::sigmoid(zero), T(0.5));
  };
  check(0.0f);
  check(0.0);
}

TEST_SUITE_BEGIN("long");

TEST_CASE("functions of double are within their stated errors at millions of points") {
  for_each_function([](const auto& f) {
    const Worst worst = worst_of_samples<double>(f, 1000000, 3);
    MESSAGE("| ", f.name, " | double | ", worst.ulp, " | at ", worst.at, " |");
    CHECK_LE(worst.ulp, f.double_ulp);
  });
}

TEST_CASE("functions of float are within their stated errors and in order at every float") {
  for_each_function([](const auto& f) {
    const auto [worst, falls] = every_float(f);
    MESSAGE("| ", f.name, " | float | ", worst.ulp, " | at ", worst.at, " | falls ", falls, " |");
    CHECK_LE(worst.ulp, f.float_ulp);
    CHECK_EQ(falls, 0);
  });
}

TEST_SUITE_END();
