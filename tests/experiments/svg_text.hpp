// What tests ask of the text of an SVG file.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "autodiff/error.hpp"

namespace jacquard::experiments {

inline int count(std::string_view text, std::string_view part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

// Tags are closed in order, attributes have values in quotes, and no number is written as nan.
inline void check_well_formed(const std::string& svg) {
  CHECK(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(count(svg, "\"") % 2 == 0);
  std::vector<std::string> open;
  for (std::size_t at = svg.find('<'); at != std::string::npos; at = svg.find('<', at + 1)) {
    const std::size_t end = svg.find('>', at);
    REQUIRE(end != std::string::npos);
    const std::string tag = svg.substr(at + 1, end - at - 1);
    CHECK(tag.find('<') == std::string::npos);
    if (tag[0] == '/') {
      REQUIRE(!open.empty());
      CHECK(open.back() == tag.substr(1));
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(tag.substr(0, tag.find(' ')));
    }
  }
  CHECK(open.empty());
  for (const char* bad : {"nan", "inf"})
    for (const char* before : {"\"", ",", " "}) CHECK(count(svg, cat(before, bad)) == 0);
  // Nothing is fetched or run.
  for (const char* bad : {"href", "<script", "url(", "@import", "<style"})
    CHECK(count(svg, bad) == 0);
}

}  // namespace jacquard::experiments
