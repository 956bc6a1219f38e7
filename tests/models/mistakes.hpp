// What the tests of mistakes in texts share: an environment and its errors as text.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "models/language/evaluate.hpp"

namespace jacquard::models {

struct MistakeSetting {
  Tape tape;
  Environment environment;

  MistakeSetting(const NamedTexts& define, const NamedTexts& functions)
      : environment(tape,
                    {{"x", tape.input("x", {4, 3})},
                     {"labels", tape.input("labels", {4})},
                     {"W", tape.input("W", {3, 2}, InputKind::kParameter)},
                     {"M", tape.input("M", {4, 3, 3})},
                     {"epoch", tape.input("epoch", {})}},
                    define, functions) {}

  // "begin+length: message; hint", one line per mistake.
  std::string mistakes() {
    std::string text;
    for (const EvaluationError& e : environment.take_errors())
      text += cat(text.empty() ? "" : "\n", e.begin, '+', e.length, ": ", e.message,
                  e.hint.empty() ? "" : "; ", e.hint);
    return text;
  }
  std::string mistakes_in(const std::string& text) {
    environment.take_errors();
    const bool read = environment.expression(text, "cost/a").has_value();
    const std::string found = mistakes();
    CHECK(read == found.empty());
    return found;
  }
};

struct Mistake {
  std::string text, error;
};

inline void check_all(const std::vector<Mistake>& all, const NamedTexts& define = {},
                      const NamedTexts& functions = {}) {
  MistakeSetting s(define, functions);
  for (const Mistake& mistake : all) {
    CAPTURE(mistake.text);
    CHECK(s.mistakes_in(mistake.text) == mistake.error);
  }
}

// The full text of all errors of the definitions and functions.
inline std::string all_errors(const NamedTexts& define, const NamedTexts& functions = {}) {
  MistakeSetting s(define, functions);
  std::string text;
  for (const EvaluationError& e : s.environment.errors())
    text += cat(text.empty() ? "" : "\n", e.in_name ? "name of " : "", e.what());
  return text;
}

}  // namespace jacquard::models
