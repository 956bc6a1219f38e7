#include "experiments/problem.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "experiments/json_text.hpp"
#include "experiments/source_text.hpp"

namespace jacquard::experiments {
namespace {

constexpr std::size_t kGutter = 5;

std::string padded(std::string text) {
  return text.size() < kGutter ? std::string(kGutter - text.size(), ' ') + text : text;
}

Problem located(const Span& span, bool show_line, std::string_view pointer, std::string message,
                std::string hint, std::string note) {
  Problem problem;
  problem.origin = shortened(span.source->name, 100);
  problem.pointer = pointer;
  problem.message = std::move(message);
  problem.hint = std::move(hint);
  problem.note = std::move(note);
  if (!span.source->is_override) {
    const Position position = position_of(span.source->text, span.begin);
    problem.line = position.line;
    problem.column = position.column;
  }
  if (show_line && !span.source->text.empty()) {
    Excerpt shown = excerpt(span.source->text, span.begin, span.end);
    problem.source_line = std::move(shown.line);
    problem.caret_begin = shown.caret_begin;
    problem.caret_length = shown.caret_length;
  }
  return problem;
}

}  // namespace

std::string to_text(const Problem& problem) {
  std::string text = problem.origin;
  if (problem.line > 0) text += cat(':', problem.line, ':', problem.column);
  text += ": error";
  if (!problem.pointer.empty()) text += " at " + shortened(problem.pointer, 100);
  text += ": " + printable(problem.message);
  if (!problem.hint.empty()) text += "; " + printable(problem.hint);
  const std::string number = padded(problem.line > 0 ? std::to_string(problem.line) : "");
  const std::string blank(number.size(), ' ');
  if (!problem.source_line.empty()) {
    text += "\n" + number + " | " + problem.source_line;
    text += "\n" + blank + " | " + std::string(static_cast<std::size_t>(problem.caret_begin), ' ');
    text += "^" + std::string(static_cast<std::size_t>(std::max(problem.caret_length, 1) - 1), '~');
  }
  if (!problem.note.empty()) text += "\n" + blank + " = " + printable(problem.note);
  return text;
}

std::string to_text(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) {
    if (!text.empty()) text += '\n';
    text += to_text(problem);
  }
  return text;
}

nlohmann::ordered_json to_json(const std::vector<Problem>& problems) {
  // Printable text is valid UTF-8, which messages with bytes of the user's may not be.
  auto list = nlohmann::ordered_json::array();
  for (const Problem& problem : problems) {
    nlohmann::ordered_json entry = {{"pointer", printable(problem.pointer)},
                                    {"line", problem.line},
                                    {"column", problem.column},
                                    {"message", printable(problem.message)},
                                    {"hint", printable(problem.hint)}};
    if (!problem.note.empty()) entry["note"] = printable(problem.note);
    if (problem.line == 0 && !problem.origin.empty()) entry["origin"] = problem.origin;
    list.push_back(std::move(entry));
  }
  return list;
}

InvalidSpec::InvalidSpec(std::vector<Problem> all)
    : SpecError(to_text(all)), problems(std::move(all)) {}

Problem problem_at(const Span& span, std::string_view pointer, std::string message,
                   std::string hint) {
  return located(span, true, pointer, std::move(message), std::move(hint), {});
}

void Problems::add(std::string_view pointer, std::string message, std::string hint,
                   std::string note) {
  const Span span = document_.value_span(pointer);
  add_at(span, !span.source->is_override, pointer, std::move(message), std::move(hint),
         std::move(note));
}

void Problems::add_at_name(std::string_view pointer, std::string message, std::string hint,
                           std::string note) {
  const Span span = document_.name_span(pointer);
  add_at(span, !span.source->is_override, pointer, std::move(message), std::move(hint),
         std::move(note));
}

void Problems::add_in_text(std::string_view pointer, std::size_t begin, std::size_t length,
                           std::string message, std::string hint, std::string note) {
  add_at(document_.text_span(pointer, begin, length), true, pointer, std::move(message),
         std::move(hint), std::move(note));
}

void Problems::add_at(const Span& span, bool show_line, std::string_view pointer,
                      std::string message, std::string hint, std::string note) {
  if (only_count()) return;
  Entry entry{
      span.source_index, span.begin,
      located(span, show_line, pointer, std::move(message), std::move(hint), std::move(note))};
  const bool known = std::ranges::any_of(entries_, [&](const Entry& other) {
    return other.source == entry.source && other.offset == entry.offset &&
           other.problem.pointer == entry.problem.pointer &&
           other.problem.message == entry.problem.message;
  });
  if (!known) entries_.push_back(std::move(entry));
}

bool Problems::only_count() {
  if (full()) ++more_;
  return full();
}

std::vector<Problem> Problems::sorted() const {
  std::vector<Entry> entries = entries_;
  std::ranges::stable_sort(entries, {},
                           [](const Entry& e) { return std::tuple(e.source, e.offset); });
  std::vector<Problem> problems;
  for (Entry& entry : entries) problems.push_back(std::move(entry.problem));
  if (more_ > 0) {
    Problem rest;
    rest.origin = document_.file_name();
    rest.message = cat(more_, " further mistakes are not shown");
    problems.push_back(std::move(rest));
  }
  return problems;
}

void Problems::throw_if_any() const {
  if (!empty()) throw InvalidSpec(sorted());
}

}  // namespace jacquard::experiments
