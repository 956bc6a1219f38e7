#include "autodiff/lowering.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>

#include "autodiff/ops.hpp"
#include "autodiff/ops/contract_products.hpp"
#include "autodiff/subscripts.hpp"

namespace jacquard {
namespace {

bool contains(const std::string& text, char c) { return text.find(c) != text.npos; }

bool repeats(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (contains(text.substr(i + 1), text[i])) return true;
  return false;
}

// Do the letters of `part` stand in `whole` in the same order?
bool is_subsequence(const std::string& part, const std::string& whole) {
  std::size_t at = 0;
  for (const char c : whole) at += at < part.size() && part[at] == c ? 1 : 0;
  return at == part.size();
}

std::string in_order_of(const std::string& whole, const std::string& part) {
  std::string result;
  for (const char c : whole)
    if (contains(part, c)) result += c;
  return result;
}

// The tensor with axes `from`, with those of them in the order of `whole`.
Expr in_order(Expr x, const std::string& from, const std::string& whole) {
  const std::string to = in_order_of(whole, from);
  if (to == from) return x;
  Axes axes;
  for (const char c : to) axes.push_back(static_cast<std::int64_t>(from.find(c)));
  return transpose(x, axes);
}

struct Contraction {
  Subscripts s;
  std::vector<Expr> operands;
  std::vector<int> readers = {};  // of each operand; where there are many, they share its copies

  std::int64_t size(char index) const {
    for (std::size_t k = 0; k < operands.size(); ++k)
      if (const std::size_t at = s.inputs[k].find(index); at != std::string::npos)
        return operands[k].shape()[static_cast<int>(at)];
    return 1;
  }
  std::int64_t count(const std::string& indices) const {
    std::int64_t n = 1;
    for (const char c : indices) n *= size(c);
    return n;
  }

  // Rows and columns that are summed over something: work that a product does better than passes
  // over memory. A matrix times a vector reads the matrix once, either way.
  bool is_matrix_product() const {
    std::string rows, columns, batch;
    bool sums = false;
    for (const char c : s.inputs[0] + s.inputs[1]) {
      const bool first = contains(s.inputs[0], c), second = contains(s.inputs[1], c);
      if (!contains(s.output, c))
        sums = sums || (first && second && size(c) > 1);
      else if (first && second)
        batch += contains(batch, c) ? "" : std::string(1, c);
      else
        (first ? rows : columns) += c;
    }
    if (!sums) return false;
    if (count(rows) > 1 && count(columns) > 1) return true;
    return count(batch) == 1 && (count(rows) > 1 || count(columns) > 1);
  }

  // Sums each operand of two over the indices that it alone has, if they are not kept.
  void sum_private() {
    for (std::size_t k = 0; k < operands.size() && operands.size() > 1; ++k) {
      Axes gone;
      std::string left;
      for (std::size_t i = 0; i < s.inputs[k].size(); ++i) {
        const char c = s.inputs[k][i];
        if (contains(s.output, c) || contains(s.inputs[1 - k], c))
          left += c;
        else
          gone.push_back(static_cast<std::int64_t>(i));
      }
      if (gone.empty()) continue;
      operands[k] = sum(operands[k], gone);
      s.inputs[k] = left;
    }
  }

  // How many elements are moved when operands are brought into this order of all indices, and the
  // result out of it.
  std::int64_t moved(const std::string& all) const {
    std::int64_t moved = 0;
    for (std::size_t k = 0; k < operands.size(); ++k)
      if (!is_subsequence(s.inputs[k], all)) moved += operands[k].shape().size() / readers[k];
    if (!is_subsequence(s.output, all)) moved += count(s.output);
    return moved;
  }

  // The order in which least is moved: that of an operand or of the result, with the indices that
  // it does not have before or behind them.
  std::string order() const {
    std::string best;
    std::vector<std::string> starts = s.inputs;
    starts.push_back(s.output);
    for (const std::string& start : starts) {
      std::string others;
      for (const std::string& text : starts)
        for (const char c : text)
          if (!contains(start + others, c)) others += c;
      for (const std::string& all : {others + start, start + others})
        if (best.empty() || moved(all) < moved(best)) best = all;
    }
    return best;
  }

