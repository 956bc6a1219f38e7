#include "autodiff/subscripts.hpp"

#include <algorithm>

#include "autodiff/error.hpp"

namespace jacquard {
namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool is_letter(char c) { return kLetters.find(c) != std::string_view::npos; }

}  // namespace

Subscripts Subscripts::parse(std::string_view text) {
  Subscripts s;
  std::string compact;
  for (const char c : text)
    if (c != ' ') compact += c;
  const std::size_t arrow = compact.find("->");
  if (arrow == std::string::npos)
    throw ShapeError(
        cat("contract: subscripts '", text, "' have no '->'; write them like 'bi,ij->bj'"));
  s.inputs.emplace_back();
  for (const char c : compact.substr(0, arrow)) {
    if (c == ',')
      s.inputs.emplace_back();
    else if (is_letter(c))
      s.inputs.back() += c;
    else
      throw ShapeError(cat("contract: '", c, "' in subscripts '", text,
                           "' is no index; indices are single letters"));
  }
  for (const char c : compact.substr(arrow + 2)) {
    if (!is_letter(c))
      throw ShapeError(cat("contract: '", c, "' in subscripts '", text,
                           "' is no index; indices are single letters"));
    if (s.output.find(c) != std::string::npos)
      throw ShapeError(cat("contract: index '", c, "' stands twice in the result of '", text, "'"));
    if (std::ranges::none_of(s.inputs,
                             [c](const std::string& in) { return in.find(c) != in.npos; }))
      throw ShapeError(
          cat("contract: index '", c, "' of the result of '", text, "' stands in no operand"));
    s.output += c;
  }
  return s;
}

std::string Subscripts::text() const {
  std::string result;
  for (std::size_t i = 0; i < inputs.size(); ++i) result += (i ? "," : "") + inputs[i];
  return result + "->" + output;
}

Subscripts Subscripts::canonical() const {
  std::string seen;
  for (const std::string& in : inputs)
    for (const char c : in)
      if (seen.find(c) == seen.npos) seen += c;
  const auto rename = [&seen](const std::string& from) {
    std::string to;
    for (const char c : from) to += kLetters[seen.find(c)];
    return to;
  };
  Subscripts result;
  for (const std::string& in : inputs) result.inputs.push_back(rename(in));
  result.output = rename(output);
  return result;
}

std::pair<Subscripts, Subscripts> Subscripts::split_first_pair() const {
  Subscripts pair{{inputs[0], inputs[1]}, {}}, rest{{{}}, output};
  for (std::size_t k = 2; k < inputs.size(); ++k) rest.inputs.push_back(inputs[k]);
  std::string outside = output;
  for (std::size_t k = 2; k < inputs.size(); ++k) outside += inputs[k];
  for (const char c : inputs[0] + inputs[1])
    if (outside.find(c) != outside.npos && pair.output.find(c) == pair.output.npos)
      pair.output += c;
  rest.inputs[0] = pair.output;
  return {pair, rest};
}

char Subscripts::unused() const {
  for (const char c : kLetters)
    if (std::ranges::none_of(inputs, [c](const std::string& in) { return in.find(c) != in.npos; }))
      return c;
  throw ShapeError(cat("contract: '", text(), "' needs more than 52 indices"));
}

std::int64_t index_size(const Subscripts& s, const std::vector<const Shape*>& shapes, char index) {
  for (std::size_t k = 0; k < s.inputs.size(); ++k)
    if (const std::size_t at = s.inputs[k].find(index); at != std::string::npos)
      return (*shapes[k])[static_cast<int>(at)];
  throw InternalError(cat("contract: index '", index, "' is not in '", s.text(), "'"));
}

Shape contracted_shape(const Subscripts& s, const std::vector<const Shape*>& shapes) {
  if (s.inputs.size() != shapes.size())
    throw ShapeError(cat("contract: '", s.text(), "' names ", s.inputs.size(), " operands, ",
                         shapes.size(), " are given"));
  for (std::size_t k = 0; k < shapes.size(); ++k) {
    if (static_cast<int>(s.inputs[k].size()) != shapes[k]->rank())
      throw ShapeError(cat("contract: operand ", k + 1, " of '", s.text(), "' has shape ",
                           *shapes[k], ", but ", s.inputs[k].size(), " indices"));
    for (int i = 0; i < shapes[k]->rank(); ++i) {
      const char c = s.inputs[k][static_cast<std::size_t>(i)];
      if (const std::int64_t size = index_size(s, shapes, c); size != (*shapes[k])[i])
        throw ShapeError(cat("contract: index '", c, "' of '", s.text(), "' has size ", size,
                             " and, in operand ", k + 1, " of shape ", *shapes[k], ", size ",
                             (*shapes[k])[i]));
    }
  }
  std::vector<std::int64_t> sizes;
  for (const char c : s.output) sizes.push_back(index_size(s, shapes, c));
  return Shape(std::move(sizes));
}

}  // namespace jacquard
