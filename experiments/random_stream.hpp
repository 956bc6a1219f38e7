// RandomStream: numbers that depend on a seed, a name and their place alone, from Random123's
// counter-based generator Philox4x32-10 (Salmon et al. 2011).
//
// For what happens outside the tape: the split of a data set, the order of an epoch, generated
// data. Streams of other names or seeds are independent; nothing here is shared or stored.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace jacquard::experiments {

// Block i of the stream is Philox4x32-10 with the seed as key and (i, hash of the name) as counter,
// low words first; the hash is 64-bit FNV-1a. These numbers are part of the format of results:
// they never change.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::string_view name);

  std::uint64_t bits();                      // 64 uniform bits
  std::uint64_t below(std::uint64_t bound);  // 0 .. bound-1, each equally likely; bound > 0
  double uniform();                          // [0, 1), a multiple of 2^-53
  double normal();                           // mean 0, standard deviation 1 (Box and Muller 1958)

 private:
  std::uint64_t seed_;
  std::uint64_t name_;
  std::uint64_t block_ = 0;
  std::array<std::uint64_t, 2> ready_{};
  int left_ = 0;
};

}  // namespace jacquard::experiments
