#include "autodiff/ops/quad_sums.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "autodiff/interpreter.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/simd.hpp"
#include "tests/support/random.hpp"

using namespace jacquard;
using jacquard::testing::Random;

namespace {

struct SimdLimit {
  explicit SimdLimit(Simd most) { limit_simd(most); }
  ~SimdLimit() { limit_simd(Simd::kAvx512); }
};

// An integer below 2^113 in three digits to the base 2^38.
struct Digits {
  std::array<std::int64_t, 3> digit;
  Quad value() const {
    constexpr auto kBase = static_cast<Quad>(0x1p38);
    return (static_cast<Quad>(digit[2]) * kBase + static_cast<Quad>(digit[1])) * kBase +
           static_cast<Quad>(digit[0]);
  }
};

// Sums of products of such integers, exactly: a column of each power of 2^38 (__int128 holds them).
class ExactSum {
 public:
  void add(const Digits& a, const Digits& b) {
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 3; ++j)
        columns_[i + j] += static_cast<Wide>(a.digit[i]) * b.digit[j];
  }
  // How far `value` is from the sum.
  Quad distance(Quad value) const {
    // Digits of `value`, an integer, are taken off from the top: then what is left is small.
    std::array<Wide, 6> left{};
    std::copy(columns_.begin(), columns_.end(), left.begin());
    for (std::size_t i = 6; i-- > 0;) {
      const Quad unit = power(i);
      const auto digit = static_cast<Wide>(value / unit);
      left[i] -= digit;
      value -= static_cast<Quad>(digit) * unit;
    }
    for (std::size_t i = 5; i > 0; --i) left[i - 1] += left[i] << 38, left[i] = 0;
    return static_cast<Quad>(left[0]);
  }

 private:
  __extension__ typedef __int128 Wide;
  static Quad power(std::size_t i) {
    Quad unit(1);
    for (std::size_t k = 0; k < i; ++k) unit *= static_cast<Quad>(0x1p38);
    return unit;
  }
  std::array<Wide, 5> columns_{};
};

std::vector<Digits> random_digits(Random& random, std::size_t count) {
  std::vector<Digits> result(count);
  for (Digits& d : result) {
    const std::int64_t sign = random.coin() ? 1 : -1;
    for (std::int64_t& digit : d.digit) digit = sign * random.below(std::int64_t{1} << 37);
  }
  return result;
}

}  // namespace

TEST_CASE(
    "a sum of products of quad numbers is off by less than 2^-125 of their magnitudes, and "
    "one rounding") {
  Random random(1);
  for (const std::size_t count : {1u, 2u, 15u, 16u, 17u, 33u, 1023u, 1024u, 1025u, 3000u}) {
    CAPTURE(count);
    const std::vector<Digits> a = random_digits(random, count), b = random_digits(random, count);
    std::vector<Quad> x, y;
    ExactSum exact;
    Quad magnitudes(0);
    for (std::size_t i = 0; i < count; ++i) {
      x.push_back(a[i].value());
      y.push_back(b[i].value());
      exact.add(a[i], b[i]);
      magnitudes += number::abs(x[i] * y[i]);
    }
    const auto n = static_cast<std::int64_t>(count);
    const auto parts_x = QuadParts::of(nullptr, x.data(), n),
               parts_y = QuadParts::of(nullptr, y.data(), n);
    REQUIRE(parts_x);
    REQUIRE(parts_y);
    const auto summed = [&](Simd kind) {
      const SimdLimit limit(kind);
      QuadSums sums;
      sums.clear(QuadSums::kLanes);
      sums.add_run(parts_x->at(0), 1, parts_y->at(0), 1, n);
      return sums.total();
    };
    const Quad got = summed(Simd::kBaseline);
    CHECK(summed(Simd::kAvx2) == got);
    CHECK(summed(Simd::kAvx512) == got);
    const Quad off = number::abs(exact.distance(got));
    CHECK(off <= static_cast<Quad>(0x1p-125) * magnitudes +
                     static_cast<Quad>(0x1p-112) * number::abs(got));
    CHECK(off <= static_cast<Quad>(0x1p-110) * magnitudes);  // whatever cancels
  }
}

