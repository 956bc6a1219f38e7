// RandomStream: whole random numbers one after the other, for what happens outside the tape: the
// split of a data set, the order of an epoch. (Draws of numbers with a point: autodiff/philox.hpp.)
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace jacquard::experiments {

// Block i of the stream is Philox4x32-10 with the words of stream_key(seed, name) as key and
// {i low, i high, 0, 0} as counter (autodiff/philox.hpp); its four words are two numbers, low
// halves first. Streams of other names or seeds are independent. Never changes between versions.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::string_view name);

  std::uint64_t bits();                      // 64 uniform bits
  std::uint64_t below(std::uint64_t bound);  // 0 .. bound-1, each equally likely; bound > 0

 private:
  std::uint64_t key_;
  std::uint64_t block_ = 0;
  std::array<std::uint64_t, 2> ready_{};
  std::size_t taken_ = 2;  // of ready_
};

}  // namespace jacquard::experiments
