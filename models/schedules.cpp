#include "models/schedules.hpp"

#include <cmath>
#include <vector>

#include "autodiff/attribute.hpp"
#include "autodiff/error.hpp"

namespace jacquard::models {
namespace {

constexpr double kMost = 1e12;
constexpr double kLeast = 1e-12;

nn::Option from() { return {"from", {}, -kMost, kMost, "the first value"}; }
nn::Option to(std::optional<double> fallback, std::string_view meaning) {
  return {"to", fallback, -kMost, kMost, meaning};
}
nn::Option over() {
  return {"over", {}, kLeast, kMost, "epochs or steps from first to last value"};
}
nn::Option start() {
  return {"start", 0.0, 0, kMost, "epochs or steps before it begins to change"};
}
nn::Option per_step() { return {"per_step", 0.0, 0, 1, "counts steps, not epochs", true}; }

}  // namespace

std::span<const nn::Kind> schedule_kinds() {
  static const std::vector<nn::Kind> kinds = {
      {"constant", "always the same", {from()}},
      {"exponential",
       "multiplied by the factor after each epoch or step",
       {from(),
        {"factor", {}, kLeast, 1, "of one epoch or step"},
        to(0.0, "the least value"),
        start(),
        per_step()}},
      {"linear",
       "a straight line",
       {from(), to({}, "the last value"), over(), start(), per_step()}},
      {"inverse",
       "falls as 1/t",
       {from(),
        {"half", {}, kLeast, kMost, "epochs or steps until half is left"},
        to(0.0, "the least value"),
        start(),
        per_step()}},
      {"annealed",
       "constant to `start`, then start/t of it (Bergstra and Bengio 2012)",
       {from(),
        {"start", {}, kLeast, kMost, "epochs or steps before it begins to fall"},
        per_step()}},
      {"cosine",
       "half a wave (Loshchilov and Hutter 2017)",
       {from(), to(0.0, "the last value"), over(), start(), per_step()}},
  };
  return kinds;
}

std::string schedule_text(const Schedule& schedule) {
  nn::check_choice("schedule", schedule_kinds(), schedule);
  const auto value = [&](const char* name) { return nn::option(schedule_kinds(), schedule, name); };
  const std::string first = number_text(value("from"));
  if (schedule.kind == "constant") return first;
  const bool steps = value("per_step") != 0;
  const std::string t = steps ? "step" : "maximum(epoch - 1, 0)";
  const double begins = value("start");
  if (schedule.kind == "annealed")
    return cat(first, " * minimum(1, ", number_text(begins), " / (", t, " + 1))");
  const std::string s = begins == 0 ? t
                        : steps     ? cat("maximum(step - ", number_text(begins), ", 0)")
                                    : cat("maximum(epoch - ", number_text(1 + begins), ", 0)");
  const std::string last = number_text(value("to"));
  if (schedule.kind == "exponential")
    return cat("maximum(", last, ", ", first, " * exp(", number_text(std::log(value("factor"))),
               " * ", s, "))");
  if (schedule.kind == "inverse")
    return cat("maximum(", last, ", ", first, " / (1 + ", s, " / ", number_text(value("half")),
               "))");
  const std::string share = cat("minimum(1, ", s, " / ", number_text(value("over")), ")");
  if (schedule.kind == "linear")
    return cat(first, " + ", number_text(value("to") - value("from")), " * ", share);
  return cat(last, " + ", number_text((value("from") - value("to")) / 2), " * (1 + cos(",
             number_text(std::acos(-1.0)), " * ", share, "))");
}

}  // namespace jacquard::models
