// The nearest of some known words, for the "did you mean" of an error message.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace jacquard {

// The fewest insertions, deletions, replacements and swaps of neighbouring bytes that turn `a` into
// `b` (Damerau-Levenshtein). Time and memory are the product of both lengths.
int edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to `word`; case counts only between candidates that are equally near, and
// of equals the first wins. Empty if none is near: at most one edit for each three letters of
// `word` (one for shorter words), and always fewer edits than letters.
std::string closest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace jacquard
