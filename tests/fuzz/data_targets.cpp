// Targets for the files of data sets: IDX, PNG, labels, CSV.
#include <cmath>

#include "autodiff/error.hpp"
#include "experiments/data/csv.hpp"
#include "experiments/data/idx.hpp"
#include "experiments/data/label_list.hpp"
#include "experiments/data/png_reader.hpp"
#include "experiments/picture.hpp"
#include "tests/fuzz/targets.hpp"

namespace jacquard::fuzz {
namespace {

using namespace experiments;

void require_whole(const ByteArray& array) {
  std::uint64_t elements = 1;
  for (const std::int64_t size : array.sizes) {
    require(size >= 0, "sizes are not negative");
    elements *= static_cast<std::uint64_t>(size);
  }
  require(elements == array.bytes.size(), "an array has the bytes that its sizes say");
}

}  // namespace

void idx(std::string_view bytes) {
  try {
    const ByteArray array = parse_idx(bytes, "f");
    require_whole(array);
    std::string file = {0, 0, 8, static_cast<char>(array.sizes.size())};
    for (const std::int64_t size : array.sizes)
      for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(size >> shift);
    file += array.bytes;
    require(parse_idx(file, "f") == array, "what was read is read again");
    require(bytes.starts_with("\x1f\x8b") || bytes == file, "no byte of a plain file is ignored");
  } catch (const SpecError&) {
  }
}

void png(std::string_view bytes) {
  try {
    const ByteArray array = parse_png(bytes, "f");
    require_whole(array);
    Picture picture{static_cast<int>(array.sizes[0]),
                    static_cast<int>(array.sizes[1]),
                    array.sizes.size() == 3 ? 3 : 1,
                    {array.bytes.begin(), array.bytes.end()}};
    require(parse_png(to_png(picture), "f") == array, "what was read is read again");
  } catch (const SpecError&) {
  }
}

void labels(std::string_view bytes) {
  try {
    const ByteArray array = parse_label_list(bytes, "f");
    require_whole(array);
    std::string text;
    for (const char label : array.bytes)
      text += (text.empty() ? "[" : ", ") + std::to_string(static_cast<unsigned char>(label));
    require(parse_label_list(text.empty() ? "[]" : text + "]", "f") == array,
            "what was read is read again");
  } catch (const SpecError&) {
  }
}

void csv(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto choice = static_cast<unsigned char>(bytes[0]);
  CsvOptions options;
  options.separator = (choice & 1) != 0 ? ';' : ',';
  if ((choice & 2) != 0) options.header = (choice & 4) != 0;
  if ((choice & 8) != 0) options.labels = (choice & 16) != 0 ? "1" : "a";
  try {
    const CsvTable table = parse_csv(bytes.substr(1), "f", options);
    const std::int64_t count = table.values.shape[0], features = table.values.shape[1];
    require(static_cast<std::int64_t>(table.values.data.size()) == count * features,
            "a table has the numbers that its sizes say");
    for (const float value : table.values.data) require(std::isfinite(value), "values are finite");
    require(table.names.empty() || static_cast<std::int64_t>(table.names.size()) == features,
            "each column has a name, or none has");
    require(table.labels.has_value() == !options.labels.empty(), "labels are there if asked for");
    if (table.labels) require(table.labels->size() == count, "each example has a label");
    for (std::size_t i = 0; i + 1 < table.classes.size(); ++i)
      require(table.classes[i] < table.classes[i + 1], "classes are sorted, each once");
  } catch (const SpecError&) {
  }
}

}  // namespace jacquard::fuzz
