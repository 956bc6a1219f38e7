#include "autodiff/algebra/describe.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>

#include "autodiff/algebra/index_text.hpp"
#include "autodiff/error.hpp"
#include "autodiff/ops/contract_products.hpp"
#include "autodiff/passes.hpp"
#include "autodiff/work.hpp"

namespace jacquard::algebra {
namespace {

// A factor as it is shown: a node under indices, to a power.
struct ShownFactor {
  View view;
  int power = 1;
};

// Those that a half is summed over before it is squared.
std::vector<Label> inner_labels(const Form& form) {
  std::vector<Label> inner = labels_of(form.half);
  const std::vector<Label> outside = labels_of(form.factors);
  std::erase_if(inner, [&](Label l) {
    return contains(form.output, l) || contains(outside, l) || contains(form.shared, l);
  });
  return inner;
}

std::vector<Factor> elements(const Form& form) {
  std::vector<Factor> all = form.half;
  all.insert(all.end(), form.factors.begin(), form.factors.end());
  return all;
}

class Describer {
 public:
  Describer(const Simplified& simplified, std::size_t bytes_per_number)
      : root_(simplified.roots.at(0)),
        tape_(*root_.tape),
        labels_(simplified.labels),
        bytes_per_number_(static_cast<double>(bytes_per_number)),
        text_(tape_, simplified.roots) {
    std::vector<Expr> before;
    for (const Rewritten& r : simplified.rewritten) before.push_back(r.before);
    for (const NodeId id : ancestors(tape_, before)) old_.insert(id);
    const std::vector<NodeId> needed = ancestors(tape_, simplified.roots);
    for (const Rewritten& r : simplified.rewritten)
      if (std::ranges::binary_search(needed, r.after.id) && !old_.contains(r.after.id))
        parts_.push_back(r);
    for (const Condition& c : simplified.conditions)
      for (const Rewritten& r : parts_)
        if (c.value == r.after) cause(r.sum) = true;
  }

  std::optional<Description> run() {
    if (parts_.empty()) return std::nullopt;
    name_factors();
    const std::vector<Expr> leaves = named_leaves();
    write_formula();
    explain(text_);
    write_steps(leaves);
    result_.names = text_.used_names();
    return std::move(result_);
  }

 private:
  void explain(IndexText& text) {
    for (std::string& definition : text.definitions())
      result_.where.push_back(std::move(definition));
  }

  // What the condition of a sum is for.
  bool& cause(const Sum& sum) {
    const bool halves =
        std::ranges::any_of(sum.terms, [](const Form& f) { return !f.half.empty(); });
    return sum.expanded ? result_.expanded : halves ? result_.gram : result_.difference;
  }

  // ---------------------------------------------------------------- indices
  void name_indices(const Sum& sum) {
    Indices outputs;
    for (const Form& form : sum.terms) {
      std::set<std::string> used;
      // Outputs correspond axis by axis; what is summed over may be called alike in all terms.
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        index_[form.output[i]] = outputs[i];
        used.insert(outputs[i]);
      }
      name_batch(form, used);
      std::vector<Factor> inwards = elements(form);
      std::ranges::reverse(inwards);
      for (const Factor& f : inwards) name_labels(f.labels, used);
      name_labels(form.output, used);
      if (outputs.empty()) outputs = indices_of(form.output);
    }
  }

  void name_batch(const Form& form, std::set<std::string>& used) {
    for (const Factor& f : elements(form)) {
      const int axis = text_.example_axis(f.node.id);
      const Label l = axis == kNoAxis ? kNoLabel : f.labels[static_cast<std::size_t>(axis)];
      if (l != kNoLabel && !index_.contains(l) && used.insert("b").second) index_[l] = "b";
    }
  }

  void name_labels(const std::vector<Label>& labels, std::set<std::string>& used) {
    for (const Label l : labels) {
      if (l == kNoLabel || index_.contains(l)) continue;
      // One index, one size, in all terms.
      std::set<std::string> others = used;
      for (const auto& [index, size] : sizes_)
        if (size != labels_.size(l)) others.insert(index);
      index_[l] = fresh_index(others);
      sizes_[index_[l]] = labels_.size(l);
      used.insert(index_[l]);
    }
  }

  Indices indices_of(const std::vector<Label>& labels) const {
    Indices result;
    for (const Label l : labels) result.push_back(l == kNoLabel ? "" : index_.at(l));
    return result;
  }

  // ---------------------------------------------------------------- names
  ShownFactor shown(const Factor& f) const {
    ShownFactor result{text_.seen({f.node.id, indices_of(f.labels)})};
    while (text_.name_of(result.view.node).empty() &&
           tape_.node(result.view.node).op->name == "square") {
      result.view = text_.seen({tape_.node(result.view.node).inputs[0], result.view.indices});
      result.power *= 2;
    }
    return result;
  }

