#include "experiments/random_stream.hpp"

#include <Random123/philox.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace jacquard::experiments {
namespace {

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, std::string_view name)
    : seed_(seed), name_(fnv1a(name)) {}

std::uint64_t RandomStream::bits() {
  if (left_ == 0) {
    const r123::Philox4x32 philox;
    const r123::Philox4x32::ctr_type words =
        philox({{low(block_), high(block_), low(name_), high(name_)}}, {{low(seed_), high(seed_)}});
    ready_ = {words[0] | std::uint64_t{words[1]} << 32, words[2] | std::uint64_t{words[3]} << 32};
    ++block_;
    left_ = 2;
  }
  return ready_[static_cast<std::size_t>(2 - left_--)];
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

double RandomStream::uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

double RandomStream::normal() {
  const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));  // 1 - u is never 0
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace jacquard::experiments
