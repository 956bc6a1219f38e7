// Signals that ask the program to stop: noticed here, acted on by the training between two steps.
#pragma once

namespace jacquard::experiments {

// While one exists, SIGINT, SIGTERM and SIGUSR1 only set a flag; a second SIGINT or SIGTERM ends
// the program at once. The former handling is put back at the end. One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // 0 while nothing was asked; else what to exit with: 130 (SIGINT), 143 (SIGTERM), 75 (SIGUSR1:
  // stop and requeue).
  int exit_code() const;
};

}  // namespace jacquard::experiments
