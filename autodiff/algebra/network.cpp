#include "autodiff/algebra/network.hpp"

#include <algorithm>
#include <numeric>

#include "autodiff/attribute.hpp"
#include "autodiff/subscripts.hpp"

namespace jacquard::algebra {
namespace {

// Larger networks are not compared: what they share is found in their parts.
constexpr std::size_t kMostMembers = 24;
// How far symmetry is looked for through elementwise ops and moves.
constexpr int kMostDepth = 64;
// Assignments that are tried before two networks count as different.
constexpr int kMostTrials = 5000;

constexpr int kUnset = -1;

// Adds the members of `part` to `to` under fresh labels; returns its output's labels there.
std::vector<int> absorb(Network& to, const Network& part) {
  const int shift = static_cast<int>(to.sizes.size());
  to.sizes.insert(to.sizes.end(), part.sizes.begin(), part.sizes.end());
  const auto moved = [shift](std::vector<int> labels) {
    for (int& l : labels) l += shift;
    return labels;
  };
  for (const Network::Member& m : part.members) to.members.push_back({m.leaf, moved(m.labels)});
  return moved(part.output);
}

void rename(Network& network, std::vector<int>& also, int from, int to) {
  for (Network::Member& m : network.members) std::ranges::replace(m.labels, from, to);
  std::ranges::replace(also, from, to);
}

// The axis of an operand that is read along `axis` of a result of `rank` axes; negative: none.
int operand_axis(const Shape& operand, int rank, int axis) {
  return axis - (rank - operand.rank());
}

}  // namespace

// A node as a member of its own.
Network Networks::leaf(NodeId id) const {
  const Node& node = tape_.node(id);
  Network network;
  network.output.resize(static_cast<std::size_t>(node.shape.rank()));
  std::iota(network.output.begin(), network.output.end(), 0);
  network.sizes = node.shape.sizes();
  network.members = {{id, network.output}};
  return network;
}

const Network& Networks::of(NodeId id) {
  if (const auto it = networks_.find(id); it != networks_.end()) return it->second;
  const Node& node = tape_.node(id);
  if (!joins(node)) return networks_[id] = leaf(id);
  std::vector<Network> parts;
  std::size_t members = 0;
  for (const NodeId in : node.inputs) {
    parts.push_back(of(in));
    members += parts.back().members.size();
  }
  if (members > kMostMembers) {
    parts.clear();
    for (const NodeId in : node.inputs) parts.push_back(leaf(in));
  }
  return networks_[id] = joined(node, parts);
}

// Is the node a sum over products of its operands?
bool Networks::joins(const Node& node) const {
  const std::string_view op = node.op->name;
  if (op == "contract" || op == "transpose") return true;
  if (op == "sum") return node.attributes.integer("keepdims") == 0;
  return op == "multiply" && std::ranges::all_of(node.inputs, [&](NodeId in) {
           const Shape& shape = tape_.node(in).shape;
           return shape.size() == 1 || shape == node.shape;
         });
}

// The network of a node from those of its operands.
Network Networks::joined(const Node& node, const std::vector<Network>& parts) const {
  const std::string_view op = node.op->name;
  if (op == "transpose") {
    Network result = parts[0];
    const auto& axes = node.attributes.integers("axes");
    for (std::size_t i = 0; i < axes.size(); ++i)
      result.output[i] = parts[0].output[static_cast<std::size_t>(axes[i])];
    return result;
  }
  if (op == "sum") {
    Network result = parts[0];
    std::vector<bool> gone(result.output.size(), false);
    for (const std::int64_t axis : node.attributes.integers("axes"))
      gone[static_cast<std::size_t>(axis + static_cast<std::int64_t>(gone.size()))] = true;
    result.output.clear();
    for (std::size_t i = 0; i < gone.size(); ++i)
      if (!gone[i]) result.output.push_back(parts[0].output[i]);
    return result;
  }
  Subscripts s;
  if (op == "contract") {
    s = Subscripts::parse(node.attributes.text("subscripts"));
  } else {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
    s.output = kLetters.substr(0, static_cast<std::size_t>(node.shape.rank()));
    for (const NodeId in : node.inputs)
      s.inputs.push_back(tape_.node(in).shape == node.shape ? s.output : "");
  }
  Network result;
  std::vector<int> label_of(128, kUnset);
  for (std::size_t k = 0; k < parts.size(); ++k) {
    std::vector<int> own = absorb(result, parts[k]);
    for (std::size_t i = 0; i < s.inputs[k].size(); ++i) {
      int& label = label_of[static_cast<std::size_t>(s.inputs[k][i])];
      if (label == kUnset)
        label = own[i];
      else if (label != own[i])
        rename(result, own, own[i], label);
    }
  }
  for (const char c : s.output) result.output.push_back(label_of[static_cast<std::size_t>(c)]);
  return result;
}

std::vector<int> Networks::axis_classes(NodeId leaf) {
  const int rank = tape_.node(leaf).shape.rank();
  std::vector<int> classes(static_cast<std::size_t>(rank));
  std::iota(classes.begin(), classes.end(), 0);
  for (int q = 1; q < rank; ++q)
    for (int p = 0; p < q; ++p)
      if (classes[static_cast<std::size_t>(q)] == q && symmetric(leaf, p, q))
        classes[static_cast<std::size_t>(q)] = p;
  return classes;
}

// Colour refinement: labels and members are told apart by what they touch, round by round.
std::vector<std::size_t> Networks::colours(const Network& network) {
  std::vector<std::size_t> label(network.sizes.size());
  for (std::size_t i = 0; i < label.size(); ++i) {
    const bool open =
        std::ranges::find(network.output, static_cast<int>(i)) != network.output.end();
    label[i] = hash_combine(static_cast<std::size_t>(network.sizes[i]), open ? 1 : 0);
  }
  std::vector<std::size_t> member(network.members.size());
  for (std::size_t round = 0; round < 4; ++round) {
    std::vector<std::size_t> next = label;
    for (std::size_t m = 0; m < member.size(); ++m) {
      const Network::Member& one = network.members[m];
      const std::vector<int> classes = axis_classes(one.leaf);
      std::vector<std::size_t> axes;  // a commutative hash: axes of one class may be exchanged
      std::size_t sum = 0;
      for (std::size_t i = 0; i < classes.size(); ++i) {
        axes.push_back(hash_combine(static_cast<std::size_t>(classes[i]) + 17,
                                    label[static_cast<std::size_t>(one.labels[i])]));
        sum += axes.back();
      }
      member[m] = hash_combine(static_cast<std::size_t>(one.leaf), sum);
      for (std::size_t i = 0; i < classes.size(); ++i)
        next[static_cast<std::size_t>(one.labels[i])] += hash_combine(member[m], axes[i]);
    }
    label = std::move(next);
  }
  member.insert(member.end(), label.begin(), label.end());
  return member;
}

std::size_t Networks::hash(NodeId id) {
  const Network& network = of(id);
  const auto it = colours_.try_emplace(id, std::vector<std::size_t>{}).first;
  if (it->second.empty()) it->second = colours(network);
  const std::vector<std::size_t>& all = it->second;
  const std::size_t members = network.members.size();
  std::size_t result = hash_combine(members, network.output.size());
  for (std::size_t i = 0; i < members; ++i) result += all[i] * all[i];
  for (const int l : network.output) result += all[members + static_cast<std::size_t>(l)];
  return result;
}

// An assignment of the members and labels of one network to those of another, built step by step.
struct Networks::Match {
  Networks& networks;
  const Network& a;
  const Network& b;
  std::vector<int> to{}, from{};  // labels of a to those of b, and back
  std::vector<bool> used{};
  int trials = 0;

