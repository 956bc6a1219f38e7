// What the program says while it works: lines on standard error, the same lines in log.txt, and a
// last line that is redrawn in place where the screen can do it. Not for use by several threads.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jacquard::experiments {

// Without escape sequences and control characters but newline and tab: for files, and so that text
// of a spec cannot steer the terminal.
std::string plain_text(std::string_view text);

// What the stream that is talked to can do.
struct Screen {
  bool redraws = false;  // a line can be drawn again in place
  bool colours = false;
  std::function<int()> width = [] { return 80; };  // columns; may change while the program runs
};

// `term` and `no_color` are the environment's TERM and NO_COLOR, null where unset. An unset or dumb
// terminal neither redraws nor colours; any non-empty NO_COLOR forbids colours.
Screen screen_of(bool is_terminal, const char* term, const char* no_color);
Screen standard_error_screen();

class Talk {
 public:
  using Log = std::function<void(std::string_view)>;  // whole lines, newline included

  // The stream must outlive the object.
  Talk(std::ostream& out, Screen screen) : out_(out), screen_(std::move(screen)) {}
  Talk(const Talk&) = delete;
  Talk& operator=(const Talk&) = delete;
  ~Talk() { hide_bar(); }

  // One or more lines; the newline at the end is added.
  void say(std::string_view text) { line("", "", text); }
  void warn(std::string_view text) { line("warning: ", "\x1b[33m", text); }
  void error(std::string_view text) { line("error: ", "\x1b[31m", text); }

  // A line for whoever looks on, that is not logged.
  void aside(std::string_view text) { put("", "", plain_text(text)); }

  // Hands what was said so far and what will be said to `log`; an empty one ends that. A log that
  // throws is reported once on the stream and not used again: losing it must not end a training.
  void log_to(Log log);

  // Draws `text`, cut to the screen's width, as the last line. Nothing happens on a screen that
  // cannot redraw. Lines that are said later take its place.
  void show_bar(std::string_view text);
  void hide_bar();
  const Screen& screen() const { return screen_; }

 private:
  void line(std::string_view prefix, std::string_view colour, std::string_view text);
  void to_log(const std::string& text);
  void put(std::string_view prefix, std::string_view colour, std::string_view text);

  std::ostream& out_;
  Screen screen_;
  Log log_;
  bool log_failed_ = false;
  bool bar_shown_ = false;
  std::vector<std::string> unlogged_;  // said before there was a log
};

}  // namespace jacquard::experiments
