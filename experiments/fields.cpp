#include "experiments/fields.hpp"

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "autodiff/closest.hpp"
#include "experiments/json_dump.hpp"
#include "experiments/json_text.hpp"
#include "experiments/source_text.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
constexpr bool kIsInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;

// "above 0 and below 1", "from 1 to 10", "" for all numbers.
std::string range_text(const Range& range) {
  const bool bounded_low = std::isfinite(range.low), bounded_high = std::isfinite(range.high);
  const std::string low = bounded_low ? number_text(range.low) : "";
  const std::string high = bounded_high ? number_text(range.high) : "";
  if (bounded_low && bounded_high && range.low_allowed && range.high_allowed)
    return cat("from ", low, " to ", high);
  const std::string at_most = bounded_low ? "at most " : "of at most ";
  std::string text;
  if (bounded_low) text += (range.low_allowed ? "of at least " : "above ") + low;
  if (bounded_low && bounded_high) text += " and ";
  if (bounded_high) text += (range.high_allowed ? at_most : "below ") + high;
  return text;
}

template <class T>
std::string description(const Range& range) {
  if constexpr (std::is_same_v<T, bool>) {
    return "true or false";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "text";
  } else {
    const std::string bounds = range_text(range);
    const std::string kind = kIsInteger<T> ? "an integer" : "a number";
    return bounds.empty() ? kind : kind + ' ' + bounds;
  }
}

// long double holds all 64-bit integers exactly on x86-64.
bool is_in(long double value, const Range& range) {
  return (range.low_allowed ? value >= range.low : value > range.low) &&
         (range.high_allowed ? value <= range.high : value < range.high);
}

// The integer that a JSON number is for certain; else what is wrong with it, and "" if nothing is.
std::string_view exact_integer(const Json& value, long double& result) {
  constexpr double kExactDoubles = 9007199254740992.0;  // 2^53
  if (value.is_number_unsigned()) {
    result = static_cast<long double>(value.get<std::uint64_t>());
  } else if (value.is_number_integer()) {
    result = static_cast<long double>(value.get<std::int64_t>());
  } else {
    const double number = value.get<double>();
    if (number != std::floor(number)) return "is not an integer";
    if (std::abs(number) >= kExactDoubles) return "is too large to be an exact integer";
    result = number;
  }
  return "";
}

// The part of a range that an integer type holds.
template <class T>
Range clipped(Range range) {
  const auto low = static_cast<double>(std::numeric_limits<T>::min());
  const auto high = static_cast<double>(std::numeric_limits<T>::max());
  if (range.low < low) range = {low, range.high, true, range.high_allowed};
  // 2^63 - 1 and 2^64 - 1 are no doubles: what is shown is the power, which does not belong.
  const bool is_exact = static_cast<long double>(high) == std::numeric_limits<T>::max();
  if (range.high > high) range = {range.low, high, range.low_allowed, is_exact};
  return range;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// What helps with a word that is none of `known`: the nearest one as hint and all of them as note,
// or all of them as hint.
struct Suggestion {
  std::string hint, note;
};
Suggestion suggestion(std::string_view word, const std::vector<std::string>& known,
                      std::string_view known_are) {
  const std::string all = known.empty() ? cat("no ", known_are, " are known here")
                                        : cat("known ", known_are, ": ", joined(known));
  const std::string near = closest(word, known);
  if (near.empty()) return {all, ""};
  return {cat("did you mean '", near, "'?"), all};
}

}  // namespace

bool Item::is_text() const { return value_ != nullptr && value_->is_string(); }
bool Item::is_number() const { return value_ != nullptr && value_->is_number(); }
bool Item::is_bool() const { return value_ != nullptr && value_->is_boolean(); }
bool Item::is_object() const { return value_ != nullptr && value_->is_object(); }
bool Item::is_array() const { return value_ != nullptr && value_->is_array(); }

std::string Item::pointer() const { return parent_ ? child_pointer(*parent_, name_) : ""; }

std::string Item::shown() const {
  if (value_->is_object()) return "an object";
  if (value_->is_array()) return "an array";
  const std::string text = shortened(problems_->document().written(pointer()), 40);
  return is_text() && text[0] != '"' ? '"' + text + '"' : text;  // an override may lack quotes
}

void Item::problem(std::string message, std::string hint) const {
  if (present()) problems_->add(pointer(), std::move(message), std::move(hint));
}

template <Readable T>
bool Item::read(const Range& range, T& result) const {
  const auto refuse = [&](std::string_view why, const Range& allowed) {
    if (!problems_->only_count())
      problem(cat(shown(), ' ', why), description<T>(allowed) + " is needed");
    return false;
  };
  if constexpr (std::is_same_v<T, bool>) {
    if (!value_->is_boolean()) return refuse("has the wrong type", range);
    result = value_->get<bool>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!value_->is_string()) return refuse("has the wrong type", range);
    result = value_->get_ref<const std::string&>();
  } else {
    if (!value_->is_number()) return refuse("has the wrong type", range);
    long double number = 0;
    if constexpr (kIsInteger<T>) {
      if (const auto why = exact_integer(*value_, number); !why.empty()) return refuse(why, range);
      if (number < static_cast<long double>(std::numeric_limits<T>::min()) ||
          number > static_cast<long double>(std::numeric_limits<T>::max()))
        return refuse("is out of range", clipped<T>(range));
    } else {
      number = value_->get<double>();
    }
    if (!is_in(number, range)) return refuse("is out of range", range);
    result = static_cast<T>(number);
  }
  return true;
}

