#include "experiments/data/label_list.hpp"

#include <nlohmann/json.hpp>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"
#include "experiments/json_text.hpp"

namespace jacquard::experiments {

ByteArray parse_label_list(std::string_view file, std::string_view name) {
  constexpr int kMaxLabel = 255;
  const LocatedJson document = load_json(file, std::string(name));
  const nlohmann::ordered_json& list = document.value();
  if (!list.is_array())
    throw SpecError(cat("labels ", file_in_quotes(name),
                        ": a list of whole numbers is needed, [5, ", "0, 9, ...]"));
  ByteArray labels{{static_cast<std::int64_t>(list.size())}, {}};
  for (const auto& label : list) {
    if (!label.is_number_unsigned() || label.get<std::uint64_t>() > kMaxLabel)
      throw SpecError(cat("labels ", file_in_quotes(name), ": element ", labels.bytes.size(),
                          " is no whole number from 0 to ", kMaxLabel));
    labels.bytes += static_cast<char>(label.get<unsigned>());
  }
  return labels;
}

}  // namespace jacquard::experiments
