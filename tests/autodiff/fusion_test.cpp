// Which nodes are computed together: hand-written graphs against the rules that fusion.hpp states,
// and every grouping of random programs against a verifier that knows the rules alone.
#include "autodiff/fusion.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "autodiff/chunks.hpp"
#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/lowering.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/plan.hpp"
#include "tests/support/random_program.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

std::size_t at(NodeId id) { return static_cast<std::size_t>(id); }

// Inputs, and what neither an input nor a draw goes into.
std::vector<bool> ready_nodes(const Tape& tape) {
  std::vector<bool> varies(tape.size()), ready(tape.size());
  for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id) {
    const Node& node = tape.node(id);
    bool v = is_input(node) || node.op->name == "normal" || node.op->name == "uniform";
    for (const NodeId in : node.inputs) v = v || varies[at(in)];
    varies[at(id)] = v;
    ready[at(id)] = !v || is_input(node);
  }
  return ready;
}

struct Groups {
  Graph graph;
  std::vector<bool> ready;
  std::vector<InstructionGroup> list;

  Groups(Graph g, Fusion fusion = Fusion::kFull)
      : graph(std::move(g)),
        ready(ready_nodes(*graph.tape)),
        list(instruction_groups(graph, ready, fusion)) {}
  Groups(const Tape& tape, const std::vector<Expr>& roots) : Groups(live_part(tape, roots)) {}

  // "a b c > c" for each group: what it computes, and what of it is written, by their labels or
  // ops; "!" before what is no tile program.
  std::vector<std::string> text() const {
    std::vector<std::string> all;
    for (const InstructionGroup& g : list) {
      std::string line = g.tiled ? "" : "!";
      for (const NodeId id : g.group.nodes) line += name(id) + ' ';
      line += '>';
      for (const NodeId id : g.group.written) line += ' ' + name(id);
      all.push_back(line);
    }
    return all;
  }

 private:
  std::string name(NodeId id) const {
    const std::string& label = graph.tape->label(id);
    return label.empty() ? std::string(graph.tape->node(id).op->name) : label;
  }
};

using Lines = std::vector<std::string>;

Expr named(const char* name, Expr e) {
  e.tape->label(e, name);
  return e;
}

// What is wrong with a grouping, "" if nothing is.
std::string mistake_in(const Groups& groups) {
  const Tape& tape = *groups.graph.tape;
  std::vector<bool> there = groups.ready, needed(tape.size(), false);
  const auto source_is = [&](const std::vector<bool>& marks, NodeId id) {
    return static_cast<bool>(marks[at(viewed(tape, id))]);
  };
  for (const Expr& root : groups.graph.roots) needed[at(viewed(tape, root.id))] = true;
  for (const auto& [tiled, group, product] : groups.list) {
    const auto inside = [&, in_tiles = tiled, &nodes = group.nodes](NodeId id) {
      return in_tiles && std::ranges::binary_search(nodes, id) && tape.node(id).op->name != "sum";
    };
    if (group.nodes.empty() || !std::ranges::is_sorted(group.nodes)) return "no order of nodes";
    const std::size_t most = tiled ? TileProgram<float>::max_nodes(group.space) : 1;
    if (group.nodes.size() > most) return cat("a group of ", group.nodes.size(), " nodes");
    std::vector<bool> used(tape.size(), false);
    for (const NodeId id : group.nodes) {
      const Node& node = tape.node(id);
      if (groups.ready[at(id)] || viewed(tape, id) != id)
        return cat(tape.describe(id), " is there");
      if (fits_tiles(node) != tiled)
        return cat(tape.describe(id), " is in a group of the wrong kind");
      if (tiled && !(tile_space(tape, node) == group.space))
        return cat(tape.describe(id), " has another space");
      for (const NodeId in : node.inputs)
        if (inside(in))
          used[at(in)] = true;
        else if (!source_is(there, in))
          return cat(tape.describe(id), " comes before ", tape.describe(in));
        else
          needed[at(viewed(tape, in))] = true;
    }
    for (const NodeId id : group.written) {
      if (!std::ranges::binary_search(group.nodes, id))
        return cat(tape.describe(id), " is written and not computed");
      if (there[at(id)]) return cat(tape.describe(id), " is written twice");
      there[at(id)] = true;
      used[at(id)] = true;
    }
    for (const NodeId id : group.nodes)
      if (!used[at(id)]) return cat(tape.describe(id), " is computed for nobody");
  }
  for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id)
    if (!groups.ready[at(id)] && needed[at(id)] != there[at(id)])
      return cat(tape.describe(id), needed[at(id)] ? " is not written" : " is written for nobody");
  return "";
}

