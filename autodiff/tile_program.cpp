#include "autodiff/tile_program.hpp"

#include <algorithm>
#include <array>

#include "autodiff/loops.hpp"
#include "autodiff/runs.hpp"
#include "autodiff/thread_memory.hpp"
#include "autodiff/tile_sums.hpp"

namespace jacquard {
namespace {

// Three places in memory, a number and a buffer for each node.
constexpr std::size_t kMaxSlots = 1 + 5 * TileProgram<float>::kMaxNodes;

// Buffers lie on the stack, where each thread has its own without an allocation. A program that
// needs more of them, which is rare, has memory that the thread keeps.
constexpr std::size_t kStackBytes = std::size_t{64} << 10;
struct Buffers;

}  // namespace

template <class T>
bool TileProgram<T>::is_one_tile() const {
  return parts_.count == 1 && rows_ <= tile_rows_ && columns_ <= tile_columns_ &&
         rows_ * columns_ > 0;
}

template <class T>
std::int64_t TileProgram<T>::workspace_bytes() const {
  const std::int64_t sums = accumulators_ * static_cast<std::int64_t>(sizeof(double));
  if (!is_one_tile()) return sums;
  return sums + static_cast<std::int64_t>((slots_ - first_buffer_) * sizeof(T)) * buffer_size_;
}

template <class T>
bool TileProgram<T>::may_share(std::size_t w, std::size_t r) const {
  return direct_writes_[w] != 0 && references_[r].kind == Reference::Kind::kDirect &&
         last_read_[r] <= first_write_[w];
}

template <class T>
typename TileProgram<T>::Bound TileProgram<T>::bind(std::vector<T*> memory,
                                                    std::byte* workspace) const {
  Bound bound{std::move(memory), workspace, is_one_tile(), {}, {}, {}, {}};
  if (!bound.one_tile) return bound;
  std::vector<T*> slots(slots_);
  set_numbers(slots.data(),
              reinterpret_cast<T*>(reinterpret_cast<double*>(workspace) + accumulators_));
  for (std::size_t r = 0; r < references_.size(); ++r) {
    T*& slot = slots[references_[r].slot];
    if (copied(references_[r]))
      bind_copy(references_[r], bound.memory[r], slot, bound);
    else
      slot = bound.memory[r];
  }
  for (std::size_t w = 0; w < direct_writes_.size(); ++w)
    if (direct_writes_[w] != 0) slots[direct_writes_[w]] = bound.memory[reads_.size() + w];
  for (const Step& s : steps_) {
    if (s.is_sum) {
      bind_sum(sums_[s.sum], slots[s.places[0]], bound);
      continue;
    }
    bound.steps.push_back({s.run, s.code, bound.places.size()});
    for (std::size_t p = 0; p < s.count; ++p) bound.places.push_back(slots[s.places[p]]);
  }
  return bound;
}

template <class T>
void TileProgram<T>::bind_copy(const Reference& from, const T* data, T* to, Bound& bound) const {
  const auto copy = from.along ? row_kernels<T>().copy : row_kernels<T>().spread;
  each_even_rows(from.strides, {0, rows_, 0, columns_, {}},
                 [&](std::int64_t offset, std::int64_t step, std::int64_t row, std::int64_t rows) {
                   bound.copies.push_back({copy, to + row * columns_, data + offset, step, rows});
                 });
}

template <class T>
void TileProgram<T>::bind_sum(const Sum& sum, const T* values, Bound& bound) const {
  double* const to = reinterpret_cast<double*>(bound.workspace) + sum.offset;
  const auto add = sum.along ? row_kernels<T>().add_sums : row_kernels<T>().add_rows;
  each_even_rows(sum.strides, {0, rows_, 0, columns_, {}},
                 [&](std::int64_t offset, std::int64_t step, std::int64_t row, std::int64_t rows) {
                   bound.additions.push_back(
                       {bound.steps.size(), add, to + offset, step, values + row * columns_, rows});
                 });
}

template <class T>
void TileProgram<T>::run(ThreadPool* pool, const Bound& bound) const {
  double* const accumulators = reinterpret_cast<double*>(bound.workspace);
  std::fill_n(accumulators, accumulators_, 0.0);
  if (bound.one_tile) {
    run_one_tile(bound);
  } else if (rows_ * columns_ > 0) {
    const auto task = [&](std::int64_t i) { run_part(i, bound.memory, accumulators); };
    if (parts_.count > 1 && pool != nullptr)
      pool->run(parts_.count, task);
    else
      for (std::int64_t i = 0; i < parts_.count; ++i) task(i);
  }
  for (const Sum& sum : sums_)
    finish(sum, pool, accumulators, bound.memory[reads_.size() + sum.write]);
}

template <class T>
void TileProgram<T>::run_one_tile(const Bound& bound) const {
  const std::int64_t columns = columns_, count = rows_ * columns;
  for (const BoundCopy& c : bound.copies) c.run(c.to, c.from, c.step, c.rows, columns);
  const BoundStep *step = bound.steps.data(), *const first = step;
  const auto run_until = [&](const BoundStep* end) {
    for (; step != end; ++step) {
      T* const* const at = bound.places.data() + step->first;
      if (step->code != nullptr)
        step->code(at, count);
      else
        step->run(at[0], at[1], at[2], at[3], count);
    }
  };
  for (const BoundAddition& a : bound.additions) {
    run_until(first + a.steps);
    a.run(a.to, a.step, a.values, a.rows, columns);
  }
  run_until(first + bound.steps.size());
}

template <class T>
void TileProgram<T>::set_numbers(T** slots, T* buffers) const {
  slots[0] = nullptr;
  for (std::size_t n = 0; n < numbers_.size(); ++n) slots[n + 1] = const_cast<T*>(&numbers_[n]);
  for (std::size_t s = first_buffer_; s < slots_; ++s, buffers += buffer_size_) slots[s] = buffers;
}

template <class T>
typename TileProgram<T>::Place TileProgram<T>::place(std::int64_t row) const {
  Place at{};
  for (std::size_t i = row_axes_.size(); i-- > 0; row /= row_axes_[i]) at[i] = row % row_axes_[i];
  return at;
}

template <class T>
void TileProgram<T>::advance(Place& at, std::int64_t rows) const {
  for (std::size_t i = row_axes_.size(); i-- > 0;) {
    at[i] += rows;
    if (at[i] < row_axes_[i]) return;
    rows = at[i] / row_axes_[i];
    at[i] %= row_axes_[i];
  }
}

template <class T>
std::int64_t TileProgram<T>::offset(const Strides& strides, const Place& at) const {
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < strides.size(); ++i) offset += at[i] * strides[i];
  return offset;
}