namespace {

// A contraction of two operands by the definition, one product after the other.
Tensor<Quad> by_definition(const std::string& text, const Tensor<Quad>& a, const Tensor<Quad>& b,
                           Tensor<Quad>* magnitudes = nullptr) {
  const std::string first = text.substr(0, text.find(',')), out = text.substr(text.find('>') + 1),
                    second = text.substr(first.size() + 1, text.find('-') - first.size() - 1);
  std::map<char, std::int64_t> size;
  for (std::size_t i = 0; i < first.size(); ++i) size[first[i]] = a.shape[static_cast<int>(i)];
  for (std::size_t i = 0; i < second.size(); ++i) size[second[i]] = b.shape[static_cast<int>(i)];
  std::vector<std::int64_t> result_sizes;
  for (const char c : out) result_sizes.push_back(size[c]);
  Tensor<Quad> result{Shape(result_sizes)};
  if (magnitudes != nullptr) *magnitudes = result;
  std::map<char, std::int64_t> at;
  const auto place = [&](const std::string& labels) {
    std::int64_t index = 0;
    for (const char c : labels) index = index * size[c] + at[c];
    return index;
  };
  while (true) {
    const Quad product = a[place(first)] * b[place(second)];
    result[place(out)] += product;
    if (magnitudes != nullptr) (*magnitudes)[place(out)] += number::abs(product);
    auto it = size.begin();
    for (; it != size.end() && ++at[it->first] == it->second; ++it) at[it->first] = 0;
    if (it == size.end()) return result;
  }
}

Tensor<Quad> contracted(const std::string& text, const Tensor<Quad>& a, const Tensor<Quad>& b,
                        ThreadPool* pool = nullptr) {
  Tape tape;
  const Expr x = tape.input("x", a.shape), y = tape.input("y", b.shape);
  RunContext context;
  context.pool = pool;
  return evaluate(contract(text, {x, y}), Feed<Quad>{{"x", a}, {"y", b}}, context);
}

Tensor<Quad> random_quads(Random& random, const Shape& shape, bool with_zeros) {
  Tensor<Quad> result(shape);
  for (Quad& x : result.data) {
    x = static_cast<Quad>(random.between(-1, 1));
    x += static_cast<Quad>(random.between(-1, 1) * 0x1p-53) +
         static_cast<Quad>(random.between(-1, 1) * 0x1p-106);
    if (with_zeros && random.below(3) == 0) x = Quad(0);
  }
  return result;
}

bool same_bits(const Tensor<Quad>& a, const Tensor<Quad>& b) {
  return a.shape == b.shape &&
         std::memcmp(a.data.data(), b.data.data(), a.data.size() * sizeof(Quad)) == 0;
}

}  // namespace

TEST_CASE("contractions of quad numbers are those of the definition, however the axes lie") {
  struct Case {
    const char* text;
    Shape a, b;
  };
  const std::vector<Case> cases = {
      {"ab,bc->ac", {5, 70}, {70, 9}},
      {"ab,bc->ac", {3, 40}, {40, 600}},
      {"ab,cb->ac", {5, 1100}, {7, 1100}},
      {"ba,bc->ac", {40, 9}, {40, 11}},
      {"ba,cb->ac", {33, 5}, {6, 33}},
      {"ab,bc->ca", {9, 30}, {30, 17}},
      {"dab,dbc->dac", {3, 7, 20}, {3, 20, 8}},
      {"abc,bd->adc", {4, 9, 8}, {9, 11}},
      {"abc,cb->a", {6, 17, 19}, {19, 17}},
      {"ab,ab->", {31, 37}, {31, 37}},
      {"ab,ab->b", {31, 37}, {31, 37}},
      {"abb,cb->ac", {6, 20, 20}, {30, 20}},
      {"ab,b->a", {50, 21}, {21}},
      {"ab,c->a", {16, 30}, {24}},
      {"ab,bc->ac", {1, 300}, {300, 1}},
      {"ab,bc->ac", {8, 1}, {1, 300}},
  };
  Random random(2);
  ThreadPool pool(3);
  for (const Case& c : cases)
    for (const bool zeros : {false, true}) {
      CAPTURE(c.text);
      CAPTURE(zeros);
      const Tensor<Quad> a = random_quads(random, c.a, zeros), b = random_quads(random, c.b, zeros);
      Tensor<Quad> magnitudes;
      const Tensor<Quad> want = by_definition(c.text, a, b, &magnitudes);
      const Tensor<Quad> got = contracted(c.text, a, b);
      REQUIRE(got.shape == want.shape);
      bool close = true;
      for (std::int64_t i = 0; i < want.size(); ++i)
        close =
            close && number::abs(got[i] - want[i]) <= static_cast<Quad>(0x1p-100) * magnitudes[i];
      CHECK(close);
      CHECK(same_bits(got, contracted(c.text, a, b, &pool)));
      for (const Simd kind : {Simd::kBaseline, Simd::kAvx2}) {
        const SimdLimit limit(kind);
        CHECK(same_bits(got, contracted(c.text, a, b)));
      }
    }
}

