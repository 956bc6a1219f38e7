#include "experiments/random_stream.hpp"

#include <limits>

#include "autodiff/philox.hpp"

namespace jacquard::experiments {
namespace {

std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, std::string_view name)
    : key_(stream_key(seed, name)) {}

std::uint64_t RandomStream::bits() {
  if (taken_ == ready_.size()) {
    const std::array<std::uint32_t, 4> words =
        philox({low(block_), high(block_), 0, 0}, {low(key_), high(key_)});
    ready_ = {words[0] | std::uint64_t{words[1]} << 32, words[2] | std::uint64_t{words[3]} << 32};
    ++block_;
    taken_ = 0;
  }
  return ready_[taken_++];
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
  // A remainder alone would favour small numbers: what lies above the last whole multiple of the
  // bound is drawn again. 2^64 mod bound is (2^64 - bound) mod bound, in unsigned arithmetic.
  const std::uint64_t rest = (std::uint64_t{0} - bound) % bound;
  const std::uint64_t last = std::numeric_limits<std::uint64_t>::max() - rest;
  std::uint64_t draw = bits();
  while (draw > last) draw = bits();
  return draw % bound;
}

}  // namespace jacquard::experiments