  bool needs_name(NodeId id) const {
    return text_.name_of(id).empty() && !text_.constant(id) && tape_.node(id).op->name != "eye";
  }

  void name_factors() {
    for (const Rewritten& r : parts_) {
      name_indices(r.sum);
      if (r.after == root_) continue;
      text_.name(r.after.id, text_.new_name("p"));
      text_.suggest(r.after.id, indices_of(r.sum.terms[0].output));
    }
    std::vector<NodeId> nameless;
    for (const Rewritten& r : parts_)
      for (const Form& form : r.sum.terms)
        for (const Factor& f : elements(form)) {
          const View v = shown(f).view;
          text_.suggest(v.node, v.indices);
          if (needs_name(v.node) && std::ranges::find(nameless, v.node) == nameless.end())
            nameless.push_back(v.node);
        }
    for (const NodeId id : nameless) {
      text_.name(id, text_.new_name("d", nameless.size() > 1));
      text_.explain(id);
      if (is_plain(id)) plain_.insert(id);
    }
  }

  // Is the node elementwise in nodes that were there before, and no larger? The difference of two
  // derivatives, but not the formed Jacobian of a softmax.
  bool is_plain(NodeId id) const {
    std::int64_t largest = 0;
    std::vector<NodeId> open{id};
    while (!open.empty()) {
      const NodeId next = open.back();
      open.pop_back();
      const Node& node = tape_.node(next);
      if (old_.contains(next)) {
        const NodeId seen = seen_below(next);
        if (tape_.node(seen).op->name != "eye")
          largest = std::max(largest, tape_.node(seen).shape.size());
        continue;
      }
      if (!node.op->elementwise && !is_view(tape_, next) && !text_.constant(next)) return false;
      open.insert(open.end(), node.inputs.begin(), node.inputs.end());
    }
    return tape_.node(id).shape.size() <= largest;
  }

  NodeId seen_below(NodeId id) const {
    return text_.seen({id, Indices(static_cast<std::size_t>(tape_.node(id).shape.rank()))}).node;
  }

  // ---------------------------------------------------------------- the formula
  void write_formula() {
    for (const Rewritten& r : parts_)
      if (r.after == root_)
        result_.formula = sum_text(r.sum);
      else
        result_.where.push_back(text_.operand({r.after.id, indices_of(r.sum.terms[0].output)}) +
                                " = " + sum_text(r.sum));
    if (result_.formula.empty()) result_.formula = text_.written(root_.id, text_.indices(root_.id));
  }

  std::string sum_text(const Sum& sum) {
    std::string text;
    for (const Form& form : sum.terms) {
      double number = form.coefficient;
      const auto scale = form.scale ? text_.constant(form.scale.id) : std::nullopt;
      if (scale) number *= *scale;
      text += text.empty() ? (number < 0 ? "-" : "") : (number < 0 ? " - " : " + ");
      text += term_text(form, std::abs(number), !scale);
    }
    return text;
  }

  // number * scale * sum of the products
  std::string term_text(const Form& form, double number, bool with_scale) {
    std::vector<std::string> parts;
    const std::string products = products_text(form);
    const bool scaled = form.scale && with_scale;
    if (number != 1 || (products.empty() && !scaled)) parts.push_back(short_number(number));
    if (scaled) parts.push_back(text_.operand({form.scale.id, {}}, true));
    if (!products.empty()) parts.push_back(products);
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "" : " * ") + part;
    return text;
  }

  std::string products_text(const Form& form) {
    const std::vector<Label> inner = inner_labels(form);
    std::vector<Label> outer = labels_of(elements(form));
    std::erase_if(outer, [&](Label l) { return contains(inner, l) || contains(form.output, l); });
    std::string text = product_text(form.factors);
    if (!form.half.empty())
      text += cat(text.empty() ? "(" : " (", sum_prefix(inner), product_text(form.half), ")^2");
    return sum_prefix(outer) + text;
  }

  std::string sum_prefix(const std::vector<Label>& labels) const {
    Indices all = indices_of(labels);
    if (all.empty()) return "";
    std::ranges::sort(all, {}, place_of_index);
    std::string list;
    for (const std::string& index : all) list += (list.empty() ? "" : ",") + index;
    return all.size() == 1 ? "sum_" + list + ' ' : "sum_{" + list + "} ";
  }

