// NumPy's files: one array as .npy, several under their names as .npz (a zip archive of .npy).
//
// Reads what NumPy writes (save, savez, savez_compressed) of numbers: f4, f8, b1, signed and
// unsigned integers of 1 to 8 bytes, either byte order, C or Fortran order. Python objects (pickle)
// are refused: they are programs. Headers are believed only as far as the bytes present bear them
// out. T is float or double.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/tensor.hpp"

namespace jacquard::experiments {

template <class T>
struct NamedArray {
  std::string name;  // empty in a .npy file
  Tensor<T> values;
  std::string dtype = {};  // as the file says, such as "<f4" or "|u1"; ignored in writing
};

template <class T>
using NamedArrays = std::vector<NamedArray<T>>;  // in the order of the archive

// Floating-point values are rounded to T. An integer that T cannot hold exactly is an error, so are
// bytes after the array, equal names in an archive, and entries that are no .npy. All throw
// SpecError with the name of the file and of the entry.
template <class T>
NamedArray<T> read_npy(const std::filesystem::path& path);
template <class T>
NamedArrays<T> read_npz(const std::filesystem::path& path);

// The same for bytes in memory; `name` stands for the file in messages.
template <class T>
NamedArray<T> parse_npy(std::string_view file, std::string_view name);
template <class T>
NamedArrays<T> parse_npz(std::string_view file, std::string_view name);

enum class Packing { kStored, kDeflated };  // NumPy's savez and savez_compressed

// The bytes of a file; equal arrays give equal bytes (entries carry no time). Throws Error for
// equal or empty names.
template <class T>
std::string npy_bytes(const Tensor<T>& values);
template <class T>
std::string npz_bytes(const NamedArrays<T>& arrays, Packing packing = Packing::kDeflated);

// Written by write_file_atomically, which see for errors.
template <class T>
void write_npy(const std::filesystem::path& path, const Tensor<T>& values);
template <class T>
void write_npz(const std::filesystem::path& path, const NamedArrays<T>& arrays,
               Packing packing = Packing::kDeflated);

}  // namespace jacquard::experiments
