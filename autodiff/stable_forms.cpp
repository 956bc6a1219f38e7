#include "autodiff/stable_forms.hpp"

#include <array>
#include <memory>
#include <optional>
#include <unordered_map>

namespace jacquard {
namespace {

// Special cases come before what they are a case of.
constexpr std::array kForms = {
    StableForm{"log(sigmoid(x)) = -softplus(-x)",
               [](Expr x, const Axes&) { return log(sigmoid(x)); },
               [](Expr x, const Axes&) { return -softplus(-x); }},
    StableForm{"log(1 - sigmoid(x)) = -softplus(x)",
               [](Expr x, const Axes&) { return log(1.0 - sigmoid(x)); },
               [](Expr x, const Axes&) { return -softplus(x); }},
    StableForm{"log(1 + exp(x)) = softplus(x)",
               [](Expr x, const Axes&) { return log(1.0 + exp(x)); },
               [](Expr x, const Axes&) { return softplus(x); }},
    StableForm{"log1p(exp(x)) = softplus(x)", [](Expr x, const Axes&) { return log1p(exp(x)); },
               [](Expr x, const Axes&) { return softplus(x); }},
    StableForm{"log(1 + x) = log1p(x)", [](Expr x, const Axes&) { return log(1.0 + x); },
               [](Expr x, const Axes&) { return log1p(x); }, -0.9, 3},
    StableForm{"log(1 - x) = log1p(-x)", [](Expr x, const Axes&) { return log(1.0 - x); },
               [](Expr x, const Axes&) { return log1p(-x); }, -3, 0.9},
    StableForm{"exp(x) - 1 = expm1(x)", [](Expr x, const Axes&) { return exp(x) - 1.0; },
               [](Expr x, const Axes&) { return expm1(x); }},
    StableForm{"1 - exp(x) = -expm1(x)", [](Expr x, const Axes&) { return 1.0 - exp(x); },
               [](Expr x, const Axes&) { return -expm1(x); }},
    StableForm{"1 / (1 + exp(-x)) = sigmoid(x)",
               [](Expr x, const Axes&) { return 1.0 / (1.0 + exp(-x)); },
               [](Expr x, const Axes&) { return sigmoid(x); }},
    StableForm{"1 / (1 + exp(x)) = sigmoid(-x)",
               [](Expr x, const Axes&) { return 1.0 / (1.0 + exp(x)); },
               [](Expr x, const Axes&) { return sigmoid(-x); }},
    StableForm{"exp(x) / (1 + exp(x)) = sigmoid(x)",
               [](Expr x, const Axes&) { return exp(x) / (1.0 + exp(x)); },
               [](Expr x, const Axes&) { return sigmoid(x); }},
    StableForm{"exp(x) * sigmoid(-x) = sigmoid(x)",
               [](Expr x, const Axes&) { return exp(x) * sigmoid(-x); },
               [](Expr x, const Axes&) { return sigmoid(x); }},
    StableForm{"(exp(x) - exp(-x)) / (exp(x) + exp(-x)) = tanh(x)",
               [](Expr x, const Axes&) { return (exp(x) - exp(-x)) / (exp(x) + exp(-x)); },
               [](Expr x, const Axes&) { return tanh(x); }},
    StableForm{"sqrt(x^2) = abs(x)", [](Expr x, const Axes&) { return sqrt(square(x)); },
               [](Expr x, const Axes&) { return abs(x); }, 0.1, 3},
    StableForm{"log(softmax(x)) = log_softmax(x)",
               [](Expr x, const Axes&) { return log(softmax(x)); },
               [](Expr x, const Axes&) { return log_softmax(x); }},
    StableForm{
        "exp(x) / sum(exp(x)) = softmax(x)",
        [](Expr x, const Axes& axes) { return exp(x) / sum(exp(x), axes, true); },
        [](Expr x, const Axes& axes) { return axes.size() == 1 ? softmax(x, axes[0]) : Expr{}; },
        -3, 3, true},
    StableForm{"log(sum(exp(x))) = logsumexp(x)",
               [](Expr x, const Axes& axes) { return log(sum(exp(x), axes)); },
               [](Expr x, const Axes& axes) { return logsumexp(x, axes); }},
    StableForm{"log(sum(exp(x))) = logsumexp(x), keeping axes",
               [](Expr x, const Axes& axes) { return log(sum(exp(x), axes, true)); },
               [](Expr x, const Axes& axes) { return logsumexp(x, axes, true); }, -3, 3, true},
};

// The graph of a written form, whose only input is what x stands for.
struct Pattern {
  Tape tape;
  Expr x, root;
  const StableForm* form;

