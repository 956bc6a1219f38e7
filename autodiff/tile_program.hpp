// TileProgram: elementwise operations and sums over one shape, computed tile by tile.
//
// A tile of some hundred elements stays in the nearest cache while all steps run over it, so that
// values inside the program never see the memory. The last axis of the shape are the columns, all
// axes before it the rows. A tile is passed over by several operations at once (vector_code.hpp),
// or by one that has no such code. A program may follow a product: then its tiles are parts of the
// rectangles in which that is computed (followed_products.hpp). Sums have the order that
// tile_sums.hpp states.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "autodiff/row_kernels.hpp"
#include "autodiff/tape.hpp"
#include "autodiff/tile_sums.hpp"
#include "autodiff/vector_code.hpp"

namespace jacquard {

// What a program computes: elementwise nodes of shape `space`, and sums over such values.
struct TileGroup {
  Shape space;
  std::vector<NodeId> nodes;    // ascending
  std::vector<NodeId> written;  // those of them that are read outside, ascending
};

// Can a tile program compute this node?
bool fits_tiles(const Node& node);
// The shape over which it is computed.
const Shape& tile_space(const Tape& tape, const Node& node);

template <class T>
class TileProgram {
 public:
  // The most nodes of a program over this space; each brings three places in memory at most. Where
  // one tile is all, what is left of a program are its steps: it may be long.
  static constexpr std::size_t kMaxNodes = 64, kMaxNodesOfOneTile = 512;
  static std::size_t max_nodes(const Shape& space) {
    return space.size() <= kSumPiece ? kMaxNodesOfOneTile : kMaxNodes;
  }

  TileProgram(const Tape& tape, const TileGroup& group);

  // The values that it needs from memory and those that it writes there. run() takes their
  // addresses in this order.
  const std::vector<NodeId>& reads() const { return reads_; }
  const std::vector<NodeId>& writes() const { return writes_; }
  // May write w lie where read r does, if nobody else needs what is there?
  bool may_share(std::size_t w, std::size_t r) const;

  // Scratch memory that run() needs, aligned for double.
  std::int64_t workspace_bytes() const;

  // A step, and where its places begin in Bound::places.
  struct BoundStep {
    RunKernel<T> run;
    VectorCode<T> code;
    std::size_t first;
  };
  // Rows of a read that are copied, or spread, before the steps.
  struct BoundCopy {
    typename RowKernels<T>::Copy run;
    T* to;
    const T* from;
    std::int64_t step, rows;
  };
  // Rows of a value that are added when so many steps are done.
  struct BoundAddition {
    std::size_t steps;
    typename RowKernels<T>::Add run;
    double* to;
    std::int64_t step;
    const T* values;
    std::int64_t rows;
  };
  // A program whose space is one tile finds its places once, when the memory is known. Others find
  // them tile by tile.
  struct Bound {
    std::vector<T*> memory;
    std::byte* workspace = nullptr;
    bool one_tile = false;  // the rest is empty if not
    std::vector<BoundCopy> copies;
    std::vector<BoundStep> steps;
    std::vector<T*> places;
    std::vector<BoundAddition> additions;
  };
  Bound bind(std::vector<T*> memory, std::byte* workspace) const;
  void run(ThreadPool* pool, const Bound& bound) const;

  // Can the program follow this product, which is value number `read` of those that it reads,
  // rectangle by rectangle? Sums cannot: parts have bounds of their own.
  bool can_follow(std::size_t read, const Prepared<T>& product) const;
  // Does all that depends on this rectangle. May be called by several threads at once.
  void follow(const Bound& bound, std::size_t read, std::int64_t width,
              const Rectangle<T>& rectangle) const;

 private:
  struct Builder;

  using Slot = std::uint16_t;
  using Strides = std::vector<std::int64_t>;  // of the row axes

