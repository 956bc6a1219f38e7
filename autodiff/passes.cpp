#include "autodiff/passes.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "autodiff/algebra/merge.hpp"
#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/stable_forms.hpp"
#include "autodiff/subscripts.hpp"

namespace jacquard {
namespace {

std::vector<Expr> inputs_of(const Node& node, std::span<const Expr> copied) {
  std::vector<Expr> in;
  for (const NodeId i : node.inputs) in.push_back(copied[static_cast<std::size_t>(i)]);
  return in;
}

// ---------------------------------------------------------------- contractions in pairs
struct Factors {
  std::vector<std::string> labels;
  std::vector<Expr> operands;
  std::string output;

  std::string needed_outside(std::size_t i, std::size_t j) const {
    std::string outside = output;
    for (std::size_t k = 0; k < labels.size(); ++k)
      if (k != i && k != j) outside += labels[k];
    std::string kept;
    for (const char c : labels[i] + labels[j])
      if (outside.find(c) != outside.npos && kept.find(c) == kept.npos) kept += c;
    return kept;
  }

  double cost(std::size_t i, std::size_t j) const {
    double product = 1;
    std::string seen;
    for (const std::size_t k : {i, j})
      for (std::size_t a = 0; a < labels[k].size(); ++a)
        if (seen.find(labels[k][a]) == seen.npos) {
          seen += labels[k][a];
          product *= static_cast<double>(operands[k].shape()[static_cast<int>(a)]);
        }
    return product;
  }