  explicit Pattern(const StableForm& f) : form(&f) {
    x = tape.input("x", {2, 3});
    root = f.written(x, {-1});
  }
};

const std::vector<std::unique_ptr<Pattern>>& patterns() {
  static const auto all = [] {
    std::vector<std::unique_ptr<Pattern>> result;
    for (const StableForm& form : kForms) result.push_back(std::make_unique<Pattern>(form));
    return result;
  }();
  return all;
}

struct Match {
  NodeId x = -1;
  Axes axes;
};

bool is_sum(const Node& node) { return node.op->name == "sum"; }

// logsumexp() and log_softmax() are made of the same ops, with a shift.
bool is_shifted(const Tape& tape, NodeId x) {
  const Node& node = tape.node(x);
  return node.op->name == "subtract" && tape.node(node.inputs[1]).op->name == "stop_gradient";
}

class Matcher {
 public:
  Matcher(const Pattern& pattern, const Tape& tape) : pattern_(pattern), tape_(tape) {}

  // Does the pattern fit a node with these inputs?
  std::optional<Match> fits(const Node& node) const {
    const Node& wanted = pattern_.tape.node(pattern_.root);
    if (node.op != wanted.op || !same_attributes(wanted, node)) return std::nullopt;
    return inputs_fit(wanted, node.inputs, {});
  }

 private:
  bool same_attributes(const Node& wanted, const Node& node) const {
    if (!is_sum(wanted)) return wanted.attributes == node.attributes;
    return (node.attributes.integer("keepdims") != 0) == pattern_.form->keeps_dims;
  }

  // As deep as the pattern, which is no more than a line of text.
  std::optional<Match> fits(NodeId wanted_id, NodeId id, Match match) const {
    if (wanted_id == pattern_.x.id) {
      if (match.x >= 0 && match.x != id) return std::nullopt;
      match.x = id;
      return match;
    }
    const Node &wanted = pattern_.tape.node(wanted_id), &node = tape_.node(id);
    if (node.op != wanted.op || !same_attributes(wanted, node)) return std::nullopt;
    if (is_sum(wanted)) match.axes = node.attributes.integers("axes");
    return inputs_fit(wanted, node.inputs, std::move(match));
  }

  std::optional<Match> inputs_fit(const Node& wanted, const std::vector<NodeId>& inputs,
                                  const Match& match) const {
    if (wanted.inputs.size() != inputs.size()) return std::nullopt;
    std::optional<Match> found = match;
    for (std::size_t i = 0; i < inputs.size() && found; ++i)
      found = fits(wanted.inputs[i], inputs[i], *found);
    if (found || !wanted.op->commutative || inputs.size() != 2) return found;
    found = fits(wanted.inputs[0], inputs[1], match);
    return found ? fits(wanted.inputs[1], inputs[0], *found) : found;
  }

  const Pattern& pattern_;
  const Tape& tape_;
};

// An empty Expr where no form fits.
Expr stable(Tape& tape, const Node& node, const std::vector<Expr>& in) {
  Node here{node.op, {}, node.attributes, node.shape};
  for (const Expr& e : in) here.inputs.push_back(e.id);
  for (const auto& pattern : patterns()) {
    const auto match = Matcher(*pattern, tape).fits(here);
    if (!match || (!match->axes.empty() && is_shifted(tape, match->x))) continue;
    const Expr x = tape.expr(match->x);
    const Expr result = pattern->form->stable(x, match->axes);
    if (result && result.shape() == node.shape) return result;
  }
  return {};
}

}  // namespace

std::span<const StableForm> stable_forms() { return kForms; }

std::vector<Expr> in_stable_forms(const std::vector<Expr>& roots) {
  if (roots.empty()) return {};
  Tape& tape = *roots[0].tape;
  std::unordered_map<NodeId, Expr> copied;
  for (const NodeId id : ancestors(tape, roots)) {
    const Node node = tape.node(id);  // the tape grows
    std::vector<Expr> in;
    bool same = true;
    for (const NodeId i : node.inputs) {
      in.push_back(copied.at(i));
      same = same && in.back().id == i;
    }
    Expr e = stable(tape, node, in);
    if (!e) e = same ? tape.expr(id) : tape.append(*node.op, in, node.attributes);
    if (e.id != id && !tape.label(id).empty() && tape.label(e.id).empty())
      tape.label(e, tape.label(id));
    copied[id] = e;
  }
  std::vector<Expr> result;
  for (const Expr& root : roots) result.push_back(copied.at(root.id));
  return result;
}

Graph in_stable_forms(const Graph& graph) { return transform(*graph.tape, graph.roots, stable); }

}  // namespace jacquard
