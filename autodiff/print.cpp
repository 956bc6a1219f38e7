#include "autodiff/print.hpp"

#include <array>
#include <cstdio>
#include <numeric>

#include "autodiff/error.hpp"

namespace jacquard {
namespace {

std::vector<NodeId> printed_nodes(const Tape& tape, std::span<const Expr> roots) {
  if (!roots.empty()) return ancestors(tape, roots);
  std::vector<NodeId> all(tape.size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

}  // namespace

std::string node_text(const Tape& tape, NodeId id) {
  const Node& node = tape.node(id);
  std::string text = cat('%', id, " = ", node.op->name, '(');
  for (std::size_t i = 0; i < node.inputs.size(); ++i) text += cat(i ? ", %" : "%", node.inputs[i]);
  if (is_input(node))
    text += cat('"', input_name(node), '"');
  else if (!node.attributes.empty())
    text += cat(node.inputs.empty() ? "" : "; ", node.attributes);
  text += cat(") ", node.shape);
  const std::string& label = tape.label(id);
  if (!label.empty() && !is_input(node)) text += cat("  # ", label);
  return text;
}

std::string to_text(const Tape& tape, std::span<const Expr> roots) {
  std::string text;
  for (const NodeId id : printed_nodes(tape, roots)) text += node_text(tape, id) + '\n';
  return text;
}

std::string to_dot(const Tape& tape, std::span<const Expr> roots) {
  std::string text = "digraph tape {\n  node [shape=box];\n";
  for (const NodeId id : printed_nodes(tape, roots)) {
    const Node& node = tape.node(id);
    const std::string& label = tape.label(id);
    text += cat("  n", id, " [label=\"", escaped(label.empty() ? "" : label + ": "), node.op->name,
                "\\n", node.shape, "\"];\n");
    for (const NodeId in : node.inputs) text += cat("  n", in, " -> n", id, ";\n");
  }
  return text + "}\n";
}

std::string with_prefix(double amount, const char* unit) {
  constexpr std::array kPrefixes = {"", "k", "M", "G", "T", "P"};
  std::size_t i = 0;
  while (amount >= 999.95 && i + 1 < kPrefixes.size()) {
    amount /= 1000;
    ++i;
  }
  std::array<char, 32> buffer;
  std::snprintf(buffer.data(), buffer.size(), i == 0 ? "%.0f" : "%.1f", amount);
  return cat(buffer.data(), ' ', kPrefixes[i], unit);
}

}  // namespace jacquard