  void join(std::size_t i, std::size_t j) {
    const std::string kept = labels.size() == 2 ? output : needed_outside(i, j);
    const Expr pair =
        contract(labels[i] + ',' + labels[j] + "->" + kept, {operands[i], operands[j]});
    labels[i] = kept;
    operands[i] = pair;
    labels.erase(labels.begin() + static_cast<std::ptrdiff_t>(j));
    operands.erase(operands.begin() + static_cast<std::ptrdiff_t>(j));
  }
};

// The cheapest pair first; among equals the first in order, so that plans are reproducible.
Expr contract_in_pairs(const Node& node, const std::vector<Expr>& in) {
  const Subscripts s = Subscripts::parse(node.attributes.text("subscripts"));
  Factors factors{s.inputs, in, s.output};
  while (factors.labels.size() > 1) {
    std::size_t best_i = 0, best_j = 1;
    double best = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < factors.labels.size(); ++i)
      for (std::size_t j = i + 1; j < factors.labels.size(); ++j)
        if (const double cost = factors.cost(i, j); cost < best) {
          best = cost;
          best_i = i;
          best_j = j;
        }
    factors.join(best_i, best_j);
  }
  return factors.operands[0];
}

Graph pair_contractions(const Graph& graph) {
  return transform(
      *graph.tape, graph.roots, [](Tape&, const Node& node, const std::vector<Expr>& in) {
        return node.op->name == "contract" && in.size() > 2 ? contract_in_pairs(node, in) : Expr{};
      });
}

// ---------------------------------------------------------------- broadcasts that are read
// Elementwise ops broadcast by themselves, so a stretched copy of an operand is not needed as long
// as the result keeps its shape.
Graph drop_broadcasts(const Graph& graph) {
  return transform(*graph.tape, graph.roots,
                   [](Tape& to, const Node& node, const std::vector<Expr>& in) {
                     if (!node.op->elementwise) return Expr{};
                     std::vector<Expr> inputs = in;
                     bool changed = false;
                     for (std::size_t i = 0; i < inputs.size(); ++i) {
                       if (inputs[i].op().name != "broadcast_to") continue;
                       const Expr stretched = inputs[i];
                       inputs[i] = to.expr(to.node(stretched).inputs[0]);
                       Shape shape;
                       for (const Expr& e : inputs)
                         shape = broadcast("broadcast", shape, e.shape());
                       if (shape == node.shape)
                         changed = true;
                       else
                         inputs[i] = stretched;
                     }
                     return changed ? to.append(*node.op, inputs, node.attributes) : Expr{};
                   });
}

// ---------------------------------------------------------------- transposes that are read
// A contraction reads its operands and writes its result in any order of axes, so that a
// transposition next to it is a renaming of indices.
Expr without_transposes(Tape& to, const Node& node, const std::vector<Expr>& in) {
  Subscripts s = Subscripts::parse(node.attributes.text("subscripts"));
  std::vector<Expr> operands = in;
  bool changed = false;
  for (std::size_t k = 0; k < in.size(); ++k) {
    if (in[k].op().name != "transpose") continue;
    const Node& moved = to.node(in[k]);
    const auto& axes = moved.attributes.integers("axes");
    const std::string before = s.inputs[k];
    for (std::size_t i = 0; i < axes.size(); ++i)
      s.inputs[k][static_cast<std::size_t>(axes[i])] = before[i];
    operands[k] = to.expr(moved.inputs[0]);
    changed = true;
  }
  return changed ? contract(s.text(), operands) : Expr{};
}

// The contraction of the same operands with its axes in another order.
Expr with_axes(Tape& to, Expr contraction, const std::vector<std::int64_t>& axes) {
  const Node source = to.node(contraction);
  Subscripts s = Subscripts::parse(source.attributes.text("subscripts"));
  const std::string before = s.output;
  for (std::size_t i = 0; i < axes.size(); ++i)
    s.output[i] = before[static_cast<std::size_t>(axes[i])];
  std::vector<Expr> operands;
  for (const NodeId id : source.inputs) operands.push_back(to.expr(id));
  return contract(s.text(), operands);
}

bool is_inverse(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (b[static_cast<std::size_t>(a[i])] != static_cast<std::int64_t>(i)) return false;
  return true;
}

// transpose(f(transpose(x), contraction)) -> f(x, contraction'), for an elementwise f whose
// operands are all numbers, transposes or contractions that nobody else reads; an empty Expr where
// one is something else.
Expr turned(Tape& to, const Node& f, const std::vector<std::int64_t>& axes,
            const std::vector<int>& readers, std::span<const Expr> copied) {
  std::vector<Expr> operands;
  for (const NodeId input : f.inputs) {
    const Expr in = copied[static_cast<std::size_t>(input)];
    if (in.shape().rank() == 0) {
      operands.push_back(in);
    } else if (in.op().name == "transpose" &&
               is_inverse(to.node(in).attributes.integers("axes"), axes)) {
      operands.push_back(to.expr(to.node(in).inputs[0]));
    } else if (in.op().name == "contract" && in.shape() == f.shape &&
               readers[static_cast<std::size_t>(input)] == 1) {
      operands.push_back(with_axes(to, in, axes));
    } else {
      return {};
    }
  }
  return to.append(*f.op, operands, f.attributes);
}

Graph absorb_transposes(const Graph& graph) {
  const Tape& tape = *graph.tape;
  const std::vector<int> readers = reader_counts(graph);
  return transform_nodes(tape, graph.roots, [&](Tape& to, NodeId id, std::span<const Expr> copied) {
    const Node& node = tape.node(id);
    if (node.op->name == "contract") return without_transposes(to, node, inputs_of(node, copied));
    if (node.op->name != "transpose" || readers[static_cast<std::size_t>(node.inputs[0])] > 1)
      return Expr{};
    const auto& axes = node.attributes.integers("axes");
    const Node& source = tape.node(node.inputs[0]);
    if (source.op->elementwise) return turned(to, source, axes, readers, copied);
    const Expr in = copied[static_cast<std::size_t>(node.inputs[0])];
    return in.op().name == "contract" ? with_axes(to, in, axes) : Expr{};
  });
}

// ---------------------------------------------------------------- numbers times contractions
// A number times a large result is put into the smaller operand.
Graph move_scales(const Graph& graph) {
  const std::vector<int> readers = reader_counts(graph);
  return transform(
      *graph.tape, graph.roots, [&](Tape& to, const Node& node, const std::vector<Expr>& in) {
        if (node.op->name != "multiply") return Expr{};
        const std::size_t large = in[0].shape().rank() == 0 ? 1 : 0;
        const Expr number = in[1 - large];
        if (number.shape().rank() != 0 || in[large].op().name != "contract" ||
            readers[static_cast<std::size_t>(node.inputs[large])] > 1)
          return Expr{};
        const Node source = to.node(in[large]);
        if (source.inputs.size() != 2) return Expr{};
        const auto size = [&](std::size_t k) { return to.node(source.inputs[k]).shape.size(); };
        const std::size_t small = size(0) <= size(1) ? 0 : 1;
        if (4 * size(small) > source.shape.size()) return Expr{};
        std::vector<Expr> operands{to.expr(source.inputs[0]), to.expr(source.inputs[1])};
        operands[small] = number * operands[small];
        return to.append(*source.op, operands, source.attributes);
      });
}

// ---------------------------------------------------------------- products of factors
// Factors of a product of elements, through products that nobody else reads.
void collect_factors(const Tape& tape, const std::vector<int>& readers, NodeId id,
                     std::vector<NodeId>& factors) {
  for (const NodeId in : tape.node(id).inputs)
    if (tape.node(in).op->name == "multiply" && readers[static_cast<std::size_t>(in)] == 1)
      collect_factors(tape, readers, in, factors);
    else
      factors.push_back(in);
}

// Small factors are multiplied first: what is as large as the result is touched once.
Graph small_factors_first(const Graph& graph) {
  const Tape& tape = *graph.tape;
  const std::vector<int> readers = reader_counts(graph);
  return transform_nodes(tape, graph.roots, [&](Tape&, NodeId id, std::span<const Expr> copied) {
    const Node& node = tape.node(id);
    std::vector<NodeId> ids;
    if (node.op->name == "multiply") collect_factors(tape, readers, id, ids);
    if (ids.size() < 3) return Expr{};
    std::vector<Expr> factors;
    for (const NodeId factor : ids) factors.push_back(copied[static_cast<std::size_t>(factor)]);
    std::ranges::stable_sort(factors, {}, [](const Expr& e) { return e.shape().size(); });
    bool changed = false;
    while (factors.size() > 1) {
      const Shape both = broadcast("multiply", factors[0].shape(), factors[1].shape());
      if (both.size() == node.shape.size() || both.size() > factors[1].shape().size()) break;
      factors[1] = factors[0] * factors[1];
      factors.erase(factors.begin());
      changed = true;
    }
    if (!changed) return Expr{};
    Expr product = factors.back();  // from the largest on, so that no other has the result's size
    for (std::size_t i = factors.size() - 1; i-- > 0;) product = product * factors[i];
    return product;
  });
}

// ---------------------------------------------------------------- quotients by numbers
Graph multiply_by_reciprocals(const Graph& graph) {
  return transform(
      *graph.tape, graph.roots, [](Tape&, const Node& node, const std::vector<Expr>& in) {
        const bool by_number =
            node.op->name == "divide" && node.shape.size() > 1 && in[1].shape().rank() == 0;
        return by_number ? in[0] * (1.0 / in[1]) : Expr{};
      });
}

// ---------------------------------------------------------------- sums of sums
// The axes that a node sums over, counted from the front.
std::vector<int> summed_axes(const Node& node, int rank) {
  std::vector<int> axes;
  for (const std::int64_t axis : node.attributes.integers("axes"))
    axes.push_back(static_cast<int>(axis) + rank);
  return axes;
}

// One sum is rounded once, and what it sums need not wait for another.
Expr sum_of_sum(Tape& to, const Node& node, Expr in) {
  const Node& inner = to.node(in);
  const Expr x = to.expr(inner.inputs[0]);
  std::vector<int> left;  // the axes of x that `in` has
  const std::vector<int> gone = summed_axes(inner, x.shape().rank());
  for (int i = 0; i < x.shape().rank(); ++i)
    if (inner.attributes.integer("keepdims") != 0 || std::ranges::find(gone, i) == gone.end())
      left.push_back(i);
  Axes axes(gone.begin(), gone.end());
  for (const int axis : summed_axes(node, in.shape().rank())) {
    const int of_x = left[static_cast<std::size_t>(axis)];
    if (std::ranges::find(gone, of_x) == gone.end()) axes.push_back(of_x);
  }
  return reshape(sum(x, axes), node.shape);
}

Graph sums_at_once(const Graph& graph) {
  const std::vector<int> readers = reader_counts(graph);
  return transform(*graph.tape, graph.roots,
                   [&](Tape& to, const Node& node, const std::vector<Expr>& in) {
                     const bool twice = node.op->name == "sum" && in[0].op().name == "sum" &&
                                        readers[static_cast<std::size_t>(node.inputs[0])] == 1;
                     return twice ? sum_of_sum(to, node, in[0]) : Expr{};
                   });
}

constexpr std::array kPasses = {
    Pass{"stable", "log(1 + exp(x)) -> softplus(x), and the like (see stable_forms.hpp)",
         in_stable_forms},
    Pass{"broadcasts", "elementwise(broadcast_to(x), y) -> elementwise(x, y)", drop_broadcasts},
    Pass{"pairs", "contract(a, b, c, ...) -> contractions of two operands, the cheapest first",
         pair_contractions},
    Pass{"transposes",
         "contract(transpose(x), ...) and transpose(contract(...)) -> contract(...); "
         "transpose(transpose(x) + contract(...)) -> x + contract(...)",
         absorb_transposes},
    Pass{"merging", "equal contractions are one; X X' is marked as symmetric; x + x -> 2 x",
         algebra::merge_contractions},
    Pass{"scales", "s * contract(x, Y) -> contract(s * x, Y)", move_scales},
    Pass{"sums", "sum(sum(x, a), b) -> sum(x, a and b)", sums_at_once},
    Pass{"reciprocals", "X / s -> X * (1 / s)", multiply_by_reciprocals},
    Pass{"factors", "s * (t * X) -> (s * t) * X", small_factors_first},
};

void check_roots(std::string_view pass, const Graph& before, const Graph& after) {
  try {
    verify(*after.tape);
  } catch (const InternalError& error) {
    throw InternalError(cat("pass '", pass, "': ", error.what()));
  }
  for (std::size_t i = 0; i < before.roots.size(); ++i)
    if (!(before.roots[i].shape() == after.roots[i].shape()))
      throw InternalError(cat("pass '", pass, "': root ", i, " had shape ", before.roots[i].shape(),
                              " and has ", after.roots[i].shape()));
}

std::string pass_names() {
  std::string names;
  for (const Pass& pass : kPasses) names += cat('\'', pass.name, "', ");
  for (const std::string_view step : kPlanSteps)
    names += cat('\'', step, step == kPlanSteps.back() ? "'" : "', ");
  return names;
}

}  // namespace