// Calls each(task) when the task's numbers, buffers and what is copied once are in their places.
template <class T>
template <class Each>
void TileProgram<T>::in_task(std::span<T* const> memory, double* accumulators, std::int64_t part,
                             const Followed* followed, const Each& each) const {
  std::array<T*, kMaxSlots> slots;
  alignas(64) std::array<T, kStackBytes / sizeof(T)> on_stack;
  const std::size_t numbers = (slots_ - first_buffer_) * static_cast<std::size_t>(buffer_size_);
  set_numbers(slots.data(),
              numbers <= on_stack.size() ? on_stack.data() : thread_memory<T, Buffers>(numbers));
  for (std::size_t r = 0; r < references_.size(); ++r)
    if (references_[r].kind == Reference::Kind::kCopiedOnce)
      copy_rows(references_[r], memory[r], {0, tile_rows_, 0, columns_, {}},
                slots[references_[r].slot]);
  each(Task{memory, accumulators, part, followed, slots.data()});
}

template <class T>
void TileProgram<T>::run_part(std::int64_t i, std::span<T* const> memory,
                              double* accumulators) const {
  in_task(memory, accumulators, i, nullptr, [&](const Task& task) {
    parts_.each_block(
        i, columns_,
        [&](std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns) {
          run_block(task, {row, rows, column, columns, place(row)});
        });
  });
}

template <class T>
bool TileProgram<T>::can_follow(std::size_t read, const Prepared<T>& product) const {
  const bool rows_fit = columns_ == product.width && (tile_rows_ == 1 || product.whole_rows);
  return sums_.empty() && !is_one_tile() && references_[read].kind == Reference::Kind::kDirect &&
         (rows_fit || rows_ == 1);
}

template <class T>
void TileProgram<T>::follow(const Bound& bound, std::size_t read, std::int64_t width,
                            const Rectangle<T>& r) const {
  const Followed followed{read, width, &r};
  in_task(bound.memory, nullptr, 0, &followed, [&](const Task& task) {
    if (columns_ == width)
      return run_block(task, {r.first_row, r.rows, r.first_column, r.columns, place(r.first_row)});
    const std::int64_t first = r.first_row * width + r.first_column;
    if (r.columns == width) return run_block(task, {0, 1, first, r.rows * width, {}});
    for (std::int64_t row = 0; row < r.rows; ++row)
      run_block(task, {0, 1, first + row * width, r.columns, {}});
  });
}

template <class T>
void TileProgram<T>::run_block(const Task& task, const Area& block) const {
  Area tile = block;
  for (std::int64_t row = 0; row < block.rows; row += tile_rows_) {
    tile.row = block.row + row;
    tile.rows = std::min(tile_rows_, block.rows - row);
    for (std::int64_t column = 0; column < block.columns; column += tile_columns_) {
      tile.column = block.column + column;
      tile.columns = std::min(tile_columns_, block.columns - column);
      find_operands(task, tile);
      run_steps(task.slots, task.accumulators, task.part, tile);
    }
    advance(tile.place, tile_rows_);
  }
}

