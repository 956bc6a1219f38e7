#include "models/language/names.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "models/language/syntax.hpp"

using namespace jacquard::models;

namespace {

using Names = std::vector<std::string>;

std::string cycle_in(const std::vector<Definition>& definitions) {
  try {
    resolve_order(definitions);
    return "";
  } catch (const CycleError& error) {
    return error.what();
  }
}

// Every definition once, each behind what it uses.
bool is_order_of(const Names& order, const std::vector<Definition>& definitions) {
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  if (place.size() != definitions.size() || order.size() != definitions.size()) return false;
  for (const Definition& definition : definitions)
    for (const std::string& used : definition.uses)
      if (place.count(used) != 0 && place[used] >= place[definition.name]) return false;
  return true;
}

bool uses(const std::vector<Definition>& definitions, const std::string& name,
          const std::string& used) {
  for (const Definition& definition : definitions)
    if (definition.name == name && std::ranges::count(definition.uses, used) > 0) return true;
  return false;
}

// Whether something is left when definitions without open uses are struck out again and again.
bool has_cycle(std::vector<Definition> left) {
  for (;;) {
    const std::size_t before = left.size();
    std::erase_if(left, [&](const Definition& definition) {
      return std::ranges::none_of(definition.uses, [&](const std::string& used) {
        return std::ranges::count(left, used, &Definition::name) > 0;
      });
    });
    if (left.empty()) return false;
    if (left.size() == before) return true;
  }
}

}  // namespace

TEST_CASE("free names come once, in the order of the text") {
  const auto names = [](const char* text, const NameSet& shadowed = {}) {
    return free_names(parse_expression(text), shadowed);
  };
  CHECK(names("b + a * b - c") == Names{"b", "a", "c"});
  CHECK(names("f(z, axis=y, k=[x, w]).T[v:u, t] ^ -s") ==
        Names{"z", "y", "x", "w", "v", "u", "t", "s"});
  CHECK(names("1 + f('a') + true").empty());
  CHECK(names("p * log(p / q) + rho", {"p", "q"}) == Names{"rho"});
  CHECK(names("f(f)") == Names{"f"});  // a value f and a function f
  CHECK(free_names({}).empty());
}

TEST_CASE("called functions come once, in the order of the text") {
  const auto functions = [](const char* text) { return called_functions(parse_expression(text)); };
  CHECK(functions("mean(f(x) + g(f(y)))") == Names{"mean", "f", "g"});
  CHECK(functions("f(k=h(x))[g(1)] + x").size() == 3);
  CHECK(functions("x + y").empty());
}

TEST_CASE("definitions are ordered by what they use, in whatever order they are written") {
  std::vector<Definition> definitions = {{"y", {"logits"}},
                                         {"logits", {"h", "W", "c"}},
                                         {"h", {"x", "W", "b", "act"}},
                                         {"act", {}},
                                         {"unrelated", {"x"}}};
  const Names order = resolve_order(definitions);
  CHECK(order == Names{"act", "h", "logits", "unrelated", "y"});
  std::ranges::sort(definitions, {}, &Definition::name);
  do {
    CHECK(resolve_order(definitions) == order);
  } while (std::ranges::next_permutation(definitions, {}, &Definition::name).found);
  CHECK(resolve_order({}).empty());
}

TEST_CASE("a cycle is named whole") {
  CHECK(cycle_in({{"b", {"c"}}, {"a", {"x", "b"}}, {"c", {"a"}}, {"d", {"a"}}}) ==
        "definitions use each other in a cycle: a -> b -> c -> a; one of them must do without the "
        "next");
  CHECK(cycle_in({{"h", {"x", "h"}}}) ==
        "definitions use each other in a cycle: h -> h; one of them must do without the next");
  // The way into the cycle is no part of it, and the report begins at the least name.
  CHECK(cycle_in({{"a", {"z"}}, {"z", {"m"}}, {"m", {"n"}}, {"n", {"z"}}}) ==
        "definitions use each other in a cycle: m -> n -> z -> m; one of them must do without the "
        "next");
  try {
    resolve_order({{"b", {"a"}}, {"a", {"b"}}});
    FAIL("a cycle must be refused");
  } catch (const CycleError& error) {
    CHECK(error.cycle == Names{"a", "b"});
  }
}

TEST_CASE("a name that is defined twice is refused") {
  CHECK_THROWS_WITH_AS(resolve_order({{"a", {}}, {"b", {}}, {"a", {"b"}}}),
                       "'a' is defined twice; definitions need different names",
                       jacquard::SpecError);
}

TEST_CASE("a chain of 100,000 definitions is ordered, and its cycle is shown by its ends") {
  constexpr int kLength = 100000;
  const auto name = [](int i) { return "d" + std::to_string(100000 + i); };
  for (const int step : {1, -1}) {
    std::vector<Definition> chain;
    for (int i = 0; i < kLength; ++i) chain.push_back({name(i), {name(i + step)}});
    const Names order = resolve_order(chain);
    CHECK(is_order_of(order, chain));
    if (step == 1) {
      chain.back().uses = {name(0)};
      const std::string error = cycle_in(chain);
      CHECK(error.size() < 1000);
      CHECK(error.find("d100014 -> ... (99970 more) -> d199985 -> ") != std::string::npos);
      CHECK(error.find("d199999 -> d100000; one") != std::string::npos);
    }
  }
}

TEST_CASE("random graphs are ordered or their cycle is real") {
  std::mt19937 random(9);
  int cycles = 0;
  for (int round = 0; round < 3000; ++round) {
    const auto count = 1 + random() % 12;
    std::vector<Definition> definitions;
    for (unsigned i = 0; i < count; ++i) {
      Definition definition{std::string(1, static_cast<char>('a' + i)), {}};
      for (auto n = random() % 3; n > 0; --n)
        definition.uses.emplace_back(1, static_cast<char>('a' + random() % 16));
      definitions.push_back(definition);
    }
    std::shuffle(definitions.begin(), definitions.end(), random);
    try {
      const Names order = resolve_order(definitions);
      REQUIRE(is_order_of(order, definitions));
      REQUIRE_FALSE(has_cycle(definitions));
    } catch (const CycleError& error) {
      ++cycles;
      REQUIRE(has_cycle(definitions));
      REQUIRE(error.cycle.front() == *std::ranges::min_element(error.cycle));
      for (std::size_t i = 0; i < error.cycle.size(); ++i)
        REQUIRE(uses(definitions, error.cycle[i], error.cycle[(i + 1) % error.cycle.size()]));
    }
  }
  CHECK(cycles > 300);
  CHECK(cycles < 2700);
}
