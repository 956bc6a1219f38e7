#include "experiments/utc.hpp"

#include <ctime>

namespace jacquard::experiments {
namespace {

std::string formatted(TimePoint time, const char* format) {
  const std::time_t seconds =
      std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  return std::string(text, std::strftime(text, sizeof text, format, &parts));
}

}  // namespace

std::string utc_text(TimePoint time) { return formatted(time, "%Y-%m-%dT%H:%M:%SZ"); }
std::string utc_stamp(TimePoint time) { return formatted(time, "%Y%m%d-%H%M%S"); }

}  // namespace jacquard::experiments
