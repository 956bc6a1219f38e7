#include "experiments/run_folder.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <tuple>
#include <vector>

#include "autodiff/error.hpp"
#include "tests/experiments/temporary_folder.hpp"

using namespace jacquard::experiments;
namespace fs = std::filesystem;

namespace {

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::map<std::string, std::string> kFiles = {
    {"spec.json", "{ /* as given */ }"}, {"config.json", "{}"}, {"manifest.json", "{\"seed\": 1}"}};

NewRun request(const fs::path& root) {
  NewRun run;
  run.root = root;
  run.name = "cae";
  run.hash = "0123456789abcdef";
  run.files = kFiles;
  run.clock = [] { return TimePoint(std::chrono::seconds(1772373909)); };
  return run;
}

std::set<std::string> entries(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.insert(entry.path().filename().string());
  return names;
}

const std::set<std::string> kWhole = {"spec.json",   "config.json",   "manifest.json",
                                      "status.json", "metrics.jsonl", "log.txt",
                                      "checkpoints", "artifacts"};

std::string refusal_of(const NewRun& run) {
  try {
    RunFolder::create(run);
  } catch (const jacquard::SpecError& error) {
    return std::string("spec: ") + error.what();
  } catch (const jacquard::Error& error) {
    return std::string("error: ") + error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a run folder is made whole under its stamp and hash, with a link to the latest") {
  const TemporaryFolder root;
  const RunFolder folder = RunFolder::create(request(root.path() / "runs"));
  CHECK(folder.path() == root.path() / "runs/cae/20260301-140509-01234567");
  CHECK(entries(folder.path()) == kWhole);
  for (const auto& [name, bytes] : kFiles) CHECK(bytes_of(folder.path() / name) == bytes);
  CHECK(bytes_of(folder.path() / "status.json") ==
        "{\n  \"status\": \"running\",\n  \"heartbeat\": \"2026-03-01T14:05:09Z\",\n  \"exit\": "
        "null\n}\n");
  CHECK(bytes_of(folder.path() / "metrics.jsonl").empty());
  CHECK(bytes_of(folder.path() / "log.txt").empty());
  CHECK(fs::read_symlink(root.path() / "runs/cae/latest") == "20260301-140509-01234567");
  CHECK(entries(root.path() / "runs/cae") ==
        std::set<std::string>{"20260301-140509-01234567", "latest"});
}

TEST_CASE("runs of the same second get further names and the link follows") {
  const TemporaryFolder root;
  const RunFolder first = RunFolder::create(request(root.path()));
  const RunFolder second = RunFolder::create(request(root.path()));
  const RunFolder third = RunFolder::create(request(root.path()));
  CHECK(second.path().filename() == "20260301-140509-01234567-2");
  CHECK(third.path().filename() == "20260301-140509-01234567-3");
  CHECK(fs::read_symlink(root.path() / "cae/latest") == third.path().filename());
}

TEST_CASE("runs started at once do not share a folder") {
  const TemporaryFolder root;
  std::vector<fs::path> paths(16);
  {
    std::vector<std::jthread> threads;
    for (fs::path& path : paths)
      threads.emplace_back([&] { path = RunFolder::create(request(root.path())).path(); });
  }
  CHECK(std::set<fs::path>(paths.begin(), paths.end()).size() == paths.size());
  for (const fs::path& path : paths) CHECK(entries(path) == kWhole);
}

TEST_CASE("files of a user under a run's names are left alone") {
  const TemporaryFolder root;
  fs::create_directories(root.path() / "cae/latest");
  std::ofstream(root.path() / "cae/20260301-140509-01234567") << "mine";
  fs::create_symlink("nowhere", root.path() / "cae/20260301-140509-01234567-2");
  const RunFolder folder = RunFolder::create(request(root.path()));
  CHECK(folder.path().filename() == "20260301-140509-01234567-3");
  CHECK(fs::is_directory(root.path() / "cae/latest"));
  CHECK(bytes_of(root.path() / "cae/20260301-140509-01234567") == "mine");
  CHECK(bytes_of(folder.path() / "log.txt") ==
        "no link '" + (root.path() / "cae/latest").string() + "' could be made\n");
}

TEST_CASE("--out is the run folder itself, without a link beside it") {
  const TemporaryFolder root;
  for (const char* out : {"new", "deep/er/new", "slash/", "empty", "link"}) {
    CAPTURE(out);
    if (out == std::string("empty")) fs::create_directory(root.path() / out);
    if (out == std::string("link")) {
      fs::create_directory(root.path() / "target");
      fs::create_directory_symlink("target", root.path() / out);
    }
    NewRun run = request(root.path() / "unused");
    run.out = root.path() / out;
    const RunFolder folder = RunFolder::create(run);
    CHECK(fs::equivalent(folder.path(), *run.out));
    CHECK(entries(folder.path()) == kWhole);
    CHECK(!entries(folder.path().parent_path()).contains("latest"));
    CHECK(refusal_of(run) == "spec: --out '" + folder.path().string() +
                                 "': this folder already holds a run; name a folder that does not "
                                 "exist or is empty");
  }
  CHECK(fs::is_symlink(root.path() / "link"));
  CHECK(!fs::exists(root.path() / "unused"));
}

TEST_CASE("relative paths are taken from the working folder") {
  const TemporaryFolder root;
  const fs::path before = fs::current_path();
  fs::current_path(root.path());
  NewRun run = request("runs");
  const fs::path stamped = RunFolder::create(run).path();
  run.out = "new";
  const fs::path named = RunFolder::create(run).path();
  fs::create_directory("here");
  fs::current_path("here");
  run.out = ".";
  const RunFolder here = RunFolder::create(run);
  fs::current_path(before);
  CHECK(stamped == "runs/cae/20260301-140509-01234567");
  CHECK(named == "new");
  CHECK(here.path() == ".");
  for (const fs::path& path : {stamped, named, fs::path("here")})
    CHECK(entries(root.path() / path) == kWhole);
  CHECK(entries(root.path()) == std::set<std::string>{"runs", "new", "here"});
}

TEST_CASE("an existing empty --out keeps its rights") {
  const TemporaryFolder root;
  NewRun run = request(root.path());
  run.out = root.path() / "mine";
  fs::create_directory(*run.out);
  fs::permissions(*run.out, fs::perms::owner_all);
  RunFolder::create(run);
  CHECK(fs::status(*run.out).permissions() == fs::perms::owner_all);
}

TEST_CASE("--out is refused when it holds a file, is a file or is no path") {
  const TemporaryFolder root;
  NewRun run = request(root.path());
  run.out = root.path() / "full";
  fs::create_directory(*run.out);
  std::ofstream(*run.out / ".hidden") << "mine";
  CHECK(refusal_of(run) == "spec: --out '" + run.out->string() +
                               "': this folder already holds files; name a folder that does not "
                               "exist or is empty");
  CHECK(entries(*run.out) == std::set<std::string>{".hidden"});

  run.out = root.path() / "full/.hidden";
  CHECK(refusal_of(run) ==
        "spec: --out '" + run.out->string() +
            "': this is no folder; name a folder that does not exist or is empty");
  CHECK(bytes_of(*run.out) == "mine");

  fs::create_symlink("nowhere", root.path() / "dangling");
  run.out = root.path() / "dangling";
  CHECK(refusal_of(run) ==
        "spec: --out '" + run.out->string() +
            "': this is no folder; name a folder that does not exist or is empty");

  run.out = "";
  CHECK(refusal_of(run) ==
        "spec: --out '': this is no path; name a folder that does not exist or is empty");
}

TEST_CASE("a name that cannot be a folder's is the spec's mistake") {
  const TemporaryFolder root;
  for (const std::string& name :
       {std::string(), std::string(".."), std::string("."), std::string(".hidden"),
        std::string("../evil"), std::string("a/b"), std::string("a\nb"), std::string("a\0b", 3),
        std::string(201, 'a')}) {
    NewRun run = request(root.path());
    run.name = name;
    CAPTURE(name);
    CHECK_THROWS_AS(RunFolder::create(run), jacquard::SpecError);
  }
  NewRun run = request(root.path());
  run.name = "../evil";
  CHECK(refusal_of(run) ==
        "spec: run folder: name '../evil' cannot be the name of a folder; 1 to 200 bytes without "
        "'/' and control characters are allowed, not beginning with '.'");
  CHECK(entries(root.path()).empty());
  run.name = "caf\xc3\xa9 1.0";
  CHECK(refusal_of(run) == "no error");
}

TEST_CASE("a folder that cannot be made is an error with the system's reason") {
  NewRun run = request("/dev/null/runs");
  CHECK(refusal_of(run) ==
        "error: run folder '/dev/null/runs/cae': cannot be made: Not a directory");
  run.out = "/dev/null/out/folder";
  CHECK(refusal_of(run) == "error: run folder '/dev/null/out': cannot be made: Not a directory");
}

TEST_CASE("nothing is left behind when the first files cannot be written") {
  const TemporaryFolder root;
  NewRun run = request(root.path());
  // The name of a file cannot be longer than 255 bytes.
  run.files[std::string(300, 'x')] = "";
  CHECK(refusal_of(run).starts_with("error: "));
  CHECK(entries(root.path() / "cae").empty());
  run.out = root.path() / "new";
  CHECK(refusal_of(run).starts_with("error: "));
  CHECK(!fs::exists(*run.out));
  run.out = root.path() / "empty";
  fs::create_directory(*run.out);
  CHECK(refusal_of(run).starts_with("error: "));
  CHECK(entries(*run.out).empty());
}

TEST_CASE("files are written inside the folder, with their folders, and nowhere else") {
  const TemporaryFolder root;
  RunFolder folder = RunFolder::create(request(root.path()));
  folder.write("summary.json", "1");
  folder.write("summary.json", "2");
  folder.write("artifacts/deep/filters.png", std::string("\0png", 4));
  CHECK(bytes_of(folder.path() / "summary.json") == "2");
  CHECK(bytes_of(folder.path() / "artifacts/deep/filters.png") == std::string("\0png", 4));
  for (const char* path : {"", ".", "..", "../x", "a/../../x", "/x", "artifacts/"}) {
    CAPTURE(path);
    CHECK_THROWS_AS(folder.write(path, ""), jacquard::InternalError);
  }
  CHECK_THROWS_WITH_AS(folder.write("../x", ""),
                       "run folder: '../x' is no path of a file inside it",
                       jacquard::InternalError);
  CHECK_THROWS_WITH_AS(
      folder.write("log.txt/x", ""),
      ("run folder '" + (folder.path() / "log.txt").string() + "': cannot be made: Not a directory")
          .c_str(),
      jacquard::Error);
}

TEST_CASE("metrics grow line by line") {
  const TemporaryFolder root;
  RunFolder folder = RunFolder::create(request(root.path()));
  folder.append_metrics("{\"epoch\": 1}");
  CHECK(bytes_of(folder.path() / "metrics.jsonl") == "{\"epoch\": 1}\n");
  folder.append_metrics("{\"epoch\": 2}");
  CHECK(bytes_of(folder.path() / "metrics.jsonl") == "{\"epoch\": 1}\n{\"epoch\": 2}\n");
  CHECK_THROWS_WITH_AS(folder.append_metrics("a\nb"),
                       "run folder: a line of metrics holds a newline: 'a\\nb'",
                       jacquard::InternalError);
}

TEST_CASE("the log is plain text") {
  const TemporaryFolder root;
  RunFolder folder = RunFolder::create(request(root.path()));
  folder.append_log("\x1b[31merror: \x1b[0mno\n");
  folder.append_log("more\n");
  CHECK(bytes_of(folder.path() / "log.txt") == "error: no\nmore\n");
}

TEST_CASE("the status says how a run stands, when, and how it ended") {
  const TemporaryFolder root;
  auto now = std::make_shared<TimePoint>(std::chrono::seconds(0));
  NewRun run = request(root.path());
  run.clock = [now] { return *now; };
  RunFolder folder = RunFolder::create(run);
  const auto status = [&] {
    return nlohmann::json::parse(bytes_of(folder.path() / "status.json"));
  };
  *now += std::chrono::seconds(9);
  folder.heartbeat();
  CHECK(status()["heartbeat"] == "1970-01-01T00:00:00Z");
  *now += std::chrono::seconds(1);
  folder.heartbeat();
  CHECK(status()["heartbeat"] == "1970-01-01T00:00:10Z");
  CHECK(status()["status"] == "running");
  CHECK(status()["exit"].is_null());

  using enum RunStatus;
  const std::vector<std::tuple<RunStatus, std::string, int>> ends = {
      {kCompleted, "completed", 0},
      {kFailed, "failed", 1},
      {kDiverged, "diverged", 5},
      {kInterrupted, "interrupted", 130}};
  for (const auto& [value, text, exit_code] : ends) {
    folder.set_status(value, exit_code);
    CHECK(status()["status"] == text);
    CHECK(status()["exit"] == exit_code);
    *now += std::chrono::hours(1);
    folder.heartbeat();  // an ended run has no heartbeat
    CHECK(status()["status"] == text);
  }
}