template <class T>
void TileProgram<T>::find_operands(const Task& task, const Area& area) const {
  const std::int64_t start = area.row * columns_ + area.column;
  const Followed* const followed = task.followed;
  for (std::size_t r = 0; r < references_.size(); ++r) {
    const Reference& reference = references_[r];
    switch (reference.kind) {
      case Reference::Kind::kDirect:
        task.slots[reference.slot] = followed != nullptr && followed->read == r
                                         ? followed->element(start)
                                         : task.memory[r] + start;
        break;
      case Reference::Kind::kWithinRow:
        task.slots[reference.slot] = task.memory[r] + offset(reference.strides, area.place) +
                                     (reference.along ? area.column : 0);
        break;
      case Reference::Kind::kCopied:
        copy_rows(reference, task.memory[r], area, task.slots[reference.slot]);
        break;
      case Reference::Kind::kCopiedOnce:
        break;
    }
  }
  for (std::size_t w = 0; w < direct_writes_.size(); ++w)
    if (direct_writes_[w] != 0)
      task.slots[direct_writes_[w]] = task.memory[reads_.size() + w] + start;
}

template <class T>
void TileProgram<T>::run_steps(T* const* slots, double* accumulators, std::int64_t part,
                               const Area& area) const {
  const std::int64_t count = area.rows * area.columns;
  for (const Step& step : steps_) {
    if (step.code != nullptr) {
      std::array<T*, kMostPlaces> places;
      for (std::size_t p = 0; p < step.count; ++p) places[p] = slots[step.places[p]];
      step.code(places.data(), count);
    } else if (!step.is_sum) {
      step.run(slots[step.places[0]], slots[step.places[1]], slots[step.places[2]],
               slots[step.places[3]], count);
    } else {
      const Sum& sum = sums_[step.sum];
      add_to_sum(sum, slots[step.places[0]], area,
                 accumulators + sum.offset + (sum.shared ? part * sum.size : 0));
    }
  }
}

// Calls each(offset, step, row, rows) for rows whose places are `step` apart from `offset` on:
// those along the last row axis.
template <class T>
template <class Each>
void TileProgram<T>::each_even_rows(const Strides& strides, const Area& area,
                                    const Each& each) const {
  const std::int64_t step = strides.empty() ? 0 : strides.back();
  if (strides.size() < 2) return each(area.row * step, step, std::int64_t{0}, area.rows);
  if (area.rows == 1) return each(offset(strides, area.place), step, std::int64_t{0}, area.rows);
  Place at = area.place;
  std::int64_t& last = at[strides.size() - 1];
  for (std::int64_t row = 0; row < area.rows;) {
    const std::int64_t rows = std::min(area.rows - row, row_axes_.back() - last);
    each(offset(strides, at), step, row, rows);
    row += rows;
    advance(at, rows);
  }
}

template <class T>
void TileProgram<T>::copy_rows(const Reference& from, const T* data, const Area& area,
                               T* to) const {
  const auto copy = from.along ? row_kernels<T>().copy : row_kernels<T>().spread;
  each_even_rows(from.strides, area,
                 [&](std::int64_t offset, std::int64_t step, std::int64_t row, std::int64_t rows) {
                   copy(to + row * columns_, data + offset, step, rows, columns_);
                 });
}

template <class T>
void TileProgram<T>::add_to_sum(const Sum& sum, const T* values, const Area& area,
                                double* accumulators) const {
  const auto add = sum.along ? row_kernels<T>().add_sums : row_kernels<T>().add_rows;
  if (!sum.along) accumulators += area.column;
  each_even_rows(sum.strides, area,
                 [&](std::int64_t offset, std::int64_t step, std::int64_t row, std::int64_t rows) {
                   add(accumulators + offset, step, values + row * area.columns, rows,
                       area.columns);
                 });
}

// Adds what several parts have summed, and rounds.
template <class T>
void TileProgram<T>::finish(const Sum& sum, ThreadPool* pool, const double* accumulators,
                            T* out) const {
  const double* const from = accumulators + sum.offset;
  if (!sum.shared) return row_kernels<T>().round(out, from, sum.size);
  loops::pieces(pool, sum.size, std::max<std::int64_t>(1, loops::kGrain / parts_.count),
                [&](std::int64_t first, std::int64_t end) {
                  for (std::int64_t i = first; i < end; ++i) {
                    double total = from[i];
                    for (std::int64_t copy = 1; copy < parts_.count; ++copy)
                      total += from[copy * sum.size + i];
                    out[i] = static_cast<T>(total);
                  }
                });
}

template class TileProgram<float>;
template class TileProgram<double>;

}  // namespace jacquard
