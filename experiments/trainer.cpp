#include "experiments/trainer.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/guarded_plan.hpp"
#include "autodiff/print.hpp"
#include "autodiff/products.hpp"
#include "experiments/data/preparation.hpp"
#include "experiments/divergence.hpp"
#include "experiments/interrupt.hpp"
#include "experiments/json_dump.hpp"
#include "experiments/json_line.hpp"
#include "experiments/manifest.hpp"
#include "experiments/monitors.hpp"
#include "experiments/permutation.hpp"
#include "experiments/progress.hpp"
#include "experiments/run_folder.hpp"
#include "experiments/run_pictures.hpp"

namespace jacquard::experiments {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The plan of one training step, with the memory it is bound to.
struct Step {
  Recording recording;
  std::optional<GuardedPlan<float>> plan;
  std::optional<BatchFeeder> feeder;
  float epoch = 0, number = 0;
};

class Training {
 public:
  Training(const Spec& spec, const RunOptions& options, Problems& problems, Talk& talk)
      : spec_(spec),
        problems_(problems),
        train_(required_train(spec, problems)),
        options_(options),
        talk_(talk),
        pool_(options.threads),
        inputs_(example_shapes(spec)) {
    // The texts are checked before the data is read: mistakes are answered at once.
    step_.recording = record(spec_, inputs_, train_.batch, problems);
    problems.throw_if_any();
    check_parameters_used(problems);
    problems.throw_if_any();
    talk_.say(cat("reading ", spec_.data->set));
    data_ = load_data(*spec_.data, spec_.seed);
    if (data_.train.count() < train_.batch)
      problems.add("/train/batch", cat("the batch of ", train_.batch, " is larger than the ",
                                       data_.train.count(), " training examples"));
    problems.throw_if_any();
    initialise();
    make_step();
    make_monitors(problems);
  }

  RunResult run() {
    RunFolder folder = make_folder();
    talk_.log_to([&folder](std::string_view text) { folder.append_log(text); });
    folder_ = &folder;
    announce();
    int exit_code = 1;
    try {
      exit_code = train();
    } catch (...) {
      folder.set_status(RunStatus::kFailed, 1);
      talk_.log_to({});
      throw;
    }
    RunResult result{folder.path(), {}, exit_code};
    if (exit_code == 0) result.pictures = draw();
    write_summary();
    const RunStatus status = exit_code == 0   ? RunStatus::kCompleted
                             : exit_code == 5 ? RunStatus::kDiverged
                                              : RunStatus::kInterrupted;
    folder.set_status(status, exit_code);
    talk_.log_to({});
    return result;
  }

 private:
  static const TrainSpec& required_train(const Spec& spec, Problems& problems) {
    if (!spec.train) problems.add("", "there is no \"train\" section", "run needs one");
    if (!spec.data) problems.add("", "there is no \"data\" section", "run needs one");
    problems.throw_if_any();
    return *spec.train;
  }

  void check_parameters_used(Problems& problems) const {
    const Tape& tape = *step_.recording.tape;
    const std::vector<NodeId> used = ancestors(tape, std::vector<Expr>{step_.recording.cost});
    for (const Expr& p : step_.recording.parameters())
      if (!std::ranges::binary_search(used, p.id)) {
        const std::string& name = input_name(tape.node(p));
        problems.add_at_name(spec_.pointers.at("parameters/" + name),
                             cat("no term of the cost depends on parameter '", name, "'"),
                             "drop it or use it");
      }
  }

  void initialise() {
    for (const models::Parameter& p : spec_.model.parameters)
      values_.add(p.name, cast<float>(nn::initial_value(p.initial, p.shape, spec_.seed, p.name)));
  }

  void make_step() {
    const auto write = [this](Care care) { return step_program(care); };
    step_.plan.emplace(*step_.recording.tape, write, pool_, plan_options(spec_));
    values_.bind_to(*step_.plan);
    step_.plan->bind_constant("epoch", std::span<const float>(&step_.epoch, 1));
    step_.plan->bind_constant("step", std::span<const float>(&step_.number, 1));
    step_.feeder.emplace(data_.train, train_.batch, *step_.plan);
  }

  ConditionalProgram step_program(Care care) {
    const Recording& r = step_.recording;
    const std::vector<Expr> parameters = r.parameters();
    const Simplified s = simplify({r.cost}, care);
    const Expr cost = s.roots[0];
    const nn::OptimizerStep optimizer = nn::optimizer_step(
        train_.optimizer, parameters, gradients_of(cost, parameters), r.rate, r.step());
    for (const nn::StateVariable& v : optimizer.state)
      if (!values_.contains(v.name))
        values_.add(v.name, Tensor<float>(v.shape, static_cast<float>(v.initial)));
    return {{{cost}, optimizer.updates, {cost}}, s.conditions};
  }

