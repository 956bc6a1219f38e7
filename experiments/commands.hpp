// The commands of the program `jacquard`, each a function of plain options, so that tests call them
// as the command line does (main.cpp). Results go to `out`, talk to `talk`; what is returned is the
// exit code, and what is thrown is turned into one by report_failure().
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "experiments/loaded_spec.hpp"
#include "experiments/talk.hpp"

namespace jacquard::experiments {

// Trains; prints the run folder and the pictures, a label and a path on each line.
struct RunCommand {
  SpecChoice spec;
  std::optional<std::filesystem::path> out = {};  // the run folder itself
  int threads = 1;
  std::vector<std::string> arguments = {};  // argv, for the manifest
};
int run_command(const RunCommand& command, std::ostream& out, Talk& talk);

// Compares gradients with differences; prints a table, then a paragraph for each row that is wrong.
struct CheckCommand {
  SpecChoice spec;
  int order = 1;
  std::int64_t examples = 2;
  int directions = 2;
  std::uint64_t seed = 1;
  int threads = 1;
  bool json = false;
};
int check_command(const CheckCommand& command, std::ostream& out, Talk& talk);

// Prints what a spec says: shapes and sizes, its expansion, its tape, plan or formulas.
enum class Aspect { kSummary, kExpanded, kTape, kGraph, kPlan, kCost };
struct ShowCommand {
  SpecChoice spec;
  Aspect aspect = Aspect::kSummary;
  bool json = false;
};
int show_command(const ShowCommand& command, std::ostream& out, Talk& talk);
// The functions of the cost language.
int show_functions_command(bool markdown, bool json, std::ostream& out);

// Evaluates the cost and its gradients at given values and writes them as arrays.
enum class Precision { kFloat, kDouble };
struct GradientsCommand {
  SpecChoice spec;
  std::filesystem::path parameters, data, out;  // .npz files
  Precision precision = Precision::kDouble;
  std::uint64_t step = 0;
  std::int64_t epoch = 1;
  std::optional<std::uint64_t> seed = {};  // of draws; default: the spec's
  int threads = 1;
};
int gradients_command(const GradientsCommand& command, std::ostream& out, Talk& talk);

int data_list_command(bool json, std::ostream& out);
int data_get_command(const std::string& name, Talk& talk);

int schema_command(std::ostream& out);
int version_command(bool json, std::ostream& out);

}  // namespace jacquard::experiments
