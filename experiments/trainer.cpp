#include "experiments/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autodiff/error.hpp"
#include "autodiff/print.hpp"
#include "autodiff/products.hpp"
#include "experiments/checkpoints.hpp"
#include "experiments/content_hash.hpp"
#include "experiments/data/preparation.hpp"
#include "experiments/data_spec.hpp"
#include "experiments/divergence.hpp"
#include "experiments/evaluations/evaluations.hpp"
#include "experiments/failure.hpp"
#include "experiments/first_values.hpp"
#include "experiments/interrupt.hpp"
#include "experiments/json_dump.hpp"
#include "experiments/manifest.hpp"
#include "experiments/progress.hpp"
#include "experiments/run_folder.hpp"
#include "experiments/run_metrics.hpp"
#include "experiments/run_pictures.hpp"
#include "experiments/stage_training.hpp"
#include "experiments/stages.hpp"

namespace jacquard::experiments {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Training {
 public:
  Training(const Spec& spec, const RunOptions& options, Problems& problems, Talk& talk)
      : spec_(spec), problems_(problems), options_(options), talk_(talk), pool_(options.threads) {
    // The texts of all stages are checked before any data is read: mistakes are answered at once.
    check_sections();
    for (std::size_t i = 0; i < stage_count(spec); ++i) {
      stages_.push_back(stage_of(spec, i, problems));
      problems.throw_if_any();
    }
    check_stages(stages_, problems);
    problems.throw_if_any();
    final_stage_ = last_stage(spec, problems);
    check_evaluations(final_stage_, problems);
    problems.throw_if_any();
    for (const Spec& stage : stages_) read_data(*stage.data);
    for (std::size_t i = 0; i < stages_.size(); ++i)
      check_stage_data(stages_[i], data(i), problems);
    check_evaluation_data(final_stage_, data(stages_.size() - 1), problems);
    problems.throw_if_any();
    add_first_values(spec_, values_);
  }

  RunResult run() {
    RunFolder folder = make_folder();
    path_ = folder.path();
    folder_ = &folder;
    talk_.log_to([&folder](std::string_view text) { folder.append_log(text); });
    talk_.say(cat("run folder ", folder.path().string()));
    return train_to_the_end();
  }

  RunResult resume(const std::filesystem::path& path) {
    RunFolder folder = RunFolder::open(path);
    path_ = path;
    folder_ = &folder;
    restore(std::numeric_limits<std::uint64_t>::max());
    folder.keep_lines(state_.metrics_lines, state_.log_lines);
    metrics_.read(path / "metrics.jsonl");
    // The log is to be that of a run that was never interrupted.
    const bool anew = !restored_;
    if (!anew) {
      talk_.log_to([](std::string_view) {});  // what was said so far is in it already
      talk_.aside(cat("going on with ", path.string(), " after step ", state_.step));
    } else {
      talk_.aside(cat("going on with ", path.string(), " from its beginning"));
    }
    talk_.log_to([&folder](std::string_view text) { folder.append_log(text); });
    if (anew) talk_.say(cat("run folder ", path.string()));
    folder.set_status(RunStatus::kRunning);
    return train_to_the_end();
  }

  std::string replay(const std::filesystem::path& path, std::uint64_t step) {
    path_ = path;
    restore(step);
    replayed_ = step;
    train();
    if (!report_) throw SpecError(cat("--step ", step, ": the run ended after step ", state_.step));
    return *report_;
  }

 private:
  // ---------------------------------------------------------------- before the first step
  void check_sections() {
    if (!spec_.train && spec_.stages.empty())
      problems_.add("", "there is no \"train\" section", "run needs one, or \"stages\"");
    for (std::size_t i = 0; i < stage_count(spec_); ++i)
      if (!spec_.data && (spec_.stages.empty() || !spec_.stages[i].data)) {
        problems_.add("", "there is no \"data\" section", "run needs one");
        break;
      }
    problems_.throw_if_any();
  }