  // What the tape refuses to differentiate is the spec's to mend.
  std::vector<Expr> gradients_of(Expr cost, const std::vector<Expr>& parameters) {
    try {
      return gradient(cost, parameters);
    } catch (const GradientError& error) {
      problems_.add("/cost", error.what());
      problems_.throw_if_any();
      throw;
    }
  }

  void make_monitors(Problems& problems) {
    const auto add = [&](const char* name, const DataSet& data) {
      if (data.count() == 0) return;
      monitors_.push_back(
          {name, std::make_unique<Monitor>(spec_, inputs_, data, train_.batch,
                                           train_.monitor_examples, values_, pool_, problems)});
    };
    add("train", data_.train);
    add("valid", data_.valid);
  }

  RunFolder make_folder() const {
    const std::string config = dump_strict(spec_json(spec_)) + "\n";
    ManifestInput about;
    about.arguments = options_.arguments;
    about.seed = static_cast<std::int64_t>(spec_.seed);
    about.threads = options_.threads;
    about.data = {{data_.train.name + "/train", data_hash(data_.train)},
                  {data_.train.name + "/valid", data_hash(data_.valid)},
                  {data_.train.name + "/test", data_hash(data_.test)}};
    about.libraries = {{"products", gemm_library_description()}};
    about.start = std::chrono::system_clock::now();
    NewRun run;
    run.name = spec_.name;
    run.hash = config_hash(config);
    run.out = options_.out;
    run.files = {{"spec.json", options_.spec_text},
                 {"config.json", config},
                 {"manifest.json", manifest(about).dump(2) + "\n"}};
    if (data_.preparation)
      run.files["preparation.safetensors"] = safetensors_bytes(data_.preparation->saved());
    return RunFolder::create(run);
  }

  static std::string config_hash(const std::string& config) {
    // FNV-1a, 64 bits: tells configs apart, nothing more.
    std::uint64_t h = 0xcbf29ce484222325ULL;
    for (const char c : config) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    std::array<char, 17> text;
    std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(h));
    return text.data();
  }

  void announce() {
    const PlanStatistics s = step_.plan->statistics();
    talk_.say(cat("run folder ", folder_->path().string()));
    talk_.say(cat("training ", spec_.name, ": ", data_.train.count(), " examples, ", train_.epochs,
                  " epochs of ", steps_per_epoch(), " batches of ", train_.batch, ", ",
                  options_.threads, options_.threads == 1 ? " thread" : " threads"));
    talk_.say(cat("a step is ", with_prefix(s.flops, "FLOP"), " in ",
                  with_prefix(static_cast<double>(s.arena_bytes), "B")));
  }

  std::int64_t steps_per_epoch() const { return data_.train.count() / train_.batch; }

  int train() {
    const Interrupt interrupt;
    Progress progress(talk_);
    const Clock::time_point start = Clock::now();
    monitor(0, start);
    progress.begin(train_.epochs, steps_per_epoch());
    for (std::int64_t epoch = 1; epoch <= train_.epochs; ++epoch) {
      const std::vector<std::int64_t> order =
          permutation(spec_.seed, cat("epoch/", epoch), data_.train.count());
      for (std::int64_t b = 0; b < steps_per_epoch(); ++b) {
        if (!one_step(epoch, std::span(order).subspan(static_cast<std::size_t>(b * train_.batch),
                                                      static_cast<std::size_t>(train_.batch)))) {
          progress.finish();
          report_divergence(epoch, b);
          return 5;
        }
        progress.step(epoch, b + 1, static_cast<double>(step_.plan->scalar(0)));
        folder_->heartbeat();
        if (const int code = interrupt.exit_code(); code != 0) {
          progress.finish();
          save("last", epoch - 1);
          talk_.say(
              cat("interrupted in epoch ", epoch, "; checkpoints/last.safetensors is written"));
          return code;
        }
      }
      tell_of_care(epoch);
      const std::string summary = monitor(epoch, start);
      save("last", epoch);
      progress.epoch_done(summary);
    }
    return 0;
  }

  bool one_step(std::int64_t epoch, std::span<const std::int64_t> examples) {
    step_.feeder->gather(examples);
    step_.epoch = static_cast<float>(epoch);
    step_.number = static_cast<float>(step_number_);
    const bool finite = step_.plan->run(spec_.seed, step_number_);
    if (finite) ++step_number_;
    return finite;
  }

