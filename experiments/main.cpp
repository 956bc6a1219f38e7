// The program `jacquard`: reads the command line and calls a command (commands.hpp).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <functional>
#include <iostream>
#include <sstream>
#include <thread>

#include "experiments/commands.hpp"
#include "experiments/failure.hpp"
#include "experiments/source_text.hpp"
#include "experiments/usage.hpp"

namespace jacquard::experiments {
namespace {

constexpr const char* kSpecHelp = "A spec: JSON, comments allowed";
constexpr const char* kOverrideHelp =
    "Set fields of the spec, as in train.epochs=5 or memory_limit_gb=2";

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

int all_cores() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1,
                    ThreadPool::kMaxThreads);
}

// A whole number in a range; says so itself, for CLI11's words are about types.
CLI::Validator whole_number(std::int64_t low, std::int64_t high) {
  return CLI::Validator(
      [low, high](std::string& text) { return not_whole_number(text, low, high); }, "");
}

CLI::Validator one_of_words(const std::vector<std::string>& words) {
  return CLI::Validator([words](std::string& text) { return not_one_of(text, words); }, "");
}

// "Usage: ..." of each command as a person would write it.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string) const override {
    const auto found = usages.find(app);
    return found == usages.end() ? "" : "Usage: jacquard " + found->second + "\n";
  }
  std::map<const CLI::App*, std::string> usages;
};

class CommandLine {
 public:
  using Command = std::function<int(std::ostream& out, Talk& talk)>;

