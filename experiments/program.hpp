// Other programs (apt-get, npm, tar), run without a shell: every argument arrives as it is.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace jacquard::experiments {

// Runs command[0], looked for in PATH, in `folder` and waits for its end. Its standard input is
// empty; what it prints goes to standard error, since standard output is for results. Returns its
// exit code, or 128 plus the signal that ended it. Throws Error if it cannot be started.
int run_program(const std::vector<std::string>& command, const std::filesystem::path& folder);

// Whether PATH has an executable of this name.
bool program_exists(const std::string& name);

// The command as a person would type it, for messages.
std::string shown_command(const std::vector<std::string>& command);

}  // namespace jacquard::experiments
