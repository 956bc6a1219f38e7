#include "experiments/progress.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

#include "autodiff/error.hpp"

namespace jacquard::experiments {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr int kWidestBar = 40, kNarrowestBar = 8;
constexpr int kUsualCost = 13;        // " cost -12.345"
constexpr int kUsualTime = 20;        // ", 10 min 41 s left" and a little
constexpr double kLongestTime = 1e9;  // seconds: 30 years

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string short_number(double value) {
  char buffer[64];
  return std::string(
      buffer,
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 5).ptr);
}

std::string two_digits(std::int64_t value) { return cat(value < 10 ? "0" : "", value); }

std::string drawn_bar(double fraction, int width) {
  const int inner = width - 2;
  const int filled = std::clamp(static_cast<int>(fraction * static_cast<double>(inner)), 0, inner);
  std::string text(static_cast<std::size_t>(inner), ' ');
  std::fill_n(text.begin(), filled, '=');
  if (filled < inner) text[static_cast<std::size_t>(filled)] = '>';
  return " [" + text + "]";
}

}  // namespace

std::string duration_text(double seconds) {
  if (!(seconds >= 0) || seconds > kLongestTime) return "?";
  const std::int64_t whole = std::llround(seconds);
  if (whole < 60) return cat(whole, " s");
  if (whole < 3600) return cat(whole / 60, " min ", two_digits(whole % 60), " s");
  return cat(whole / 3600, " h ", two_digits(whole / 60 % 60), " min");
}

Progress::Progress(Talk& talk) : Progress(talk, steady_seconds) {}

void Progress::begin(std::int64_t total_epochs, std::int64_t steps_per_epoch,
                     std::int64_t done_epochs) {
  total_epochs_ = std::max<std::int64_t>(total_epochs, 0);
  steps_per_epoch_ = std::max<std::int64_t>(steps_per_epoch, 1);
  first_epoch_ = epochs_done_ = done_epochs;
  start_ = epoch_start_ = clock_();
  drawn_ = false;
}

void Progress::step(std::int64_t epoch, std::int64_t step, double cost) {
  if (!talk_.screen().redraws) return;
  const double now = clock_();
  if (drawn_ && now - last_drawn_ < kRedrawSeconds) return;
  drawn_ = true;
  last_drawn_ = now;
  talk_.show_bar(bar(epoch, step, cost, now));
}

void Progress::epoch_done(std::string_view summary) {
  const double now = clock_();
  ++epochs_done_;
  std::string line = epoch_text(epochs_done_) + ": " + std::string(summary) + " (" +
                     duration_text(now - epoch_start_);
  const double left = seconds_left(static_cast<double>(epochs_done_), now);
  if (left >= 0 && epochs_done_ < total_epochs_) line += ", " + duration_text(left) + " left";
  talk_.say(line + ")");
  epoch_start_ = now;
}

void Progress::finish() { talk_.hide_bar(); }

std::string Progress::epoch_text(std::int64_t epoch) const {
  return total_epochs_ > 0 ? cat("epoch ", epoch, "/", total_epochs_) : cat("epoch ", epoch);
}

double Progress::seconds_left(double done_epochs, double now) const {
  const double done = done_epochs - static_cast<double>(first_epoch_);
  if (total_epochs_ == 0 || done <= 0) return -1;
  return (now - start_) / done * std::max(static_cast<double>(total_epochs_) - done_epochs, 0.0);
}

// What does not fit into the width is left out, the least needed first.
std::string Progress::bar(std::int64_t epoch, std::int64_t step, double cost, double now) const {
  const double part = static_cast<double>(step) / static_cast<double>(steps_per_epoch_);
  const double done = static_cast<double>(epoch - 1) + part;
  const double left = seconds_left(done, now);
  const std::string head = epoch_text(epoch);
  const std::string all_steps = cat(steps_per_epoch_), this_step = cat(step);
  const std::string steps =
      " batch " +
      std::string(all_steps.size() - std::min(all_steps.size(), this_step.size()), ' ') +
      this_step + "/" + all_steps;
  const std::string cost_text = " cost " + short_number(cost);
  const std::string time = left >= 0 ? ", " + duration_text(left) + " left" : "";
  const int room = talk_.screen().width() - 1;
  const auto length = [](const std::string& text) { return static_cast<int>(text.size()); };
  const int words = length(head) + length(steps) + length(cost_text) + length(time);
  if (words > room) {
    if (length(head) + length(cost_text) + length(time) <= room) return head + cost_text + time;
    return head + cost_text;
  }
  // Room is kept for the longest usual cost and time, so that the bar does not change its width.
  const int spare = std::max(kUsualCost - length(cost_text), 0) +
                    (total_epochs_ > 0 ? std::max(kUsualTime - length(time), 0) : 0);
  const int graph = std::min(room - words - spare - 1, kWidestBar);
  if (graph < kNarrowestBar) return head + steps + cost_text + time;
  const double fraction = total_epochs_ > 0 ? done / static_cast<double>(total_epochs_) : part;
  return head + drawn_bar(fraction, graph) + steps + cost_text + time;
}

}  // namespace jacquard::experiments