std::vector<int> reader_counts(const Graph& graph) {
  std::vector<int> readers(graph.tape->size(), 0);
  for (NodeId id = 0; id < static_cast<NodeId>(graph.tape->size()); ++id)
    for (const NodeId in : graph.tape->node(id).inputs) ++readers[static_cast<std::size_t>(in)];
  for (const Expr& root : graph.roots) ++readers[static_cast<std::size_t>(root.id)];
  return readers;
}

std::span<const Pass> all_passes() { return kPasses; }

Graph transform_nodes(const Tape& tape, std::span<const Expr> roots, const RewriteNode& rewrite) {
  return transform_nodes(tape, ancestors(tape, roots), roots, rewrite);
}

Graph transform_nodes(const Tape& tape, std::span<const NodeId> ids, std::span<const Expr> roots,
                      const RewriteNode& rewrite) {
  Graph result{std::make_unique<Tape>(), {}};
  std::vector<Expr> copied(tape.size());
  for (const NodeId id : ids) {
    const Node& node = tape.node(id);
    Expr e = rewrite(*result.tape, id, copied);
    if (!e) e = result.tape->append(*node.op, inputs_of(node, copied), node.attributes);
    if (!tape.label(id).empty()) result.tape->label(e, tape.label(id));
    copied[static_cast<std::size_t>(id)] = e;
  }
  for (const Expr& root : roots) result.roots.push_back(copied[static_cast<std::size_t>(root.id)]);
  return result;
}