  void read_data(const DataSpec& data) {
    const std::string key = data_json(data).dump();
    data_of_.push_back(key);
    if (data_.contains(key)) return;
    talk_.say(cat("reading ", data.set));
    data_.emplace(key, load_data(data, spec_.seed));
  }
  Splits& data(std::size_t stage) { return data_.at(data_of_.at(stage)); }

  RunFolder make_folder() {
    const std::string config = dump_strict(spec_json(spec_)) + "\n";
    ManifestInput about;
    about.arguments = options_.arguments;
    about.seed = static_cast<std::int64_t>(spec_.seed);
    about.threads = options_.threads;
    for (const auto& entry : data_)
      for (const auto& [name, set] :
           {std::pair("train", &entry.second.train), std::pair("valid", &entry.second.valid),
            std::pair("test", &entry.second.test)})
        about.data[set->name + "/" + name] = data_hash(*set);
    about.libraries = {{"products", gemm_library_description()}};
    about.start = std::chrono::system_clock::now();
    NewRun run;
    run.name = spec_.name;
    run.hash = hash_text(content_hash(config));
    run.out = options_.out;
    run.files = {{"spec.json", options_.spec_text},
                 {"config.json", config},
                 {"manifest.json", manifest(about).dump(2) + "\n"}};
    for (std::size_t i = 0; i < stages_.size(); ++i)
      if (const auto& preparation = data(i).preparation; preparation && data_of_[i] != data_of_[0])
        run.files[cat("preparation-", spec_.stages[i].name, ".safetensors")] =
            safetensors_bytes(preparation->saved());
      else if (preparation)
        run.files["preparation.safetensors"] = safetensors_bytes(preparation->saved());
    return RunFolder::create(run);
  }

  // ---------------------------------------------------------------- checkpoints
  // The best of a stage that is not the last one keeps the stage's name.
  std::string best_file() const {
    const auto at = static_cast<std::size_t>(state_.stage);
    if (at + 1 == stages_.size()) return checkpoint_file("best");
    return checkpoint_file("best-" + spec_.stages[at].name);
  }

  std::string checkpoint(const std::vector<SavedTensor>& beside_values) {
    state_.metrics_lines = metrics_.lines();
    state_.log_lines = folder_ ? folder_->log_lines() : 0;
    return checkpoint_bytes(values_, beside_values, state_);
  }
  void save_last() {
    if (folder_)
      folder_->write(checkpoint_file("last"),
                     checkpoint(stage_ ? stage_->saved() : std::vector<SavedTensor>{}));
  }
  // Without the memory of a minimizer: many times the parameters, and every epoch is its best one.
  void save_best() {
    if (folder_) folder_->write(best_file(), checkpoint({}));
  }

  void restore(std::uint64_t before_step) {
    auto found = newest_checkpoint(path_, before_step, stages_, talk_);
    if (!found) return;
    state_ = found->state;
    for (const SavedTensor& saved : found->file.tensors) {
      if (saved.name.starts_with("minimizer/")) continue;
      if (values_.contains(saved.name))
        values_.set(saved.name, tensor<float>(found->file, saved.name));
      else
        values_.add(saved.name, tensor<float>(found->file, saved.name));
    }
    restored_ = std::move(found->file);
  }

  // ---------------------------------------------------------------- training
  RunResult train_to_the_end() {
    int exit_code = kExitFailure;
    try {
      exit_code = train();
    } catch (...) {
      folder_->set_status(RunStatus::kFailed, kExitFailure);
      talk_.log_to({});
      throw;
    }
    RunResult result{folder_->path(), {}, exit_code};
    if (exit_code == kExitFine) {
      result.pictures = draw();
      if (!make_evaluations(result.pictures)) result.exit_code = kExitFailure;
    }
    write_summary();
    const RunStatus status = exit_code == kExitFine       ? RunStatus::kCompleted
                             : exit_code == kExitDiverged ? RunStatus::kDiverged
                                                          : RunStatus::kInterrupted;
    folder_->set_status(status, exit_code);
    talk_.log_to({});
    return result;
  }

