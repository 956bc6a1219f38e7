// JSON as the user wrote it: the values, and for each of them where it stands in the file or in an
// override of the command line, so that an error can show line, column and the piece of text.
//
// Values are addressed by JSON pointers (RFC 6901). Nothing here knows what a spec means.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace jacquard::experiments {

inline constexpr std::size_t kMaxJsonBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxJsonDepth = 64;
inline constexpr std::size_t kMaxNameBytes = 1000;  // so that pointers stay short

// Where one value stands in its text, in bytes from the start. The places of a text are in the
// order of its values, so that what a value holds follows it.
struct Place {
  std::uint32_t key_begin = 0, key_end = 0;  // the quoted name; empty for elements and the root
  std::uint32_t begin = 0, end = 0;          // the value; text with its quotes
  std::uint32_t next = 0;                    // index of the first place that is not inside this one
};

// A text that values come from.
struct Source {
  std::string name;  // as messages show it: spec.json, override train.epochs=5
  std::string text;
  std::vector<Place> places;
  bool is_override = false;
  bool plain =
      false;  // the text of an override that is no JSON: one value without quotes or escapes
};

// A piece of a source, [begin, end).
struct Span {
  const Source* source = nullptr;
  std::size_t source_index = 0;
  std::size_t begin = 0, end = 0;
};

// A JSON document whose values know where they come from. Movable, not copyable.
class LocatedJson {
 public:
  LocatedJson(nlohmann::ordered_json value, Source file);
  LocatedJson(LocatedJson&&) noexcept;
  LocatedJson& operator=(LocatedJson&&) noexcept;
  ~LocatedJson();

  const nlohmann::ordered_json& value() const { return *value_; }
  const std::string& file_name() const { return sources_.front()->name; }
  // The value at `pointer`, null if there is none.
  const nlohmann::ordered_json* find(std::string_view pointer) const;

  // Where the value at `pointer` stands; where there is none, the nearest value round it.
  Span value_span(std::string_view pointer) const;
  // Where its quoted name stands; the value for elements of arrays and the root.
  Span name_span(std::string_view pointer) const;
  // Where bytes [begin, begin + length) of the text value at `pointer` stand, counted without
  // quotes and after escapes such as \n and \u00e9 were read. Positions past the end mean the end;
  // of a value that is no text the whole is meant.
  Span text_span(std::string_view pointer, std::size_t begin, std::size_t length) const;
  // What the user wrote for the value at `pointer`, with quotes and escapes.
  std::string_view written(std::string_view pointer) const;

  // Sets the value at `pointer`, or creates it as a field of an object that exists, from now on
  // located in `source`. Throws InternalError if it can be neither.
  void set(std::string_view pointer, nlohmann::ordered_json value, Source source);
  // Turns the value v at `pointer` into the object {name: v}; v keeps its location.
  void wrap(std::string_view pointer, const std::string& name);

 private:
  // The values under `pointer` stand under `inside` in a source; the last origin that fits holds.
  struct Origin {
    std::string pointer;
    std::size_t source;
    std::string inside;
  };
  struct Location {
    std::size_t source;
    std::string pointer;  // inside that source
  };
  struct Nearest {
    std::size_t source;
    const Place* place;
    bool exact;  // false: a value round the one asked for
  };
  Location locate(std::string_view pointer) const;
  Nearest nearest(std::string_view pointer) const;
  nlohmann::ordered_json* find_mutable(std::string_view pointer);

  std::unique_ptr<nlohmann::ordered_json> value_;
  std::vector<std::unique_ptr<Source>> sources_;  // the file first; spans point at them
  std::vector<Origin> origins_;
};

// Reads a JSON text: comments // and /* */ are allowed, a byte order mark is skipped, the order of
// fields is kept. Throws InvalidSpec, with a position, for text that is no JSON, duplicate names
// (all of them), nesting deeper than kMaxJsonDepth, more than kMaxJsonBytes bytes, names longer
// than kMaxNameBytes, numbers beyond what a double holds, an empty file. `file_name` is only used
// in messages.
LocatedJson load_json(std::string_view text, std::string file_name);

// The same for a file. Throws SpecError if it cannot be read.
LocatedJson load_json_file(const std::string& path);

// Reads `text` from byte `begin` to its end as one JSON value without comments and fills in the
// source's places. Throws InvalidSpec as load_json does.
nlohmann::ordered_json parse_json_value(Source& source, std::size_t begin);

// The names of a pointer: "/a~1b/0" -> {"a/b", "0"}; "" -> {}.
std::vector<std::string> pointer_names(std::string_view pointer);
// The pointer of field or element `name` of the value at `parent`.
std::string child_pointer(std::string_view parent, std::string_view name);

}  // namespace jacquard::experiments
