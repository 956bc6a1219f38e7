#include "tests/fuzz/targets.hpp"

namespace jacquard::fuzz {

const std::vector<Target>& targets() {
  static const std::vector<Target> all = {
      {"spec", spec}, {"expression", expression},   {"idx", idx}, {"png", png},      {"npy", npy},
      {"npz", npz},   {"safetensors", safetensors}, {"csv", csv}, {"labels", labels}};
  return all;
}

}  // namespace jacquard::fuzz
