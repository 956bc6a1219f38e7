// Wepoch: an epoch of the program's own training on real images, with shuffling, gathering,
// monitors, log and checkpoints, against what it cannot do without: its steps and its monitors.
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"
#include "experiments/loaded_spec.hpp"
#include "experiments/monitors.hpp"
#include "experiments/trainer.hpp"
#include "tests/benchmarks/training_costs.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::benchmarks {
namespace {

using namespace experiments;

constexpr std::int64_t kBatch = 100;
constexpr int kEpochs = 3;

// W1, as a user of the program has it.
constexpr const char* kSpec = R"json(
{
  "name": "epoch",
  "data": {"set": "fashion_mnist", "valid": 10000},
  "model": {
    "parameters": {"W": [784, 1000], "b": [1000], "c": [784]},
    "define": {"h": "sigmoid(x @ W + b)", "y": "sigmoid(h @ W.T + c)"}
  },
  "cost": {"reconstruction": "mean(squared_error(y, x))"},
  "train": {"optimizer": {"kind": "sgd", "rate": 0.1}, "batch": 100, "epochs": 3}
}
)json";

class Epoch {
 public:
  explicit Epoch(int threads) : threads_(threads), pool_(threads) {
    folder_.put("spec.json", kSpec);
    loaded_ = std::make_unique<LoadedSpec>(SpecChoice{(folder_.path() / "spec.json").string()});
    const Spec& spec = loaded_->spec();
    data_ = load_data(*spec.data, spec.seed);
    for (const models::Parameter& p : spec.model.parameters)
      values_.add(p.name, cast<float>(nn::initial_value(p.initial, p.shape, spec.seed, p.name)));
    for (const DataSet* set : {&data_.train, &data_.valid})
      monitors_.push_back(std::make_unique<Monitor>(spec, example_shapes(spec), *set, kBatch,
                                                    spec.train->monitor_batches, values_, pool_,
                                                    loaded_->problems()));
    const TiedOptions<float> options{.batch = kBatch, .n = 784, .m = 1000};
    step_ = std::make_unique<PlannedStep<float>>(
        pool_, [&](Tape& tape) { return tied_autoencoder(tape, options); }, StepOptions{});
    fill<float>(step_->arrays(), [&](const std::string& name, InputKind kind, std::span<float> v) {
      if (kind == InputKind::kData)
        std::ranges::copy(data_.train.arrays.at(name).beginning(kBatch).values().data, v.begin());
      else
        std::ranges::copy(values_[name].data, v.begin());
    });
  }

  // As many steps as an epoch has, from the median of some of them, and the monitors.
  void run_parts() {
    constexpr int kSteps = 100;
    std::vector<double> steps;
    for (int i = 0; i < kSteps; ++i) steps.push_back(seconds_of([&] { step_->run(); }));
    std::ranges::sort(steps);
    const double monitors = seconds_of([&] {
      for (const auto& monitor : monitors_) monitor->measure(1, 1);
    });
    seconds_ = static_cast<double>(data_.train.count() / kBatch) * steps[kSteps / 2] + monitors;
  }

  // The median of three epochs.
  void run_training() {
    std::ostringstream talk_text;
    Talk talk(talk_text, Screen{});
    RunOptions options;
    options.threads = threads_;
    options.out = folder_.path() / cat("run", ++runs_);
    options.spec_text = loaded_->text();
    const RunResult result = run(loaded_->spec(), options, loaded_->problems(), talk);
    if (result.exit_code != 0) throw Error(cat("jacquard-bench: Wepoch: ", talk_text.str()));
    std::istringstream metrics(read_file(result.folder / "metrics.jsonl"));
    std::vector<double> ends;
    for (std::string line; std::getline(metrics, line);)
      ends.push_back(nlohmann::json::parse(line).at("seconds").get<double>());
    std::vector<double> epochs;
    for (std::size_t i = 1; i < ends.size(); ++i) epochs.push_back(ends[i] - ends[i - 1]);
    std::ranges::sort(epochs);
    seconds_ = epochs.at(kEpochs / 2);
  }
  double seconds() const { return seconds_; }  // of what was run last

 private:
  int threads_, runs_ = 0;
  double seconds_ = 0;
  TemporaryFolder folder_;
  ThreadPool pool_;
  std::unique_ptr<LoadedSpec> loaded_;
  Splits data_;
  Values values_;
  std::vector<std::unique_ptr<Monitor>> monitors_;
  std::unique_ptr<PlannedStep<float>> step_;
};

std::vector<Implementation> steps_and_training(int threads) {
  std::shared_ptr<Epoch> epoch;
  try {
    epoch = std::make_shared<Epoch>(threads);
  } catch (const SpecError& error) {  // the set is not there; it says which command brings it
    std::cerr << "Wepoch is left out: " << error.what() << '\n';
    return {};
  }
  const auto parts = [epoch] {
    epoch->run_parts();
    return 0.0;
  };
  const auto training = [epoch] {
    epoch->run_training();
    return 0.0;
  };
  Implementation first{.name = "parts", .step = parts}, ours{.name = "jacquard", .step = training};
  for (Implementation* i : {&first, &ours}) {
    i->seconds = [epoch] { return epoch->seconds(); };
    i->slow = true;
    i->compared = false;
  }
  return {first, ours};
}

}  // namespace

std::vector<Workload> epochs() {
  return {{"Wepoch", "an epoch of `run` on Fashion-MNIST, W1 with monitors", kBatch,
           steps_and_training}};
}

}  // namespace jacquard::benchmarks
