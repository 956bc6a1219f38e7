// A table of texts for people: columns as wide as they need to be, two blanks between them.
#pragma once

#include <string>
#include <vector>

namespace jacquard::experiments {

class Table {
 public:
  explicit Table(std::vector<std::string> header) { add(std::move(header)); }

  // A row: one text per column, or a single one for a line that keeps to no column. Characters of
  // UTF-8 count once; what could steer a terminal or break the line is escaped.
  void add(std::vector<std::string> row);

  // All rows, the header first, each with a line feed and without blanks at its end.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace jacquard::experiments
