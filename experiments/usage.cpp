#include "experiments/usage.hpp"

#include <algorithm>
#include <charconv>

#include "autodiff/closest.hpp"
#include "experiments/source_text.hpp"

namespace jacquard::experiments {
namespace {

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known) {
  const std::string near = closest(word, known);
  return near.empty() ? "there are: " + joined(known) : cat("did you mean '", near, "'?");
}

}  // namespace

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void check_command_word(const std::string& word, const std::vector<std::string>& commands) {
  if (std::ranges::find(commands, word) == commands.end())
    throw UsageError(cat("unknown command ", in_quotes(word), "; ", did_you_mean(word, commands)));
}

UsageError unknown_option(const std::string& command, const std::string& word,
                          const std::vector<std::string>& known, bool has_fields) {
  const std::string name = word.substr(0, word.find('='));
  const bool is_field = has_fields && name != word && name.find('.') != std::string::npos;
  if (is_field)
    return UsageError(cat(command, ": unknown option ", in_quotes(name),
                          "; fields of the spec are set without dashes: ",
                          printable(word.substr(word.find_first_not_of('-')))));
  return UsageError(
      cat(command, ": unknown option ", in_quotes(name), "; ", did_you_mean(name, known)));
}

std::string not_one_of(const std::string& text, const std::vector<std::string>& words) {
  if (std::ranges::find(words, text) != words.end()) return "";
  return cat(in_quotes(std::string_view(text)), " is none of ", joined(words));
}

std::string not_whole_number(const std::string& text, std::int64_t low, std::int64_t high) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end && value >= low && value <= high) return "";
  return cat(in_quotes(text), " is no whole number from ", low, " to ", high);
}

}  // namespace jacquard::experiments