  int train() {
    // A replay has nothing to save: a signal ends it as it ends any program.
    if (folder_) interrupt_.emplace();
    start_ = Clock::now();
    for (;;) {
      begin_stage();
      if (const int code = train_stage(); code != kExitFine) return code;
      if (state_.stage + 1 == static_cast<std::int64_t>(stages_.size())) return kExitFine;
      end_stage();
    }
  }

  void begin_stage() {
    const auto at = static_cast<std::size_t>(state_.stage);
    stage_.emplace(StageContext{spec_, stages_[at], at, data(at), values_, pool_, problems_});
    if (!state_.begun) stage_->set_first_state(state_);
    stage_->restore(state_, restored_ && state_.begun ? &*restored_ : nullptr);
    restored_.reset();
    if (!state_.begun) announce();
  }

  // The next stage has the parameters and the model's state, and nothing else.
  void end_stage() {
    values_.keep_only(carried_names(spec_));
    TrainingState next;
    next.stage = state_.stage + 1;
    next.step = state_.step;
    next.careful_steps = state_.careful_steps;
    next.told_of_care = state_.told_of_care;
    state_ = next;
    stage_.reset();
    save_last();
  }

  const TrainSpec& train_spec() const { return stage_->train(); }

  void announce() {
    const PlanStatistics s = stage_->step().statistics();
    talk_.say(cat(stage_prefix(spec_, static_cast<std::size_t>(state_.stage)), "training ",
                  spec_.name, ": ", stage_->examples(), " examples, ", train_spec().epochs,
                  train_spec().epochs == 1 ? " epoch of " : " epochs of ",
                  stage_->step().per_epoch(), " steps, ", with_prefix(s.flops, "FLOP"), " a step, ",
                  with_prefix(static_cast<double>(s.arena_bytes), "B"), " of memory, ",
                  options_.threads, options_.threads == 1 ? " thread" : " threads"));
  }

  int train_stage() {
    Progress progress(talk_);
    progress.begin(train_spec().epochs, stage_->step().per_epoch(), state_.epoch);
    if (!state_.begun) {
      state_.begun = true;
      const StageLook seen = look();
      if (train_spec().epochs == 0) progress.epoch_done(seen.shown);
      if (seen.is_best) save_best();
      save_last();
    }
    while (!state_.ended) {
      if (state_.batch == 0 && out_of_time()) {
        progress.finish();
        talk_.say(cat("the time of ", number_text(*train_spec().seconds), " s is over after epoch ",
                      state_.epoch));
        state_.ended = true;
        save_last();
        break;
      }
      if (const int code = train_epoch(progress); code != kExitFine) return code;
    }
    progress.finish();
    if (train_spec().best.restore) restore_best();
    return kExitFine;
  }

  // From wherever the epoch stands to its end.
  int train_epoch(Progress& progress) {
    TrainingStep& step = stage_->step();
    while (state_.batch < step.per_epoch()) {
      if (replayed_ && state_.step + 1 == *replayed_) {
        progress.finish();
        step.prepare(state_);
        report_ = cat("step ", *replayed_, ": epoch ", state_.epoch + 1, ", batch ",
                      state_.batch + 1, " of ", step.per_epoch(), "\n",
                      step_report(stages_[static_cast<std::size_t>(state_.stage)], step.recording(),
                                  step.feed(), context()));
        return kExitRequeue;
      }
      if (!step.make(state_)) {
        progress.finish();
        return report_divergence();
      }
      ++state_.step;
      ++state_.stage_step;
      ++state_.batch;
      ++steps_made_;
      progress.step(state_.epoch + 1, state_.batch, step.cost());
      if (folder_) folder_->heartbeat();
      int code = interrupt_ ? interrupt_->exit_code() : kExitFine;
      if (code == kExitFine && options_.stop_after && steps_made_ >= *options_.stop_after)
        code = kExitRequeue;
      if (code != kExitFine) {
        progress.finish();
        save_last();
        talk_.aside(cat("stopped after step ", state_.step, "; go on with: jacquard resume ",
                        path_.string()));
        return code;
      }
    }
    ++state_.epoch;
    state_.batch = 0;
    tell_of_care();
    if (const std::string name = not_finite(); !name.empty()) {
      progress.finish();
      return report_not_finite(name);
    }
    const StageLook seen = look();
    progress.epoch_done(seen.shown);
    if (!seen.why_ended.empty())
      talk_.say(cat("ended after epoch ", state_.epoch, ": ", seen.why_ended));
    if (seen.is_best) save_best();
    if (state_.ended || state_.epoch % train_spec().save_freq == 0) save_last();
    return kExitFine;
  }