  // From the outputs of the function to its inputs: indices were named from there on.
  std::string product_text(std::vector<Factor> factors) {
    std::ranges::stable_sort(factors, std::greater{}, [this](const Factor& f) {
      std::vector<int> places;
      for (const std::string& index : indices_of(f.labels))
        if (const int place = place_of_index(index); place > 0) places.push_back(place);
      if (places.empty()) return std::pair(std::numeric_limits<int>::max(), 0);
      const auto [low, high] = std::ranges::minmax(places);
      return std::pair(high, low);
    });
    std::vector<ShownFactor> shown_factors;
    for (const Factor& f : factors) {
      const ShownFactor s = shown(f);
      if (is_identity(f) && s.view.indices[0] == s.view.indices[1]) continue;  // 1
      const auto same = std::ranges::find(shown_factors, s.view, &ShownFactor::view);
      if (same == shown_factors.end())
        shown_factors.push_back(s);
      else
        same->power += s.power;
    }
    std::string text;
    for (const ShownFactor& s : shown_factors)
      text += cat(text.empty() ? "" : " ", text_.operand(s.view, true),
                  s.power == 1 ? "" : cat('^', s.power));
    return text;
  }

  // ---------------------------------------------------------------- the steps
  // The nodes from which the steps begin: what the rewriting reads and did not make. They get
  // names.
  std::vector<Expr> named_leaves() {
    std::vector<NodeId> open;
    for (const Rewritten& r : parts_) open.push_back(r.after.id);
    std::set<NodeId> seen, leaves;
    while (!open.empty()) {
      const NodeId id = open.back();
      open.pop_back();
      if (!seen.insert(id).second) continue;
      if (old_.contains(id) || plain_.contains(id)) {
        leaves.insert(seen_below(id));
      } else {
        const Node& node = tape_.node(id);
        open.insert(open.end(), node.inputs.begin(), node.inputs.end());
      }
    }
    std::vector<Expr> result;
    for (const NodeId id : leaves) {
      if (text_.constant(id) || tape_.node(id).op->name == "eye") continue;
      result.push_back(tape_.expr(id));
      if (!needs_name(id) || tape_.node(id).shape.rank() == 0) continue;
      text_.name(id, text_.new_name("u"));
      text_.explain(id);
    }
    return result;
  }

  void write_steps(const std::vector<Expr>& leaves) {
    std::vector<Expr> roots{root_};
    for (const Rewritten& r : parts_) roots.push_back(r.after);
    roots.insert(roots.end(), leaves.begin(), leaves.end());
    const Graph graph = prepare(tape_, roots);
    const auto begin = graph.roots.begin() + 1;
    const auto middle = begin + static_cast<std::ptrdiff_t>(parts_.size());
    const std::vector<Expr> parts(begin, middle), ready(middle, graph.roots.end());

    IndexText text(*graph.tape, graph.roots, text_.taken());
    for (std::size_t i = 0; i < leaves.size(); ++i)
      if (const std::string name = text_.name_of(leaves[i].id); !name.empty()) {
        text.name(ready[i].id, name);
        text.suggest(ready[i].id, text_.indices(leaves[i].id));
      }
    std::map<NodeId, std::string> part_names;
    for (std::size_t i = 0; i < parts.size(); ++i)
      part_names[parts[i].id] = text_.name_of(parts_[i].after.id);

    const std::vector<NodeId> done = ancestors(*graph.tape, ready);
    for (const NodeId id : ancestors(*graph.tape, parts)) {
      if (std::ranges::binary_search(done, id) || !is_step(text, *graph.tape, id)) continue;
      const std::string part = part_names.contains(id) ? part_names.at(id) : "";
      add_step(text, *graph.tape, id, part.empty() ? text.new_name("s") : part);
    }
    explain(text);
  }

  // Does it compute anything to speak of?
  static bool is_step(const IndexText& text, const Tape& tape, NodeId id) {
    const Node& node = tape.node(id);
    if (text.hands_on(id) || text.constant(id) || is_input(node) || node.op->name == "eye")
      return false;
    return !(node.op->elementwise && node.shape.rank() == 0);
  }

  void add_step(IndexText& text, const Tape& tape, NodeId id, const std::string& name) {
    const Indices indices = text.indices(id);
    DescribedStep step;
    step.text = text.written(id, indices);
    text.name(id, name);
    step.text = text.operand({id, indices}) + " = " + step.text;
    step.flops = flops(tape, id);
    step.bytes = static_cast<double>(tape.node(id).shape.size()) * bytes_per_number_;
    step.symmetric = symmetric_axes(tape.node(id).attributes, tape.node(id).shape).has_value();
    result_.steps.push_back(std::move(step));
  }

  Expr root_;
  Tape& tape_;
  const Labels& labels_;
  double bytes_per_number_;
  IndexText text_;
  std::set<NodeId> old_;          // what was there before
  std::set<NodeId> plain_;        // factors that were made, at no cost to speak of
  std::vector<Rewritten> parts_;  // what the root needs of what was written out
  std::map<Label, std::string> index_;
  std::map<std::string, std::int64_t> sizes_;
  Description result_;
};

}  // namespace

std::optional<Description> describe(const Simplified& simplified, std::size_t bytes_per_number) {
  return Describer(simplified, bytes_per_number).run();
}

}  // namespace jacquard::algebra
