// The entry of a fuzzer: clang's libFuzzer calls it with one input after the other.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  jacquard::fuzz::JACQUARD_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