  explicit CommandLine(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {
    app_.formatter(formatter_);
    formatter_->column_width(28);
    formatter_->usages[&app_] = "COMMAND [options]";
    app_.footer(
        "Each command has its own --help. Example:\n"
        "  jacquard run experiments/specs/quickstart.json train.epochs=1");
    app_.require_subcommand(0, 1);  // a folder may be named as a command is
    add_run();
    add_resume();
    add_replay();
    add_eval();
    add_compute(encode_, "encode", "Write the codes of a run's data", "--what h");
    add_compute(reconstruct_, "reconstruct", "Write the reconstructions of a run's data", "");
    add_sample();
    add_check();
    add_show();
    add_gradients();
    add_data();
    add_schema_and_version();
  }

  // What the arguments ask for; help is a command that prints it. Throws UsageError.
  Command parse();
  // Whether mistakes are to be told as JSON too; known also when the arguments are wrong.
  bool json() const { return std::ranges::find(arguments_, "--json") != arguments_.end(); }

 private:
  CLI::App* add(const std::string& name, const std::string& what, const std::string& usage,
                const std::string& example, Command command);
  void add_spec(CLI::App* app, SpecChoice& spec);
  void add_json(CLI::App* app, bool& json) {
    app->add_flag("--json", json, "Print JSON, also for mistakes");
  }
  void add_threads(CLI::App* app, int& threads) {
    app->add_option("--threads", threads, "Threads to use; default: all cores")
        ->type_name("N")
        ->check(whole_number(1, ThreadPool::kMaxThreads));
  }

  void add_run();
  void add_resume();
  void add_replay();
  void add_eval();
  void add_compute(ComputeCommand& command, const char* name, const char* what, const char* more);
  void add_sample();
  void add_folder(CLI::App* app, std::filesystem::path& folder);
  void add_stop_after(CLI::App* app, std::optional<std::uint64_t>& steps) {
    app->add_option("--stop-after", steps, "Stop after so many steps, to be resumed: exit code 75")
        ->type_name("N")
        ->check(whole_number(1, kMost));
  }
  void add_set(CLI::App* app, std::string& set, std::string& checkpoint) {
    app->add_option("--set", set, "train, valid or test; default test")
        ->type_name("PART")
        ->check(one_of_words(split_names()));
    app->add_option("--checkpoint", checkpoint,
                    "best, last, another one of the run, or a file; default best")
        ->type_name("NAME");
  }
  void add_check();
  void add_show();
  void add_gradients();
  void add_data();
  void add_schema_and_version();

  Command chosen() const;
  void check_first_argument() const;
  void refuse_rest(const CLI::App& app) const;
  const CLI::App& deepest() const;

  std::vector<std::string> arguments_;  // without the program's name
  CLI::App app_{"Jacquard: write the cost of a model, check its gradients, train with it.", ""};
  std::shared_ptr<HelpFormatter> formatter_ = std::make_shared<HelpFormatter>();
  std::map<const CLI::App*, Command> commands_;
  std::map<const CLI::App*, const SpecChoice*> specs_;

  std::map<const CLI::App*, const std::filesystem::path*> folders_;
  RunCommand run_;
  ResumeCommand resume_;
  ReplayCommand replay_;
  EvalCommand eval_;
  ComputeCommand encode_, reconstruct_;
  SampleCommand sample_;
  CheckCommand check_;
  ShowCommand show_;
  bool expand_ = false, tape_ = false, plan_ = false, cost_ = false, dot_ = false;
  bool functions_ = false, markdown_ = false;
  GradientsCommand gradients_;
  std::string precision_ = "f64";
  std::uint64_t draw_seed_ = 0;
  std::string set_;
  bool list_json_ = false, version_json_ = false;
};

CLI::App* CommandLine::add(const std::string& name, const std::string& what,
                           const std::string& usage, const std::string& example, Command command) {
  CLI::App* app = app_.add_subcommand(name, what);
  app->formatter(formatter_);
  app->footer("Example:\n  jacquard " + example);
  app->allow_extras();  // refused by refuse_rest(), with a "did you mean"
  formatter_->usages[app] = usage;
  commands_[app] = std::move(command);
  return app;
}

void CommandLine::add_spec(CLI::App* app, SpecChoice& spec) {
  app->add_option("SPEC", spec.path, kSpecHelp)->type_name("");
  app->add_option("OVERRIDES", spec.overrides, kOverrideHelp)->type_name("path=value");
  specs_[app] = &spec;
}

void CommandLine::add_run() {
  CLI::App* app = add("run", "Train what a spec describes and write a run folder",
                      "run SPEC [path=value ...] [--out DIR] [--threads N]",
                      "run experiments/specs/quickstart.json train.epochs=2 data.limit=6000",
                      [this](std::ostream& out, Talk& talk) {
                        run_.arguments = arguments_;
                        run_.arguments.insert(run_.arguments.begin(), "jacquard");
                        return run_command(run_, out, talk);
                      });
  add_spec(app, run_.spec);
  app->add_option("--out", run_.out, "The run folder itself; default: runs/<name>/<time>-<hash>")
      ->type_name("DIR");
  run_.threads = all_cores();
  add_threads(app, run_.threads);
  add_stop_after(app, run_.stop_after);
  app->add_option("--seeds", run_.seeds,
                  "A run with each seed, and their mean and spread: 1..5, or 1,4,9")
      ->type_name("SEEDS");
}

void CommandLine::add_folder(CLI::App* app, std::filesystem::path& folder) {
  app->add_option("RUN", folder, "The folder of a run, such as runs/NAME/latest")->type_name("");
  folders_[app] = &folder;
}

void CommandLine::add_resume() {
  CLI::App* app = add("resume", "Go on with a run that was interrupted", "resume RUN [--threads N]",
                      "resume runs/quickstart/latest", [this](std::ostream& out, Talk& talk) {
                        return resume_command(resume_, out, talk);
                      });
  add_folder(app, resume_.folder);
  resume_.threads = all_cores();
  add_threads(app, resume_.threads);
  add_stop_after(app, resume_.stop_after);
}

void CommandLine::add_replay() {
  CLI::App* app = add("replay", "Make one step of a run again and say what it computed",
                      "replay RUN --step K [--threads N]", "replay runs/quickstart/latest --step 7",
                      [this](std::ostream& out, Talk& talk) {
                        if (replay_.step == 0)
                          throw UsageError("replay: --step is missing; the first step is 1");
                        return replay_command(replay_, out, talk);
                      });
  add_folder(app, replay_.folder);
  app->add_option("--step", replay_.step, "The step, counted from 1 over the whole run")
      ->type_name("K")
      ->check(whole_number(1, kMost));
  replay_.threads = all_cores();
  add_threads(app, replay_.threads);
}

void CommandLine::add_eval() {
  CLI::App* app =
      add("eval", "Measure a run's checkpoint on a part of its data",
          "eval RUN [--set PART] [--checkpoint NAME] [--json]",
          "eval runs/quickstart/latest --set test",
          [this](std::ostream& out, Talk& talk) { return eval_command(eval_, out, talk); });
  add_folder(app, eval_.folder);
  add_set(app, eval_.set, eval_.checkpoint);
  eval_.threads = all_cores();
  add_threads(app, eval_.threads);
  add_json(app, eval_.json);
}

void CommandLine::add_compute(ComputeCommand& command, const char* name, const char* what,
                              const char* more) {
  CLI::App* app = add(
      name, what, cat(name, " RUN --out FILE.npz [--set PART] [--checkpoint NAME] [--what TEXT]"),
      cat(name, " runs/quickstart/latest --out ", name, "d.npz ", more),
      [&command](std::ostream& out, Talk& talk) { return compute_command(command, out, talk); });
  command.reconstruct = &command == &reconstruct_;
  add_folder(app, command.folder);
  app->add_option("--out", command.out, "Where to write the array, and the labels if there are any")
      ->type_name("FILE");
  app->add_option("--what", command.what,
                  command.reconstruct
                      ? "An expression of the model; default: pictures.reconstruction, else y"
                      : "An expression of the model; default h")
      ->type_name("TEXT");
  add_set(app, command.set, command.checkpoint);
  command.threads = all_cores();
  add_threads(app, command.threads);
}

void CommandLine::add_sample() {
  CLI::App* app =
      add("sample", "Write samples of a run's model",
          "sample RUN --out FILE.npz [--what TEXT] [--updates N] [--seed S] [--checkpoint NAME]",
          "sample runs/rbm-persistent/latest --out samples.npz --updates 1000",
          [this](std::ostream& out, Talk& talk) { return sample_command(sample_, out, talk); });
  add_folder(app, sample_.folder);
  app->add_option("--out", sample_.out, "Where to write the array; a picture goes beside it")
      ->type_name("FILE");
  app->add_option("--what", sample_.what,
                  "An expression of the model; default: the definition samples, else the first "
                  "state")
      ->type_name("TEXT");
  app->add_option("--updates", sample_.updates, "How often the state is updated before; default 0")
      ->type_name("N")
      ->check(whole_number(0, kMost));
  app->add_option("--seed", sample_.seed, "Of what is drawn; default: the spec's")
      ->type_name("S")
      ->check(whole_number(0, kMost));
  app->add_option("--checkpoint", sample_.checkpoint,
                  "best, last, another one of the run, or a file; default best")
      ->type_name("NAME");
  sample_.threads = all_cores();
  add_threads(app, sample_.threads);
}

void CommandLine::add_check() {
  CLI::App* app = add("check", "Compare the gradients of a cost with numeric ones",
                      "check SPEC [path=value ...] [options]",
                      "check experiments/specs/quickstart.json --order 2",
                      [this](std::ostream& out, Talk& talk) {
                        return jacquard::experiments::check_command(check_, out, talk);
                      });
  add_spec(app, check_.spec);
  app->add_option("--order", check_.order, "1: gradients; 2: second derivatives too; default 1")
      ->type_name("N")
      ->check(whole_number(1, 2));
  app->add_option("--examples", check_.examples, "Examples to compute with; default 2")
      ->type_name("N")
      ->check(whole_number(1, 10000));
  app->add_option("--directions", check_.directions,
                  "Random directions for each parameter; default 2")
      ->type_name("N")
      ->check(whole_number(1, 1000));
  app->add_option("--seed", check_.seed, "Of noise, directions and draws; default 1")
      ->type_name("N")
      ->check(whole_number(0, kMost));
  check_.threads = all_cores();
  add_threads(app, check_.threads);
  add_json(app, check_.json);
}

void CommandLine::add_show() {
  CLI::App* app =
      add("show", "Print what a spec says: shapes, formulas, tape, plan",
          "show SPEC [path=value ...] [--expand|--tape|--plan|--cost|--dot] [--json]\n"
          "       jacquard show --functions [--markdown|--json]",
          "show experiments/specs/quickstart.json --cost", [this](std::ostream& out, Talk& talk) {
            if (functions_) return show_functions_command(markdown_, show_.json, out);
            return show_command(show_, out, talk);
          });
  add_spec(app, show_.spec);
  app->add_flag("--expand", expand_, "The spec with every default and short form written out");
  app->add_flag("--tape", tape_, "Every operation of the cost and its gradients");
  app->add_flag("--plan", plan_, "What a training step executes");
  app->add_flag("--cost", cost_, "The cost as a formula, and its work");
  app->add_flag("--dot", dot_, "The tape as a graph for Graphviz's dot");
  app->add_flag("--functions", functions_, "The functions of the cost language");
  app->add_flag("--markdown", markdown_, "With --functions: as a document");
  add_json(app, show_.json);
}

void CommandLine::add_gradients() {
  CLI::App* app = add(
      "gradients", "Evaluate a cost and its gradients at given values",
      "gradients SPEC [path=value ...] --params P.npz --data D.npz --out R.npz [options]",
      "gradients spec.json --params P.npz --data D.npz --out R.npz --precision f64",
      [this](std::ostream& out, Talk& talk) { return gradients_command(gradients_, out, talk); });
  add_spec(app, gradients_.spec);
  app->add_option("--params", gradients_.parameters, "An array for each parameter, by its name")
      ->type_name("P.npz");
  app->add_option("--data", gradients_.data,
                  "An array for each input (x, labels, ...); the first axis is the batch")
      ->type_name("D.npz");
  app->add_option("--out", gradients_.out,
                  "Where to write cost, terms/<name>, grad/<parameter>, monitor/<name>")
      ->type_name("R.npz");
  app->add_option("--precision", precision_, "f32 or f64; default f64")->type_name("f32|f64");
  app->add_option("--step", gradients_.step, "The step: of draws, and the name 'step'; default 0")
      ->type_name("N")
      ->check(whole_number(0, kMost));
  app->add_option("--epoch", gradients_.epoch, "The name 'epoch' of the cost; default 1")
      ->type_name("N")
      ->check(whole_number(0, kMost));
  app->add_option("--seed", draw_seed_, "Of draws; default: the spec's")
      ->type_name("N")
      ->check(whole_number(0, kMost));
  gradients_.threads = all_cores();
  add_threads(app, gradients_.threads);
}

void CommandLine::add_data() {
  CLI::App* data =
      add("data", "List data sets, or fetch one", "data list|get", "data get mnist", {});
  CLI::App* list = data->add_subcommand("list", "Say which data sets there are, and where");
  list->formatter(formatter_);
  list->footer("Example:\n  jacquard data list");
  list->allow_extras();
  formatter_->usages[list] = "data list [--json]";
  add_json(list, list_json_);
  commands_[list] = [this](std::ostream& out, Talk&) { return data_list_command(list_json_, out); };
  CLI::App* get = data->add_subcommand("get", "Fetch a data set by its package and verify it");
  get->formatter(formatter_);
  get->footer("Example:\n  jacquard data get fashion_mnist");
  get->allow_extras();
  get->add_option("NAME", set_, "A name that `jacquard data list` shows")->type_name("");
  formatter_->usages[get] = "data get NAME";
  commands_[get] = [this](std::ostream&, Talk& talk) {
    if (set_.empty()) throw UsageError("data get: NAME is missing; jacquard data list shows them");
    return data_get_command(set_, talk);
  };
}

void CommandLine::add_schema_and_version() {
  add("schema", "Print the JSON schema of specs, for editors", "schema",
      "schema > spec.schema.json", [](std::ostream& out, Talk&) { return schema_command(out); });
  CLI::App* app = add("version", "Print the version, the compiler and the libraries",
                      "version [--json]", "version --json", [this](std::ostream& out, Talk&) {
                        return version_command(version_json_, out);
                      });
  add_json(app, version_json_);
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

// What CLI11 would tell in its own way.
void CommandLine::check_first_argument() const {
  const std::vector<std::string> names = command_names(app_);
  if (arguments_.empty())
    throw UsageError(
        cat("a command is missing; there are: ", joined(names), " (jacquard --help tells more)"));
  const std::string& first = arguments_[0];
  if (first == "-h" || first == "--help") return;
  if (first.starts_with('-'))
    throw UsageError(cat("option ", in_quotes(first), " stands where the command belongs; options ",
                         "come behind one of: ", joined(names)));
  check_command_word(first, names);
  if (first != "data") return;
  const CLI::App& data = *app_.get_subcommand("data");
  if (arguments_.size() == 1) throw UsageError("data: a command is missing; there are: list, get");
  if (!arguments_[1].starts_with('-')) check_command_word(arguments_[1], command_names(data));
}

const CLI::App& CommandLine::deepest() const {
  const CLI::App* app = &app_;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return *app;
}

// data get
std::string full_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr || parent->get_name().empty()
             ? app.get_name()
             : cat(parent->get_name(), ' ', app.get_name());
}

// Refuses options that are not known and words that are one too many.
void CommandLine::refuse_rest(const CLI::App& app) const {
  const std::vector<std::string> rest = app.remaining();
  if (rest.empty()) return;
  std::string word = rest.front();
  for (const std::string& each : rest)
    if (each.starts_with('-')) {
      word = each;
      break;
    }
  if (!word.starts_with('-'))
    throw UsageError(cat(full_name(app), ": there is one argument too many: ", in_quotes(word)));
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& each : option->get_lnames()) known.push_back("--" + each);
  throw unknown_option(full_name(app), word, known, specs_.contains(&app));
}

