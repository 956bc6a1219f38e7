// Spec: one experiment as plain data, read strictly from JSON.
//
// Nothing is computed here and no file but the spec itself is opened; texts of the cost language
// are kept as they are, each with the JSON pointer it came from, and are read when the experiment
// is built (experiment.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/data.hpp"
#include "experiments/evaluations/evaluation_spec.hpp"
#include "experiments/json_text.hpp"
#include "experiments/problem.hpp"
#include "experiments/train_spec.hpp"
#include "models/declarations.hpp"

namespace jacquard::experiments {

// A weighted part of the cost.
struct TermSpec {
  std::string name;
  std::string value;  // a scalar expression
  double weight = 1;
};

// An input that no data set gives: for `check`, `show` and `gradients` without data.
struct InputSpec {
  Shape shape;  // of one example
  double low = 0, high = 1;
};

// What the pictures of a run show; empty names are left out.
struct PictureSpec {
  std::optional<std::string> reconstruction,
      corrupted;                     // expressions like x; default y; corrupted, xe
  std::vector<std::string> filters;  // parameters; default: all that fit x
};

// One training of several over the same parameters.
struct StageSpec {
  std::string name;
  std::optional<DataSpec> data;     // instead of the spec's
  std::vector<std::string> cached;  // definitions whose values are computed once for each example,
                                    // with the parameters as they are when the stage begins
  std::vector<TermSpec> cost;
  std::vector<std::pair<std::string, std::string>> monitors;  // beside the spec's
  TrainSpec train;
  std::map<std::string, std::string> pointers;  // of the texts above
};

struct Spec {
  std::string name;
  std::uint64_t seed = 1;
  std::vector<std::uint64_t> seeds;  // a run with each of them; empty: with `seed`
  bool papers = false;               // a row of the table of published numbers: long
  std::int64_t memory_limit = std::int64_t{8} << 30;  // bytes of a plan
  std::optional<DataSpec> data;
  std::map<std::string, InputSpec> inputs;
  models::Declarations model;  // short forms are expanded
  std::vector<TermSpec> cost;
  std::vector<std::pair<std::string, std::string>> monitors;  // name, expression
  std::optional<TrainSpec> train;
  std::vector<StageSpec> stages;            // instead of `cost` and `train`
  std::vector<EvaluationSpec> evaluations;  // made of the model that a run ends with
  std::filesystem::path initial;  // a checkpoint whose parameters are begun with; may be empty
  PictureSpec pictures;

  // Where each text of the cost language stands: "define/h" -> "/model/define/h". Texts of a short
  // form point at the form.
  std::map<std::string, std::string> pointers;
};

// The spec without cost, monitors, training, evaluations and pictures, with a state that stays what
// it is: for expressions of the model alone, with any number of examples.
Spec model_alone(Spec spec);

// Reads the document of `problems` as a spec. Mistakes are added to `problems`; the result is
// complete only if there are none. `folder` is that of the spec file: paths in the spec are
// relative to it.
Spec read_spec(const std::filesystem::path& folder, Problems& problems);

// The spec as JSON with every default and every expansion written out: what config.json holds.
// Reading it gives the same spec.
nlohmann::ordered_json spec_json(const Spec& spec);

}  // namespace jacquard::experiments
