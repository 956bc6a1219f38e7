#include "experiments/check_report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "autodiff/error.hpp"
#include "experiments/json_dump.hpp"
#include "experiments/source_text.hpp"
#include "experiments/table.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

bool is_failure(const CheckRow& row) {
  return row.verdict == Verdict::kWrongRule || row.verdict == Verdict::kWrongPlan ||
         row.verdict == Verdict::kNotFinite;
}

std::string formatted(const char* format, double value) {
  std::array<char, 64> text;
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string explanation(const CheckRow& row) {
  switch (row.verdict) {
    case Verdict::kKink:
      return "the value has a kink or a jump here, as relu has at 0, so that there is no one "
             "slope: "
             "no failure";
    case Verdict::kWrongRule:
      return "the gradient on the tape is not the slope";
    case Verdict::kWrongPlan:
      return "the gradient on the tape is right, but a plan that computes it in float or double is "
             "off by more than rounding explains";
    default:
      return "the value or its gradient is not a finite number";
  }
}

// What there is to know about a row that did not pass.
std::string paragraph(const CheckRow& row) {
  std::string text = cat(verdict_text(row.verdict), ": term ", in_quotes(row.term), ", parameter '",
                         row.parameter, "', order ", row.order, "\n  ", explanation(row), '\n');
  if (!row.element.empty()) {
    text += cat("  worst element ", row.element, ": gradient ", formatted("%.17g", row.exact),
                ", numeric slope ", formatted("%.17g", row.numeric), '\n');
    text += cat("  slope to the left ", formatted("%.9g", row.slope_left), ", to the right ",
                formatted("%.9g", row.slope_right), '\n');
  }
  if (row.verdict == Verdict::kWrongPlan)
    text += cat("  share of the allowed deviation: double ", formatted("%.3g", row.double_error),
                ", float ", formatted("%.3g", row.float_error), " (at most 1 is allowed)\n");
  if (!row.operation.empty()) text += cat("  operation: ", row.operation, '\n');
  return text;
}

}  // namespace

std::string check_table(const CheckReport& report) {
  Table table({"term", "parameter", "order", "verdict", "rule error", "double", "float"});
  for (const CheckRow& row : report.rows) {
    if (row.verdict == Verdict::kUnused) {
      table.add({row.term, row.parameter, std::to_string(row.order), "-", "-", "-", "-"});
      continue;
    }
    table.add({row.term, row.parameter, std::to_string(row.order),
               std::string(verdict_text(row.verdict)), formatted("%.1e", row.error),
               formatted("%.2f", row.double_error), formatted("%.2f", row.float_error)});
  }
  return table.text();
}

std::string check_details(const CheckReport& report) {
  std::string text;
  for (const CheckRow& row : report.rows) {
    if (row.verdict == Verdict::kPass || row.verdict == Verdict::kUnused) continue;
    text += (text.empty() ? "" : "\n") + paragraph(row);
  }
  return text;
}

std::string check_conclusion(const CheckReport& report) {
  const auto failed = std::ranges::count_if(report.rows, is_failure);
  if (failed == 0) return "check passed";
  return cat("check failed: ", failed, " of ", report.rows.size());
}

nlohmann::ordered_json check_row_json(const CheckRow& row) {
  Json json{{"term", row.term},
            {"parameter", row.parameter},
            {"order", row.order},
            {"verdict", verdict_text(row.verdict)},
            {"error", finite_or_null(row.error)},
            {"double_deviation", finite_or_null(row.double_error)},
            {"float_deviation", finite_or_null(row.float_error)}};
  if (!row.element.empty()) {
    json["element"] = row.element;
    json["gradient"] = finite_or_null(row.exact);
    json["slope"] = finite_or_null(row.numeric);
    json["slope_left"] = finite_or_null(row.slope_left);
    json["slope_right"] = finite_or_null(row.slope_right);
  }
  if (!row.operation.empty()) json["operation"] = row.operation;
  return json;
}

}  // namespace jacquard::experiments