std::vector<Expr> with_gradients(const RandomProgram& p, std::uint64_t seed) {
  std::vector<Expr> roots = gradient(p.cost, p.parameters);
  if (seed % 4 == 1) {  // second order
    Expr slope = sum(square(roots[0]));
    for (const Expr& g : roots) slope = slope + sum(square(g));
    const std::vector<Expr> second = gradient(slope, {p.parameters[0]});
    roots.insert(roots.end(), second.begin(), second.end());
  }
  roots.insert(roots.begin(), p.cost);
  if (seed % 3 == 0) roots.insert(roots.end(), p.values.begin(), p.values.end());
  return roots;
}

}  // namespace

TEST_CASE("fusion: a chain of elementwise operations and its sum are one group") {
  Tape tape;
  const Expr x = tape.input("x", {9, 5}), b = tape.input("b", {5});
  const Expr a = named("a", x + b), h = named("h", tanh(a)),
             total = named("total", sum(square(h), {0}));
  CHECK(Groups(tape, {total}).text() == Lines{"a h square total > total"});
  CHECK(Groups(tape, {h, total}).text() == Lines{"a h square total > h total"});
  CHECK(Groups(live_part(tape, std::vector{total}), Fusion::kNone).text() ==
        Lines{"a > a", "h > h", "square > square", "total > total"});
}

TEST_CASE("fusion: what is read around a product is kept, or computed again if that is cheap") {
  Tape tape;
  const Expr x = tape.input("x", {30, 40}), W = tape.input("W", {40, 40}),
             b = tape.input("b", {40});
  const auto around = [&](Expr v) { return named("u", named("v", v) * matmul(tanh(v), W)); };
  CHECK(Groups(tape, {around(x + b)}).text() ==
        Lines{"v tanh > tanh", "!contract > contract", "v u > u"});
  CHECK(Groups(tape, {around(exp(x))}).text() ==
        Lines{"v tanh > v tanh", "!contract > contract", "u > u"});
  // Two values that nobody else needs would be read instead of one.
  const Expr y = tape.input("y", {30, 40});
  CHECK(Groups(tape, {around(x - y)}).text() ==
        Lines{"v tanh > v tanh", "!contract > contract", "u > u"});
  // It has to be in memory anyway.
  const Expr kept = named("v", x * b);
  CHECK(Groups(tape, {kept, named("u", kept * matmul(tanh(kept), W))}).text() ==
        Lines{"v tanh > v tanh", "!contract > contract", "u > u"});
}

TEST_CASE("fusion: a sum is read from memory, by a later group") {
  Tape tape;
  const Expr x = tape.input("x", {9, 5});
  const Expr wide = named("wide", exp(x)), total = named("total", sum(wide, {1}, true));
  CHECK(Groups(tape, {named("share", wide / total)}).text() ==
        Lines{"wide total > wide total", "share > share"});
  // Squares are cheap: they are formed in both.
  const Expr square_of = named("square", square(x)), all = named("all", sum(square_of, {1}, true));
  CHECK(Groups(tape, {named("share", square_of / all)}).text() ==
        Lines{"square all > all", "square share > share"});
}

TEST_CASE("fusion: the last group is joined for an operand that it reads") {
  Tape tape;
  const Expr x = tape.input("x", {9, 5});
  const Expr s = named("s", sin(x)), c = named("c", cos(x));
  CHECK(Groups(tape, {s, c}).text() == Lines{"s c > s c"});
  const Expr other = named("other", sin(tape.input("y", {3})));
  const Expr later = named("later", exp(x));
  // `other` stands between: the result would be kept longer for nothing.
  CHECK(Groups(tape, {s, other, later}).text() == Lines{"s > s", "other > other", "later > later"});
}

TEST_CASE("fusion: views are in no group, and what they view is in memory") {
  Tape tape;
  const Expr x = tape.input("x", {9, 5});
  const Expr a = named("a", exp(x)), flat = reshape(a, Shape{45}), u = named("u", 2.0 * flat);
  CHECK(Groups(tape, {u}).text() == Lines{"a > a", "u > u"});
  const Expr back = reshape(flat, Shape{9, 5}), v = named("v", back + a);
  CHECK(Groups(tape, {v}).text() == Lines{"a > a", "v > v"});
  CHECK(Groups(tape, {reshape(x, Shape{45}), flat}).text() == Lines{"a > a"});
  const Graph graph = live_part(tape, std::vector{v});
  for (NodeId id = 0; id < static_cast<NodeId>(graph.tape->size()); ++id)
    CHECK(graph.tape->node(viewed(*graph.tape, id)).op->name != "reshape");
}

TEST_CASE("fusion: another shape is another group, also where it only broadcasts") {
  Tape tape;
  const Expr x = tape.input("x", {9, 5}), b = tape.input("b", {5});
  const Expr row = named("row", exp(b)), u = named("u", x * row), v = named("v", u + 1.0);
  CHECK(Groups(tape, {v}).text() == Lines{"row > row", "u v > v"});
}

