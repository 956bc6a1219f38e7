#include "experiments/data_spec.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "experiments/choice_fields.hpp"
#include "experiments/data/generated.hpp"
#include "experiments/data/image_sets.hpp"
#include "experiments/data/preparation.hpp"
#include "experiments/data/user_files.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

struct SetFields {
  std::string_view what;
  std::vector<std::string_view> fields;  // beside "valid" and "limit"
};

// Empty for names that are no set.
std::optional<SetFields> fields_by_set(std::string_view name) {
  const auto with = [](std::vector<std::string_view> shared,
                       const std::vector<std::string_view>& own) {
    shared.insert(shared.end(), own.begin(), own.end());
    return shared;
  };
  if (const ImageSet* set = find_image_set(name))
    return SetFields{set->what, with({"scale"}, set->fields)};
  if (const UserSet* set = find_user_set(name)) return SetFields{set->what, set->fields};
  if (const GeneratedSet* set = find_generated_set(name))
    return SetFields{set->what, with({"test", "count"}, set->fields)};
  return std::nullopt;
}

void read_field(Fields& fields, const DataField& field, DataSpec& data) {
  const std::string name(field.name);
  std::visit(
      Overloaded{
          [&](bool DataSpec::*member) { data.*member = fields.get(name, data.*member); },
          [&](std::int64_t DataSpec::*member) {
            data.*member = fields.get<std::int64_t>(name, data.*member, field.range);
          },
          [&](double DataSpec::*member) {
            data.*member = fields.get(name, data.*member, field.range);
          },
          [&](std::string DataSpec::*member) { data.*member = fields.get(name, data.*member); },
          [&](std::filesystem::path DataSpec::*member) {
            data.*member = fields.require<std::string>(name);
          },
          [&](std::optional<bool> DataSpec::*member) {
            data.*member = fields.optional<bool>(name);
          },
          [&](std::optional<std::int64_t> DataSpec::*member) {
            data.*member = fields.optional<std::int64_t>(name, field.range);
          },
          [&](const ColumnMember& column) {
            const Item item = fields.item(name);
            data.*column.member = item.is_number()
                                      ? std::to_string(item.as<std::int64_t>(0, field.range))
                                      : item.as<std::string>();
          }},
      field.member);
}

void write_field(const DataField& field, const DataSpec& data, Json& json) {
  const std::string name(field.name);
  std::visit(Overloaded{[&](const auto member) { json[name] = data.*member; },
                        [&](std::filesystem::path DataSpec::*member) {
                          // Absolute: the config is read from another folder than the spec.
                          json[name] =
                              std::filesystem::absolute(data.folder / data.*member).string();
                        },
                        [&](std::optional<bool> DataSpec::*member) {
                          if (data.*member) json[name] = *(data.*member);
                        },
                        [&](std::optional<std::int64_t> DataSpec::*member) {
                          if (data.*member) json[name] = *(data.*member);
                        },
                        [&](const ColumnMember& column) {
                          if (!(data.*column.member).empty()) json[name] = data.*column.member;
                        }},
             field.member);
}

std::vector<nn::Choice> read_steps(const std::vector<Item>& items) {
  std::vector<std::string> kinds;
  for (const nn::Kind& kind : preparation_kinds()) kinds.emplace_back(kind.name);
  std::vector<nn::Choice> steps;
  for (const Item& item : items) {
    Fields fields = item.as_object();
    nn::Choice step;
    step.kind = fields.require_choice("kind", kinds);
    read_options(fields, preparation_kinds(), step);
    if (!step.kind.empty()) fields.done();
    steps.push_back(std::move(step));
  }
  return steps;
}

Json step_json(const nn::Choice& step) {
  Json json{{"kind", step.kind}};
  for (const nn::Kind& kind : preparation_kinds())
    for (const nn::Option& option : kind.options) {
      const auto given = step.options.find(std::string(option.name));
      if (kind.name != step.kind || given == step.options.end()) continue;
      if (option.flag)
        json[given->first] = given->second != 0;
      else if (option.whole)
        json[given->first] = static_cast<std::int64_t>(given->second);
      else
        json[given->first] = given->second;
    }
  return json;
}

}  // namespace

const std::vector<DataField>& data_fields() {
  static const std::vector<DataField> fields = {
      {"valid", &DataSpec::valid, "examples taken from the training part to validate; default 0",
       at_least(0)},
      {"limit", &DataSpec::limit, "the most examples that each part keeps", at_least(1)},
      {"file", &DataSpec::file, "path of the file, relative to the spec"},
      {"scale", &DataSpec::scale, "unsigned bytes are divided by 255; default true"},
      {"test", &DataSpec::test, "examples of the test part, below 1 a fraction of all; default 0",
       at_least(0)},
      {"count", &DataSpec::count, "examples in all; default 10000", at_least(1)},
      {"size", &DataSpec::size, "side of the image, or number of features; default 8", at_least(1)},
      {"noise", &DataSpec::noise, "standard deviation of the noise; default 0.01", at_least(0)},
      {"grey", &DataSpec::grey, "pieces of the grey images; default false"},
      {"labels", ColumnMember{&DataSpec::labels},
       "the column that is the labels, by its name or by its number from 0", at_least(0)},
      {"header", &DataSpec::header,
       "whether the first line names the columns; default: if it holds what is no number"},
      {"separator", &DataSpec::separator, "what stands between fields; default ,"}};
  return fields;
}

std::vector<const DataField*> data_fields_of(std::string_view set) {
  const std::optional<SetFields> own = fields_by_set(set);
  std::vector<const DataField*> chosen;
  for (const DataField& field : data_fields())
    if (field.name == "valid" || field.name == "limit" ||
        (own && std::ranges::find(own->fields, field.name) != own->fields.end()))
      chosen.push_back(&field);
  return chosen;
}

std::string_view data_set_meaning(std::string_view set) {
  const std::optional<SetFields> own = fields_by_set(set);
  return own ? own->what : "";
}

std::optional<DataSpec> read_data(Fields fields, const std::filesystem::path& folder) {
  if (!fields.present()) return std::nullopt;
  DataSpec data;
  data.set = fields.require_choice("set", data_set_names());
  data.folder = folder;
  if (data.set.empty()) {  // every field may be meant
    for (const DataField& field : data_fields()) fields.item(std::string(field.name));
  } else {
    for (const DataField* field : data_fields_of(data.set)) read_field(fields, *field, data);
  }
  data.prepare = read_steps(fields.array("prepare"));
  fields.done();
  return data;
}

nlohmann::ordered_json data_json(const DataSpec& data) {
  Json json{{"set", data.set}};
  for (const DataField* field : data_fields_of(data.set)) write_field(*field, data, json);
  if (data.prepare.empty()) return json;
  Json steps = Json::array();
  for (const nn::Choice& step : data.prepare) steps.push_back(step_json(step));
  json["prepare"] = std::move(steps);
  return json;
}

}  // namespace jacquard::experiments
