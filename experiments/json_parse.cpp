// The reading half of json_text.hpp: nlohmann/json's SAX events become values and places.
#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "experiments/file.hpp"
#include "experiments/json_text.hpp"
#include "experiments/problem.hpp"
#include "experiments/source_text.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Hands out the bytes of a text and tells how many were taken.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::size_t* count) : at_(at), count_(count) {}
  const char& operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*count_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  std::size_t* count_;
};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '.' || c == '+' || c == '-' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

// The first byte from `at` on that is neither blank nor in a comment; an unclosed comment is kept.
std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    if (is_blank(text[at])) {
      ++at;
    } else if (text.substr(at, 2) == "//") {
      at = std::min(text.find_first_of("\n\r", at), text.size());
    } else if (text.substr(at, 2) == "/*" && text.find("*/", at + 2) != std::string_view::npos) {
      at = text.find("*/", at + 2) + 2;
    } else {
      break;
    }
  }
  return at;
}

std::size_t end_of_digits(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of("0123456789", at), text.size());
}

// The end of the number that begins at `at`, which the parser has found to be one.
std::size_t end_of_number(std::string_view text, std::size_t at) {
  const auto is = [&](std::string_view set) {
    return at < text.size() && set.find(text[at]) != std::string_view::npos;
  };
  if (is("-")) ++at;
  at = is("0") ? at + 1 : end_of_digits(text, at);  // 01 is the number 0 and a stray 1
  if (is(".")) at = end_of_digits(text, at + 1);
  if (is("eE")) {
    ++at;
    if (is("+-")) ++at;
    at = end_of_digits(text, at);
  }
  return at;
}

std::size_t word_end(std::string_view text, std::size_t at) {
  while (at < text.size() && is_word(text[at])) ++at;
  return at;
}

// Receives the parser's events. The parser says what it read but not where: the count of bytes
// taken tells where a token ends (numbers excepted, which end one byte earlier or at the end of the
// text), and where it begins follows from the end of the token before.
class Builder {
 public:
  Builder(Source& source, std::size_t begin, const std::size_t& taken)
      : source_(source), text_(source.text), base_(begin), token_end_(begin), taken_(taken) {
    if (text_.substr(begin).starts_with(kByteOrderMark)) token_end_ += kByteOrderMark.size();
  }

  Json& value() { return root_; }
  std::vector<Problem>& problems() { return problems_; }