  // Measures every set, writes the line, and lets what is measured change the rate and end the
  // stage.
  StageLook look() {
    // The rate of the step just made, before the monitors change it.
    const std::optional<double> rate = stage_->rate(state_);
    StageLook seen = stage_->look(state_);
    metrics_.add(stage_name(), state_, seen.metrics, rate,
                 earlier_seconds() + seconds_since(start_));
    if (folder_) folder_->append_metrics(metrics_.last_line());
    return seen;
  }

  std::string stage_name() const {
    return spec_.stages.empty() ? "" : spec_.stages[static_cast<std::size_t>(state_.stage)].name;
  }

  bool out_of_time() const {
    return train_spec().seconds &&
           earlier_seconds() + seconds_since(start_) >= *train_spec().seconds;
  }
  // What the run took before it was resumed, as far as its metrics tell.
  double earlier_seconds() const { return metrics_.seconds_read(); }

  // The parameters of the best epoch are those that the stage ends with. A replay takes them from
  // the run as well, which has had its best epoch.
  void restore_best() {
    if (std::isnan(state_.best)) return;  // no epoch was measured to be finite
    const SafeTensors best = read_safetensors<Error>(path_ / best_file());
    for (const std::string& name : carried_names(spec_))
      values_.set(name, tensor<float>(best, name));
    talk_.say(cat("the parameters are those of epoch ", state_.best_epoch, ", the best one"));
  }

  // Once: it means that the training is slower than it looks, and right.
  void tell_of_care() {
    if (state_.careful_steps == 0 || state_.told_of_care) return;
    state_.told_of_care = true;
    talk_.say(cat("terms of the cost nearly cancelled in ", state_.careful_steps, " of ",
                  state_.step, " steps up to epoch ", state_.epoch,
                  "; such steps are made in a form that keeps the digits, and takes longer"));
  }

  RunContext context() { return {spec_.seed, state_.step, &pool_}; }

  // The first parameter or state that is not finite; empty where there is none.
  std::string not_finite() const {
    for (const auto& [name, value] : values_.all())
      if (!std::ranges::all_of(value.data, [](float v) { return std::isfinite(v); })) return name;
    return "";
  }

  // A finite cost whose gradient was not: the step that wrote it is behind us, and can be replayed.
  int report_not_finite(const std::string& name) {
    talk_.error(cat("'", name, "' is not finite after step ", state_.step, " (epoch ",
                    state_.epoch + (state_.batch > 0 ? 1 : 0),
                    "): a gradient of an earlier step "
                    "was not; the checkpoints are of before"));
    talk_.say(cat("to see where: jacquard replay ", path_.string(), " --step ", state_.step));
    return kExitDiverged;
  }

  int report_divergence() {
    if (const std::string name = not_finite(); !name.empty()) return report_not_finite(name);
    talk_.error(cat("the cost is not finite in epoch ", state_.epoch + 1, ", batch ",
                    state_.batch + 1, "; the step was not made"));
    const TrainingStep& step = stage_->step();
    const std::string found =
        first_not_finite(*step.recording().tape, {step.recording().cost}, step.feed(), context());
    talk_.say(found.empty() ? "run again node by node, the step is finite: the plan overflowed"
                            : found);
    talk_.say(
        cat("to see it again: jacquard replay ", path_.string(), " --step ", state_.step + 1));
    return kExitDiverged;
  }

