#include "autodiff/closest.hpp"

#include <doctest/doctest.h>

#include <map>
#include <queue>
#include <string>
#include <vector>

using namespace jacquard;

namespace {

// All words over "ab" and "c" of at most `longest` letters.
std::vector<std::string> words(std::size_t longest) {
  std::vector<std::string> all = {""};
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].size() < longest)
      for (const char c : {'a', 'b', 'c'}) all.push_back(all[i] + c);
  return all;
}

std::vector<std::string> one_edit_from(const std::string& word) {
  std::vector<std::string> result;
  for (std::size_t i = 0; i <= word.size(); ++i) {
    for (const char c : {'a', 'b', 'c'}) result.push_back(word.substr(0, i) + c + word.substr(i));
    if (i == word.size()) break;
    result.push_back(word.substr(0, i) + word.substr(i + 1));
    for (const char c : {'a', 'b', 'c'})
      result.push_back(word.substr(0, i) + c + word.substr(i + 1));
    if (i + 1 < word.size())
      result.push_back(word.substr(0, i) + word[i + 1] + word[i] + word.substr(i + 2));
  }
  return result;
}

// The definition: the length of the shortest chain of single edits, by breadth-first search through
// words a little longer than both ends.
std::map<std::string, int> distances_from(const std::string& start, std::size_t longest) {
  std::map<std::string, int> distance = {{start, 0}};
  std::queue<std::string> open;
  open.push(start);
  while (!open.empty()) {
    const std::string word = open.front();
    open.pop();
    for (const std::string& next : one_edit_from(word)) {
      if (next.size() > longest || distance.contains(next)) continue;
      distance[next] = distance[word] + 1;
      open.push(next);
    }
  }
  return distance;
}

}  // namespace

TEST_CASE("edit_distance is the length of the shortest chain of edits") {
  const std::vector<std::string> all = words(4);
  for (std::size_t i = 0; i < all.size(); i += 3) {
    const std::map<std::string, int> truth = distances_from(all[i], 6);
    for (const std::string& other : all) {
      CAPTURE(all[i]);
      CAPTURE(other);
      REQUIRE(edit_distance(all[i], other) == truth.at(other));
    }
  }
}

TEST_CASE("edit_distance works on bytes of any value") {
  CHECK(edit_distance("\xC3\xA9", "e") == 2);
  CHECK(edit_distance(std::string(1, '\0'), "\xFF") == 1);
  CHECK(edit_distance("", "") == 0);
}

TEST_CASE("closest finds the word that was meant") {
  const std::vector<std::string> known = {"sqnorm", "norm", "mean", "sum", "jacobian", "epochs"};
  CHECK(closest("sqnrm", known) == "sqnorm");
  CHECK(closest("jacobain", known) == "jacobian");
  CHECK(closest("epoch", known) == "epochs");
  CHECK(closest("SUM", known) == "sum");
  CHECK(closest("smu", known) == "sum");
  CHECK(closest("nrom", known) == "norm");
  CHECK(closest("mean", known) == "mean");
}

TEST_CASE("closest is empty when no word is near") {
  CHECK(closest("gradient", {"mean", "sum"}) == "");
  CHECK(closest("rate", {"batch", "epochs"}) == "");
  CHECK(closest("x", {}) == "");
  CHECK(closest("", {"a", "b"}) == "");
  // One letter in the place of another is no near miss: every name of one letter would be near.
  CHECK(closest("W", {"b", "c"}) == "");
  CHECK(closest("W", {"b", "W1"}) == "W1");
}

TEST_CASE("closest prefers fewer edits, then equal case, then the first") {
  CHECK(closest("w", {"W", "w1"}) == "W");
  CHECK(closest("ab1", {"AB2", "ab3"}) == "ab3");
  CHECK(closest("ab1", {"ab3", "ab2"}) == "ab3");
  CHECK(closest("hidde", {"hiddens", "hidden"}) == "hidden");
}

TEST_CASE("closest does not spend time on endless words") {
  const std::string endless(1 << 20, 'a');
  CHECK(closest(endless, {endless}) == "");
  CHECK(closest("aaa", {endless}) == "");
}