  bool bind(int x, int y, std::vector<int>& bound) {
    int& there = to[static_cast<std::size_t>(x)];
    int& back = from[static_cast<std::size_t>(y)];
    if (there == y && back == x) return true;
    if (there != kUnset || back != kUnset ||
        a.sizes[static_cast<std::size_t>(x)] != b.sizes[static_cast<std::size_t>(y)])
      return false;
    there = y;
    back = x;
    bound.push_back(x);
    return true;
  }
  void release(const std::vector<int>& bound) {
    for (const int x : bound) {
      from[static_cast<std::size_t>(to[static_cast<std::size_t>(x)])] = kUnset;
      to[static_cast<std::size_t>(x)] = kUnset;
    }
  }
  static bool is_output(const Network& n, int label) {
    return std::ranges::find(n.output, label) != n.output.end();
  }

  // Axis `i` and later of member m of a, against member k of b.
  bool axes(std::size_t m, std::size_t k, std::size_t i, const std::vector<int>& classes,
            std::vector<bool>& taken) {
    const std::vector<int>&x = a.members[m].labels, &y = b.members[k].labels;
    if (i == x.size()) return members(m + 1);
    for (std::size_t j = 0; j < y.size(); ++j) {
      if (taken[j] || classes[i] != classes[j] || is_output(a, x[i]) != is_output(b, y[j]))
        continue;
      if (++trials > kMostTrials) return false;
      std::vector<int> bound;
      taken[j] = true;
      if (bind(x[i], y[j], bound) && axes(m, k, i + 1, classes, taken)) return true;
      release(bound);
      taken[j] = false;
    }
    return false;
  }