template <Readable T>
T Item::as(std::type_identity_t<T> fallback, const Range& range) const {
  T result{};
  return present() && read(range, result) ? result : fallback;
}

bool Item::is_array_or_problem() const {
  if (!present()) return false;
  if (!is_array()) problem(shown() + " has the wrong type", "an array is needed");
  return is_array();
}

template <Readable T>
std::vector<T> Item::as_list(std::vector<T> fallback, const Range& range) const {
  if (!is_array_or_problem()) return fallback;
  std::vector<T> list;
  bool all_right = true;
  const auto parent = std::make_shared<const std::string>(pointer());
  for (const Json& element : *value_) {
    T value{};
    const Item item(&element, parent, std::to_string(list.size()), *problems_);
    if (!item.read(range, value)) all_right = false;
    list.push_back(std::move(value));
  }
  return all_right ? list : fallback;
}

std::string Item::as_choice(const std::vector<std::string>& known, std::string fallback) const {
  std::string word;
  if (!present() || !read({}, word)) return fallback;
  for (const std::string& candidate : known)
    if (word == candidate) return word;
  if (problems_->only_count()) return fallback;
  Suggestion help = suggestion(word, known, "values");
  const bool is_element = name_.find_first_not_of("0123456789") == std::string::npos;
  problems_->add(pointer(), cat("unknown ", is_element ? "value" : name_, ' ', in_quotes(word)),
                 std::move(help.hint), std::move(help.note));
  return fallback;
}

Fields Item::as_object() const { return Fields(*this); }

std::vector<Item> Item::as_array() const {
  std::vector<Item> elements;
  if (!is_array_or_problem()) return elements;
  const auto parent = std::make_shared<const std::string>(pointer());
  for (const Json& element : *value_)
    elements.push_back(Item(&element, parent, std::to_string(elements.size()), *problems_));
  return elements;
}

Fields::Fields(Problems& problems)
    : Fields(Item(&problems.document().value(), nullptr, "", problems)) {}

Fields::Fields(Item object)
    : object_(std::move(object)), pointer_(std::make_shared<const std::string>(object_.pointer())) {
  if (!object_.present() || object_.is_object()) return;
  object_.problem(object_.shown() + " has the wrong type", "an object is needed");
  object_.value_ = nullptr;
}

bool Fields::has(const std::string& name) { return item(name).present(); }

Item Fields::item(const std::string& name) {
  known_.insert(name);
  const Json* value = nullptr;
  if (present()) {
    const auto field = object_.value_->find(name);
    if (field != object_.value_->end()) value = &*field;
  }
  return {value, pointer_, name, *object_.problems_};
}

Item Fields::require_item(const std::string& name, std::string_view needed) {
  Item result = item(name);
  if (!result.present()) missing(name, std::string(needed));
  return result;
}

void Fields::missing(const std::string& name, const std::string& needed) const {
  problem(cat("field '", name, "' is missing"), needed + " is needed");
}

template <Readable T>
std::string Fields::needed_for(const Range& range) {
  return description<T>(range);
}

template <Readable T>
T Fields::require(const std::string& name, const Range& range) {
  return require_item(name, needed_for<T>(range)).template as<T>({}, range);
}

template <Readable T>
std::optional<T> Fields::optional(const std::string& name, const Range& range) {
  const Item field = item(name);
  T value{};
  if (!field.present() || !field.template read<T>(range, value)) return std::nullopt;
  return value;
}

std::string Fields::require_choice(const std::string& name, const std::vector<std::string>& known) {
  return require_item(name, cat("one of ", joined(known))).as_choice(known, {});
}

Fields Fields::object(const std::string& name) { return Fields(item(name)); }

Fields Fields::require_object(const std::string& name) {
  return Fields(require_item(name, "an object"));
}

std::vector<Item> Fields::entries() {
  std::vector<Item> items;
  if (!present()) return items;
  for (const auto& [name, value] : object_.value_->items()) {
    known_.insert(name);
    items.push_back(Item(&value, pointer_, name, *object_.problems_));
  }
  return items;
}

void Fields::done() const {
  if (!present()) return;
  const std::vector<std::string> known(known_.begin(), known_.end());
  for (const auto& [name, value] : object_.value_->items()) {
    if (known_.contains(name)) continue;
    if (object_.problems_->only_count()) continue;
    Suggestion help = suggestion(name, known, "fields");
    object_.problems_->add_at_name(child_pointer(pointer(), name),
                                   cat("unknown field ", in_quotes(name)), std::move(help.hint),
                                   std::move(help.note));
  }
}

#define JACQUARD_READABLE(T)                                                    \
  template T Item::as<T>(std::type_identity_t<T>, const Range&) const;          \
  template std::vector<T> Item::as_list<T>(std::vector<T>, const Range&) const; \
  template T Fields::require<T>(const std::string&, const Range&);              \
  template std::optional<T> Fields::optional<T>(const std::string&, const Range&);
JACQUARD_READABLE(bool)
JACQUARD_READABLE(int)
JACQUARD_READABLE(std::int64_t)
JACQUARD_READABLE(std::uint64_t)
JACQUARD_READABLE(double)
JACQUARD_READABLE(std::string)
#undef JACQUARD_READABLE

}  // namespace jacquard::experiments
