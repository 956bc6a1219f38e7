#include "experiments/data/csv.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"

namespace jacquard::experiments {
namespace {

struct Field {
  std::string text;
  std::size_t line = 0;    // from 1
  bool is_quoted = false;  // then spaces count
};
using Row = std::vector<Field>;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Takes the file apart, line by line.
class Lines {
 public:
  Lines(std::string_view file, std::string_view name, char separator)
      : text_(file), name_(name), separator_(separator) {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (text_.starts_with(kByteOrderMark)) place_ = kByteOrderMark.size();
  }

  bool at_end() const { return place_ == text_.size(); }

  // The fields of the next line. An empty line has one empty field.
  Row next() {
    Row row;
    do row.push_back(field());
    while (accept(separator_));
    if (accept('\r') && !at_end() && text_[place_] != '\n')
      refuse(line_, "a carriage return stands inside a line");
    accept('\n');
    ++line_;
    return row;
  }

  [[noreturn]] void refuse(std::size_t line, std::string_view why) const {
    throw SpecError(cat("csv ", file_in_quotes(name_), ":", line, ": ", why));
  }

 private:
  bool accept(char c) {
    if (at_end() || text_[place_] != c) return false;
    ++place_;
    return true;
  }

  Field field() {
    while (!at_end() && is_blank(text_[place_]) && text_[place_] != separator_) ++place_;
    if (!at_end() && text_[place_] == '"') return quoted_field();
    const std::size_t begin = place_;
    while (!at_end() && text_[place_] != separator_ && text_[place_] != '\n' &&
           text_[place_] != '\r')
      ++place_;
    return {std::string(trimmed(text_.substr(begin, place_ - begin))), line_, false};
  }

  Field quoted_field() {
    Field field{{}, line_, true};
    ++place_;
    while (true) {
      if (at_end()) refuse(field.line, "a field in quotes has no end");
      const char c = text_[place_++];
      if (c == '\n') ++line_;
      if (c != '"')
        field.text += c;
      else if (accept('"'))
        field.text += '"';
      else
        break;
    }
    while (!at_end() && is_blank(text_[place_]) && text_[place_] != separator_) ++place_;
    if (!at_end() && text_[place_] != separator_ && text_[place_] != '\n' && text_[place_] != '\r')
      refuse(line_, "text follows the closing quote of a field");
    return field;
  }

  std::string_view text_;
  std::string_view name_;
  char separator_;
  std::size_t place_ = 0;
  std::size_t line_ = 1;
};

// Nothing for text that is no number. What is too large or too small for a double is infinite.
std::optional<double> number_of(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, value);
  if (failure == std::errc::invalid_argument || rest != end) return std::nullopt;
  if (failure != std::errc::result_out_of_range) return value;
  long double wide = std::numeric_limits<long double>::infinity();
  std::from_chars(text.data(), end, wide);
  return static_cast<double>(wide);
}

bool is_empty(const Row& row) {
  return row.size() == 1 && row[0].text.empty() && !row[0].is_quoted;
}

std::optional<std::size_t> whole_number(const std::string& text) {
  std::size_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, number);
  return failure == std::errc() && rest == end ? std::optional(number) : std::nullopt;
}

// Whether the line names columns: a field is no number that is not the label of an example.
bool names_columns(const Row& row, const std::string& labels) {
  const std::optional<std::size_t> label_column = whole_number(labels);
  for (std::size_t i = 0; i < row.size(); ++i)
    if (i != label_column && !number_of(row[i].text)) return true;
  return false;
}

// The place of the column of labels.
std::size_t column_of(const std::string& wanted, const std::vector<std::string>& names,
                      std::size_t count, const Lines& lines) {
  const auto found = std::ranges::find(names, wanted);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  const std::optional<std::size_t> column = whole_number(wanted);
  if (column && *column < count) return *column;
  std::string known;
  for (const std::string& name : names) known += cat(known.empty() ? "" : ", ", in_quotes(name));
  lines.refuse(1, cat("there is no column ", in_quotes(wanted), " for the labels; ",
                      known.empty() ? cat("0 to ", count - 1, " are there, without names")
                                    : cat("there are ", shortened(known, 200))));
}

class Table {
 public:
  Table(const Lines& lines, std::size_t columns, std::optional<std::size_t> label_column)
      : lines_(lines), columns_(columns), label_column_(label_column) {}

