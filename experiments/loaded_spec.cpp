#include "experiments/loaded_spec.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/failure.hpp"
#include "experiments/file.hpp"
#include "experiments/override.hpp"

namespace jacquard::experiments {
namespace {

void check_overrides(const std::vector<std::string>& overrides) {
  for (const std::string& text : overrides)
    if (text.find('=') == std::string::npos)
      throw UsageError(cat("argument ", in_quotes(text),
                           ": there is no '=' in it; what stands behind SPEC sets a field, as in ",
                           "train.epochs=5"));
}

LocatedJson load_document(const std::string& text, const SpecChoice& choice) {
  LocatedJson document = load_json(text, choice.path);
  apply_overrides(document, choice.overrides);
  return document;
}

std::string read_text(const SpecChoice& choice) {
  if (choice.path.find('=') != std::string::npos && !std::filesystem::exists(choice.path))
    throw UsageError(cat("argument ", in_quotes(choice.path),
                         " stands where SPEC belongs; the spec comes first, then the fields"));
  check_overrides(choice.overrides);
  return read_file<SpecError>(choice.path, kMaxJsonBytes);
}

}  // namespace

LoadedSpec::LoadedSpec(const SpecChoice& choice)
    : text_(read_text(choice)),
      document_(load_document(text_, choice)),
      problems_(document_),
      spec_(read_spec(std::filesystem::path(choice.path).parent_path(), problems_)) {
  problems_.throw_if_any();
}

void throw_if_located(const SpecError& error, Problems& problems) {
  const std::string_view text = error.what();
  const std::size_t end = text.find(": ");
  if (!text.starts_with('/') || end == std::string_view::npos) return;
  const std::string_view pointer = text.substr(0, end);
  const std::string_view section = pointer.substr(0, pointer.find('/', 1));
  if (problems.document().find(section) == nullptr) return;
  problems.add(pointer, std::string(text.substr(end + 2)));
  problems.throw_if_any();
}

}  // namespace jacquard::experiments