  // ---------------------------------------------------------------- results
  std::vector<std::filesystem::path> draw() {
    RunPictures pictures{stages_.back(), stage_->inputs(), stage_->data(),      values_,
                         pool_,          *folder_,         problems_.document()};
    std::vector<std::filesystem::path> drawn = pictures.draw();
    pictures.draw_curves(metrics_.of_stage(stage_name()));
    return drawn;
  }

  // Those that cannot be made are named; the run is complete without them.
  bool make_evaluations(std::vector<std::filesystem::path>& pictures) {
    std::vector<Evaluated> made;
    try {
      made = evaluate(final_stage_, data(stages_.size() - 1), "", state_.epoch, values_, pool_,
                      problems_);
    } catch (const Error& error) {
      talk_.error(error.what());
      return false;
    }
    for (const Evaluated& each : made) {
      talk_.say(told(each));
      if (each.picture.empty()) continue;
      const std::string file = cat("artifacts/", each.name, ".svg");
      folder_->write(file, each.picture);
      pictures.push_back(folder_->path() / file);
    }
    evaluated_ = metrics_of(made);
    return true;
  }

  void write_summary() const {
    nlohmann::ordered_json summary{{"name", spec_.name},
                                   {"seed", spec_.seed},
                                   {"epochs", state_.epoch},
                                   {"steps", state_.step},
                                   {"best_epoch", state_.best_epoch}};
    const auto put = [&](const char* group, const Metrics& metrics) {
      for (const auto& [name, value] : metrics) summary[group][name] = finite_or_null(value);
    };
    put("last", metrics_.last());
    const std::vector<Metrics> epochs = metrics_.of_stage(stage_name());
    if (const auto best = static_cast<std::size_t>(state_.best_epoch); best < epochs.size())
      put("best", epochs[best]);
    put("evaluations", evaluated_);
    folder_->write("summary.json", summary.dump(2) + "\n");
  }

  const Spec& spec_;
  Problems& problems_;
  const RunOptions& options_;
  Talk& talk_;
  ThreadPool pool_;
  std::vector<Spec> stages_;
  Spec final_stage_;                    // the last one with nothing cached
  std::map<std::string, Splits> data_;  // by the text of its section
  std::vector<std::string> data_of_;    // by stage
  Values values_;
  TrainingState state_;
  std::optional<SafeTensors> restored_;  // what the first stage of a resumed run goes on with
  std::optional<StageTraining> stage_;
  std::filesystem::path path_;   // of the run's folder
  RunFolder* folder_ = nullptr;  // for writing; null in a replay
  std::optional<Interrupt> interrupt_;
  RunMetrics metrics_;
  Metrics evaluated_;
  Clock::time_point start_;
  std::uint64_t steps_made_ = 0;           // by this call
  std::optional<std::uint64_t> replayed_;  // the step that is only to be looked at
  std::optional<std::string> report_;      // what was seen there
};

}  // namespace

std::string replay(const std::filesystem::path& folder, std::uint64_t step, const Spec& spec,
                   const RunOptions& options, Problems& problems, Talk& talk) {
  return Training(spec, options, problems, talk).replay(folder, step);
}

RunResult run(const Spec& spec, const RunOptions& options, Problems& problems, Talk& talk) {
  return Training(spec, options, problems, talk).run();
}

RunResult resume(const std::filesystem::path& folder, const Spec& spec, const RunOptions& options,
                 Problems& problems, Talk& talk) {
  if (const auto status = RunFolder::status_of(folder);
      status == RunStatus::kCompleted || status == RunStatus::kDiverged) {
    const bool fine = status == RunStatus::kCompleted;
    talk.say(cat(
        "the run in ", folder.string(),
        fine ? " is complete; there is nothing to do" : " diverged; going on would do the same"));
    return {folder, {}, fine ? kExitFine : kExitDiverged};
  }
  return Training(spec, options, problems, talk).resume(folder);
}

}  // namespace jacquard::experiments