TEST_CASE(
    "quad numbers that doubles cannot hold are contracted as well: one product after the other") {
  Random random(3);
  const Tensor<Quad> plain = random_quads(random, {12, 30}, false);
  const Tensor<Quad> other = random_quads(random, {30, 12}, false);
  const Quad tiny = number::exp(Quad(-9000)), huge = number::exp(Quad(9000));
  const Quad inf = number::infinity<Quad>();
  for (const Quad odd : {tiny, huge, -huge, static_cast<Quad>(0x1p401), static_cast<Quad>(0x1p-401),
                         inf, -inf, inf - inf}) {
    CAPTURE(static_cast<double>(odd));
    Tensor<Quad> a = plain;
    a[37] = odd;
    CHECK_FALSE(QuadParts::of(nullptr, a.data.data(), a.size()));
    const auto same = [](const Tensor<Quad>& got, const Tensor<Quad>& want) {
      for (std::int64_t i = 0; i < want.size(); ++i)
        if (got[i] != want[i] && (got[i] == got[i] || want[i] == want[i])) return false;
      return true;
    };
    CHECK(same(contracted("ab,bc->ac", a, other), by_definition("ab,bc->ac", a, other)));
    CHECK(same(contracted("ba,cb->ac", other, a), by_definition("ba,cb->ac", other, a)));
  }
  for (const Quad fine : {static_cast<Quad>(0x1p400), static_cast<Quad>(-0x1p-400), Quad(0)}) {
    Tensor<Quad> a = plain, b = other;
    for (Quad& x : a.data) x *= fine;
    for (Quad& x : b.data) x *= fine;
    Tensor<Quad> magnitudes;
    const Tensor<Quad> want = by_definition("ab,bc->ac", a, b, &magnitudes);
    const Tensor<Quad> got = contracted("ab,bc->ac", a, b);
    bool close = true;
    for (std::int64_t i = 0; i < want.size(); ++i)
      close = close && number::abs(got[i] - want[i]) <= static_cast<Quad>(0x1p-100) * magnitudes[i];
    CHECK(close);
  }
}

TEST_CASE("products of quad numbers that cancel leave an exact zero, which is not negative") {
  Random random(4);
  const Tensor<Quad> a = random_quads(random, {4, 100}, false);
  Tensor<Quad> twice({4, 200}), ones({200, 3});
  for (std::int64_t i = 0; i < 4; ++i)
    for (std::int64_t j = 0; j < 100; ++j) {
      twice[i * 200 + j] = a[i * 100 + j];
      twice[i * 200 + 199 - j] = -a[i * 100 + j];
    }
  for (Quad& x : ones.data) x = Quad(1);
  const auto all_positive_zero = [](const Tensor<Quad>& t) {
    return std::ranges::all_of(t.data, [](Quad x) { return x == Quad(0) && 1 / x > Quad(0); });
  };
  CHECK(all_positive_zero(contracted("ab,bc->ac", twice, ones)));
  for (Quad& x : ones.data) x = -Quad(0);
  CHECK(all_positive_zero(contracted("ab,bc->ac", twice, ones)));
  CHECK(all_positive_zero(contracted("ba,cb->ac", ones, twice)));
}
