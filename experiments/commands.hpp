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
#include "experiments/precision.hpp"
#include "experiments/talk.hpp"

namespace jacquard::experiments {

// Trains; prints the run folder and the pictures, a label and a path on each line.
struct RunCommand {
  SpecChoice spec;
  std::optional<std::filesystem::path> out = {};  // the run folder itself
  int threads = 1;
  std::vector<std::string> arguments = {};       // argv, for the manifest
  std::optional<std::uint64_t> stop_after = {};  // steps
  std::string seeds = {};                        // "1..5": a run each (seed_runs.hpp)
};
int run_command(const RunCommand& command, std::ostream& out, Talk& talk);

// Goes on with a run that was interrupted; prints what run prints.
struct ResumeCommand {
  std::filesystem::path folder;
  int threads = 1;
  std::optional<std::uint64_t> stop_after = {};  // steps
};
int resume_command(const ResumeCommand& command, std::ostream& out, Talk& talk);

// Makes a run's step once more, without changing the run, and prints what its values and gradients
// were, and where the first one came from that is not finite.
struct ReplayCommand {
  std::filesystem::path folder;
  std::uint64_t step = 0;  // the first is 1
  int threads = 1;
};
int replay_command(const ReplayCommand& command, std::ostream& out, Talk& talk);

// Measures cost, terms and monitors of a run's checkpoint on a part of its data.
struct EvalCommand {
  std::filesystem::path folder;
  std::string set = "test", checkpoint = {};
  int threads = 1;
  bool json = false;
};
int eval_command(const EvalCommand& command, std::ostream& out, Talk& talk);

// Computes an expression for every example of a part of a run's data and writes it as an array:
// codes, or reconstructions.
struct ComputeCommand {
  std::filesystem::path folder, out;
  std::string set = "test", checkpoint = {};
  std::string what = {};  // an expression; empty: h, or the reconstruction
  bool reconstruct = false;
  int threads = 1;
};
int compute_command(const ComputeCommand& command, std::ostream& out, Talk& talk);

// Updates the state of a run's model some times, with its parameters as they are, and writes an
// expression of what comes out as an array and, if it is shaped like x, as a picture: samples of a
// chain, or of a decoder.
struct SampleCommand {
  std::filesystem::path folder, out;
  std::string checkpoint = {};
  std::string what = {};  // an expression; empty: the definition `samples`, else the first state
  std::int64_t updates = 0;
  std::optional<std::uint64_t> seed = {};  // of draws; default: the spec's
  int threads = 1;
};
int sample_command(const SampleCommand& command, std::ostream& out, Talk& talk);

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