  // Operand k with an axis for each index of `all`, in this order, of size 1 where it has none.
  Expr aligned(std::size_t k, const std::string& all) const {
    std::vector<std::int64_t> sizes;
    for (const char c : all) sizes.push_back(contains(s.inputs[k], c) ? size(c) : 1);
    return reshape(in_order(operands[k], s.inputs[k], all), Shape(std::move(sizes)));
  }
};

Expr spread(const Node& node, const std::vector<Expr>& in, const std::vector<int>& readers) {
  if (in.size() > 2) return {};
  Contraction c{Subscripts::parse(node.attributes.text("subscripts")), in};
  for (const NodeId i : node.inputs) c.readers.push_back(readers[static_cast<std::size_t>(i)]);
  if (in.size() == 2 && c.is_matrix_product()) return {};
  if (std::ranges::any_of(c.s.inputs, repeats)) return {};
  c.sum_private();
  const std::string all = c.order();
  if (4 * c.moved(all) > c.count(all)) return {};
  std::vector<std::int64_t> gone;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (!contains(c.s.output, all[i])) gone.push_back(static_cast<std::int64_t>(i));
  if (in.size() == 1 && gone.empty()) return {};
  const Expr product = in.size() == 1 ? in[0] : c.aligned(0, all) * c.aligned(1, all);
  const Expr result = gone.empty() ? product : sum(product, gone);
  // From the order of `all` to that of the result.
  return in_order(result, in_order_of(all, c.s.output), c.s.output);
}

// ---------------------------------------------------------------- sums of many terms
Expr plus(Expr a, Expr b) {  // what is negated is subtracted
  for (const auto& [x, y] : {std::pair{a, b}, std::pair{b, a}})
    if (y.op().name == "negate") return x - y.tape->expr(y.tape->node(y).inputs[0]);
  return a + b;
}

// The first terms are added first, as the op does it. Each but the last is added as soon as it is
// on the tape, whose order groups of instructions follow: terms that wait for others are kept.
class SingleAdditions {
 public:
  explicit SingleAdditions(const Graph& graph)
      : from_(*graph.tape), sums_with_(from_.size()), totals_(from_.size()) {
    for (NodeId id = 0; id < static_cast<NodeId>(from_.size()); ++id) {
      const std::vector<NodeId>& terms = from_.node(id).inputs;  // ascending
      if (!is_addition(id)) continue;
      for (std::size_t k = 1; k + 1 < terms.size(); ++k) sums_with_[index(terms[k])].push_back(id);
    }
  }

  Graph run(const std::vector<Expr>& roots) {
    return transform_nodes(from_, roots, [this](Tape& to, NodeId id, std::span<const Expr> copied) {
      const std::vector<NodeId>& inputs = from_.node(id).inputs;
      Expr copy;
      if (is_addition(id)) {
        copy = copied[index(inputs[0])];
        if (inputs.size() > 1) copy = with_term(id, copy, copied[index(inputs.back())]);
      } else if (!sums_with_[index(id)].empty()) {
        std::vector<Expr> in;
        for (const NodeId i : inputs) in.push_back(copied[index(i)]);
        copy = to.append(*from_.node(id).op, in, from_.node(id).attributes);
      }
      for (const NodeId sum : sums_with_[index(id)]) {
        const NodeId first = from_.node(sum).inputs[0];
        totals_[index(sum)] = with_term(sum, first == id ? copy : copied[index(first)], copy);
      }
      return copy;
    });
  }

 private:
  static std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }
  bool is_addition(NodeId id) const { return from_.node(id).op->name == "add"; }
  Expr with_term(NodeId sum, Expr first, Expr term) const {
    return plus(totals_[index(sum)] ? totals_[index(sum)] : first, term);
  }

