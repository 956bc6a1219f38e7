// The folder of one run, runs/<name>/<stamp>-<hash>/, and everything that is written into it.
//
// It appears whole: made under a temporary name with its first files, then renamed. What is written
// later is either replaced atomically or only grows. Every failed write is an Error that names the
// file and the system's reason.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "experiments/appended_file.hpp"
#include "experiments/utc.hpp"

namespace jacquard::experiments {

struct NewRun {
  std::filesystem::path root = "runs";
  std::string name;                          // of the spec
  std::string hash;                          // of its config; the first 8 letters are used
  std::optional<std::filesystem::path> out;  // --out: the run folder itself, instead of the above
  std::map<std::string, std::string> files;  // path in the folder -> bytes: spec.json, config.json,
                                             // manifest.json
  std::function<TimePoint()> clock = [] { return std::chrono::system_clock::now(); };
};

enum class RunStatus { kRunning, kCompleted, kFailed, kDiverged, kInterrupted };

// The config.json of a run's folder. Throws SpecError for what is no such folder.
std::filesystem::path run_config(const std::filesystem::path& folder);

class RunFolder {
 public:
  // Makes the folder with the files given, status.json (running), empty metrics.jsonl and log.txt,
  // checkpoints/ and artifacts/. The stamp is in UTC; a taken name gets -2, -3, ... behind it, and
  // the link runs/<name>/latest leads to the new folder. With `out` there is no link and no
  // renaming of a folder that exists already: an empty one is filled.
  // Throws SpecError for a name that cannot be a folder's and for an `out` that is no folder or
  // holds anything; Error when the disk fails, and then nothing is left behind.
  static RunFolder create(const NewRun& run);

  // Opens the folder of a run that was begun, for going on with it. Throws SpecError for what is no
  // run's folder, Error when another program is at work in it.
  static RunFolder open(const std::filesystem::path& path);

  // What status.json says; nothing if it cannot be read.
  static std::optional<RunStatus> status_of(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }

  // Replaces a file atomically; `relative` is a path inside the folder, and its folders are made.
  void write(const std::filesystem::path& relative, std::string_view bytes);
  // One line (without newline) of metrics.jsonl, on disk when the call returns.
  void append_metrics(std::string_view line);
  // Cuts metrics.jsonl and log.txt back to so many lines.
  void keep_lines(std::int64_t metrics, std::int64_t log);
  std::int64_t log_lines() const { return log_lines_; }
  // Text for log.txt, newlines included; escape sequences of terminals are left out.
  void append_log(std::string_view text);
  // Writes status.json: {"status": ..., "heartbeat": now, "exit": the exit code, or null}.
  void set_status(RunStatus status, std::optional<int> exit_code = {});
  // Renews the heartbeat of a running run when it is older than ten seconds; cheap in between.
  void heartbeat();

 private:
  RunFolder(std::filesystem::path path, std::function<TimePoint()> clock);

  std::filesystem::path path_;
  std::function<TimePoint()> clock_;
  AppendedFile metrics_, log_;
  std::int64_t log_lines_ = 0;  // appended since the folder was made or opened, or kept
  RunStatus status_ = RunStatus::kRunning;
  TimePoint last_heartbeat_;
};

}  // namespace jacquard::experiments
