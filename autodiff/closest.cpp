#include "autodiff/closest.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace jacquard {
namespace {

// Nobody misspells a word this long; the bound keeps hostile input from costing time.
constexpr std::size_t kLongestWord = 100;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  // Lowrance and Wagner 1975: d(i, j) for the prefixes of lengths i and j; a swap may have other
  // edits between its two bytes, so the last row in which each byte stood is kept.
  const std::size_t width = b.size() + 1;
  std::vector<int> table((a.size() + 1) * width);
  const auto d = [&](std::size_t i, std::size_t j) -> int& { return table[i * width + j]; };
  std::array<std::size_t, 256> last_row{};
  for (std::size_t i = 0; i <= a.size(); ++i) d(i, 0) = static_cast<int>(i);
  for (std::size_t j = 0; j <= b.size(); ++j) d(0, j) = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t last_column = 0;  // where a[i - 1] last stood in b
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool equal = a[i - 1] == b[j - 1];
      d(i, j) = std::min({d(i - 1, j) + 1, d(i, j - 1) + 1, d(i - 1, j - 1) + (equal ? 0 : 1)});
      const std::size_t row = last_row[static_cast<unsigned char>(b[j - 1])];
      if (row > 0 && last_column > 0) {
        const std::size_t between = (i - row - 1) + (j - last_column - 1);
        d(i, j) = std::min(d(i, j), d(row - 1, last_column - 1) + 1 + static_cast<int>(between));
      }
      if (equal) last_column = j;
    }
    last_row[static_cast<unsigned char>(a[i - 1])] = i;
  }
  return d(a.size(), b.size());
}

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > kLongestWord) return {};
  const std::size_t limit = std::max<std::size_t>(word.size(), 3) / 3;
  const std::string lower_word = lower(word);
  const std::string* best = nullptr;
  std::tuple<int, int> best_distance;
  for (const std::string& candidate : candidates) {
    const auto [shorter, longer] = std::minmax({word.size(), candidate.size()});  // by value
    if (longer - shorter > limit) continue;
    const int distance = edit_distance(lower_word, lower(candidate));
    if (distance > static_cast<int>(limit) || distance >= static_cast<int>(longer)) continue;
    const std::tuple<int, int> key{distance, edit_distance(word, candidate)};
    if (best != nullptr && key >= best_distance) continue;
    best = &candidate;
    best_distance = key;
  }
  return best != nullptr ? *best : std::string();
}

}  // namespace jacquard