  const Tape& from_;
  std::vector<std::vector<NodeId>> sums_with_;  // by node: the sums of which it is a later term
  std::vector<Expr> totals_;                    // by sum: its terms so far, from two on
};

// ---------------------------------------------------------------- sums with products
class Accumulation {
 public:
  explicit Accumulation(const Graph& graph)
      : from_(*graph.tape), readers_(reader_counts(graph)), stored_(stored(graph)) {}

  Graph run(const std::vector<Expr>& roots) {
    return transform_nodes(from_, roots, [this](Tape&, NodeId id, std::span<const Expr> copied) {
      copied_ = copied;
      const bool sum = is_sum(from_.node(id)) && stored_[static_cast<std::size_t>(id)];
      return sum ? sum_with_products(id) : Expr{};
    });
  }

 private:
  // One term of a sum: scale * value, or its negative; without scale, it is 1.
  struct Term {
    NodeId value;
    Expr scale;
    bool negative;
  };

  static bool is(const Node& node, const char* op) { return node.op->name == op; }
  static bool is_sum(const Node& node) { return is(node, "add") || is(node, "subtract"); }

  // Values that have to be in memory, and those of which these are sums: no tile program can have
  // them to itself.
  static std::vector<bool> stored(const Graph& graph) {
    const Tape& tape = *graph.tape;
    std::vector<bool> stored(tape.size(), false);
    for (const Expr& root : graph.roots) stored[static_cast<std::size_t>(root.id)] = true;
    for (NodeId id = static_cast<NodeId>(tape.size()) - 1; id >= 0; --id) {
      const Node& node = tape.node(id);
      const bool scales = is(node, "multiply") && (tape.node(node.inputs[0]).shape.rank() == 0 ||
                                                   tape.node(node.inputs[1]).shape.rank() == 0);
      const bool linear = is_sum(node) || is(node, "negate") || scales;
      for (const NodeId in : node.inputs)
        if (!node.op->elementwise || !(node.shape == tape.node(in).shape) ||
            (linear && stored[static_cast<std::size_t>(id)]))
          stored[static_cast<std::size_t>(in)] = true;
    }
    return stored;
  }

  Expr copy(NodeId id) const { return copied_[static_cast<std::size_t>(id)]; }
  bool read_once(NodeId id) const { return readers_[static_cast<std::size_t>(id)] == 1; }

  // The terms of which node id is the sum: through scales that nobody else reads, and, if `deep`,
  // such sums.
  void collect(NodeId id, const Term& as, bool deep, std::vector<Term>& terms) {
    const Node& node = from_.node(id);
    const auto deeper = [&](NodeId in, const Term& term) {
      if (from_.node(in).shape == node.shape && read_once(in) && (deep || !is_sum(from_.node(in))))
        collect(in, term, deep, terms);
      else
        terms.push_back({in, term.scale, term.negative});
    };
    const bool stretches = std::ranges::any_of(
        node.inputs, [&](NodeId in) { return !(from_.node(in).shape == node.shape); });
    if (is_sum(node) && !stretches) {
      for (std::size_t i = 0; i < node.inputs.size(); ++i)
        deeper(node.inputs[i], {0, as.scale, as.negative != (i == 1 && is(node, "subtract"))});
      return;
    }
    if (is(node, "negate")) return deeper(node.inputs[0], {0, as.scale, !as.negative});
    if (is(node, "multiply"))
      for (std::size_t i = 0; i < 2; ++i) {
        if (from_.node(node.inputs[i]).shape.rank() != 0 || node.shape.rank() == 0) continue;
        const Expr scale = copy(node.inputs[i]);
        return deeper(node.inputs[1 - i], {0, as.scale ? as.scale * scale : scale, as.negative});
      }
    terms.push_back({id, as.scale, as.negative});
  }

