#include "experiments/json_text.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "autodiff/error.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

// The number that an element's name stands for, as pointers write it: no sign, no leading zeros.
bool parse_index(std::string_view name, std::size_t& index) {
  if (name.empty() || (name[0] == '0' && name.size() > 1)) return false;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  return error == std::errc() && end == name.data() + name.size();
}

bool is_same_or_inside(std::string_view pointer, std::string_view outer) {
  return pointer.starts_with(outer) &&
         (pointer.size() == outer.size() || pointer[outer.size()] == '/');
}

bool key_equals(const Source& source, const Place& place, std::string_view name) {
  const std::string_view key =
      std::string_view(source.text).substr(place.key_begin, place.key_end - place.key_begin);
  if (key.find('\\') == std::string_view::npos) return key.substr(1, key.size() - 2) == name;
  return Json::parse(key).get_ref<const std::string&>() == name;
}

// The place of a field or element of the value at `outer`, null if it has none of that name.
const Place* child_place(const Source& source, const Place& outer, std::string_view name) {
  const std::vector<Place>& places = source.places;
  std::size_t index = 0;
  const bool is_index = parse_index(name, index);
  std::size_t count = 0;
  for (std::size_t i = static_cast<std::size_t>(&outer - places.data()) + 1; i < outer.next;
       i = places[i].next, ++count) {
    const bool has_key = places[i].key_end > places[i].key_begin;
    if (has_key ? key_equals(source, places[i], name) : is_index && count == index)
      return &places[i];
  }
  return nullptr;
}

// How many bytes the character or escape at `at` of a quoted text takes there, and in the value.
struct Unit {
  std::size_t written, read;
};

Unit unit_at(std::string_view text, std::size_t at) {
  if (text[at] != '\\') return {1, 1};
  if (text[at + 1] != 'u') return {2, 1};
  unsigned code = 0;
  std::from_chars(text.data() + at + 2, text.data() + at + 6, code, 16);
  if (code >= 0xD800 && code <= 0xDBFF) return {12, 4};  // a surrogate pair, checked by the parser
  return {6, code < 0x80 ? std::size_t{1} : code < 0x800 ? std::size_t{2} : std::size_t{3}};
}

}  // namespace

std::vector<std::string> pointer_names(std::string_view pointer) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    const char c = pointer[i];
    if (c == '/') {
      names.emplace_back();
    } else if (names.empty()) {
      throw InternalError(cat("JSON pointer '", pointer, "' does not begin with '/'"));
    } else if (c == '~' && i + 1 < pointer.size()) {
      names.back() += pointer[++i] == '1' ? '/' : '~';
    } else {
      names.back() += c;
    }
  }
  return names;
}

std::string child_pointer(std::string_view parent, std::string_view name) {
  std::string result(parent);
  result += '/';
  for (const char c : name) {
    if (c == '~') {
      result += "~0";
    } else if (c == '/') {
      result += "~1";
    } else {
      result += c;
    }
  }
  return result;
}

LocatedJson::LocatedJson(nlohmann::ordered_json value, Source file)
    : value_(std::make_unique<Json>(std::move(value))), origins_{{"", 0, ""}} {
  sources_.push_back(std::make_unique<Source>(std::move(file)));
}

LocatedJson::LocatedJson(LocatedJson&&) noexcept = default;
LocatedJson& LocatedJson::operator=(LocatedJson&&) noexcept = default;
LocatedJson::~LocatedJson() = default;

nlohmann::ordered_json* LocatedJson::find_mutable(std::string_view pointer) {
  Json* value = value_.get();
  for (const std::string& name : pointer_names(pointer)) {
    std::size_t index = 0;
    if (value->is_object()) {
      const auto field = value->find(name);
      if (field == value->end()) return nullptr;
      value = &*field;
    } else if (value->is_array() && parse_index(name, index) && index < value->size()) {
      value = &(*value)[index];
    } else {
      return nullptr;
    }
  }
  return value;
}

