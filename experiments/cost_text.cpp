#include "experiments/cost_text.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "models/language/functions.hpp"
#include "models/language/names.hpp"
#include "models/language/print.hpp"
#include "models/language/signature.hpp"
#include "models/language/syntax.hpp"

namespace jacquard::experiments {
namespace {

using models::NameSet;
using models::SyntaxKind;
using models::SyntaxNode;
using models::SyntaxTree;
using Trees = std::map<std::string, SyntaxTree, std::less<>>;

// Appends the nodes of `from` to `to` with every name that `known` has replaced by its tree.
// Children stand before their parents in both.
void append_expanded(SyntaxTree& to, const SyntaxTree& from, const Trees& known,
                     const NameSet& shadowed) {
  std::vector<int> place(from.nodes.size());
  const auto append = [&](SyntaxNode node, const std::vector<int>& places) {
    for (int& child : node.children) child = places[static_cast<std::size_t>(child)];
    to.nodes.push_back(std::move(node));
    return static_cast<int>(to.nodes.size()) - 1;
  };
  for (std::size_t i = 0; i < from.nodes.size(); ++i) {
    const SyntaxNode& node = from.nodes[i];
    const auto tree = node.kind == SyntaxKind::kName && !shadowed.contains(node.text)
                          ? known.find(node.text)
                          : known.end();
    if (tree == known.end()) {
      place[i] = append(node, place);
      continue;
    }
    std::vector<int> inner(tree->second.nodes.size());
    for (std::size_t j = 0; j < inner.size(); ++j) inner[j] = append(tree->second.nodes[j], inner);
    place[i] = inner.back();
  }
}

// Itself, where it would become too long.
SyntaxTree expanded(const SyntaxTree& tree, const Trees& known, const NameSet& shadowed = {}) {
  std::size_t nodes = tree.nodes.size();
  for (const SyntaxNode& node : tree.nodes)
    if (node.kind == SyntaxKind::kName && !shadowed.contains(node.text))
      if (const auto found = known.find(node.text); found != known.end())
        nodes += found->second.nodes.size();
  if (nodes > kMaxWrittenNodes) return tree;
  SyntaxTree result;
  append_expanded(result, tree, known, shadowed);
  return result;
}

class Writer {
 public:
  explicit Writer(const models::Declarations& model) {
    for (const auto& [signature, text] : model.functions) {
      const models::Signature head = models::parse_signature(signature);
      functions_[head.name] = {signature, NameSet(head.arguments.begin(), head.arguments.end()),
                               models::parse_expression(text)};
    }
    for (const auto& [name, text] : model.define)
      definitions_[name] = models::parse_expression(text);
    order_ = order();
    for (const std::string& name : order_) {
      const SyntaxTree& tree = definitions_.at(name);
      SyntaxTree whole = expanded(tree, substituted_);
      // A tree that is kept small may still not be put into larger ones.
      if (!draws(tree) && whole.nodes.size() <= kMaxWrittenNodes / 4)
        substituted_[name] = std::move(whole);
      else
        named_[name] = std::move(whole);
    }
  }

  WrittenCost write(const std::vector<NamedText>& terms) {
    WrittenCost written;
    for (const auto& [name, text] : terms) {
      const SyntaxTree tree = expanded(models::parse_expression(text), substituted_);
      note_uses(tree);
      written.terms.emplace_back(name, models::print_expression(tree));
    }
    written.where = used_names();
    return written;
  }

 private:
  struct UserFunction {
    std::string signature;
    NameSet arguments;
    SyntaxTree body;
  };

  std::vector<std::string> order() const {
    std::vector<models::Definition> graph;
    for (const auto& [name, tree] : definitions_) graph.push_back({name, uses(tree)});
    return models::resolve_order(graph);
  }

  // The names that a tree uses, also through the bodies of the user's functions.
  std::vector<std::string> uses(const SyntaxTree& tree) const {
    std::vector<std::string> names = models::free_names(tree);
    for (const std::string& f : all_called(tree)) {
      const UserFunction& function = functions_.at(f);
      const auto more = models::free_names(function.body, function.arguments);
      names.insert(names.end(), more.begin(), more.end());
    }
    return names;
  }

  // The user's functions that a tree calls, also through others.
  std::set<std::string> all_called(const SyntaxTree& tree) const {
    std::set<std::string> called;
    std::vector<const SyntaxTree*> pending{&tree};
    while (!pending.empty()) {
      const SyntaxTree& next = *pending.back();
      pending.pop_back();
      for (const std::string& name : models::called_functions(next))
        if (const auto f = functions_.find(name); f != functions_.end())
          if (called.insert(name).second) pending.push_back(&f->second.body);
    }
    return called;
  }

  bool draws(const SyntaxTree& tree) const {
    const auto is_draw = [](const std::string& name) {
      const models::Function* f = models::find_function(name);
      return f != nullptr && std::ranges::any_of(f->parameters, [](const auto& p) {
               return p.kind == models::ArgumentKind::kStream;
             });
    };
    if (std::ranges::any_of(models::called_functions(tree), is_draw)) return true;
    return std::ranges::any_of(all_called(tree), [&](const std::string& name) {
      return std::ranges::any_of(models::called_functions(functions_.at(name).body), is_draw);
    });
  }

  // Notes everything that a printed tree calls by name, and what that calls in turn.
  void note_uses(const SyntaxTree& tree) {
    struct Pending {
      SyntaxTree tree;
      NameSet shadowed;
    };
    std::vector<Pending> pending{{tree, {}}};
    while (!pending.empty()) {
      const Pending next = std::move(pending.back());
      pending.pop_back();
      for (const std::string& name : models::free_names(next.tree, next.shadowed))
        if (const SyntaxTree* text = text_of(name); text != nullptr && noted_.insert(name).second)
          pending.push_back({*text, {}});
      for (const std::string& name : models::called_functions(next.tree)) {
        const auto f = functions_.find(name);
        if (f != functions_.end() && noted_.insert(name + "()").second)
          pending.push_back({body_of(f->second), f->second.arguments});
      }
    }
  }

  // Of a definition that a text calls by name; nullptr for parameters and inputs.
  const SyntaxTree* text_of(const std::string& name) const {
    if (const auto named = named_.find(name); named != named_.end()) return &named->second;
    // In a text that would be too long, what is short is called by name too.
    const auto found = substituted_.find(name);
    return found == substituted_.end() ? nullptr : &found->second;
  }

  SyntaxTree body_of(const UserFunction& f) const {
    return expanded(f.body, substituted_, f.arguments);
  }

  std::vector<NamedText> used_names() const {
    std::vector<NamedText> where;
    for (const std::string& name : order_)
      if (noted_.contains(name)) where.emplace_back(name, models::print_expression(*text_of(name)));
    for (const auto& [name, f] : functions_)
      if (noted_.contains(name + "()"))
        where.emplace_back(f.signature, models::print_expression(body_of(f)));
    return where;
  }

  std::map<std::string, UserFunction, std::less<>> functions_;
  Trees definitions_;
  Trees substituted_;  // expanded, to be put in
  Trees named_;        // expanded, called by name
  std::vector<std::string> order_;
  std::set<std::string> noted_;
};

}  // namespace

WrittenCost written_out(const models::Declarations& model, const std::vector<NamedText>& terms) {
  return Writer(model).write(terms);
}

}  // namespace jacquard::experiments
