#include "experiments/talk.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <ostream>
#include <utility>

#include "autodiff/error.hpp"

namespace jacquard::experiments {
namespace {

constexpr std::string_view kEraseLine = "\r\x1b[K";
constexpr std::string_view kPlain = "\x1b[0m";
constexpr int kDefaultWidth = 80;

int standard_error_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kDefaultWidth;
}

// The place behind an escape sequence that begins at `start`.
std::size_t end_of_escape(std::string_view text, std::size_t start) {
  std::size_t i = start + 1;
  if (i == text.size()) return i;
  if (text[i] == '[') {  // parameters, then a letter: colours, movement of the cursor
    do ++i;
    while (i < text.size() && text[i] >= 0x20 && text[i] < 0x40);
    return i < text.size() ? i + 1 : i;
  }
  if (text[i] == ']') {  // up to BEL or ESC \: titles, links
    while (i < text.size() && text[i] != '\a' && text[i] != '\x1b') ++i;
    if (i < text.size() && text[i] == '\x1b') ++i;
    return i < text.size() ? i + 1 : i;
  }
  return i + 1;
}

}  // namespace

std::string plain_text(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '\x1b') {
      i = end_of_escape(text, i);
      continue;
    }
    const bool control =
        (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
    if (!control) plain += c;
    ++i;
  }
  return plain;
}

Screen screen_of(bool is_terminal, const char* term, const char* no_color) {
  Screen screen;
  screen.redraws = is_terminal && term != nullptr && *term != 0 && std::string_view(term) != "dumb";
  screen.colours = screen.redraws && (no_color == nullptr || *no_color == 0);
  return screen;
}

Screen standard_error_screen() {
  Screen screen =
      screen_of(::isatty(STDERR_FILENO) == 1, std::getenv("TERM"), std::getenv("NO_COLOR"));
  if (screen.redraws) screen.width = standard_error_width;
  return screen;
}

void Talk::line(std::string_view prefix, std::string_view colour, std::string_view text) {
  const std::string plain = plain_text(text);
  put(prefix, colour, plain);
  to_log(cat(prefix, plain, "\n"));
}

void Talk::put(std::string_view prefix, std::string_view colour, std::string_view text) {
  hide_bar();
  const bool coloured = screen_.colours && !prefix.empty();
  out_ << (coloured ? cat(colour, prefix, kPlain, text, "\n") : cat(prefix, text, "\n"))
       << std::flush;
}

void Talk::to_log(const std::string& text) {
  if (log_failed_) return;
  if (!log_) {
    unlogged_.push_back(text);
    return;
  }
  try {
    log_(text);
  } catch (const std::exception& failure) {
    log_failed_ = true;
    put("warning: ", "\x1b[33m", plain_text(cat("the log ends here: ", failure.what())));
  }
}

void Talk::log_to(Log log) {
  log_ = std::move(log);
  log_failed_ = false;
  if (!log_) return;
  for (const std::string& text : std::exchange(unlogged_, {})) to_log(text);
}

void Talk::show_bar(std::string_view text) {
  if (!screen_.redraws) return;
  // The last column stays free: some terminals begin a new line when it is written.
  const int room = screen_.width() - 1;
  const std::string plain =
      plain_text(text).substr(0, static_cast<std::size_t>(room > 0 ? room : 0));
  out_ << cat(kEraseLine, plain) << std::flush;
  bar_shown_ = true;
}

void Talk::hide_bar() {
  if (bar_shown_) out_ << kEraseLine << std::flush;
  bar_shown_ = false;
}

}  // namespace jacquard::experiments
