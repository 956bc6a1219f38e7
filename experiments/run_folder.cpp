#include "experiments/run_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"
#include "experiments/talk.hpp"

namespace jacquard::experiments {
namespace {

namespace fs = std::filesystem;

constexpr auto kHeartbeat = std::chrono::seconds(10);
constexpr int kMostNames = 10000;
constexpr std::size_t kLongestName = 200;  // file systems allow 255 bytes
constexpr std::array kOwnEntries = {"checkpoints", "artifacts", "metrics.jsonl", "log.txt",
                                    "status.json"};

[[noreturn]] void fail(const fs::path& path, const std::error_code& reason) {
  throw Error(cat("run folder ", in_quotes(path), ": cannot be made: ", reason.message()));
}

void make_folders(const fs::path& path) {
  std::error_code reason;
  fs::create_directories(path, reason);
  if (reason) fail(path, reason);
}

// A new name survives a power cut only once its folder is on disk. Where folders cannot be synced
// there is nothing to do about it.
void sync_folder(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

const char* status_text(RunStatus status) {
  switch (status) {
    case RunStatus::kRunning:
      return "running";
    case RunStatus::kCompleted:
      return "completed";
    case RunStatus::kFailed:
      return "failed";
    case RunStatus::kDiverged:
      return "diverged";
    case RunStatus::kInterrupted:
      return "interrupted";
  }
  throw InternalError(cat("run folder: no status has the number ", static_cast<int>(status)));
}

std::string status_json(RunStatus status, TimePoint now, std::optional<int> exit_code) {
  nlohmann::ordered_json json;
  json["status"] = status_text(status);
  json["heartbeat"] = utc_text(now);
  json["exit"] = exit_code ? nlohmann::ordered_json(*exit_code) : nlohmann::ordered_json();
  return json.dump(2) + "\n";
}

void check_inside(const fs::path& relative) {
  const fs::path normal = relative.lexically_normal();
  if (relative.empty() || relative.is_absolute() || !normal.has_filename() || normal == "." ||
      *normal.begin() == "..")
    throw InternalError(
        cat("run folder: ", in_quotes(relative), " is no path of a file inside it"));
}

void check_name(const std::string& name) {
  const bool fits = !name.empty() && name.size() <= kLongestName && name[0] != '.' &&
                    std::none_of(name.begin(), name.end(), [](char c) {
                      return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
                    });
  if (!fits)
    throw SpecError(cat("run folder: name ", in_quotes(std::string_view(name)),
                        " cannot be the name of a folder; 1 to ", kLongestName,
                        " bytes without '/' and control characters are allowed, not beginning "
                        "with '.'"));
}

// Makes the folders of a run and gives its first files. status.json comes last: where a folder is
// filled in place, it says that the rest is there.
std::vector<NewFile> first_files(const fs::path& folder, const NewRun& run) {
  std::vector<NewFile> files;
  for (const auto& [relative, bytes] : run.files) {
    files.push_back({folder / relative, bytes});
    make_folders(files.back().path.parent_path());
  }
  make_folders(folder / "checkpoints");
  make_folders(folder / "artifacts");
  files.push_back({folder / "metrics.jsonl", ""});
  files.push_back({folder / "log.txt", ""});
  files.push_back(
      {folder / "status.json", status_json(RunStatus::kRunning, run.clock(), std::nullopt)});
  return files;
}

// The folder under its temporary name; gone again unless it got its final one.
class Draft {
 public:
  Draft(const fs::path& parent, const NewRun& run) {
    std::error_code reason;
    for (int attempt = 0; attempt < kMostNames && path_.empty(); ++attempt) {
      fs::path name = parent / cat(".new-", ::getpid(), "-", attempt);
      if (fs::create_directory(name, reason)) path_ = std::move(name);
      if (reason && reason != std::errc::file_exists) fail(parent, reason);
    }
    if (path_.empty()) fail(parent, std::make_error_code(std::errc::file_exists));
    try {
      write_new_files(first_files(path_, run));
    } catch (...) {
      remove();
      throw;
    }
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft() { remove(); }

  // False when the name is taken. Renaming a folder onto one that holds something fails, so that
  // two runs of one second cannot get the same name.
  bool rename_to(const fs::path& path) {
    std::error_code reason;
    if (fs::symlink_status(path, reason).type() != fs::file_type::not_found) return false;
    fs::rename(path_, path, reason);
    if (!reason) {
      sync_folder(path_.parent_path());
      path_.clear();
      return true;
    }
    for (const std::errc taken :
         {std::errc::file_exists, std::errc::directory_not_empty, std::errc::not_a_directory})
      if (reason == taken) return false;
    fail(path, reason);
  }

 private:
  void remove() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  fs::path path_;
};

[[noreturn]] void refuse(const fs::path& out, const char* why) {
  throw SpecError(
      cat("--out ", in_quotes(out), ": ", why, "; name a folder that does not exist or is empty"));
}

// Fills a folder of the user's, which keeps its owner, rights and place.
void fill_in_place(const fs::path& folder, const NewRun& run) {
  std::error_code reason;
  const bool empty = fs::is_empty(folder, reason);
  if (reason) fail(folder, reason);
  if (!empty)
    refuse(folder, fs::exists(folder / "config.json", reason) ? "this folder already holds a run"
                                                              : "this folder already holds files");
  // Making a folder succeeds for one only of two programs that both saw it empty.
  if (!fs::create_directory(folder / "checkpoints", reason)) {
    if (reason) fail(folder, reason);
    refuse(folder, "this folder already holds a run");
  }
  try {
    for (const NewFile& file : first_files(folder, run))
      write_file_atomically(file.path, file.bytes);
  } catch (...) {
    for (const auto& [relative, bytes] : run.files)
      fs::remove_all(folder / *fs::path(relative).begin(), reason);
    for (const char* entry : kOwnEntries) fs::remove_all(folder / entry, reason);
    throw;
  }
}

fs::path create_at(const fs::path& out, const NewRun& run) {
  std::error_code reason;
  // "folder/" names the same as "folder".
  const fs::path folder = out.has_filename() || !out.has_relative_path() ? out : out.parent_path();
  if (folder.empty()) refuse(folder, "this is no path");
  if (fs::is_directory(folder, reason)) {
    fill_in_place(folder, run);
    return folder;
  }
  if (fs::symlink_status(folder, reason).type() != fs::file_type::not_found && !reason)
    refuse(folder, "this is no folder");
  const fs::path parent = folder.has_parent_path() ? folder.parent_path() : fs::path(".");
  make_folders(parent);
  Draft draft(parent, run);
  if (!draft.rename_to(folder)) refuse(folder, "this folder already holds a run");
  return folder;
}

fs::path create_stamped(const NewRun& run) {
  check_name(run.name);
  const fs::path parent = run.root / run.name;
  make_folders(parent);
  Draft draft(parent, run);
  const std::string stem = utc_stamp(run.clock()) + "-" + run.hash.substr(0, 8);
  for (int number = 1; number < kMostNames; ++number) {
    fs::path folder = parent / (number == 1 ? stem : cat(stem, "-", number));
    if (draft.rename_to(folder)) return folder;
  }
  fail(parent / stem, std::make_error_code(std::errc::file_exists));
}

// Points <parent>/latest to the folder; false where that cannot be done (a file system without
// links, or a file of the user's under that name), which is no reason not to train.
bool link_latest(const fs::path& folder) {
  std::error_code reason;
  const fs::path link = folder.parent_path() / "latest";
  const fs::path draft = folder.parent_path() / cat(".latest-", ::getpid());
  const fs::file_type type = fs::symlink_status(link, reason).type();
  if (type != fs::file_type::not_found && type != fs::file_type::symlink) return false;
  fs::remove(draft, reason);
  fs::create_directory_symlink(folder.filename(), draft, reason);
  if (!reason) fs::rename(draft, link, reason);
  return !reason;
}

}  // namespace

RunFolder RunFolder::create(const NewRun& run) {
  for (const auto& [relative, bytes] : run.files) check_inside(relative);
  if (run.out) return RunFolder(create_at(*run.out, run), run.clock);
  RunFolder folder(create_stamped(run), run.clock);
  if (!link_latest(folder.path()))
    folder.append_log(
        cat("no link ", in_quotes(folder.path().parent_path() / "latest"), " could be made\n"));
  return folder;
}

fs::path run_config(const fs::path& folder) {
  std::error_code reason;
  for (const char* file : {"config.json", "metrics.jsonl"})
    if (!fs::exists(folder / file, reason))
      throw SpecError(cat("run folder ", in_quotes(folder),
                          ": this is no folder of a run (it has no ", file, ")"));
  return folder / "config.json";
}

RunFolder RunFolder::open(const fs::path& path) {
  run_config(path);
  return RunFolder(path, [] { return std::chrono::system_clock::now(); });
}

std::optional<RunStatus> RunFolder::status_of(const fs::path& path) {
  try {
    const auto json = nlohmann::json::parse(read_file<Error>(path / "status.json"));
    for (const RunStatus status : {RunStatus::kRunning, RunStatus::kCompleted, RunStatus::kFailed,
                                   RunStatus::kDiverged, RunStatus::kInterrupted})
      if (json.at("status") == status_text(status)) return status;
  } catch (const std::exception&) {
    // Whatever is wrong with it, the run can be gone on with.
  }
  return std::nullopt;
}

RunFolder::RunFolder(fs::path path, std::function<TimePoint()> clock)
    : path_(std::move(path)),
      clock_(std::move(clock)),
      metrics_(path_ / "metrics.jsonl"),
      log_(path_ / "log.txt"),
      last_heartbeat_(clock_()) {
  if (!metrics_.lock())
    throw Error(cat("run folder ", in_quotes(path_), ": another program is at work in it"));
}

void RunFolder::write(const fs::path& relative, std::string_view bytes) {
  check_inside(relative);
  const fs::path file = path_ / relative;
  make_folders(file.parent_path());
  write_file_atomically(file, bytes);
}

void RunFolder::append_metrics(std::string_view line) {
  if (line.find('\n') != std::string_view::npos)
    throw InternalError(
        cat("run folder: a line of metrics holds a newline: ", in_quotes(std::string_view(line))));
  metrics_.append(std::string(line) + "\n");
  metrics_.sync();
}

void RunFolder::keep_lines(std::int64_t metrics, std::int64_t log) {
  metrics_.keep_lines(metrics);
  log_.keep_lines(log);
  log_lines_ = log;
}

void RunFolder::append_log(std::string_view text) {
  const std::string plain = plain_text(text);
  log_.append(plain);
  log_lines_ += std::ranges::count(plain, '\n');
}

void RunFolder::set_status(RunStatus status, std::optional<int> exit_code) {
  status_ = status;
  last_heartbeat_ = clock_();
  write_file_atomically(path_ / "status.json", status_json(status, last_heartbeat_, exit_code));
}

void RunFolder::heartbeat() {
  if (status_ == RunStatus::kRunning && clock_() - last_heartbeat_ >= kHeartbeat)
    set_status(RunStatus::kRunning);
}

}  // namespace jacquard::experiments
