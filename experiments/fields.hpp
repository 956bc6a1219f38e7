// The strict reader of a spec: asks a JSON object for its fields by name, type and range, and notes
// every mistake in Problems instead of throwing at the first. Reading goes on with the default.
//
//   Fields train = spec.require_object("train");
//   config.epochs = train.get("epochs", config.epochs, at_least(1));
//   config.rate = train.require<double>("rate", above(0));
//   train.done();                  // refuses every field that nobody asked for
//   problems.throw_if_any();
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "experiments/problem.hpp"

namespace jacquard::experiments {

// The numbers that a field may have; by default all.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_allowed = true, high_allowed = true;

  constexpr Range and_below(double bound) const { return {low, bound, low_allowed, false}; }
  constexpr Range and_at_most(double bound) const { return {low, bound, low_allowed, true}; }
};
constexpr Range above(double low) { return {.low = low, .low_allowed = false}; }
constexpr Range at_least(double low) { return {.low = low}; }
constexpr Range between(double low, double high) { return {low, high, true, true}; }

// What a field can be read as. Integers are exact: 1e3 is 1000, 1.5 is refused, and so are numbers
// with a point or an exponent from 2^53 on, since what was written may not be what was read.
template <class T>
concept Readable = std::same_as<T, bool> || std::same_as<T, int> || std::same_as<T, std::int64_t> ||
    std::same_as<T, std::uint64_t> || std::same_as<T, double> || std::same_as<T, std::string>;

class Fields;

// One value of the document, or none; made by Fields. Cheap to copy; the document and the Problems
// must outlive it. Of a value that is absent nothing is reported, so that one mistake is reported
// once.
class Item {
 public:
  std::string pointer() const;
  const std::string& name() const { return name_; }  // of the field; the index of an element
  bool present() const { return value_ != nullptr; }
  bool is_text() const;
  bool is_number() const;
  bool is_bool() const;
  bool is_object() const;
  bool is_array() const;
  const nlohmann::ordered_json* json() const { return value_; }  // null if absent

  // The value, or a problem and `fallback`.
  template <Readable T>
  T as(std::type_identity_t<T> fallback = {}, const Range& range = {}) const;
  // The elements of an array of Ts, or problems and `fallback`.
  template <Readable T>
  std::vector<T> as_list(std::vector<T> fallback = {}, const Range& range = {}) const;
  // One of `known`, or a problem and `fallback`.
  std::string as_choice(const std::vector<std::string>& known, std::string fallback) const;
  Fields as_object() const;            // or a problem and absent Fields
  std::vector<Item> as_array() const;  // the elements, or a problem and none

  // Notes that the value is wrong; nothing if it is absent.
  void problem(std::string message, std::string hint = {}) const;

 private:
  friend class Fields;
  // Elements share the pointer of what holds them (null for the root): an array may have millions.
  using Parent = std::shared_ptr<const std::string>;
  Item(const nlohmann::ordered_json* value, Parent parent, std::string name, Problems& problems)
      : value_(value), parent_(std::move(parent)), name_(std::move(name)), problems_(&problems) {}

  template <Readable T>
  bool read(const Range& range, T& result) const;
  bool is_array_or_problem() const;
  std::string shown() const;  // what the user wrote, for messages

  const nlohmann::ordered_json* value_;
  Parent parent_;
  std::string name_;
  Problems* problems_;
};

// The fields of one object. Movable, not copyable: it keeps which fields were asked for.
class Fields {
 public:
  // The root of the document; a problem if it is no object.
  explicit Fields(Problems& problems);
  // An object; a problem if the value is something else.
  explicit Fields(Item object);
  Fields(Fields&&) = default;
  Fields& operator=(Fields&&) = default;
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  const std::string& pointer() const { return *pointer_; }
  const std::string& name() const { return object_.name(); }
  // Absent Fields give defaults and report nothing.
  bool present() const { return object_.present(); }

  // Every function that takes a name makes it a known field.
  bool has(const std::string& name);
  // The value as it is, or an absent one.
  Item item(const std::string& name);
  // The same, with a problem if it is absent; `needed` says what is: "text", "an object".
  Item require_item(const std::string& name, std::string_view needed);

  // The field, or `fallback` where it is absent or wrong.
  template <Readable T>
  T get(const std::string& name, T fallback, const Range& range = {}) {
    return item(name).template as<T>(std::move(fallback), range);
  }
  std::string get(const std::string& name, const char* fallback) {
    return item(name).as<std::string>(fallback);
  }
  // The field; a problem if it is absent. T{} where there is a problem.
  template <Readable T>
  T require(const std::string& name, const Range& range = {});
  // The field, nothing where it is absent or wrong.
  template <Readable T>
  std::optional<T> optional(const std::string& name, const Range& range = {});

  // An array of Ts, or `fallback` where it is absent or wrong.
  template <Readable T>
  std::vector<T> list(const std::string& name, std::vector<T> fallback = {},
                      const Range& range = {}) {
    return item(name).template as_list<T>(std::move(fallback), range);
  }
  // The elements of an array; none where it is absent.
  std::vector<Item> array(const std::string& name) { return item(name).as_array(); }

  // Text that is one of `known`.
  std::string choice(const std::string& name, const std::vector<std::string>& known,
                     std::string fallback) {
    return item(name).as_choice(known, std::move(fallback));
  }
  std::string require_choice(const std::string& name, const std::vector<std::string>& known);

  // The fields of an inner object; absent Fields where it is absent or no object.
  Fields object(const std::string& name);
  Fields require_object(const std::string& name);

  // All fields, in the order of the text, for objects whose names the user makes. All become known.
  std::vector<Item> entries();

  // Notes that the object is wrong as a whole.
  void problem(std::string message, std::string hint = {}) const {
    object_.problem(std::move(message), std::move(hint));
  }
  // Notes every field that nobody asked for.
  void done() const;

 private:
  void missing(const std::string& name, const std::string& needed) const;
  template <Readable T>
  static std::string needed_for(const Range& range);

  Item object_;
  std::shared_ptr<const std::string> pointer_;
  std::set<std::string> known_;
};

}  // namespace jacquard::experiments
