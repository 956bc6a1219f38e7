#include <doctest/doctest.h>

#include "autodiff/products.hpp"
#include "experiments/failure.hpp"
#include "experiments/manifest.hpp"
#include "experiments/problem.hpp"
#include "experiments/schema.hpp"
#include "tests/experiments/command_call.hpp"
#include "tests/experiments/small_set.hpp"

namespace jacquard::experiments {
namespace {

Called list(bool json = false) {
  return call([&](std::ostream& out, Talk&) { return data_list_command(json, out); });
}

Called reported(const std::exception& failure, bool json = false) {
  return call(
      [&](std::ostream& out, Talk& talk) { return report_failure(failure, json, out, talk); });
}

}  // namespace

TEST_CASE("data list has a line for each set, with its place if it has one") {
  const TemporaryFolder folder;
  const Variable data("JACQUARD_DATA", folder.path().c_str());
  CHECK(list().out.find("mnist            missing: run jacquard data get mnist") !=
        std::string::npos);
  put_small_set(folder, "mnist", 4, 2);
  const Called called = list();
  CHECK(called.code == 0);
  CHECK(called.said.empty());
  const std::string& text = called.out;
  CHECK(text.find("\nmnist            found") != std::string::npos);
  CHECK(text.find((folder / "mnist").string()) != std::string::npos);
  CHECK(text.find("\nspiral           generated") != std::string::npos);
  for (const std::string& name : data_set_names())
    CHECK(("\n" + text).find("\n" + name + " ") != std::string::npos);
}

TEST_CASE("data list as JSON") {
  const TemporaryFolder folder;
  const Variable data("JACQUARD_DATA", folder.path().c_str());
  put_small_set(folder, "mnist", 4, 2);
  const auto sets = list(true).json()["sets"];
  REQUIRE(sets.size() == data_set_names().size());
  for (const auto& set : sets) {
    if (set["name"] != "mnist") continue;
    CHECK(set["state"] == "found");
    CHECK(set["where"] == (folder / "mnist").string());
    CHECK(set["bytes"].get<int>() > 40);
  }
}

TEST_CASE("data get refuses names that cannot be fetched") {
  CHECK(
      message_of<SpecError>([] {
        call([](std::ostream&, Talk& talk) { return data_get_command("mnits", talk); });
      }) ==
      "data get: 'mnits' is no set that can be fetched; there are: fashion_mnist, mnist, cifar10");
}

TEST_CASE("schema prints the schema of specs") {
  const Called called = call([](std::ostream& out, Talk&) { return schema_command(out); });
  CHECK(called.code == 0);
  CHECK(nlohmann::ordered_json::parse(called.out) == spec_schema());
  CHECK(called.out.ends_with("}\n"));
}

TEST_CASE("version tells of the program, the compiler and the libraries") {
  const auto version = [](bool json) {
    return call([&](std::ostream& out, Talk&) { return version_command(json, out); });
  };
  CHECK(version(false).out == cat("jacquard ", program_version(), "\ncompiler: ", compiler_text(),
                                  "\nproducts: ", gemm_library_description(), '\n'));
  const auto json = version(true).json();
  CHECK(json["version"] == program_version());
  CHECK(json["libraries"]["products"] == gemm_library_description());
}

TEST_CASE("each kind of failure has its exit code and its message") {
  CHECK(reported(UsageError("run: what")).code == 2);
  CHECK(reported(SpecError("data")).code == 3);
  CHECK(reported(ShapeError("add: shapes")).code == 3);
  CHECK(reported(GradientError("gradient: none")).code == 3);
  CHECK(reported(Error("write 'a': no space")).code == 1);
  CHECK(reported(std::bad_alloc()).code == 1);
  CHECK(reported(InternalError("plan: lost")).code == 1);

  CHECK(reported(Error("write 'a': no space")).said == "error: write 'a': no space\n");
  CHECK(reported(std::bad_alloc()).said == "error: there is not enough memory\n");
  CHECK(reported(InternalError("plan: lost")).said ==
        "error: plan: lost; this is a mistake of Jacquard itself, please report it together with "
        "the spec\n");
}

TEST_CASE("failures are told as JSON on request, and as text all the same") {
  Problem problem;
  problem.origin = "spec.json";
  problem.pointer = "/seed";
  problem.line = 3;
  problem.column = 9;
  problem.message = "-1 is out of range";
  problem.hint = "an integer of at least 0 is needed";
  const Called called = reported(InvalidSpec({problem}), true);
  CHECK(called.code == 3);
  CHECK(called.said ==
        "spec.json:3:9: error at /seed: -1 is out of range; an integer of at least 0 is needed\n");
  CHECK(called.json() == nlohmann::json{{"problems",
                                         {{{"pointer", "/seed"},
                                           {"line", 3},
                                           {"column", 9},
                                           {"message", "-1 is out of range"},
                                           {"hint", "an integer of at least 0 is needed"}}}}});
  const auto other = reported(Error("write 'a': no space"), true).json();
  CHECK(other["problems"][0]["message"] == "write 'a': no space");
}

}  // namespace jacquard::experiments
