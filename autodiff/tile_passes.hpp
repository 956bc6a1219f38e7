// Which operations of a tile program are done in one pass over a tile, and in which order: as many
// as one piece of machine code holds, what has no code and every sum by itself.
//
// Private to tile programs. Nodes are counted by their place in the group.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "autodiff/tile_program.hpp"
#include "autodiff/vector_code.hpp"

namespace jacquard {

template <class T>
class TilePasses {
 public:
  // Without code, every operation is a pass.
  TilePasses(const Tape& tape, const TileGroup& group, bool by_code);

  struct Pass {
    std::vector<std::size_t> nodes;  // one if it is not done by code
    bool by_code;
  };
  const std::vector<Pass>& all() const { return passes_; }

  // The place of a node; size() for one that is not in the group.
  std::size_t place(NodeId id) const;
  std::size_t size() const { return group_.nodes.size(); }
  bool is_sum(NodeId id) const { return tape_.node(id).op->name == "sum"; }
  // Is it a value that the program computes for each element?
  bool inside(NodeId id) const { return place(id) < size() && !is_sum(id); }

  // The last pass that reads the node from a slot.
  std::size_t last_use(std::size_t n) const { return last_use_[n]; }
  // The most values that are in buffers at one time.
  std::int64_t most_alive() const;

  // A pass as code: what it loads and stores, in the order of its places.
  struct Chain {
    VectorChain code;
    std::vector<NodeId> loaded;
    std::vector<std::size_t> stored;
  };
  using IsNumber = std::function<bool(NodeId)>;  // one number for the whole tile
  Chain chain(std::size_t pass, const IsNumber& is_number) const;

 private:
  using IsStored = std::function<bool(std::size_t)>;

  bool written(NodeId id) const;  // outside
  void find_readers();
  std::vector<std::size_t> order() const;
  void find_passes();
  bool has_code(std::size_t n) const;
  bool waits_long(std::size_t n, const std::vector<std::size_t>& open) const;
  void find_last_uses();
  bool fits(const std::vector<std::size_t>& nodes) const;
  Chain chain_of(const std::vector<std::size_t>& nodes, const IsStored& is_stored,
                 const IsNumber& is_number) const;

  const Tape& tape_;
  const TileGroup& group_;
  const bool by_code_;
  std::vector<Pass> passes_;
  std::vector<std::vector<std::size_t>> readers_;  // of each node, inside, ascending
  std::vector<std::size_t> last_use_;
  std::vector<bool> in_slot_;  // something outside its own pass reads the node, or it is written
};

}  // namespace jacquard
