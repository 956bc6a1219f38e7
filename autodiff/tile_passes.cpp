#include "autodiff/tile_passes.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "autodiff/runs.hpp"

namespace jacquard {

template <class T>
TilePasses<T>::TilePasses(const Tape& tape, const TileGroup& group, bool by_code)
    : tape_(tape), group_(group), by_code_(by_code) {
  find_readers();
  find_passes();
  find_last_uses();
}

template <class T>
std::size_t TilePasses<T>::place(NodeId id) const {
  const auto at = std::ranges::lower_bound(group_.nodes, id);
  return at != group_.nodes.end() && *at == id ? static_cast<std::size_t>(at - group_.nodes.begin())
                                               : size();
}

template <class T>
bool TilePasses<T>::written(NodeId id) const {
  return std::ranges::binary_search(group_.written, id);
}

template <class T>
void TilePasses<T>::find_readers() {
  readers_.assign(size(), {});
  for (std::size_t n = 0; n < size(); ++n)
    for (const NodeId in : tape_.node(group_.nodes[n]).inputs)
      if (inside(in)) readers_[place(in)].push_back(n);
}

// What reads only the memory is best computed where it is needed first; but not behind anything
// that is written outside, for that may be over what it reads.
template <class T>
std::vector<std::size_t> TilePasses<T>::order() const {
  std::vector<std::size_t> at(size());
  std::size_t barrier = size();
  for (std::size_t n = size(); n-- > 0;) {
    const NodeId id = group_.nodes[n];
    if (written(id)) barrier = n;
    at[n] = n;
    const auto& inputs = tape_.node(id).inputs;
    if (written(id) || is_sum(id) ||
        std::ranges::any_of(inputs, [&](NodeId in) { return inside(in); }))
      continue;
    at[n] = readers_[n].empty() ? n : std::min(readers_[n].front(), barrier);
  }
  std::vector<std::size_t> result(size());
  std::iota(result.begin(), result.end(), std::size_t{0});
  std::ranges::stable_sort(result, {}, [&](std::size_t n) { return std::pair(at[n], at[n] == n); });
  return result;
}

template <class T>
bool TilePasses<T>::has_code(std::size_t n) const {
  const Op& op = *tape_.node(group_.nodes[n]).op;
  return by_code_ && op.runs != nullptr && op.run_attribute.empty() &&
         runs::recording_of<T>(*op.runs).complete && fits({n});
}

// Would the open pass have two costly operations one after the other, of which the node is the
// second? Each takes as many instructions as a processor looks ahead, so that it could not begin
// with the next elements.
template <class T>
bool TilePasses<T>::waits_long(std::size_t n, const std::vector<std::size_t>& open) const {
  const auto reads = [&](std::size_t reader, std::size_t of) {
    return std::ranges::find(readers_[of], reader) != readers_[of].end();
  };
  const auto is_costly = [&](std::size_t m) { return tape_.node(group_.nodes[m]).op->costly; };
  if (!is_costly(n)) return false;
  std::vector<std::size_t> before{n};  // what it waits for, and itself
  for (std::size_t i = open.size(); i-- > 0;)
    if (std::ranges::any_of(before, [&](std::size_t m) { return reads(m, open[i]); })) {
      if (is_costly(open[i])) return true;
      before.push_back(open[i]);
    }
  return false;
}

// What has code waits in an open pass until something needs its results from a slot. What does not
// wait for it comes before it, unless it is written outside: that may be over something that the
// open pass reads.
template <class T>
void TilePasses<T>::find_passes() {
  std::vector<std::size_t> open, sums_of_open;
  const auto close = [&] {
    if (!open.empty()) passes_.push_back({std::move(open), true});
    for (const std::size_t n : sums_of_open) passes_.push_back({{n}, false});
    open.clear();
    sums_of_open.clear();
  };
  for (const std::size_t n : order()) {
    const NodeId id = group_.nodes[n];
    const bool waits = std::ranges::any_of(tape_.node(id).inputs, [&](NodeId in) {
      return inside(in) && std::ranges::find(open, place(in)) != open.end();
    });
    if (is_sum(id)) {
      if (waits)
        sums_of_open.push_back(n);
      else
        passes_.push_back({{n}, false});
    } else if (!has_code(n)) {
      if (waits || written(id)) close();
      passes_.push_back({{n}, false});
    } else {
      if (waits_long(n, open)) close();
      open.push_back(n);
      if (open.size() == 1 || fits(open)) continue;
      open.pop_back();
      close();
      open.push_back(n);
    }
  }
  close();
}

template <class T>
void TilePasses<T>::find_last_uses() {
  std::vector<std::size_t> pass_of(size(), 0);
  last_use_.assign(size(), 0);
  in_slot_.assign(size(), false);
  for (std::size_t pass = 0; pass < passes_.size(); ++pass)
    for (const std::size_t n : passes_[pass].nodes) {
      pass_of[n] = pass;
      in_slot_[n] = written(group_.nodes[n]) && !is_sum(group_.nodes[n]);
    }
  for (std::size_t pass = 0; pass < passes_.size(); ++pass)
    for (const std::size_t n : passes_[pass].nodes)
      for (const NodeId in : tape_.node(group_.nodes[n]).inputs) {
        if (!inside(in) || pass_of[place(in)] == pass) continue;
        in_slot_[place(in)] = true;
        last_use_[place(in)] = pass;
      }
}

template <class T>
std::int64_t TilePasses<T>::most_alive() const {
  std::vector<std::int64_t> ending(passes_.size(), 0);
  std::int64_t alive = 0, most = 0;
  for (std::size_t pass = 0; pass < passes_.size(); ++pass) {
    for (const std::size_t n : passes_[pass].nodes)
      if (in_slot_[n] && !written(group_.nodes[n])) {
        ++alive;
        ++ending[last_use_[n]];
      }
    most = std::max(most, alive);
    alive -= ending[pass];
  }
  return most;
}

// Could these be one pass, if it ended here?
template <class T>
bool TilePasses<T>::fits(const std::vector<std::size_t>& nodes) const {
  constexpr std::size_t kMostNodes = 64;
  if (nodes.size() > kMostNodes) return false;
  const auto is_stored = [&](std::size_t n) {
    return written(group_.nodes[n]) || std::ranges::any_of(readers_[n], [&](std::size_t reader) {
             return std::ranges::find(nodes, reader) == nodes.end();
           });
  };
  const Chain chain = chain_of(nodes, is_stored, [](NodeId) { return false; });
  return chain.loaded.size() + chain.stored.size() <= kMostPlaces && fits_registers<T>(chain.code);
}

template <class T>
typename TilePasses<T>::Chain TilePasses<T>::chain(std::size_t pass,
                                                   const IsNumber& is_number) const {
  return chain_of(
      passes_[pass].nodes, [this](std::size_t n) { return in_slot_[n]; }, is_number);
}

template <class T>
typename TilePasses<T>::Chain TilePasses<T>::chain_of(const std::vector<std::size_t>& nodes,
                                                      const IsStored& is_stored,
                                                      const IsNumber& is_number) const {
  Chain chain;
  const auto within = [&](NodeId id) {
    const auto at = inside(id) ? std::ranges::find(nodes, place(id)) : nodes.end();
    return static_cast<std::size_t>(at - nodes.begin());
  };
  for (const std::size_t n : nodes)
    for (const NodeId in : tape_.node(group_.nodes[n]).inputs)
      if (within(in) == nodes.size() && std::ranges::find(chain.loaded, in) == chain.loaded.end()) {
        chain.loaded.push_back(in);
        chain.code.loads.push_back(is_number(in));
      }
  const auto value = [&](NodeId id) {
    const std::size_t loads = chain.loaded.size(), step = within(id);
    if (step < nodes.size()) return static_cast<std::uint8_t>(loads + step);
    return static_cast<std::uint8_t>(std::ranges::find(chain.loaded, id) - chain.loaded.begin());
  };
  for (const std::size_t n : nodes) {
    const Node& node = tape_.node(group_.nodes[n]);
    VectorChain::Step step{&runs::recording_of<T>(*node.op->runs)};
    for (std::size_t i = 0; i < node.inputs.size(); ++i) step.operands[i] = value(node.inputs[i]);
    chain.code.steps.push_back(step);
    if (!is_stored(n)) continue;
    chain.stored.push_back(n);
    chain.code.stored.push_back(value(group_.nodes[n]));
  }
  return chain;
}

template class TilePasses<float>;
template class TilePasses<double>;

}  // namespace jacquard
