// How far a training is: on a terminal a bar with epoch, batch, cost and time left, and everywhere
// a line for each epoch.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "experiments/talk.hpp"

namespace jacquard::experiments {

// 41 s, 3 min 05 s, 2 h 10 min; "?" for a time that is not known (negative or not finite).
std::string duration_text(double seconds);

class Progress {
 public:
  using Clock = std::function<double()>;  // seconds from any fixed moment, never running back

  explicit Progress(Talk& talk);  // by the machine's steady clock
  Progress(Talk& talk, Clock clock) : talk_(talk), clock_(std::move(clock)) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { finish(); }

  // Starts the time. total_epochs 0 means not known: then there is no time left, and the bar shows
  // the epoch instead of the training. A training that goes on after an interruption begins at
  // `done_epochs`.
  void begin(std::int64_t total_epochs, std::int64_t steps_per_epoch, std::int64_t done_epochs = 0);
  // After step `step` (from 1) of epoch `epoch` (from 1). Draws at most ten times a second.
  void step(std::int64_t epoch, std::int64_t step, double cost);
  // After an epoch and its monitors; says "epoch 3/20: <summary> (4 s, 1 min 08 s left)".
  void epoch_done(std::string_view summary);
  // Removes the bar; also done by the destructor.
  void finish();

 private:
  std::string bar(std::int64_t epoch, std::int64_t step, double cost, double now) const;
  std::string epoch_text(std::int64_t epoch) const;
  double seconds_left(double done_epochs, double now) const;  // negative where not known

  Talk& talk_;
  Clock clock_;
  std::int64_t total_epochs_ = 0, steps_per_epoch_ = 0;
  std::int64_t first_epoch_ = 0;  // epochs that were done before the start
  std::int64_t epochs_done_ = 0;
  double start_ = 0, epoch_start_ = 0;
  double last_drawn_ = 0;
  bool drawn_ = false;
};

}  // namespace jacquard::experiments