  bool null() { return scalar(nullptr, taken_end()); }
  bool boolean(bool value) { return scalar(value, taken_end()); }
  bool number_integer(std::int64_t value) { return scalar(value, number_end()); }
  bool number_unsigned(std::uint64_t value) { return scalar(value, number_end()); }
  bool number_float(double value, const std::string& digits) {
    const std::size_t begin = token_begin();
    const std::string_view mantissa =
        std::string_view(digits).substr(0, digits.find_first_of("eE"));
    if (value == 0 && mantissa.find_first_of("123456789") != std::string_view::npos)
      problem(begin, number_end(), cat("number ", in_quotes(digits), " is too small"),
              "the smallest number above 0 is 4.94e-324");
    return scalar(value, number_end());
  }
  bool string(std::string& value) { return scalar(std::move(value), taken_end()); }
  bool binary(Json::binary_t&) { return false; }  // never read from text

  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    Frame& frame = frames_.back();
    const std::size_t key_begin = token_begin();
    if (name.size() > kMaxNameBytes) {
      problem(key_begin, taken_end(), cat("a name of ", name.size(), " bytes"),
              cat("at most ", kMaxNameBytes, " are allowed"));
      return false;
    }
    frame.name = name;
    frame.key_begin = key_begin;
    token_end_ = frame.key_end = taken_end();
    const auto [first, is_new] = frame.names.emplace(name, frame.key_begin);
    if (!is_new && problems_.size() < Problems::kMaxProblems) {
      const Position position = position_of(text_, first->second);
      problem(frame.key_begin, frame.key_end, cat("duplicate field ", in_quotes(name)),
              cat("the first is at ", position.line, ":", position.column));
    }
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const Json::exception& error);

 private:
  struct Frame {
    Json* container;
    std::size_t place;
    std::map<std::string, std::size_t> names;  // of an object, and where they stand
    std::string name;                          // the last of them
    std::size_t key_begin = 0, key_end = 0;
  };

  std::size_t taken_end() const { return base_ + taken_; }
  std::size_t token_begin() const {
    const std::size_t at = skip_blanks(text_, token_end_);
    const bool separator = at < text_.size() && (text_[at] == ',' || text_[at] == ':');
    return separator && at + 1 < taken_end() ? skip_blanks(text_, at + 1) : at;
  }
  std::size_t number_end() const { return end_of_number(text_, token_begin()); }

  // JSON pointer of the value that comes next.
  std::string pointer() const {
    std::string result;
    for (const Frame& frame : frames_) {
      const bool last = &frame == &frames_.back();
      if (frame.container->is_object()) {
        if (frame.key_end > 0) result = child_pointer(result, frame.name);
      } else {
        result = child_pointer(result, cat(frame.container->size() - (last ? 0 : 1)));
      }
    }
    return result;
  }

  void problem(std::size_t begin, std::size_t end, std::string message, std::string hint) {
    problems_.push_back(
        problem_at({&source_, 0, begin, end}, pointer(), std::move(message), std::move(hint)));
  }

  // Stores a value that begins here, in the root or in the innermost open container.
  Json* store(Json value, std::size_t begin, std::size_t end) {
    Place place;
    place.begin = static_cast<std::uint32_t>(begin);
    place.end = static_cast<std::uint32_t>(end);
    Json* stored = &root_;
    if (frames_.empty()) {
      root_ = std::move(value);
    } else if (Frame& frame = frames_.back(); frame.container->is_object()) {
      place.key_begin = static_cast<std::uint32_t>(frame.key_begin);
      place.key_end = static_cast<std::uint32_t>(frame.key_end);
      // The vector below the ordered map: the map's own functions search all names each time.
      using Fields = Json::object_t::Container;
      Fields& fields = frame.container->get_ref<Json::object_t&>();
      stored = &fields.emplace_back(frame.name, std::move(value)).second;
    } else {
      stored = &frame.container->get_ref<Json::array_t&>().emplace_back(std::move(value));
    }
    source_.places.push_back(place);
    source_.places.back().next = static_cast<std::uint32_t>(source_.places.size());
    return stored;
  }

  bool scalar(Json value, std::size_t end) {
    store(std::move(value), token_begin(), end);
    token_end_ = end;
    return true;
  }

  bool open(Json container) {
    const std::size_t begin = token_begin();
    if (frames_.size() == kMaxJsonDepth) {
      problem(begin, begin + 1, cat("nested deeper than ", kMaxJsonDepth, " levels"),
              "a spec needs far fewer");
      return false;
    }
    const std::size_t place = source_.places.size();
    frames_.push_back({store(std::move(container), begin, begin + 1), place, {}, {}});
    token_end_ = begin + 1;
    return true;
  }

  bool close() {
    Place& place = source_.places[frames_.back().place];
    place.next = static_cast<std::uint32_t>(source_.places.size());
    token_end_ = taken_end();
    place.end = static_cast<std::uint32_t>(token_end_);
    frames_.pop_back();
    return true;
  }

  void unexpected_end();
  void unexpected_token(const std::string& allowed);
  void broken_token(std::string_view detail, const std::string& allowed);

  Source& source_;
  std::string_view text_;
  std::size_t base_;       // where the parser began
  std::size_t token_end_;  // of the last token but separators
  const std::size_t& taken_;
  Json root_;
  std::vector<Frame> frames_;
  std::vector<Problem> problems_;
};

// What may stand where the parser was, by its own name for the context.
std::string allowed_in(std::string_view context, bool at_end) {
  if (at_end) return "nothing may follow the value";
  if (context == "object key") return "a name in double quotes is needed";
  if (context == "object separator") return "':' and a value are needed after a name";
  if (context == "object") return "',' or '}' is needed after a value";
  if (context == "array") return "',' or ']' is needed after a value";
  return "a value is a number, text in double quotes, true, false, null, [...] or {...}";
}

// The parser's message is "[...] parse error at line 1, column 2: syntax error while parsing
// CONTEXT
// - DETAIL", where DETAIL ends in "; last read: 'TEXT'" or "; expected TOKEN".
bool Builder::parse_error(std::size_t, const std::string&, const Json::exception& error) {
  const std::size_t begin = token_begin();
  if (error.id == 406) {
    problem(begin, number_end(),
            cat("number ", in_quotes(text_.substr(begin, number_end() - begin)), " is too large"),
            "the largest number is 1.797e308");
    return false;
  }
  const std::string_view what = error.what();
  constexpr std::string_view kWhile = "while parsing ";
  const std::size_t dash = what.find(" - ");
  const std::size_t start = what.find(kWhile);
  if (dash == std::string_view::npos || start == std::string_view::npos || start > dash) {
    problem(begin, begin + 1, "this is no JSON", {});
    return false;
  }
  const std::string_view context = what.substr(start + kWhile.size(), dash - start - kWhile.size());
  const bool at_end = what.ends_with("; expected end of input");
  std::string_view detail = what.substr(dash + 3);
  detail = detail.substr(0, detail.find("; last read: '"));
  if (detail.starts_with("unexpected end of input")) {
    unexpected_end();
  } else if (detail.starts_with("unexpected ")) {
    unexpected_token(allowed_in(context, at_end));
  } else {
    broken_token(detail, allowed_in(context, at_end));
  }
  return false;
}