  // A value in memory: how a tile finds its elements.
  struct Reference {
    enum class Kind {
      kDirect,      // its elements lie as those of the space do
      kWithinRow,   // a tile is part of one row, which begins at an offset; or all is one number
      kCopied,      // a tile has several rows, which are copied into a buffer
      kCopiedOnce,  // the same, but all rows are equal
    } kind = Kind::kDirect;
    Strides strides;
    bool along = true;  // its columns differ; else it has one number for a row
    Slot slot = 0;      // where steps find it
  };
  // One pass over a tile, with the slots that it reads and writes: a run, with its result and three
  // operands; or the code of several operations; or a sum of the only one.
  struct Step {
    bool is_sum = false;
    RunKernel<T> run = nullptr;
    VectorCode<T> code = nullptr;
    std::size_t sum = 0;
    std::size_t count = 0;
    std::array<Slot, kMostPlaces> places{};
  };
  struct Sum {
    Strides strides;          // in the result
    bool along = false;       // over the columns
    bool shared = false;      // several parts add to one element
    std::int64_t size = 0;    // of the result
    std::int64_t offset = 0;  // of its accumulators
    std::size_t write = 0;    // which of the writes it is
  };
  // A value of which a rectangle is at hand.
  struct Followed {
    std::size_t read;
    std::int64_t width;
    const Rectangle<T>* rectangle;
    // Where its element number `at` of the space is, and all that follow in the row; or, where the
    // rectangle has whole rows, all that follow.
    T* element(std::int64_t at) const {
      const Rectangle<T>& r = *rectangle;
      // Steps only read it.
      return const_cast<T*>(r.values) + (at / width - r.first_row) * r.columns +
             (at % width - r.first_column);
    }
  };
  // An index along each of the row axes.
  using Place = std::array<std::int64_t, Shape::kMaxRank>;
  // Rows and columns that one task computes, or one turn of it.
  struct Area {
    std::int64_t row, rows, column, columns;
    Place place;  // of the first row
  };

  static bool copied(const Reference& r) {
    return r.kind == Reference::Kind::kCopied || r.kind == Reference::Kind::kCopiedOnce;
  }
  bool is_one_tile() const;
  void bind_copy(const Reference& from, const T* data, T* to, Bound& bound) const;
  void bind_sum(const Sum& sum, const T* values, Bound& bound) const;
  void run_one_tile(const Bound& bound) const;
  void set_numbers(T** slots, T* buffers) const;
  void run_part(std::int64_t i, std::span<T* const> memory, double* accumulators) const;
  // Memory of one task, and where steps find what lies in it.
  struct Task {
    std::span<T* const> memory;
    double* accumulators;
    std::int64_t part;
    const Followed* followed;  // or null
    T** slots;
  };
  template <class Each>
  void in_task(std::span<T* const> memory, double* accumulators, std::int64_t part,
               const Followed* followed, const Each& each) const;
  void run_block(const Task& task, const Area& block) const;
  void find_operands(const Task& task, const Area& tile) const;
  void run_steps(T* const* slots, double* accumulators, std::int64_t part, const Area& tile) const;
  template <class Each>
  void each_even_rows(const Strides& strides, const Area& area, const Each& each) const;
  void copy_rows(const Reference& from, const T* data, const Area& area, T* to) const;
  void add_to_sum(const Sum& sum, const T* values, const Area& area, double* accumulators) const;
  void finish(const Sum& sum, ThreadPool* pool, const double* accumulators, T* out) const;
  Place place(std::int64_t row) const;
  void advance(Place& place, std::int64_t rows) const;
  std::int64_t offset(const Strides& strides, const Place& place) const;

  std::vector<NodeId> reads_, writes_;
  std::vector<Reference> references_;  // of the reads
  std::vector<Slot> direct_writes_;    // slots of the writes that are no sums; 0: it is one
  std::vector<Step> steps_;
  std::vector<std::size_t> last_read_, first_write_;  // times, for may_share()
  std::vector<Sum> sums_;
  std::vector<T> numbers_;  // attributes; their slots come first
  std::vector<std::int64_t> row_axes_;
  std::int64_t rows_ = 1, columns_ = 1;
  std::int64_t tile_rows_ = 1, tile_columns_ = 1, buffer_size_ = 0;
  Parts parts_;
  std::size_t slots_ = 0, first_buffer_ = 0;  // slots from first_buffer_ on are buffers
  std::int64_t accumulators_ = 0;
};

}  // namespace jacquard
