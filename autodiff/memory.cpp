#include "autodiff/memory.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace jacquard {
namespace {

// Free stretches of the arena by offset; the last one has no end.
class FreeList {
 public:
  std::int64_t take(std::int64_t bytes) {
    auto best = gaps_.end();
    for (auto it = gaps_.begin(); it != gaps_.end(); ++it)
      if (it->second >= bytes && (best == gaps_.end() || it->second < best->second)) best = it;
    if (best == gaps_.end()) return take_at_end(bytes);
    const auto [offset, size] = *best;
    gaps_.erase(best);
    if (size > bytes) gaps_.emplace(offset + bytes, size - bytes);
    return offset;
  }

  void give(std::int64_t offset, std::int64_t bytes) {
    auto next = gaps_.lower_bound(offset);
    if (next != gaps_.end() && next->first == offset + bytes) {
      bytes += next->second;
      next = gaps_.erase(next);
    }
    if (next != gaps_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == offset) {
        before->second += bytes;
        return;
      }
    }
    gaps_.emplace(offset, bytes);
  }

  std::int64_t end() const { return end_; }

 private:
  // A gap that reaches the end is made longer instead of being left behind.
  std::int64_t take_at_end(std::int64_t bytes) {
    std::int64_t offset = end_;
    if (!gaps_.empty()) {
      const auto last = std::prev(gaps_.end());
      if (last->first + last->second == end_) {
        offset = last->first;
        gaps_.erase(last);
      }
    }
    end_ = offset + bytes;
    return offset;
  }

  std::map<std::int64_t, std::int64_t> gaps_;
  std::int64_t end_ = 0;
};

}  // namespace

Placement place(const std::vector<Lifetime>& lifetimes) {
  std::vector<std::size_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return lifetimes[i].first; });
  Placement placement{std::vector<std::int64_t>(lifetimes.size()), 0};
  FreeList free;
  std::multimap<std::int64_t, std::size_t> living;  // by last use
  const auto rounded = [&](std::size_t i) {
    return (lifetimes[i].bytes + kAlignment - 1) / kAlignment * kAlignment;
  };
  for (const std::size_t i : order) {
    while (!living.empty() && living.begin()->first < lifetimes[i].first) {
      const std::size_t done = living.begin()->second;
      if (rounded(done) > 0) free.give(placement.offsets[done], rounded(done));
      living.erase(living.begin());
    }
    placement.offsets[i] = rounded(i) > 0 ? free.take(rounded(i)) : 0;
    living.emplace(lifetimes[i].last, i);
  }
  placement.bytes = free.end();
  return placement;
}

}  // namespace jacquard