const nlohmann::ordered_json* LocatedJson::find(std::string_view pointer) const {
  return const_cast<LocatedJson*>(this)->find_mutable(pointer);
}

LocatedJson::Location LocatedJson::locate(std::string_view pointer) const {
  for (auto origin = origins_.rbegin(); origin != origins_.rend(); ++origin) {
    if (!is_same_or_inside(pointer, origin->pointer)) continue;
    return {origin->source, origin->inside + std::string(pointer.substr(origin->pointer.size()))};
  }
  throw InternalError(cat("no origin of '", pointer, "'"));  // the file's own origin is ""
}

LocatedJson::Nearest LocatedJson::nearest(std::string_view pointer) const {
  const Location location = locate(pointer);
  const Source& source = *sources_[location.source];
  Nearest result{location.source, source.places.data(), true};
  for (const std::string& name : pointer_names(location.pointer)) {
    const Place* child = child_place(source, *result.place, name);
    if (child == nullptr) {
      result.exact = false;
      break;
    }
    result.place = child;
  }
  return result;
}

Span LocatedJson::value_span(std::string_view pointer) const {
  const Nearest found = nearest(pointer);
  return {sources_[found.source].get(), found.source, found.place->begin, found.place->end};
}

Span LocatedJson::name_span(std::string_view pointer) const {
  const Nearest found = nearest(pointer);
  Span span{sources_[found.source].get(), found.source, found.place->key_begin,
            found.place->key_end};
  if (found.exact && span.end > span.begin) return span;
  return value_span(pointer);
}

Span LocatedJson::text_span(std::string_view pointer, std::size_t begin, std::size_t length) const {
  Span span = value_span(pointer);
  const std::string_view text = span.source->text;
  const bool is_quoted = !span.source->plain && text[span.begin] == '"';
  if (!nearest(pointer).exact || (!is_quoted && !span.source->plain)) return span;

  const std::size_t last = is_quoted ? span.end - 1 : span.end;
  const std::size_t end = begin + std::min(length, std::string::npos - begin);
  std::size_t at = is_quoted ? span.begin + 1 : span.begin;
  std::size_t read = 0, from = last, to = last;
  while (at < last) {
    const Unit unit = is_quoted ? unit_at(text, at) : Unit{1, 1};
    if (from == last && read + unit.read > begin) from = at;
    if (read >= end) {
      to = at;
      break;
    }
    at += unit.written;
    read += unit.read;
  }
  span.begin = from;
  span.end = std::max(to, from);
  return span;
}

std::string_view LocatedJson::written(std::string_view pointer) const {
  const Span span = value_span(pointer);
  return std::string_view(span.source->text).substr(span.begin, span.end - span.begin);
}

void LocatedJson::set(std::string_view pointer, nlohmann::ordered_json value, Source source) {
  Json* target = find_mutable(pointer);
  if (target == nullptr) {
    const std::string parent_pointer(
        pointer.substr(0, std::min(pointer.rfind('/'), pointer.size())));
    Json* parent = find_mutable(parent_pointer);
    if (parent == nullptr || !parent->is_object())
      throw InternalError(cat("set '", pointer, "': there is no object to hold it"));
    target = &(*parent)[pointer_names(pointer).back()];
  }
  *target = std::move(value);
  sources_.push_back(std::make_unique<Source>(std::move(source)));
  origins_.push_back({std::string(pointer), sources_.size() - 1, ""});
}

void LocatedJson::wrap(std::string_view pointer, const std::string& name) {
  Json* value = find_mutable(pointer);
  if (value == nullptr) throw InternalError(cat("wrap '", pointer, "': there is no such value"));
  Location location = locate(pointer);
  Json object = Json::object();
  object[name] = std::move(*value);
  *value = std::move(object);
  origins_.push_back({child_pointer(pointer, name), location.source, std::move(location.pointer)});
}

}  // namespace jacquard::experiments
