// The program itself: exit codes, what goes to which stream, and mistakes of all kinds on the
// command line and in specs.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "autodiff/error.hpp"
#include "tests/experiments/program_run.hpp"

namespace jacquard::experiments {
namespace {

using Words = std::vector<std::string>;

const std::string kSpec = R"json({
  "name": "small",
  "data": {"set": "bars", "size": 4, "count": 60, "valid": 10},
  "model": {"kind": "autoencoder", "hidden": 5},
  "cost": {"reconstruction": "mean(cross_entropy_logits(logits, x))"},
  "train": {"optimizer": {"kind": "sgd", "rate": 0.1}, "batch": 10, "epochs": 2}
})json";

// The program with spec.json in its folder.
Ended program(const Words& arguments, const std::string& spec = kSpec) {
  const TemporaryFolder folder;
  folder.put("spec.json", spec);
  return run_program_in(folder, arguments);
}

struct Mistake {
  Words arguments;
  int code;
  std::string message;  // all of standard error
};

void check_mistakes(const std::vector<Mistake>& mistakes) {
  for (const Mistake& mistake : mistakes) {
    std::string line;
    for (const std::string& word : mistake.arguments) line += word + ' ';
    CAPTURE(line);
    const Ended ended = program(mistake.arguments);
    CHECK(ended.code == mistake.code);
    CHECK(ended.err == mistake.message);
    CHECK(ended.out.empty());
  }
}

// A spec whose cost, definitions and more are these texts.
std::string spec_of(const std::string& define, const std::string& cost) {
  return R"({"name": "n", "model": {"inputs": {"x": [3]}, "parameters": {"W": [3, 2]}, "define": {)" +
         define + R"(}}, "cost": {"a": ")" + cost + "\"}}";
}

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

