// Runs the built program `jacquard` as a user would, in a folder of its own.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

#include "experiments/file.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {

struct Ended {
  int code = 0;  // 128 plus the signal where one ended it
  std::string out, err;
};

// A program that was started; its standard output and error go to files of the folder.
class Started {
 public:
  Started(const TemporaryFolder& folder, const std::vector<std::string>& arguments,
          const std::string& out = "stdout",
          const std::string& program = JACQUARD_BINARY_DIR "/jacquard")
      : out_(folder.path() / out), err_(folder / "stderr") {
    std::vector<std::string> words = {program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder.path().c_str());
    constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC;
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_.c_str(), kWrite, 0600);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_.c_str(), kWrite, 0600);
    const int failure = posix_spawn(&process_, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) throw std::runtime_error("cannot start " + words[0] + "; is it built?");
  }

  void send(int signal) const { ::kill(process_, signal); }

  Ended wait() const {
    int status = 0;
    ::waitpid(process_, &status, 0);
    Ended ended;
    ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (std::filesystem::is_regular_file(out_)) ended.out = read_file(out_);
    ended.err = read_file(err_);
    return ended;
  }

 private:
  std::filesystem::path out_, err_;
  pid_t process_ = 0;
};

inline Ended run_program_in(const TemporaryFolder& folder,
                            const std::vector<std::string>& arguments) {
  return Started(folder, arguments).wait();
}

inline Ended run_shell_in(const TemporaryFolder& folder, const std::string& script) {
  return Started(folder, {"-c", script}, "stdout", "/bin/sh").wait();
}

}  // namespace jacquard::experiments
