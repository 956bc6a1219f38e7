// The table of functions as it is printed, and what it shares with the activations.
#include "models/language/functions.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "models/model.hpp"
#include "nn/activations.hpp"

using namespace jacquard;
using namespace jacquard::models;

TEST_CASE("every activation is a function of the language with the same value") {
  for (const nn::Activation& activation : nn::activations()) {
    if (nn::is_identity(activation)) continue;
    CAPTURE(activation.name);
    Tape tape;
    Model model(tape, {}, {{"x", {2, 3}}});
    CHECK(model.expression(cat(activation.name, "(x)")) == activation.function(model["x"]));
  }
}

TEST_CASE("signatures show parameters and defaults") {
  const auto signature = [](const char* name) { return find_function(name)->signature(); };
  CHECK(signature("exp") == "exp(t)");
  CHECK(signature("sum") == "sum(t, axis=all, keepdims=false)");
  CHECK(signature("softmax") == "softmax(t, axis=-1)");
  CHECK(signature("leaky_relu") == "leaky_relu(t, slope=0.01)");
  CHECK(signature("contract") == "contract(subscripts, t, ...)");
  CHECK(signature("transpose") == "transpose(t, axes=...)");
  CHECK(signature("sqnorm_estimate") ==
        "sqnorm_estimate(jacobian(h, x), probes=1, stream=\"...\")");
  CHECK(find_function("nothing") == nullptr);
}

TEST_CASE("the printed tables hold every function once, group by group, with its formula") {
  const std::string text = function_table_text(), markdown = function_table_markdown();
  std::size_t last_text = 0, last_markdown = 0;
  for (const Function& function : functions()) {
    CAPTURE(function.name);
    const std::size_t at = text.find(cat("\n  ", function.signature(), ' '));
    REQUIRE(at != std::string::npos);
    CHECK(at > last_text);
    last_text = at;
    const std::size_t in_markdown = markdown.find(cat("| `", function.signature(), "` | "));
    REQUIRE(in_markdown != std::string::npos);
    CHECK(in_markdown > last_markdown);
    last_markdown = in_markdown;
    CHECK(text.find(function.formula) != std::string::npos);
    CHECK_FALSE(function.formula.empty());
  }
  CHECK(static_cast<std::size_t>(std::ranges::count(text, '\n')) == functions().size() + 6 + 5);
  CHECK(text.starts_with("elementwise\n  abs(t)   "));
  CHECK(
      markdown.starts_with("### elementwise\n\n| function | value |\n|---|---|\n| `abs(t)` | "
                           "\\|t\\|, derivative 0 at 0 |\n"));
  const std::vector<std::string> names = function_names();
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
}
