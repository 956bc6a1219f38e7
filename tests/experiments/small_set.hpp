// A small data set in the format of MNIST, for tests of what reads and fetches such sets.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "autodiff/error.hpp"
#include "experiments/data.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {

inline DataSpec set_of(const std::string& set) {
  DataSpec spec;
  spec.set = set;
  return spec;
}

inline std::string big_endian(std::uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
  return bytes;
}

// A set in the format of MNIST: `count` images of 2 x 3 whose pixels are all the image's number.
inline void put_small_set(const TemporaryFolder& folder, const std::string& set, unsigned train,
                          unsigned test) {
  for (const auto& [part, count] : {std::pair("train", train), std::pair("t10k", test)}) {
    std::string images =
        std::string("\0\0\x08\3", 4) + big_endian(count) + big_endian(2) + big_endian(3);
    std::string labels = std::string("\0\0\x08\1", 4) + big_endian(count);
    for (unsigned i = 0; i < count; ++i) {
      images += std::string(6, static_cast<char>(i));
      labels += static_cast<char>(i % 10);
    }
    folder.put(cat(set, "/", part, "-images-idx3-ubyte"), images);
    folder.put(cat(set, "/", part, "-labels-idx1-ubyte"), labels);
  }
}

}  // namespace jacquard::experiments
