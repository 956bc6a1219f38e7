// The kept inputs of every fuzzing target: as they are, cut at every byte, with single bytes
// changed. The targets themselves say what must hold (targets.hpp).
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "experiments/file.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/support/counted_allocations.hpp"

namespace jacquard::fuzz {
namespace {

namespace fs = std::filesystem;

struct Kept {
  const Target* target;
  fs::path path;
  std::string bytes;
};

std::vector<Kept> kept_inputs() {
  std::vector<Kept> all;
  for (const Target& target : targets()) {
    std::vector<fs::path> paths;
    const fs::path folder = fs::path(JACQUARD_SOURCE_DIR) / "tests/fuzz/corpus" / target.name;
    for (const auto& entry : fs::directory_iterator(folder)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const fs::path& path : paths)
      all.push_back({&target, path, experiments::read_file<Error>(path)});
  }
  return all;
}

// Runs the target; nothing may be allocated at once that these bytes do not bear out. Packed files
// (deflate) can make 1032 bytes of one; the rest is buffers.
void run(const Kept& kept, const std::string& bytes) {
  constexpr std::size_t kBuffers = std::size_t{1} << 20, kMaxRatio = 1032;
  largest_allocation = 0;
  try {
    kept.target->run(bytes);
  } catch (const std::exception& error) {
    FAIL_CHECK(std::string(error.what()));
  }
  if (largest_allocation > kBuffers + 2 * kMaxRatio * bytes.size())
    FAIL_CHECK("an allocation of ", largest_allocation.load(), " bytes for ", bytes.size());
}

TEST_CASE("every kept input is read or refused") {
  std::size_t inputs = 0;
  for (const Kept& kept : kept_inputs()) {
    CAPTURE(kept.path);
    run(kept, kept.bytes);
    ++inputs;
  }
  CHECK(inputs >= 60);
}

TEST_CASE("every kept input is read or refused when it is cut at any byte") {
  for (const Kept& kept : kept_inputs()) {
    CAPTURE(kept.path);
    for (std::size_t size = 0; size < kept.bytes.size(); ++size) {
      CAPTURE(size);
      run(kept, kept.bytes.substr(0, size));
    }
  }
}

TEST_CASE("every kept input is read or refused when a byte of it is another") {
  constexpr std::size_t kPlaces = 512;
  for (const Kept& kept : kept_inputs()) {
    CAPTURE(kept.path);
    for (std::size_t place = 0; place < std::min(kPlaces, kept.bytes.size()); ++place)
      for (const int change : {0x01, 0x10, 0x80, 0xff}) {
        CAPTURE(place);
        CAPTURE(change);
        std::string bytes = kept.bytes;
        bytes[place] = static_cast<char>(bytes[place] ^ change);
        run(kept, bytes);
      }
  }
}

}  // namespace
}  // namespace jacquard::fuzz