TEST_CASE("fusion: long chains and wide ones keep the limit of a program") {
  for (const Shape& space : {Shape{9, 5}, Shape{90, 5}, Shape{256}, Shape{257}}) {
    CAPTURE(space);
    Tape tape;
    const Expr x = tape.input("x", space);
    Expr e = x;
    for (int i = 0; i < 2000; ++i) e = i % 2 == 0 ? tanh(e) : e * x;
    const Groups chain(tape, {e});
    CHECK(mistake_in(chain) == "");
    CHECK(chain.list.size() <= 2000 / (TileProgram<float>::max_nodes(space) / 2) + 1);
    for (const auto& g : chain.list) CHECK(g.group.written.size() == 1);
  }
  Tape tape;
  const Expr x = tape.input("x", {90, 5});
  // Of one value and after many: more sums than a program takes.
  std::vector<Expr> sums;
  Expr y = exp(x);
  for (int i = 0; i < 48; ++i) y = sin(y);
  for (int i = 0; i < 40; ++i) {
    sums.push_back(sum(y + x, {i % 2}, i % 4 < 2));
    sums.push_back(sum(y * static_cast<double>(i + 2)));
  }
  CHECK(mistake_in(Groups(tape, sums)) == "");
}

TEST_CASE("fusion: sums fill a program up to its limit and no further") {
  Tape tape;
  const Expr x = tape.input("x", {2, 2, 2, 2, 40});
  Expr y = x;
  for (int i = 0; i < 49; ++i) y = i % 2 == 0 ? exp(y) : sin(y);
  std::vector<Expr> sums;
  for (int bits = 1; bits < 32; ++bits) {
    Axes axes;
    for (int i = 0; i < 5; ++i)
      if ((bits >> i & 1) != 0) axes.push_back(i);
    sums.push_back(sum(y, axes));
  }
  CHECK(mistake_in(Groups(tape, sums)) == "");
}

TEST_CASE("fusion: programs and their gradients are computed once, in an order that works") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    Tape tape;
    const RandomProgram p = random_program(tape, seed, {.operations = seed % 5 == 0 ? 40 : 12});
    Graph graph = prepare(tape, with_gradients(p, seed));
    if (seed % 2 == 0)
      graph = in_chunks(graph, {.bytes = seed % 4 == 0 ? 64 : 200, .bytes_per_number = 8});
    if (seed % 3 != 2) graph = accumulated(graph);
    graph = in_single_additions(graph);
    if (seed % 5 != 3) graph = spread_contractions(graph);
    const std::vector<Expr> roots = graph.roots;
    const Graph copy = live_part(*graph.tape, roots);
    CHECK(mistake_in(Groups(live_part(*copy.tape, copy.roots), Fusion::kNone)) == "");
    CHECK(mistake_in(Groups(std::move(graph))) == "");
  }
}

TEST_CASE("fusion: what was planted wrong is found") {
  Tape tape;
  const Expr x = tape.input("x", {9, 5}), W = tape.input("W", {5, 5});
  const Expr v = named("v", exp(x)), u = named("u", v * matmul(v, W));
  const auto broken = [&](auto&& change) {
    Groups groups(tape, {u, sum(u)});
    REQUIRE(mistake_in(groups) == "");
    change(groups.list);
    return mistake_in(groups) != "";
  };
  using List = std::vector<InstructionGroup>;
  CHECK(broken([](List& list) { std::swap(list[0], list[1]); }));
  CHECK(broken([](List& list) { list.pop_back(); }));
  CHECK(broken([](List& list) { list.push_back(list.back()); }));
  CHECK(broken([](List& list) { list[0].group.written.clear(); }));
  CHECK(broken([](List& list) { std::ranges::reverse(list[2].group.nodes); }));
  CHECK(broken([](List& list) {
    list[2].group.written.insert(list[2].group.written.begin(), list[0].group.nodes[0]);
  }));
  CHECK(broken([](List& list) { list[1].tiled = true; }));
}

TEST_CASE("fusion: the memory of random programs grows little") {
  ThreadPool pool(1);
  const auto bytes = [&](const Tape& tape, const Program& program,
                         std::vector<std::string> without) {
    return Plan<double>(tape, program, pool, {.without_passes = std::move(without)})
        .statistics()
        .arena_bytes;
  };
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    Tape tape;
    const RandomProgram p = random_program(tape, seed, {.operations = seed % 2 == 0 ? 12 : 30});
    const Program program{with_gradients(p, seed), {}, {}};
    const std::int64_t plain = bytes(tape, program, {"fusion"}), fused = bytes(tape, program, {});
    // Small programs keep their buffers in the arena; at most 900 bytes more than twice were seen.
    CHECK(fused <= 2 * plain + 4096);
  }
}