  // Once: it means that the training is slower than it looks, and right.
  void tell_of_care(std::int64_t epoch) {
    const std::int64_t steps = step_.plan->careful_runs();
    if (steps == 0 || told_of_care_) return;
    told_of_care_ = true;
    talk_.say(cat("terms of the cost nearly cancelled in ", steps, " of ", step_number_,
                  " steps up to epoch ", epoch,
                  "; such steps are made in a form that keeps the digits, and takes longer"));
  }

  void report_divergence(std::int64_t epoch, std::int64_t batch) {
    talk_.error(cat("the cost is not finite in epoch ", epoch, ", batch ", batch + 1,
                    "; the step was not made"));
    Feed<float> feed;
    for (const auto& [name, value] : values_.all()) feed.emplace(name, value);
    step_.feeder->add_to(feed);
    feed.emplace("epoch", Tensor<float>(Shape{}, step_.epoch));
    feed.emplace("step", Tensor<float>(Shape{}, step_.number));
    talk_.say(first_not_finite(*step_.recording.tape, step_.recording.cost, feed,
                               {spec_.seed, step_number_, &pool_}));
  }

  // Measures every set, writes the line, keeps the best. Returns what to show.
  std::string monitor(std::int64_t epoch, Clock::time_point start) {
    JsonLine line;
    line.add("epoch", epoch).add("step", step_number_);
    std::string shown;
    latest_.clear();
    for (const auto& entry : monitors_) {
      const std::string& set = entry.first;
      const Measured measured = entry.second->measure(epoch, step_number_);
      const auto put = [&](const std::string& name, double value) {
        latest_.emplace_back(cat(set, '/', name), value);
        line.add(latest_.back().first, value);
      };
      put("cost", measured.cost);
      for (std::size_t i = 0; i < spec_.cost.size(); ++i) {
        put(spec_.cost[i].name, measured.terms[i]);
        put(spec_.cost[i].name + "/weighted", spec_.cost[i].weight * measured.terms[i]);
      }
      for (std::size_t i = 0; i < spec_.monitors.size(); ++i)
        put(spec_.monitors[i].first, measured.monitors[i]);
      shown += cat(shown.empty() ? "" : ", ", set, " cost ", measured.cost);
      // The last set decides: valid where there is one.
      latest_cost_ = measured.cost;
    }
    line.add("seconds", seconds_since(start));
    folder_->append_metrics(line.text());
    history_.push_back(latest_);
    if (std::isfinite(latest_cost_) && latest_cost_ < best_cost_) {
      best_cost_ = latest_cost_;
      best_epoch_ = epoch;
      save("best", epoch);
    }
    return shown;
  }

  void save(const char* name, std::int64_t epoch) {
    folder_->write(cat("checkpoints/", name, ".safetensors"),
                   values_.checkpoint(epoch, step_number_));
  }

  std::vector<std::filesystem::path> draw() {
    RunPictures pictures{spec_, inputs_, data_, values_, pool_, *folder_, problems_.document()};
    std::vector<std::filesystem::path> drawn = pictures.draw();
    pictures.draw_curves(history_);
    return drawn;
  }

  void write_summary() const {
    nlohmann::ordered_json summary{{"name", spec_.name},
                                   {"seed", spec_.seed},
                                   {"epochs", static_cast<std::int64_t>(history_.size()) - 1},
                                   {"steps", step_number_},
                                   {"best_epoch", best_epoch_}};
    for (const auto& [name, value] : latest_) {
      if (std::isfinite(value))
        summary[name] = value;
      else
        summary[name] = nullptr;
    }
    folder_->write("summary.json", summary.dump(2) + "\n");
  }

  const Spec& spec_;
  Problems& problems_;
  const TrainSpec& train_;
  const RunOptions& options_;
  Talk& talk_;
  ThreadPool pool_;
  std::map<std::string, Shape> inputs_;
  Splits data_;
  Values values_;
  Step step_;
  std::vector<std::pair<std::string, std::unique_ptr<Monitor>>> monitors_;
  RunFolder* folder_ = nullptr;
  std::uint64_t step_number_ = 0;
  bool told_of_care_ = false;
  std::vector<std::pair<std::string, double>> latest_;
  std::vector<std::vector<std::pair<std::string, double>>> history_;  // one entry per epoch
  double latest_cost_ = 0, best_cost_ = std::numeric_limits<double>::infinity();
  std::int64_t best_epoch_ = 0;
};

}  // namespace

RunResult run(const Spec& spec, const RunOptions& options, Problems& problems, Talk& talk) {
  return Training(spec, options, problems, talk).run();
}

}  // namespace jacquard::experiments
