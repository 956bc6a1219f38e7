#include "experiments/choice_fields.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace jacquard::experiments {

std::vector<std::string> names_of(std::span<const nn::Kind> kinds) {
  std::vector<std::string> names;
  for (const nn::Kind& kind : kinds) names.emplace_back(kind.name);
  return names;
}

void read_options(Fields& fields, std::span<const nn::Kind> kinds, nn::Choice& choice) {
  const auto chosen = std::ranges::find(kinds, choice.kind, &nn::Kind::name);
  if (chosen == kinds.end()) return static_cast<void>(fields.entries());
  for (const nn::Option& option : chosen->options) {
    const std::string name(option.name);
    const Range range = between(option.low, option.high);
    if (option.flag) {
      if (fields.has(name)) choice.options[name] = fields.get(name, false) ? 1 : 0;
    } else if (option.whole) {
      const Item item =
          option.fallback ? fields.item(name) : fields.require_item(name, "a whole number");
      if (item.present())
        choice.options[name] = static_cast<double>(item.as<std::int64_t>(0, range));
    } else if (!option.fallback) {
      choice.options[name] = fields.require<double>(name, range);
    } else if (const auto value = fields.optional<double>(name, range)) {
      choice.options[name] = *value;
    }
  }
}

nlohmann::ordered_json choice_json(const nn::Choice& choice, std::span<const nn::Kind> kinds) {
  nlohmann::ordered_json json{{"kind", choice.kind}};
  const auto chosen = std::ranges::find(kinds, choice.kind, &nn::Kind::name);
  for (const auto& [name, value] : choice.options) {
    const auto option = std::ranges::find(chosen->options, name, &nn::Option::name);
    if (option->flag)
      json[name] = value != 0;
    else if (option->whole)
      json[name] = static_cast<std::int64_t>(value);
    else
      json[name] = value;
  }
  return json;
}

}  // namespace jacquard::experiments
