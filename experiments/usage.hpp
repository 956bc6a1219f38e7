// What is said about words of a command line that cannot be understood.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/failure.hpp"

namespace jacquard::experiments {

// "run, check, show"
std::string joined(const std::vector<std::string>& words);

// Throws UsageError with a "did you mean" if the word is not one of the commands.
void check_command_word(const std::string& word, const std::vector<std::string>& commands);

// The error of `word`, which begins with '-', behind a command that knows the options `known`. With
// `has_fields` the command has a spec, and --train.epochs=3 was meant as train.epochs=3.
UsageError unknown_option(const std::string& command, const std::string& word,
                          const std::vector<std::string>& known, bool has_fields);

// What is wrong with text that should be one of the words; "" if nothing is.
std::string not_one_of(const std::string& text, const std::vector<std::string>& words);

// What is wrong with text that should be a whole number from low to high; "" if nothing is.
std::string not_whole_number(const std::string& text, std::int64_t low, std::int64_t high);

}  // namespace jacquard::experiments