  void add(Row row) {
    if (row.size() != columns_)
      lines_.refuse(row[0].line, cat("there are ", row.size(), " fields, in the first line ",
                                     columns_, "; every line needs the same number"));
    for (std::size_t i = 0; i < columns_; ++i) {
      if (i == label_column_)
        labels_.push_back(std::move(row[i]));
      else
        values_.push_back(value_of(row[i], i));
    }
    ++count_;
  }

  CsvTable finish(std::vector<std::string> names) && {
    CsvTable table;
    const std::size_t features = columns_ - (label_column_ ? 1 : 0);
    table.values =
        Tensor<float>({static_cast<std::int64_t>(count_), static_cast<std::int64_t>(features)},
                      std::move(values_));
    if (label_column_) {
      if (!names.empty()) names.erase(names.begin() + static_cast<std::ptrdiff_t>(*label_column_));
      number_labels(table);
    }
    table.names = std::move(names);
    return table;
  }

 private:
  float value_of(const Field& field, std::size_t column) const {
    const std::optional<double> number = number_of(field.text);
    const auto value = static_cast<float>(number.value_or(0));
    if (!number)
      lines_.refuse(field.line,
                    field.text.empty()
                        ? cat("column ", column, " is empty; every field needs a number")
                        : cat("column ", column, " holds ", in_quotes(field.text),
                              ", which is no number; only the column of \"labels\" may be text"));
    if (!std::isfinite(value))
      lines_.refuse(field.line, cat("column ", column, " holds ", in_quotes(field.text),
                                    "; finite numbers are needed, within the range of 32-bit ",
                                    "floating point"));
    return value;
  }

  // Numbers are taken as they are; other texts are numbered in the order of the alphabet, so that
  // the order of the lines does not matter.
  void number_labels(CsvTable& table) const {
    const bool are_numbers = std::ranges::all_of(
        labels_, [](const Field& field) { return number_of(field.text).has_value(); });
    std::vector<std::string>& classes = table.classes;
    if (!are_numbers) {
      for (const Field& field : labels_) {
        if (field.text.empty())
          lines_.refuse(field.line, "the label is empty; every line needs one");
        classes.push_back(field.text);
      }
      std::ranges::sort(classes);
      classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
    }
    std::vector<float> numbers;
    for (const Field& field : labels_) {
      const auto place = std::lower_bound(classes.begin(), classes.end(), field.text);
      numbers.push_back(are_numbers ? value_of(field, *label_column_)
                                    : static_cast<float>(place - classes.begin()));
    }
    table.labels = Tensor<float>({static_cast<std::int64_t>(count_)}, std::move(numbers));
  }

  const Lines& lines_;
  std::size_t columns_;
  std::optional<std::size_t> label_column_;
  std::size_t count_ = 0;
  std::vector<float> values_;
  std::vector<Field> labels_;
};

}  // namespace

CsvTable parse_csv(std::string_view file, std::string_view name, const CsvOptions& options) {
  if (!is_utf8(file))
    throw SpecError(cat("csv ", file_in_quotes(name), ": the text is not UTF-8; save it as such"));
  Lines lines(file, name, options.separator);
  if (lines.at_end()) lines.refuse(1, "the file is empty; a line of numbers is needed");
  Row first = lines.next();
  const std::size_t columns = first.size();
  std::vector<std::string> names;
  if (options.header.value_or(names_columns(first, options.labels)))
    for (Field& field : first) names.push_back(std::move(field.text));
  std::optional<std::size_t> label_column;
  if (!options.labels.empty()) label_column = column_of(options.labels, names, columns, lines);
  if (columns == (label_column ? 1U : 0U))
    lines.refuse(1, "there is no column beside the labels; the input x needs one");
  Table table(lines, columns, label_column);
  if (names.empty()) table.add(std::move(first));
  std::size_t empty_line = 0;
  while (!lines.at_end()) {
    Row row = lines.next();
    if (is_empty(row)) {
      if (empty_line == 0) empty_line = row[0].line;
      continue;
    }
    if (empty_line > 0) lines.refuse(empty_line, "the line is empty, and others follow it");
    table.add(std::move(row));
  }
  return std::move(table).finish(std::move(names));
}

CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options) {
  return parse_csv(read_file(path), path.native(), options);
}

}  // namespace jacquard::experiments
