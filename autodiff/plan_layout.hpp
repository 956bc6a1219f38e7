// What a plan executes and where everything lies, in one precision: a program after the passes, in
// instructions, with a place in one arena for every value that is not in memory of the caller.
//
// Private to plans.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/fusion.hpp"
#include "autodiff/in_place.hpp"
#include "autodiff/memory.hpp"
#include "autodiff/passes.hpp"
#include "autodiff/plan.hpp"
#include "autodiff/plan_text.hpp"
#include "autodiff/tile_program.hpp"

namespace jacquard {

// Where a node's value lives.
struct Location {
  enum Kind { kArena, kConstant, kBound, kNowhere } kind = kArena;  // the last is never stored
  std::size_t index = 0;    // of the block, the constant or the binding
  std::int64_t offset = 0;  // in numbers, within the block
};

// What is done in one go: one node by its op, a tile program, or both: a product and what follows
// it.
template <class T>
struct Instruction {
  std::vector<NodeId> nodes;
  std::vector<Location> from, to;
  std::size_t operands = 0;  // of the op, the first ones of `from`; the others are the program's
  bool updates = false;      // writes over what an update changes
  std::optional<TileProgram<T>> tiles;
  Prepared<T> prepared;       // run is empty where the op's plain kernel is used
  std::size_t workspace = 0;  // block index, if it needs scratch memory
  std::int64_t workspace_bytes = 0;
};

template <class T>
class PlanLayout {
 public:
  // Throws as Plan does, but for memory.
  PlanLayout(const Tape& tape, const Program& program, const PlanOptions& options);

  struct Input {
    std::string name;
    Shape shape;
    bool written = false;  // by an update
  };
  // At the end of a run, for updates that are not made where they lie.
  struct Write {
    std::size_t input;
    Location from;
    std::int64_t count;
  };

  const Graph& graph() const { return graph_; }
  const std::vector<Instruction<T>>& instructions() const { return instructions_; }
  // From this instruction on the guards have their values.
  std::size_t guarded() const { return guarded_; }
  const std::vector<Lifetime>& blocks() const { return blocks_; }  // time counts instructions
  const Placement& placement() const { return placement_; }
  std::int64_t needed_bytes() const { return needed_; }  // of the smallest arena that was tried
  const std::vector<std::vector<T>>& constants() const { return constants_; }
  const std::vector<Input>& inputs() const { return inputs_; }
  const std::vector<Location>& outputs() const { return outputs_; }
  const std::vector<std::int64_t>& output_sizes() const { return output_sizes_; }
  const std::vector<Location>& guards() const { return guards_; }
  const std::vector<Write>& writes() const { return writes_; }

  std::vector<PlanLine> lines() const;

 private:
  // A node that lies in the memory of a concatenation, `whole`.
  struct Joined {
    NodeId whole = -1;
    std::int64_t offset = 0;                // in numbers
    std::optional<std::size_t> block = {};  // of `whole` itself, once it is known
  };

  bool does(std::string_view step) const;
  void fit(const Graph& prepared);
  void lay_out(const Graph& prepared, std::int64_t chunk_bytes);
  std::vector<bool> find_leaves();
  void find_joined(const UpdateOrder& order, const std::vector<bool>& ready);
  Location joined_place(const Joined& part, std::int64_t now,
                        const std::vector<std::int64_t>& last_use);
  std::vector<std::int64_t> last_uses(const std::vector<InstructionGroup>& groups) const;
  std::vector<T> compute_constant(const Node& node) const;
  const Location& place_of(NodeId id) const;
  void add_instruction(std::size_t g, const InstructionGroup& group,
                       const std::vector<std::int64_t>& last_use);
  std::optional<Location> shared_place(const Instruction<T>& instruction, std::size_t w,
                                       std::int64_t now) const;
  void connect(const Program& program);

  const PlanOptions options_;
  std::size_t output_count_, update_count_;
  Graph graph_;
  std::vector<Instruction<T>> instructions_;
  std::size_t guarded_ = 0;
  std::vector<Lifetime> blocks_;
  Placement placement_;
  std::int64_t needed_ = 0;
  std::vector<std::vector<T>> constants_;
  std::vector<Input> inputs_;
  std::vector<Location> locations_;  // of every node of the graph
  std::vector<Joined> joined_;       // by node
  std::vector<Location> outputs_, guards_;
  std::vector<std::int64_t> output_sizes_;
  std::vector<Write> writes_;
};

}  // namespace jacquard