void Builder::unexpected_end() {
  std::size_t end = text_.size();
  while (end > base_ && is_blank(text_[end - 1])) --end;
  if (frames_.empty()) {
    problem(end, end, "there is no value, only blanks and comments", "a spec is an object {...}");
    return;
  }
  const std::size_t open_begin = source_.places[frames_.back().place].begin;
  const Position position = position_of(text_, open_begin);
  problem(end, end, "unexpected end",
          cat("the '", text_[open_begin], "' at ", position.line, ":", position.column,
              " is not closed"));
}

void Builder::unexpected_token(const std::string& allowed) {
  const std::size_t begin = std::min(token_begin(), text_.size() - 1);
  const std::size_t comma = skip_blanks(text_, token_end_);
  const bool closes = text_[begin] == ']' || text_[begin] == '}';
  if (closes && comma < begin && text_[comma] == ',') {
    problem(comma, comma + 1, cat("',' before '", text_[begin], "'"), "remove the comma");
    return;
  }
  std::size_t end = begin + 1;
  if (text_[begin] == '"') {
    end = std::max(taken_end(), end);
  } else if (is_word(text_[begin])) {
    end = word_end(text_, begin);
  }
  problem(begin, end, cat("unexpected ", in_quotes(text_.substr(begin, end - begin))), allowed);
}

void Builder::broken_token(std::string_view detail, const std::string& allowed) {
  const std::size_t begin = token_begin();
  const std::size_t last = std::max(begin, std::min(taken_end(), text_.size()) - 1);
  if (detail == "invalid literal" || detail.starts_with("invalid number")) {
    const std::size_t end = std::max(word_end(text_, begin), begin + 1);
    const std::string text = in_quotes(text_.substr(begin, end - begin));
    if (detail == "invalid literal") {
      problem(begin, end, "unexpected " + text, allowed);
    } else {
      problem(begin, end, text + " is no number",
              printable(detail.substr(detail.find("expected"))));
    }
  } else if (detail.ends_with("missing closing quote") || text_[last] == '\n' ||
             text_[last] == '\r') {
    problem(begin, begin + 1, "the text that begins here has no closing '\"' on its line",
            "a line break inside a text is written \\n");
  } else if (detail.ends_with("missing closing '*/'")) {
    problem(begin, begin + 2, "the comment that begins here is not closed", "'*/' is missing");
  } else {
    problem(last, last + 1, std::string(detail), {});
  }
}

void refuse(const Source& source, std::size_t begin, std::size_t end, std::string message,
            std::string hint) {
  throw InvalidSpec(
      {problem_at({&source, 0, begin, end}, "", std::move(message), std::move(hint))});
}

Json parse(Source& source, std::size_t begin, bool comments) {
  const std::string_view text = source.text;
  if (const std::size_t zero = text.find('\0', begin); zero != std::string_view::npos)
    refuse(source, zero, zero + 1, "a byte 0 in a text", "is this a JSON file?");
  std::size_t taken = 0;
  Builder builder(source, begin, taken);
  Json::sax_parse(CountingIterator(text.data() + begin, &taken),
                  CountingIterator(text.data() + text.size(), &taken), &builder,
                  nlohmann::detail::input_format_t::json, /*strict=*/true, comments);
  if (!builder.problems().empty()) throw InvalidSpec(std::move(builder.problems()));
  return std::move(builder.value());
}

}  // namespace

nlohmann::ordered_json parse_json_value(Source& source, std::size_t begin) {
  return parse(source, begin, /*comments=*/false);
}

LocatedJson load_json(std::string_view text, std::string file_name) {
  Source source;
  source.name = std::move(file_name);
  if (text.size() > kMaxJsonBytes)
    refuse(source, 0, 0, cat("the file has ", text.size(), " bytes"),
           cat("at most ", kMaxJsonBytes, " are allowed"));
  if (text.empty()) refuse(source, 0, 0, "the file is empty", "a spec is an object {...}");
  source.text = text;
  Json value = parse(source, 0, /*comments=*/true);
  return LocatedJson(std::move(value), std::move(source));
}

LocatedJson load_json_file(const std::string& path) {
  return load_json(read_file<SpecError>(path, kMaxJsonBytes), path);
}

}  // namespace jacquard::experiments