CommandLine::Command CommandLine::chosen() const {
  const CLI::App& app = deepest();
  refuse_rest(app);
  const auto spec = specs_.find(&app);
  if (const auto folder = folders_.find(&app); folder != folders_.end() && folder->second->empty())
    throw UsageError(
        cat(app.get_name(), ": RUN is missing; jacquard ", formatter_->usages.at(&app)));
  const bool needs_spec = spec != specs_.end() && !functions_;
  if (needs_spec && spec->second->path.empty())
    throw UsageError(cat(app.get_name(), ": SPEC is missing; jacquard ",
                         formatter_->usages.at(&app).substr(0, app.get_name().size()),
                         " SPEC [path=value ...]"));
  return commands_.at(&app);
}

CommandLine::Command CommandLine::parse() {
  if (!arguments_.empty() && arguments_[0] == "--version") arguments_[0] = "version";
  if (!arguments_.empty() && arguments_[0] == "help") {
    arguments_.erase(arguments_.begin());
    arguments_.push_back("--help");
  }
  check_first_argument();
  try {
    app_.parse(std::vector<std::string>(arguments_.rbegin(), arguments_.rend()));
  } catch (const CLI::CallForHelp&) {
    return [this](std::ostream& out, Talk&) {
      out << deepest().help();
      return kExitFine;
    };
  } catch (const CLI::ArgumentMismatch& error) {
    // "--threads: 1 required N missing" or "--threads: At Most 1 required but received 2".
    const std::string text = error.what();
    throw UsageError(cat(full_name(deepest()), ": option ", text.substr(0, text.find(':')),
                         text.find("received") == std::string::npos ? " needs a value"
                                                                    : " is there more than once"));
  } catch (const CLI::ParseError& error) {
    throw UsageError(cat(full_name(deepest()), ": ", error.what()));
  }
  Command command = chosen();
  const int aspects = expand_ + plan_ + cost_ + (tape_ || dot_) + functions_;
  if (aspects > 1)
    throw UsageError(
        "show: only one of --expand, --tape, --plan, --cost and --functions can be "
        "shown at a time");
  if (markdown_ && !functions_) throw UsageError("show: --markdown needs --functions");
  show_.aspect = expand_ ? Aspect::kExpanded
                 : dot_  ? Aspect::kGraph
                 : tape_ ? Aspect::kTape
                 : plan_ ? Aspect::kPlan
                 : cost_ ? Aspect::kCost
                         : Aspect::kSummary;
  if (std::ranges::find(precision_names(), precision_) == precision_names().end())
    throw UsageError(cat("gradients: --precision ", in_quotes(precision_), ": there are ",
                         precision_names()[0], " and ", precision_names()[1]));
  gradients_.precision = precision_of(precision_);
  if (const CLI::App* app = app_.get_subcommand("gradients"); app->count("--seed") > 0)
    gradients_.seed = draw_seed_;
  return command;
}

// Hands a command's whole result to standard output. That a reader such as `head` went away is no
// failure; that the disk is full is one.
int put(const std::string& text, int exit_code, Talk& talk) {
  errno = 0;
  std::cout << text << std::flush;
  if (std::cout || errno == EPIPE) return exit_code;
  talk.error(cat("standard output: ", std::generic_category().message(errno)));
  return exit_code == kExitFine ? kExitFailure : exit_code;
}

int program(std::vector<std::string> arguments) {
  // A reader that goes away must not end a training.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is told as a failed write
  Talk talk(std::cerr, standard_error_screen());
  std::ostringstream out;
  int exit_code = kExitFailure;
  bool json = false;
  try {
    CommandLine line(std::move(arguments));
    json = line.json();
    exit_code = line.parse()(out, talk);
  } catch (const std::exception& failure) {
    exit_code = report_failure(failure, json, out, talk);
  }
  return put(out.str(), exit_code, talk);
}

}  // namespace
}  // namespace jacquard::experiments

int main(int argc, char** argv) {
  return jacquard::experiments::program(std::vector<std::string>(argv + 1, argv + argc));
}
