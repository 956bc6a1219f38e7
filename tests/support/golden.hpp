// Texts that are kept in tests/golden and compared as a whole.
#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "autodiff/error.hpp"

namespace jacquard::testing {

// The text of tests/golden/<name>. With JACQUARD_WRITE_GOLDEN set, `text` is written there first:
// look at the difference before it is kept.
inline std::string golden(const std::string& name, const std::string& text) {
  const std::string path = cat(JACQUARD_SOURCE_DIR "/tests/golden/", name);
  if (std::getenv("JACQUARD_WRITE_GOLDEN") != nullptr)
    std::ofstream(path, std::ios::binary) << text;
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace jacquard::testing
