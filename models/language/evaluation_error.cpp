#include "models/language/evaluation_error.hpp"

#include <utility>

namespace jacquard::models {
namespace {

std::string joined(const std::vector<EvaluationError>& errors) {
  std::string text;
  for (const EvaluationError& error : errors) text += cat(text.empty() ? "" : "\n\n", error.what());
  return text;
}

}  // namespace

EvaluationError::EvaluationError(TextPlace place, std::string message_text, std::string hint_text,
                                 bool is_in_name)
    : LanguageError(place.text, place.span, std::move(message_text), std::move(hint_text)),
      where(std::move(place.where)),
      text(std::move(place.text)),
      in_name(is_in_name) {
  compose();
}

EvaluationError::EvaluationError(std::string where_it_is, std::string source,
                                 const LanguageError& error, bool is_in_name)
    : LanguageError(error),
      where(std::move(where_it_is)),
      text(std::move(source)),
      in_name(is_in_name) {
  compose();
}

void EvaluationError::add_call(TextPlace call) {
  calls.push_back(std::move(call));
  compose();
}

std::string EvaluationError::call_lines() const {
  constexpr std::size_t kShown = 8;  // of the innermost calls; the outermost is always shown
  std::string lines;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (i == kShown && calls.size() > kShown + 1) {
      lines += cat("\n... (", calls.size() - kShown - 1, " more)");
      i = calls.size() - 1;
    }
    const TextPlace& call = calls[i];
    lines += cat(lines.empty() ? "" : "\n", "called from ", call.where, ": ",
                 quoted(std::string_view(call.text).substr(call.span.begin, call.span.length)));
  }
  return lines;
}

void EvaluationError::compose() {
  what_ = cat(where, ": ", message, hint.empty() ? "" : "; ", hint);
  if (!text.empty()) what_ += '\n' + show_caret(text, {begin, length});
  if (!calls.empty()) what_ += '\n' + call_lines();
}

ModelError::ModelError(std::vector<EvaluationError> all)
    : SpecError(joined(all)), errors(std::move(all)) {}

}  // namespace jacquard::models