// Waits until the run of a folder has written a line of metrics; false after a minute.
bool has_begun(const std::filesystem::path& run) {
  for (int i = 0; i < 6000; ++i) {
    std::error_code ignored;
    if (std::filesystem::file_size(run / "metrics.jsonl", ignored) > 0 && !ignored) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace

TEST_CASE("run trains and prints where its results are") {
  const TemporaryFolder folder;
  folder.put("spec.json", kSpec);
  const Ended ended = run_program_in(folder, {"run", "spec.json", "--out", "result"});
  CHECK(ended.code == 0);
  CHECK(ended.out ==
        "run folder       result\n"
        "filters          result/artifacts/filters.png\n"
        "reconstructions  result/artifacts/reconstructions.png\n");
  CHECK(ended.err.find("epoch 2/2: ") != std::string::npos);
  for (const char* file : {"config.json", "metrics.jsonl", "checkpoints/last.safetensors",
                           "artifacts/filters.png", "artifacts/reconstructions.png"})
    CHECK(std::filesystem::exists(folder / "result" / file));
  CHECK(read_file(folder / "result/spec.json") == kSpec);

  const Ended again = run_program_in(folder, {"run", "spec.json", "--out", "result"});
  CHECK(again.code == 3);
  CHECK(again.out.empty());
}

TEST_CASE("options may stand anywhere behind the command") {
  const TemporaryFolder folder;
  folder.put("spec.json", kSpec);
  const Ended ended = run_program_in(
      folder, {"run", "--threads", "1", "spec.json", "train.epochs=1", "--out=result", "seed=4"});
  CHECK(ended.code == 0);
  const auto config = nlohmann::json::parse(read_file(folder / "result/config.json"));
  CHECK(config["seed"] == 4);
  CHECK(config["train"]["epochs"] == 1);
}

TEST_CASE("mistakes of the command line are told in a line, with exit code 2") {
  const std::string commands =
      "run, resume, replay, eval, encode, reconstruct, sample, check, show, gradients, data, "
      "schema, "
      "version";
  check_mistakes({
      {{},
       2,
       cat("error: a command is missing; there are: ", commands,
           " (jacquard --help tells more)\n")},
      {{"rnu", "spec.json"}, 2, "error: unknown command 'rnu'; did you mean 'run'?\n"},
      {{"spec.json"}, 2, cat("error: unknown command 'spec.json'; there are: ", commands, "\n")},
      {{""}, 2, cat("error: unknown command ''; there are: ", commands, "\n")},
      {{"--threads", "2", "run", "spec.json"},
       2,
       cat("error: option '--threads' stands where the command belongs; options come behind one "
           "of: ",
           commands, "\n")},
      {{"run"}, 2, "error: run: SPEC is missing; jacquard run SPEC [path=value ...]\n"},
      {{"check"}, 2, "error: check: SPEC is missing; jacquard check SPEC [path=value ...]\n"},
      {{"show", "--tape"},
       2,
       "error: show: SPEC is missing; jacquard show SPEC [path=value ...]\n"},
      {{"run", "spec.json", "epochs"},
       2,
       "error: argument 'epochs': there is no '=' in it; what stands behind SPEC sets a field, as "
       "in train.epochs=5\n"},
      {{"run", "train.epochs=3", "spec.json"},
       2,
       "error: argument 'train.epochs=3' stands where SPEC belongs; the spec comes first, then the "
       "fields\n"},
      {{"run", "spec.json", "--thraeds", "4"},
       2,
       "error: run: unknown option '--thraeds'; did you mean '--threads'?\n"},
      {{"run", "spec.json", "--train.epochs=3"},
       2,
       "error: run: unknown option '--train.epochs'; fields of the spec are set without dashes: "
       "train.epochs=3\n"},
      {{"run", "spec.json", "-x"},
       2,
       "error: run: unknown option '-x'; there are: --help, --out, --threads, --stop-after, "
       "--seeds\n"},
      {{"run", "spec.json", "--threads"}, 2, "error: run: option --threads needs a value\n"},
      {{"run", "spec.json", "--threads", "many"},
       2,
       "error: run: --threads: 'many' is no whole number from 1 to 1024\n"},
      {{"run", "spec.json", "--threads", "0"},
       2,
       "error: run: --threads: '0' is no whole number from 1 to 1024\n"},
      {{"run", "spec.json", "--threads", "1", "--threads", "2"},
       2,
       "error: run: option --threads is there more than once\n"},
      {{"check", "spec.json", "--order", "3"},
       2,
       "error: check: --order: '3' is no whole number from 1 to 2\n"},
      {{"show", "spec.json", "--plan", "--cost"},
       2,
       "error: show: only one of --expand, --tape, --plan, --cost and --functions can be shown at "
       "a time\n"},
      {{"show", "spec.json", "--markdown"}, 2, "error: show: --markdown needs --functions\n"},
      {{"gradients", "spec.json", "--precision", "f16"},
       2,
       "error: gradients: --precision 'f16': there are f32 and f64\n"},
      {{"data"}, 2, "error: data: a command is missing; there are: list, get\n"},
      {{"data", "lsit"}, 2, "error: unknown command 'lsit'; did you mean 'list'?\n"},
      {{"data", "get"}, 2, "error: data get: NAME is missing; jacquard data list shows them\n"},
      {{"data", "list", "more"}, 2, "error: data list: there is one argument too many: 'more'\n"},
      {{"schema", "more"}, 2, "error: schema: there is one argument too many: 'more'\n"},
  });
}

TEST_CASE("files that are no specs, overrides of no field and unknown sets have exit code 3") {
  check_mistakes({
      {{"run", "none.json"}, 3, "error: read 'none.json': opening: No such file or directory\n"},
      {{"show", "."}, 3, "error: read '.': reading: Is a directory\n"},
      {{"run", "spec.json", "train.epoch=3"},
       3,
       "override train.epoch=3: error at /train/epoch: unknown field 'epoch'; did you mean "
       "'epochs'?\n      = known fields: average, batch, best, decay, epochs, frozen, "
       "monitor_batches, "
       "monitor_sets, norms, optimizer, save_freq, seconds, stop\n"},
      {{"run", "spec.json", "train.epochs=-1"},
       3,
       "override train.epochs=-1: error at /train/epochs: -1 is out of range; an integer of at "
       "least 0 is needed\n"},
      {{"data", "get", "mnits"},
       3,
       "error: data get: 'mnits' is no set that can be fetched; there are: fashion_mnist, "
       "mnist, cifar10\n"},
  });
}

TEST_CASE("every command explains itself with an example") {
  for (const Words& command :
       {Words{}, Words{"run"}, Words{"check"}, Words{"show"}, Words{"gradients"}, Words{"data"},
        Words{"data", "list"}, Words{"data", "get"}, Words{"schema"}, Words{"version"}}) {
    Words arguments = command;
    arguments.push_back("--help");
    const Ended ended = program(arguments);
    std::string name = "jacquard";
    for (const std::string& word : command) name += ' ' + word;
    CAPTURE(name);
    CHECK(ended.code == 0);
    CHECK(ended.err.empty());
    CHECK(ended.out.find("Usage: " + name) != std::string::npos);
    CHECK(ended.out.find("Example:\n  jacquard ") != std::string::npos);
    Words words = command;
    words.insert(words.begin(), "help");
    CHECK(program(words).out == ended.out);
  }
  CHECK(program({"run", "spec.json", "--threads", "2", "--help"}).code == 0);
}

TEST_CASE("results go to standard output, talk to standard error") {
  for (const Words& arguments :
       {Words{"show", "spec.json"}, Words{"show", "spec.json", "--cost", "--json"},
        Words{"show", "--functions"}, Words{"schema"}, Words{"version", "--json"},
        Words{"--version"}, Words{"data", "list", "--json"}}) {
    const Ended ended = program(arguments);
    CHECK(ended.code == 0);
    CHECK(ended.err.empty());
    CHECK_FALSE(ended.out.empty());
  }
  const Ended ended = program({"check", "spec.json", "--json"});
  CHECK(ended.code == 0);
  CHECK(nlohmann::json::parse(ended.out)["passed"] == true);
  CHECK(ended.err.starts_with("checked on 2 examples of bars, "));
}

TEST_CASE("with --json mistakes are told as JSON too") {
  const Ended spec = program({"check", "spec.json", "--json", "seed=-1"});
  CHECK(spec.code == 3);
  const auto problems = nlohmann::json::parse(spec.out)["problems"];
  REQUIRE(problems.size() == 1);
  CHECK(problems[0]["pointer"] == "/seed");
  CHECK(problems[0]["origin"] == "override seed=-1");
  const Ended usage = program({"show", "--json"});
  CHECK(usage.code == 2);
  CHECK(nlohmann::json::parse(usage.out)["problems"][0]["message"] ==
        "show: SPEC is missing; jacquard show SPEC [path=value ...]");
}

TEST_CASE("a failed check has exit code 4") {
  const Ended ended =
      program({"check", "spec.json"}, spec_of("", "sum(log(W - stop_gradient(W)))"));
  CHECK(ended.code == 4);
  CHECK(ended.out.ends_with("check failed: 1 of 1\n"));
}

TEST_CASE("a training that diverges has exit code 5") {
  const Ended ended =
      program({"run", "spec.json", "--out", "result", "train.optimizer.rate=1e30",
               "cost.reconstruction=mean(squared_error(logits, x))", "train.epochs=50"});
  CHECK(ended.code == 5);
  CHECK(ended.out == "run folder  result\n");
  CHECK(ended.err.find("not finite") != std::string::npos);
}

TEST_CASE("a training that is asked to stop says so by its exit code") {
  struct Case {
    int signal, code;
  };
  for (const Case& asked : {Case{SIGINT, 130}, Case{SIGTERM, 143}, Case{SIGUSR1, 75}}) {
    CAPTURE(asked.signal);
    const TemporaryFolder folder;
    folder.put("spec.json", kSpec);
    const Started run(folder, {"run", "spec.json", "--out", "result", "train.epochs=100000000"});
    const bool begun = has_begun(folder / "result");
    // The first line stands there before the loop; another signal would end the program at once.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    run.send(begun ? asked.signal : SIGKILL);
    const Ended ended = run.wait();
    CHECK(ended.code == asked.code);
    CHECK(ended.out == "run folder  result\n");
    CHECK(std::filesystem::exists(folder / "result/checkpoints/last.safetensors"));
  }
}

TEST_CASE("hostile specs are refused at once") {
  struct Hostile {
    std::string spec, message;  // a part of standard error
  };
  const std::string doubled = [] {
    std::string define = R"("d0": "W")";
    for (int i = 1; i < 60; ++i)
      define += cat(", \"d", i, "\": \"concat([d", i - 1, ", d", i - 1, "], 0)\"");
    return define;
  }();
  for (const Hostile& hostile : std::vector<Hostile>{
           {repeated("[", 20000) + repeated("]", 20000), "nested deeper than 64 levels"},
           {repeated("{\"name\":", 20000), "nested deeper than 64 levels"},
           {spec_of("", repeated("(", 20000) + "1" + repeated(")", 20000)),
            "spec.json:1:306: error at /cost/a: the text is nested more than 200 deep; name inner "
            "parts as definitions"},
           {spec_of("", repeated("-", 20000) + "1"), "nested more than 200 deep"},
           {R"json({"name": "n", "model": {"parameters": {"W": [99999999999]}},
                    "cost": {"a": "sum(W)"}})json",
            "a tensor of shape [99999999999] has 99999999999 elements; at most 4294967296 are "
            "allowed"},
           {R"({"name": "n", "model": {"parameters": {"W": [99999999999, 99999999999]}},
                "cost": {"a": "1"}})",
            "shape [99999999999, 99999999999]: too many elements; at most 2^40 are allowed"},
           {spec_of(doubled, "sum(d59)"), "too many elements; at most 2^40 are allowed"},
           {"", "spec.json:1:1: error: the file is empty; a spec is an object {...}"},
           {"[]", "an object is needed"},
           {std::string("\0\1\2\3", 4), "a byte 0 in a text; is this a JSON file?"},
           {spec_of(R"("p": "q + 1", "q": "r * 2", "r": "p")", "sum(W)"),
            "error at /model/define/p: definitions use each other in a cycle: p -> q -> r -> p; "
            "one of them must do without the next"},
           {spec_of("", "x @ W"),
            "/cost/a: the value has shape [100, 2], a scalar is needed; take "
            "mean() or sum() of it"},
           {spec_of("", "sum(V)"), "/cost/a: unknown name 'V'; known names: W, epoch, step, x"},
           {spec_of("", "smu(W)"), "/cost/a: unknown function 'smu'; did you mean 'sum'?"},
           {R"({"name": "a", "name": "b", "model": {}, "cost": {"a": "1"}})",
            "spec.json:1:15: error at /name: duplicate field 'name'; the first is at 1:2"},
       }) {
    CAPTURE(hostile.message);
    const auto start = std::chrono::steady_clock::now();
    const Ended ended = program({"show", "spec.json"}, hostile.spec);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    CHECK(ended.code == 3);
    CHECK(ended.out.empty());
    CHECK_MESSAGE(ended.err.find(hostile.message) != std::string::npos, ended.err);
    CHECK(ended.err.size() < 4000);
    CHECK(seconds.count() < 5);
  }
}

TEST_CASE("a reader that goes away is no failure, a full disk is") {
  const TemporaryFolder folder;
  folder.put("spec.json", kSpec);
  const std::string pipe = folder / "pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  // The program is started when its end of the pipe is open, so that it writes to a closed one.
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  const Started started(folder, {"show", "spec.json", "--tape", "data.count=61"}, "pipe");
  ::close(reader);
  CHECK(started.wait().code == 0);

  const Started full(folder, {"show", "spec.json"}, "/dev/full");
  const Ended ended = full.wait();
  CHECK(ended.code == 1);
  CHECK(ended.err == "error: standard output: No space left on device\n");
}

TEST_CASE("standard error has colours only on a terminal") {
  CHECK(program({"rnu"}).err.find('\x1b') == std::string::npos);
}

}  // namespace jacquard::experiments
