#include "experiments/progress.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <sstream>

using namespace jacquard::experiments;

namespace {

// What a terminal would show after the bytes written so far: finished lines, then the last one.
std::vector<std::string> shown(const std::string& bytes) {
  std::vector<std::string> lines(1);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes.compare(i, 4, "\r\x1b[K") == 0) {
      lines.back().clear();
      i += 3;
    } else if (bytes[i] == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += bytes[i];
    }
  }
  return lines;
}

struct Stage {
  explicit Stage(bool terminal, int columns = 80)
      : width(columns), talk(out, screen(terminal)), progress(talk, [this] { return now; }) {}
  Screen screen(bool terminal) {
    Screen s = screen_of(terminal, "xterm", "1");
    s.width = [this] { return width; };
    return s;
  }
  std::string last() const { return shown(out.str()).back(); }
  int redraws() const {
    int count = 0;
    for (std::size_t at = out.str().find("epoch"); at != std::string::npos;
         at = out.str().find("epoch", at + 1))
      ++count;
    return count;
  }

  int width;
  double now = 100;
  std::ostringstream out;
  Talk talk;
  Progress progress;
};

}  // namespace

TEST_CASE("the bar shows epoch, batch, cost and time left") {
  Stage stage(true);
  stage.progress.begin(4, 100);
  stage.now += 10;
  stage.progress.step(1, 50, 92.4123456);
  CHECK(stage.last() ==
        "epoch 1/4 [==>                 ] batch  50/100 cost 92.412, 1 min 10 s left");
  CHECK(stage.last().size() <= 79);
  stage.now += 110;
  stage.progress.step(4, 100, 1e-7);
  CHECK(stage.last() == "epoch 4/4 [====================] batch 100/100 cost 1e-07, 0 s left");
}

TEST_CASE("the bar is drawn at most ten times per second") {
  Stage stage(true);
  stage.progress.begin(1, 10000);
  for (int step = 1; step <= 10000; ++step) {
    stage.now += 0.0005;
    stage.progress.step(1, step, 1);
  }
  CHECK(stage.redraws() <= 51);
  CHECK(stage.redraws() >= 45);
}

TEST_CASE("the bar keeps within the terminal's width, which may change") {
  for (int width = 0; width < 200; ++width) {
    Stage stage(true, 200);
    stage.progress.begin(1000, 600);
    stage.now += 1;
    stage.width = width;
    stage.progress.step(12, 599, -1.2345678e-100);
    CAPTURE(width);
    CHECK(stage.last().size() <= static_cast<std::size_t>(width > 0 ? width - 1 : 0));
    if (width > 40) CHECK(stage.last().find("cost -1.2346e-100") != std::string::npos);
    if (width > 90) CHECK(stage.last().find(" left") != std::string::npos);
  }
}

TEST_CASE("without a terminal there is one plain line per epoch and nothing else") {
  Stage stage(false);
  stage.progress.begin(3, 2);
  for (int epoch = 1; epoch <= 3; ++epoch) {
    for (int step = 1; step <= 2; ++step) {
      stage.now += 2;
      stage.progress.step(epoch, step, 5);
    }
    stage.progress.epoch_done("cost 5, valid 6");
  }
  stage.progress.finish();
  CHECK(stage.out.str() ==
        "epoch 1/3: cost 5, valid 6 (4 s, 8 s left)\n"
        "epoch 2/3: cost 5, valid 6 (4 s, 4 s left)\n"
        "epoch 3/3: cost 5, valid 6 (4 s)\n");
}

TEST_CASE("on a terminal the epochs' lines stay above the bar, which goes at the end") {
  Stage stage(true);
  stage.progress.begin(2, 1);
  stage.now += 1;
  stage.progress.step(1, 1, 3);
  stage.progress.epoch_done("cost 3");
  stage.now += 1;
  stage.progress.step(2, 1, 2);
  CHECK(shown(stage.out.str()).size() == 2);
  CHECK(stage.last().starts_with("epoch 2/2 [="));
  stage.progress.epoch_done("cost 2");
  stage.progress.finish();
  stage.progress.finish();
  CHECK(shown(stage.out.str()) == std::vector<std::string>{"epoch 1/2: cost 3 (1 s, 1 s left)",
                                                           "epoch 2/2: cost 2 (1 s)", ""});
}

TEST_CASE("an exception does not leave a bar behind") {
  std::ostringstream out;
  {
    Talk talk(out, screen_of(true, "xterm", nullptr));
    Progress progress(talk, [] { return 0.0; });
    progress.begin(1, 1);
    progress.step(1, 1, 0);
  }
  CHECK(shown(out.str()) == std::vector<std::string>{""});
}

TEST_CASE("a continued training counts time left from the epochs of this run") {
  Stage stage(false);
  stage.progress.begin(10, 5, 8);
  stage.now += 3;
  stage.progress.epoch_done("cost 1");
  CHECK(stage.out.str() == "epoch 9/10: cost 1 (3 s, 3 s left)\n");
}

TEST_CASE("a training of unknown length has no time left") {
  Stage stage(true);
  stage.progress.begin(0, 10);
  stage.now += 5;
  stage.progress.step(7, 5, std::numeric_limits<double>::quiet_NaN());
  CHECK(stage.last() == "epoch 7 [===================>                  ] batch  5/10 cost nan");
  stage.progress.epoch_done("cost null");
  CHECK(shown(stage.out.str())[0] == "epoch 1: cost null (5 s)");
}

TEST_CASE("odd numbers of epochs and steps do no harm") {
  Stage stage(true);
  stage.progress.begin(-3, 0);
  stage.progress.step(1, 0, std::numeric_limits<double>::infinity());
  stage.now += 1;
  stage.progress.step(std::numeric_limits<std::int64_t>::max(), 1, -0.0);
  stage.now -= 100;
  stage.progress.step(1, 1, 1e308);
  stage.progress.epoch_done("");
  CHECK(shown(stage.out.str()).size() == 2);
}

TEST_CASE("the machine's clock drives a progress made without one") {
  std::ostringstream out;
  Talk talk(out, screen_of(false, nullptr, nullptr));
  Progress progress(talk);
  progress.begin(1, 1);
  progress.epoch_done("cost 1");
  CHECK(out.str() == "epoch 1/1: cost 1 (0 s)\n");
}

TEST_CASE("durations are short to read") {
  CHECK(duration_text(0) == "0 s");
  CHECK(duration_text(59.4) == "59 s");
  CHECK(duration_text(59.6) == "1 min 00 s");
  CHECK(duration_text(185) == "3 min 05 s");
  CHECK(duration_text(7805) == "2 h 10 min");
  CHECK(duration_text(-1) == "?");
  CHECK(duration_text(std::numeric_limits<double>::quiet_NaN()) == "?");
  CHECK(duration_text(1e300) == "?");
}
