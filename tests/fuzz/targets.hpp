// What fuzzing throws bytes at: the readers of everything that comes from outside. A target takes
// any bytes; it throws, or lets the program abort, only for what is wrong in the reader: another
// error than the user's, data that its own writer does not give back. `replay_test.cpp` runs them
// over tests/fuzz/corpus/<name>/ in every build; `libfuzzer.cpp` makes a fuzzer of one of them.
#pragma once

#include <stdexcept>
#include <string_view>
#include <vector>

namespace jacquard::fuzz {

void spec(std::string_view bytes);         // JSON -> Spec -> JSON
void expression(std::string_view bytes);   // text -> tree -> text; -> tape -> two derivatives
void idx(std::string_view bytes);          // IDX, plain or in gzip
void png(std::string_view bytes);          // pictures that are sheets of data
void npy(std::string_view bytes);          // NumPy's arrays, float and double
void npz(std::string_view bytes);          // archives of them
void safetensors(std::string_view bytes);  // checkpoints
void csv(std::string_view bytes);          // tables; the first byte chooses how they are read
void labels(std::string_view bytes);       // lists of labels in JSON

struct Target {
  std::string_view name;
  void (*run)(std::string_view bytes);
};
const std::vector<Target>& targets();

// What a target throws when a reader breaks its promise.
inline void require(bool holds, const char* promise) {
  if (!holds) throw std::logic_error(promise);
}

}  // namespace jacquard::fuzz