  bool members(std::size_t m) {
    if (m == a.members.size()) return true;
    const std::vector<int> classes = networks.axis_classes(a.members[m].leaf);
    for (std::size_t k = 0; k < b.members.size(); ++k) {
      if (used[k] || a.members[m].leaf != b.members[k].leaf) continue;
      used[k] = true;
      std::vector<bool> taken(classes.size(), false);
      if (axes(m, k, 0, classes, taken)) return true;
      used[k] = false;
    }
    return false;
  }

  // `outputs` pairs labels of a with labels of b that they must become.
  bool run(const std::vector<std::pair<int, int>>& outputs) {
    if (a.members.size() != b.members.size()) return false;
    to.assign(a.sizes.size(), kUnset);
    from.assign(b.sizes.size(), kUnset);
    used.assign(b.members.size(), false);
    trials = 0;
    std::vector<int> bound;
    for (const auto& [x, y] : outputs)
      if (!bind(x, y, bound)) return false;
    return members(0);
  }
};

bool Networks::symmetric(NodeId id, int p, int q) {
  const Shape& shape = tape_.node(id).shape;
  if (p == q || (shape[p] == 1 && shape[q] == 1)) return true;
  if (shape[p] != shape[q]) return false;
  const auto key = std::tuple{id, std::min(p, q), std::max(p, q)};
  if (const auto it = symmetric_.find(key); it != symmetric_.end()) return it->second;
  if (depth_ > kMostDepth) return false;
  ++depth_;
  const bool result =
      joins(tape_.node(id)) ? symmetric_product(id, p, q) : symmetric_leaf(id, p, q);
  --depth_;
  return symmetric_[key] = result;
}

bool Networks::symmetric_product(NodeId id, int p, int q) {
  if (exchangeable(of(id), p, q)) return true;
  // What is too large as a whole may show with its operands as leaves, one of them taken apart.
  const Node& node = tape_.node(id);
  for (std::size_t apart = 0; apart <= node.inputs.size(); ++apart) {
    std::vector<Network> parts;
    for (std::size_t k = 0; k < node.inputs.size(); ++k) {
      const Node& operand = tape_.node(node.inputs[k]);
      std::vector<Network> leaves;
      for (const NodeId in : operand.inputs) leaves.push_back(leaf(in));
      parts.push_back(k == apart && joins(operand) ? joined(operand, leaves)
                                                   : leaf(node.inputs[k]));
    }
    if (exchangeable(joined(node, parts), p, q)) return true;
  }
  return false;
}

// Does a network map onto itself with two of its outputs exchanged?
bool Networks::exchangeable(const Network& network, int p, int q) {
  std::vector<std::pair<int, int>> outputs;
  for (int i = 0; i < static_cast<int>(network.output.size()); ++i) {
    const int target = i == p ? q : i == q ? p : i;
    outputs.emplace_back(network.output[static_cast<std::size_t>(i)],
                         network.output[static_cast<std::size_t>(target)]);
  }
  return Match{*this, network, network}.run(outputs);
}

// Elementwise ops of symmetric operands, and what is symmetric by itself.
bool Networks::symmetric_leaf(NodeId id, int p, int q) {
  const Node& node = tape_.node(id);
  const std::string_view op = node.op->name;
  if (op == "eye" || op == "constant") return true;
  if (!node.op->elementwise && op != "broadcast_to") return false;
  return std::ranges::all_of(node.inputs, [&](NodeId in) {
    const Shape& s = tape_.node(in).shape;
    const int a = operand_axis(s, node.shape.rank(), p), b = operand_axis(s, node.shape.rank(), q);
    const bool varies_a = a >= 0 && s[a] != 1, varies_b = b >= 0 && s[b] != 1;
    if (!varies_a && !varies_b) return true;
    return varies_a && varies_b && symmetric(in, a, b);
  });
}

std::optional<Axes> Networks::axes_as(NodeId a, NodeId b) {
  if (hash(a) != hash(b)) return std::nullopt;
  const Network x = of(a), y = of(b);
  if (x.output.size() != y.output.size()) return std::nullopt;
  Match match{*this, x, y};
  std::vector<std::pair<int, int>> in_order;
  for (std::size_t i = 0; i < x.output.size(); ++i) in_order.emplace_back(x.output[i], y.output[i]);
  if (!match.run(in_order) && !match.run({})) return std::nullopt;
  Axes axes;
  for (const int l : x.output) {
    const int there = match.to[static_cast<std::size_t>(l)];
    // A label may stand twice among the outputs of neither.
    axes.push_back(std::ranges::find(y.output, there) - y.output.begin());
  }
  return axes;
}

}  // namespace jacquard::algebra
