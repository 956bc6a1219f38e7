// Checkpoints: the safetensors format. 8 bytes length of the header, little-endian; the header, a
// JSON object {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...,
// "__metadata__": {"key": "text"}}; the elements, packed. Of its types F32 and F64 only.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/tensor.hpp"

namespace jacquard::experiments {

using AnyTensor = std::variant<Tensor<float>, Tensor<double>>;

struct SavedTensor {
  std::string name;
  AnyTensor values;

  bool operator==(const SavedTensor&) const = default;
};

struct SafeTensors {
  std::vector<SavedTensor> tensors;             // in the order of their elements in the file
  std::map<std::string, std::string> metadata;  // free text under free names

  bool operator==(const SafeTensors&) const = default;
};

// The elements of a tensor of the file, in the precision asked for. Throws Error for an unknown
// name, with the names there are.
template <class T>
Tensor<T> tensor(const SafeTensors& file, std::string_view name);

// Throws Failure (SpecError for a file that the user names, Error for one of Jacquard's own) for
// all that the format forbids: a header over 100 MB or longer than the file, other types, shapes
// that do not fit their bytes, overlaps, holes, equal names, bytes after the last tensor.
template <class Failure = SpecError>
SafeTensors read_safetensors(const std::filesystem::path& path);
template <class Failure = SpecError>
SafeTensors parse_safetensors(std::string_view file, std::string_view name);

// Equal contents give equal bytes: metadata by name, then the tensors in their order, F64 before
// F32 so that every element is aligned to its size. Throws Error for equal names, the name
// '__metadata__' or text that is no UTF-8.
std::string safetensors_bytes(const SafeTensors& content);
void write_safetensors(const std::filesystem::path& path, const SafeTensors& content);

}  // namespace jacquard::experiments