Graph transform(const Tape& tape, std::span<const Expr> roots, const Rewrite& rewrite) {
  return transform_nodes(tape, roots, [&](Tape& to, NodeId id, std::span<const Expr> copied) {
    const Node& node = tape.node(id);
    return rewrite(to, node, inputs_of(node, copied));
  });
}

Graph live_part(const Tape& tape, std::span<const Expr> roots) {
  return transform(tape, roots,
                   [](Tape&, const Node&, const std::vector<Expr>&) { return Expr{}; });
}

Graph prepare(const Tape& tape, std::span<const Expr> roots,
              const std::vector<std::string>& without) {
  for (const std::string& name : without)
    if (std::ranges::find(kPlanSteps, name) == kPlanSteps.end() &&
        std::ranges::none_of(kPasses, [&](const Pass& p) { return p.name == name; }))
      throw Error(cat("plan: there is no pass '", name, "'; the passes are ", pass_names()));
  Graph graph = live_part(tape, roots);
  for (const Pass& pass : kPasses) {
    if (std::ranges::find(without, pass.name) != without.end()) continue;
    // A pass may leave nodes behind that nobody reads; the copy drops them.
    const Graph rewritten = pass.run(graph);
    Graph next = live_part(*rewritten.tape, rewritten.roots);
    check_roots(pass.name, graph, next);
    graph = std::move(next);
  }
  return graph;
}

}  // namespace jacquard
