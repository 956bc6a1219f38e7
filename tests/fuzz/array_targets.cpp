// Targets for files of arrays: npy, npz, safetensors.
#include "autodiff/error.hpp"
#include "experiments/npy.hpp"
#include "experiments/safetensors.hpp"
#include "tests/fuzz/targets.hpp"

namespace jacquard::fuzz {
namespace {

using namespace experiments;

template <class T>
void npy_of(std::string_view bytes) {
  try {
    const NamedArray<T> array = parse_npy<T>(bytes, "f");
    require(array.values.size() == static_cast<std::int64_t>(array.values.data.size()),
            "an array has the numbers that its shape says");
    const std::string written = npy_bytes(array.values);
    const NamedArray<T> again = parse_npy<T>(written, "f");
    require(again.values.shape == array.values.shape, "the shape is read again");
    // As bytes: a number that is none equals nothing.
    require(npy_bytes(again.values) == written, "the numbers are read again");
  } catch (const SpecError&) {
  }
}

}  // namespace

void npy(std::string_view bytes) {
  npy_of<float>(bytes);
  npy_of<double>(bytes);
}

void npz(std::string_view bytes) {
  try {
    const NamedArrays<float> arrays = parse_npz<float>(bytes, "f");
    const std::string written = npz_bytes(arrays, Packing::kStored);
    const NamedArrays<float> again = parse_npz<float>(written, "f");
    require(again.size() == arrays.size(), "every array is read again");
    require(npz_bytes(again, Packing::kStored) == written, "the numbers are read again");
  } catch (const SpecError&) {
  }
}

void safetensors(std::string_view bytes) {
  try {
    const SafeTensors content = parse_safetensors(bytes, "f");
    const std::string written = safetensors_bytes(content);
    const SafeTensors again = parse_safetensors(written, "f");
    require(again.tensors.size() == content.tensors.size(), "every tensor is read again");
    require(again.metadata == content.metadata, "the metadata is read again");
    require(safetensors_bytes(again) == written, "the numbers are read again");
  } catch (const SpecError&) {
  }
}

}  // namespace jacquard::fuzz