  bool is_product(const Term& term) const {
    const Node& node = from_.node(term.value);
    if (!is(node, "contract") || node.inputs.size() != 2 || !read_once(term.value)) return false;
    const Contraction contraction{Subscripts::parse(node.attributes.text("subscripts")),
                                  {copy(node.inputs[0]), copy(node.inputs[1])}};
    const std::array shapes{&from_.node(node.inputs[0]).shape, &from_.node(node.inputs[1]).shape};
    return contraction.is_matrix_product() && adds_in_place({shapes, node.shape, node.attributes});
  }

  // Are both symmetric in the same axes, or neither?
  bool alike(NodeId a, NodeId b) const {
    const auto axes = [&](NodeId id) {
      return symmetric_axes(from_.node(id).attributes, from_.node(id).shape);
    };
    return axes(a) == axes(b);
  }

  // The scale goes to a factor that is smaller than the value, if there is one.
  Expr scaled(const Term& term) const {
    if (!term.scale) return copy(term.value);
    const Node& node = from_.node(term.value);
    if (is(node, "multiply") && read_once(term.value))
      for (std::size_t i = 0; i < 2; ++i)
        if (const Expr factor = copy(node.inputs[i]); factor.shape().size() < node.shape.size())
          return copy(node.inputs[1 - i]) * (term.scale * factor);
    return term.scale * copy(term.value);
  }

  // An empty Expr where no product can be added to something.
  Expr sum_with_products(NodeId id) {
    const Node& node = from_.node(id);
    // A sum of sums is written anew where it has few products: their factors must be there until
    // then.
    constexpr std::ptrdiff_t kMostMoved = 3;
    std::vector<Term> terms, products;
    const auto product = [&](const Term& t) { return is_product(t); };
    collect(id, {0, {}, false}, true, terms);
    if (std::ranges::count_if(terms, product) > kMostMoved) {
      terms.clear();
      collect(id, {0, {}, false}, false, terms);
    }
    const auto products_begin =
        std::stable_partition(terms.begin(), terms.end(), std::not_fn(product));
    products.assign(products_begin, terms.end());
    terms.erase(products_begin, terms.end());
    // Only half of a symmetric product is computed: it is added to what is as symmetric.
    if (terms.empty() && std::ranges::all_of(products, [&](const Term& p) {
          return alike(p.value, products[0].value);
        })) {
      const auto first = std::ranges::find(products, false, &Term::negative);
      if (first == products.end()) return {};
      terms.push_back(*first);
      products.erase(first);
    } else {
      const auto symmetric =
          std::stable_partition(products.begin(), products.end(), [&](const Term& p) {
            return !symmetric_axes(from_.node(p.value).attributes, node.shape);
          });
      terms.insert(terms.end(), symmetric, products.end());
      products.erase(symmetric, products.end());
    }
    if (products.empty()) return {};
    return with_products(terms, products);
  }

  // Terms of one scale are summed before they are scaled: each can be added as soon as it is there.
  Expr with_products(const std::vector<Term>& terms, const std::vector<Term>& products) const {
    Expr total;
    for (const bool negative : {false, true})
      for (auto term = terms.begin(); term != terms.end(); ++term) {
        const auto alike = [&](const Term& t) {
          return t.negative == negative && t.scale == term->scale;
        };
        if (term->negative != negative || std::any_of(terms.begin(), term, alike)) continue;
        std::vector<Expr> values;
        for (const Term& t : terms)
          if (alike(t)) values.push_back(copy(t.value));
        const Expr value = values.size() == 1 ? scaled(*term)
                           : term->scale      ? term->scale * add_all(values)
                                              : add_all(values);
        if (!total)
          total = negative ? -value : value;
        else
          total = negative ? total - value : total + value;
      }
    for (const Term& p : products) total = contract_add(total, copy(p.value), p.scale, p.negative);
    return total;
  }

