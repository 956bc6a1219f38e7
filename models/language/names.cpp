#include "models/language/names.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace jacquard::models {
namespace {

// Calls visit(node) for every node, parents first and children in the order in which they were
// written: the order of the text for names and called functions.
template <class Visit>
void for_each_as_written(const SyntaxTree& tree, Visit visit) {
  std::vector<int> pending;
  if (!tree.nodes.empty()) pending.push_back(tree.root());
  while (!pending.empty()) {
    const SyntaxNode& node = tree[pending.back()];
    pending.pop_back();
    visit(node);
    pending.insert(pending.end(), node.children.rbegin(), node.children.rend());
  }
}

std::vector<std::string> texts_of(const SyntaxTree& tree, SyntaxKind kind,
                                  const NameSet& shadowed) {
  std::vector<std::string> result;
  NameSet seen = shadowed;
  for_each_as_written(tree, [&](const SyntaxNode& node) {
    if (node.kind == kind && seen.insert(node.text).second) result.push_back(node.text);
  });
  return result;
}

// Names of a cycle, shortened in the middle where nobody could read them all.
std::string describe_cycle(const std::vector<std::string>& cycle) {
  constexpr std::size_t kAllShown = 40;
  constexpr std::size_t kShownAtEnds = 15;
  std::string result;
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    if (cycle.size() > kAllShown && i == kShownAtEnds) {
      i = cycle.size() - kShownAtEnds;
      result += cat("... (", cycle.size() - 2 * kShownAtEnds, " more) -> ");
    }
    result += cycle[i] + " -> ";
  }
  return result + cycle.front();
}

std::vector<std::string> begun_with_least(std::vector<std::string> cycle) {
  std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
  return cycle;
}

// Depth-first search with its own stack. Definitions are begun in the order of their names, so that
// the order in which they were written plays no part.
class Resolver {
 public:
  explicit Resolver(const std::vector<Definition>& definitions) {
    for (const Definition& definition : definitions)
      if (!entries_.try_emplace(definition.name, Entry{&definition}).second)
        throw SpecError(
            cat(quoted(definition.name), " is defined twice; definitions need different names"));
  }

  std::vector<std::string> run() {
    for (auto& [name, entry] : entries_) {
      if (entry.state == State::kNew) begin(entry);
      while (!path_.empty()) step();
    }
    return std::move(order_);
  }

 private:
  enum class State { kNew, kOnPath, kDone };
  struct Entry {
    const Definition* definition;
    State state = State::kNew;
    std::size_t next_use = 0;
  };

  void begin(Entry& entry) {
    entry.state = State::kOnPath;
    path_.push_back(&entry);
  }

  void step() {
    Entry& entry = *path_.back();
    if (entry.next_use == entry.definition->uses.size()) {
      entry.state = State::kDone;
      order_.push_back(entry.definition->name);
      path_.pop_back();
      return;
    }
    const auto used = entries_.find(entry.definition->uses[entry.next_use++]);
    if (used == entries_.end()) return;
    if (used->second.state == State::kOnPath) fail(used->second);
    if (used->second.state == State::kNew) begin(used->second);
  }

  [[noreturn]] void fail(const Entry& first) const {
    std::vector<std::string> cycle;
    for (auto entry = std::ranges::find(path_, &first); entry != path_.end(); ++entry)
      cycle.push_back((*entry)->definition->name);
    throw CycleError(begun_with_least(std::move(cycle)));
  }

  std::map<std::string_view, Entry> entries_;
  std::vector<Entry*> path_;
  std::vector<std::string> order_;
};

}  // namespace

std::vector<std::string> free_names(const SyntaxTree& tree, const NameSet& shadowed) {
  return texts_of(tree, SyntaxKind::kName, shadowed);
}

std::vector<std::string> called_functions(const SyntaxTree& tree) {
  return texts_of(tree, SyntaxKind::kCall, {});
}

CycleError::CycleError(std::vector<std::string> names)
    : SpecError(cat("definitions use each other in a cycle: ", describe_cycle(names),
                    "; one of them must do without the next")),
      cycle(std::move(names)) {}

std::vector<std::string> resolve_order(const std::vector<Definition>& definitions) {
  return Resolver(definitions).run();
}

}  // namespace jacquard::models
