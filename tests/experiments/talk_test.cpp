#include "experiments/talk.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <stdexcept>

using namespace jacquard::experiments;

TEST_CASE("a screen redraws and colours only where that is wanted") {
  struct Row {
    bool terminal;
    const char *term, *no_color;
    bool redraws, colours;
  };
  for (const Row& row :
       {Row{true, "xterm", nullptr, true, true}, Row{true, "xterm", "", true, true},
        Row{true, "xterm", "0", true, false}, Row{true, "dumb", nullptr, false, false},
        Row{true, "", nullptr, false, false}, Row{true, nullptr, nullptr, false, false},
        Row{false, "xterm", nullptr, false, false}}) {
    const Screen screen = screen_of(row.terminal, row.term, row.no_color);
    CHECK(screen.redraws == row.redraws);
    CHECK(screen.colours == row.colours);
    CHECK(screen.width() == 80);
  }
  CHECK(standard_error_screen().width() > 0);
}

TEST_CASE("lines go to the stream and, without colours, to the log") {
  std::ostringstream out;
  std::string log;
  Talk talk(out, screen_of(true, "xterm", nullptr));
  talk.log_to([&](std::string_view text) { log += text; });
  talk.say("one\ntwo");
  talk.warn("three");
  talk.error("four");
  CHECK(out.str() ==
        "one\ntwo\n\x1b[33mwarning: \x1b[0mthree\n\x1b[31merror: \x1b[0m"
        "four\n");
  CHECK(log == "one\ntwo\nwarning: three\nerror: four\n");
}

TEST_CASE("without colours no escape sequence is written, whatever the text holds") {
  std::ostringstream out;
  Talk talk(out, screen_of(false, "xterm", nullptr));
  talk.warn("a\x1b[31mred\x1b[0m b\x1b]0;title\a c\r\b\x1b");
  talk.show_bar("bar");
  CHECK(out.str() == "warning: ared b c\n");
}

TEST_CASE("plain text keeps newlines, tabs and UTF-8") {
  CHECK(plain_text("a\n\tb \xc3\xa4") == "a\n\tb \xc3\xa4");
  CHECK(plain_text("\x1b[1;32mx\x1b[0m") == "x");
  CHECK(plain_text("\x1b]8;;u\x1b\\link\x1b]8;;\x1b\\") == "link");
  CHECK(plain_text("\x1b") == "");
  CHECK(plain_text("\x1b[") == "");
  CHECK(plain_text("\x1b[31") == "");
  CHECK(plain_text("\x1b]0;") == "");
  CHECK(plain_text("\x1b(Bx") == "Bx");
  CHECK(plain_text("\x7f\x01") == "");
}

TEST_CASE("what was said before there was a log is logged as well") {
  std::ostringstream out;
  std::string log;
  Talk talk(out, Screen{});
  talk.say("early");
  talk.log_to([&](std::string_view text) { log += text; });
  talk.say("late");
  talk.log_to({});
  talk.say("after");
  CHECK(log == "early\nlate\n");
  CHECK(out.str() == "early\nlate\nafter\n");
}

TEST_CASE("a log that fails is reported once and does not stop the program") {
  std::ostringstream out;
  Talk talk(out, Screen{});
  int calls = 0;
  talk.say("early");
  talk.log_to([&](std::string_view) {
    ++calls;
    throw std::runtime_error("write 'log.txt': No space left on device");
  });
  talk.say("late");
  CHECK(calls == 1);
  CHECK(out.str() ==
        "early\nwarning: the log ends here: write 'log.txt': No space left on device\nlate\n");
}

TEST_CASE("a line takes the bar's place") {
  std::ostringstream out;
  Talk talk(out, screen_of(true, "xterm", "1"));
  talk.show_bar("bar");
  talk.say("line");
  talk.hide_bar();
  CHECK(out.str() == "\r\x1b[Kbar\r\x1b[Kline\n");
}
