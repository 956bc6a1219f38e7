#include "autodiff/updates.hpp"

#include <algorithm>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"

namespace jacquard {

void check_updates(const Tape& tape, const std::vector<Update>& updates) {
  std::vector<Expr> seen;
  for (const Update& u : updates) {
    const Node& target = tape.node(u.target);
    const bool writable = is_input(target) && (input_kind(target) == InputKind::kParameter ||
                                               input_kind(target) == InputKind::kState);
    if (!writable || !(u.target.shape() == u.value.shape()))
      throw InternalError(cat("plan: the update of ", tape.describe(u.target.id), " ",
                              u.target.shape(), " by a value of shape ", u.value.shape(),
                              "; a parameter or a state is updated by a value of its shape"));
    if (std::ranges::find(seen, u.target) != seen.end())
      throw InternalError(cat("plan: ", tape.describe(u.target.id), " is updated twice"));
    seen.push_back(u.target);
  }
}

void copy_updated_roots(Graph& graph, std::size_t count, std::size_t targets) {
  const Tape& tape = *graph.tape;
  std::vector<bool> updated(tape.size(), false);
  for (std::size_t i = graph.roots.size() - targets; i < graph.roots.size(); ++i)
    updated[static_cast<std::size_t>(graph.roots[i].id)] = true;
  for (std::size_t i = 0; i < count; ++i) {
    NodeId source = graph.roots[i].id;
    while (tape.node(source).op->name == "reshape") source = tape.node(source).inputs[0];
    if (updated[static_cast<std::size_t>(source)]) graph.roots[i] = stop_gradient(graph.roots[i]);
  }
}

}  // namespace jacquard