  const Tape& from_;
  std::vector<int> readers_;
  std::vector<bool> stored_;
  std::span<const Expr> copied_;  // by node, what it has become
};

// ---------------------------------------------------------------- stacked products
// x + s sum_i a[i, r] b[i, c]
struct AddedRows {
  Expr x, a, b, scale;
  bool negative;
};

// nullopt if the node adds something else.
std::optional<AddedRows> added_rows(Tape& tape, const Node& node) {
  if (node.op->name != "contract_add" || node.shape.rank() != 2) return std::nullopt;
  if (symmetric_axes(node.attributes, node.shape)) return std::nullopt;
  const Subscripts s = Subscripts::parse(node.attributes.text("subscripts"));
  std::array<Expr, 2> factors;  // that with the rows of the result, that with its columns
  for (std::size_t k = 0; k < 2; ++k) {
    if (s.inputs[k].size() != 2 || contains(s.output, s.inputs[k][0])) return std::nullopt;
    const std::size_t at = s.output.find(s.inputs[k][1]);
    if (at == std::string::npos || factors[at]) return std::nullopt;
    factors[at] = tape.expr(node.inputs[1 + k]);
  }
  return AddedRows{tape.expr(node.inputs[0]), factors[0], factors[1],
                   node.inputs.size() == 4 ? tape.expr(node.inputs[3]) : Expr{},
                   node.attributes.integer("negative") != 0};
}

Expr stacked_pair(Tape& to, const Node& node, const std::vector<Expr>& in, bool read_once) {
  const Node outer{node.op, {}, node.attributes, node.shape};
  if (node.op->name != "contract_add" || in[0].op().name != "contract_add" || !read_once) return {};
  Node second = outer;
  for (const Expr& e : in) second.inputs.push_back(e.id);
  const auto one = added_rows(to, to.node(in[0])), two = added_rows(to, second);
  if (!one || !two || one->scale != two->scale || one->negative != two->negative) return {};
  const std::array factors{one->a, two->a, one->b, two->b};
  std::int64_t size = 0;
  for (const Expr& e : factors) size += e.shape().size();
  if (size > node.shape.size()) return {};
  const Expr a = concat({one->a, two->a}, 0), b = concat({one->b, two->b}, 0);
  return contract_add(one->x, contract("ab,ac->bc", {a, b}), one->scale, one->negative);
}

}  // namespace

Graph stacked(const Graph& graph) {
  const std::vector<int> readers = reader_counts(graph);
  const Graph result = transform(
      *graph.tape, graph.roots, [&](Tape& to, const Node& node, const std::vector<Expr>& in) {
        const bool read_once =
            !node.inputs.empty() && readers[static_cast<std::size_t>(node.inputs[0])] == 1;
        return stacked_pair(to, node, in, read_once);
      });
  return live_part(*result.tape, result.roots);
}

Graph accumulated(const Graph& graph) {
  const Graph result = Accumulation(graph).run(graph.roots);
  return live_part(*result.tape, result.roots);
}

Graph in_single_additions(const Graph& graph) { return SingleAdditions(graph).run(graph.roots); }

Graph numbers_first(const Graph& graph) {
  const Tape& tape = *graph.tape;
  std::vector<NodeId> ids = ancestors(tape, graph.roots);
  std::vector<bool> early(tape.size(), false);
  const auto is_early = [&](NodeId id) { return early[static_cast<std::size_t>(id)]; };
  for (const NodeId id : ids)
    early[static_cast<std::size_t>(id)] =
        tape.node(id).shape.size() == 1 && std::ranges::all_of(tape.node(id).inputs, is_early);
  std::stable_partition(ids.begin(), ids.end(), is_early);
  return transform_nodes(tape, ids, graph.roots,
                         [](Tape&, NodeId, std::span<const Expr>) { return Expr{}; });
}

Graph spread_contractions(const Graph& graph) {
  const std::vector<int> readers = reader_counts(graph);
  return transform(*graph.tape, graph.roots,
                   [&](Tape&, const Node& node, const std::vector<Expr>& in) {
                     return node.op->name == "contract" ? spread(node, in, readers) : Expr{};
                   });
}

}  // namespace jacquard
