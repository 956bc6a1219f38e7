// Moments of time as text, always in UTC, so that names and logs of several machines sort together.
#pragma once

#include <chrono>
#include <string>

namespace jacquard::experiments {

using TimePoint = std::chrono::system_clock::time_point;

std::string utc_text(TimePoint time);   // 2026-03-01T14:05:09Z (ISO 8601, whole seconds)
std::string utc_stamp(TimePoint time);  // 20260301-140509, for names of folders

}  // namespace jacquard::experiments
