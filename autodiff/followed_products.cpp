#include "autodiff/followed_products.hpp"

#include <algorithm>

namespace jacquard {
namespace {

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

template <class T>
Prepared<T> prepared_call(const Op& op, const ShapeCall& call);
template <>
Prepared<float> prepared_call(const Op& op, const ShapeCall& call) {
  return op.prepare_float ? op.prepare_float(call) : Prepared<float>{};
}
template <>
Prepared<double> prepared_call(const Op& op, const ShapeCall& call) {
  return op.prepare_double ? op.prepare_double(call) : Prepared<double>{};
}

template <class T>
class Following {
 public:
  Following(const Graph& graph, std::vector<InstructionGroup>& groups)
      : tape_(*graph.tape),
        groups_(groups),
        home_(tape_.size(), groups.size()),
        last_reader_(tape_.size(), 0),
        readers_(tape_.size(), 0) {
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      for (const NodeId id : groups_[g].group.written) home_[index(id)] = g;
      for (const NodeId in : reads_of(g)) {
        ++readers_[index(viewed(tape_, in))];
        last_reader_[index(viewed(tape_, in))] = g;
      }
    }
    for (const Expr& root : graph.roots) {
      ++readers_[index(viewed(tape_, root.id))];
      last_reader_[index(viewed(tape_, root.id))] = groups_.size();
    }
  }

  void run() {
    std::vector<bool> gone(groups_.size(), false);
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      if (!groups_[g].tiled) continue;
      for (const NodeId in : reads_of(g))
        if (groups_[g].product < 0 && follows(g, in)) {
          groups_[g].product = in;
          gone[home_[index(in)]] = true;
          for (const NodeId factor : tape_.node(in).inputs) {
            std::size_t& last = last_reader_[index(viewed(tape_, factor))];
            last = std::max(last, g);
          }
        }
    }
    std::size_t g = 0;
    std::erase_if(groups_, [&](const InstructionGroup&) { return gone[g++]; });
  }

 private:
  // What the group needs from memory, each once.
  std::vector<NodeId> reads_of(std::size_t g) const {
    const std::vector<NodeId>& nodes = groups_[g].group.nodes;
    std::vector<NodeId> reads;
    for (const NodeId id : nodes)
      for (const NodeId in : tape_.node(id).inputs) {
        const bool inside = groups_[g].tiled && tape_.node(in).op->name != "sum" &&
                            std::ranges::binary_search(nodes, in);
        if (!inside && std::ranges::find(reads, in) == reads.end()) reads.push_back(in);
      }
    return reads;
  }

  bool follows(std::size_t g, NodeId product) const {
    const Node& node = tape_.node(product);
    const std::size_t from = home_[index(product)];
    if (node.op->name != "contract" || readers_[index(product)] != 1 || from >= g ||
        groups_[from].tiled || (from + 1 != g && kept_longer(product, g) > node.shape.size()))
      return false;
    const Prepared<T> prepared = prepared_node<T>(tape_, product);
    if (prepared.width == 0) return false;
    const TileProgram<T> program(tape_, groups_[g].group);
    const auto read = std::ranges::find(program.reads(), product);
    return program.can_follow(static_cast<std::size_t>(read - program.reads().begin()), prepared);
  }

  // Numbers that are kept until group g runs instead of the product.
  std::int64_t kept_longer(NodeId product, std::size_t g) const {
    std::int64_t numbers = 0;
    for (const NodeId in : tape_.node(product).inputs) {
      const NodeId source = viewed(tape_, in);
      if (home_[index(source)] < groups_.size() && last_reader_[index(source)] < g)
        numbers += tape_.node(source).shape.size();
    }
    return numbers;
  }

  const Tape& tape_;
  std::vector<InstructionGroup>& groups_;
  // By node: the group that computes it, the last one that reads it, how many do.
  std::vector<std::size_t> home_, last_reader_;
  std::vector<int> readers_;
};

}  // namespace

template <class T>
Prepared<T> prepared_node(const Tape& tape, NodeId id) {
  const Node& node = tape.node(id);
  std::vector<const Shape*> shapes;
  for (const NodeId in : node.inputs) shapes.push_back(&tape.node(in).shape);
  return prepared_call<T>(*node.op, ShapeCall{shapes, node.shape, node.attributes});
}

template <class T>
void follow_products(const Graph& graph, std::vector<InstructionGroup>& groups) {
  Following<T>(graph, groups).run();
}

template Prepared<float> prepared_node<float>(const Tape&, NodeId);
template Prepared<double> prepared_node<double>(const Tape&, NodeId);
template void follow_products<float>(const Graph&, std::vector<InstructionGroup>&);
template void follow_products<double>(const Graph&, std::vector<InstructionGroup>&);

}  // namespace jacquard
