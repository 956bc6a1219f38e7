// The shipped specs, experiments/specs/*.json: each is read, written out, trained for a moment and
// its gradients are checked. Checks use fewer hidden units than the spec where that is enough.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "experiments/commands.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Overrides = std::vector<std::string>;

const fs::path kSource = JACQUARD_SOURCE_DIR;
const fs::path kFolder = kSource / "experiments/specs";

// Without Fashion-MNIST, which takes longer to read than a small check takes.
const std::string kBars = R"(data={"set": "bars", "size": 28, "count": 20})";

const Overrides kShort = {kBars, "model.hidden=4"};
const Overrides kLong = {kBars, "model.parameters.W=[784, 4]", "model.parameters.b=[4]"};
const Overrides kDeep = {kBars,
                         "model.parameters.W1=[784, 4]",
                         "model.parameters.b1=[4]",
                         "model.parameters.W2=[4, 3]",
                         "model.parameters.b2=[3]",
                         "model.parameters.c2=[4]"};
const Overrides kSpiral = {"data.count=60",
                           "data.valid=20",
                           "model.parameters.W1.shape=[2, 4]",
                           "model.parameters.b1.shape=[4]",
                           "model.parameters.W2=[4, 3]",
                           "model.parameters.b2=[3]",
                           "model.parameters.W3=[3, 2]"};
// Labels belong to real images.
const Overrides kLabelled = {"data.set=fashion_mnist"};
const Overrides kStack = {"model.parameters.W1=[784, 4]", "model.parameters.b1=[4]",
                          "model.parameters.W2=[4, 3]",   "model.parameters.b2=[3]",
                          "model.parameters.c2=[4]",      "model.parameters.V=[3, 10]"};

// A training of a moment on forty examples.
const Overrides kSlice = {"data.limit=40", "train.batch=20", "train.epochs=1"};
const Overrides kLabelledSlice = {"data.set=fashion_mnist", "data.limit=40", "train.batch=20",
                                  "train.epochs=1", "train.monitor_sets=[\"train\", \"valid\"]"};
Overrides stages_slice(int stages) {
  Overrides slice = {"data.limit=40"};
  for (int i = 0; i < stages; ++i)
    for (const char* field : {"batch=20", "epochs=1"})
      slice.push_back(cat("stages.", i, ".train.", field));
  return slice;
}

// Of images that another package brings, on machines without them.
Overrides with(Overrides first, const Overrides& more) {
  first.insert(first.end(), more.begin(), more.end());
  return first;
}
const Overrides kFashionSlice = with(kLabelled, kSlice);
const Overrides kTrainSlice = with(kFashionSlice, {"train.monitor_sets=[\"train\"]"});
Overrides fashion_stages_slice(int stages, const Overrides& more = {}) {
  return with(with(kLabelled, stages_slice(stages)), more);
}
// In place of patches of CIFAR-10, grey and in colour.
const std::string kSmallBars = R"(data={"set": "bars", "size": 8, "count": 60, "valid": 20})";
const std::string kColour = R"(data={"set": "gaussian", "size": 192, "count": 40})";
const Overrides kSmallSlice = {kSmallBars, "train.batch=20", "train.epochs=1"};
const Overrides kColourSlice = {kColour, "train.batch=20", "train.epochs=1"};

// Other shapes of single parameters: {"W", "[784, 4]"}.
Overrides shapes(std::initializer_list<std::pair<const char*, const char*>> all,
                 Overrides more = {kBars}) {
  for (const auto& entry : all)
    more.push_back(cat("model.parameters.", entry.first, "=", entry.second));
  return more;
}
const Overrides kUntied = shapes({{"W", "[784, 4]"}, {"b", "[4]"}, {"V", "[4, 784]"}});
const Overrides kPlane =
    shapes({{"W1", "[2, 4]"}, {"b1", "[4]"}, {"W2", "[4, 3]"}, {"b2", "[3]"}, {"W3", "[3, 2]"}},
           {"data.count=60", "data.valid=20"});
const std::vector<std::string> kFieldOf = {"filters.png", "field.svg"};

const std::vector<std::string> kImages = {"filters.png", "reconstructions.png"};

struct Shipped {
  std::string name;
  Overrides shrink;
  bool contractive = false;  // a Jacobian is in the cost
  std::vector<std::string> pictures = kImages;
  Overrides slice = kSlice;
};

const std::vector<Shipped> kShipped = {
    {"combined", kLong, true},
    {"contractive_cifar_article",
     shapes({{"W.shape", "[192, 4]"}, {"b", "[4]"}, {"V.shape", "[4, 192]"}}, {kColour}), true,
     kImages, kColourSlice},
    {"contractive_deep", kDeep, true},
    {"contractive_higher_order", kLong, true},
    {"contractive_mnist_rifai2011",
     shapes({{"W", "[784, 4]"}, {"b", "[4]"}, {"V", "[4, 10]"}}, {"data.set=fashion_mnist"}), true,
     kImages, fashion_stages_slice(2)},
    {"contractive_softplus", kShort, true},
    {"contractive_tanh", kShort, true},
    {"contractive_untied", kShort, true},
    {"deep",
     shapes({{"W1.shape", "[784, 4]"},
             {"b1", "[4]"},
             {"W2.shape", "[4, 3]"},
             {"b2", "[3]"},
             {"W3.shape", "[3, 3]"},
             {"b3", "[3]"},
             {"W4.shape", "[3, 2]"},
             {"b4", "[2]"},
             {"V4.shape", "[2, 3]"},
             {"c4", "[3]"},
             {"V3.shape", "[3, 3]"},
             {"c3", "[3]"},
             {"V2.shape", "[3, 4]"},
             {"c2", "[4]"},
             {"V1", "[4, 784]"}}),
     false, kImages, kTrainSlice},
    {"denoising_gaussian", kShort},
    {"denoising_linear_gaussian",
     {"data.count=60", "data.valid=20"},
     false,
     kImages,
     {"data.count=60", "data.valid=20", "train.batch=20", "train.epochs=1"}},
    {"denoising_masking", kLong},
    {"denoising_salt_and_pepper", kLong},
    {"ksparse", shapes({{"W.shape", "[784, 110]"}, {"b", "[110]"}})},
    {"ksparse_mnist_makhzani2013",
     shapes({{"W.shape", "[784, 110]"}, {"b", "[110]"}, {"V.shape", "[110, 10]"}},
            {"data.set=fashion_mnist"}),
     false, kImages, fashion_stages_slice(2)},
    {"new_regularizer", kLong, true},
    {"plain", kLong},
    {"plain_cifar_article",
     shapes({{"W.shape", "[192, 4]"}, {"b", "[4]"}, {"V.shape", "[4, 192]"}}, {kColour}), false,
     kImages, kColourSlice},
    {"plain_mnist_rifai2011",
     shapes({{"W", "[784, 4]"}, {"b", "[4]"}, {"V", "[4, 10]"}}, {"data.set=fashion_mnist"}), false,
     kImages, fashion_stages_slice(2)},
    {"quickstart", kLong, true},
    {"rbm_contrastive", shapes({{"W.shape", "[784, 4]"}, {"b", "[4]"}})},
    {"rbm_gaussian", shapes({{"W.shape", "[64, 4]"}, {"b", "[4]"}}, {kSmallBars}), false, kImages,
     kSmallSlice},
    {"rbm_mnist_tutorial",
     shapes({{"W.shape", "[784, 4]"}, {"b", "[4]"}}, {kBars, "model.state.chain.shape=[3, 4]"}),
     false, kImages, kFashionSlice},
    {"rbm_persistent",
     shapes({{"W.shape", "[784, 4]"}, {"b", "[4]"}}, {kBars, "model.state.chain.shape=[3, 784]"})},
    {"reconstruction_contractive", kLong, true},
    {"saturating_linear", kUntied},
    {"saturating_relu", kUntied},
    {"saturating_shrink", kUntied},
    {"score_denoising_spiral", kPlane, false, kFieldOf},
    {"score_matching_spiral", kSpiral, true, {"filters.png", "field.svg"}},
    {"score_sliced_spiral", kPlane, true, kFieldOf},
    {"sparse_kl", kLong},
    {"sparse_l1", kShort},
    {"sparse_patches", {kSmallBars}, false, kImages, kSmallSlice},
    {"sparse_running_average",
     shapes({{"W", "[784, 4]"}, {"b", "[4]"}}, {kBars, "model.state.rate.shape=[4]"})},
    {"stacked_belief",
     shapes({{"W1.shape", "[784, 4]"},
             {"b1", "[4]"},
             {"W2.shape", "[4, 3]"},
             {"b2", "[3]"},
             {"c2", "[4]"},
             {"W3.shape", "[3, 5]"},
             {"b3", "[5]"},
             {"c3", "[3]"},
             {"V", "[5, 10]"}},
            {"data.set=fashion_mnist"}),
     false,
     {"filters.png"},
     fashion_stages_slice(4)},
    {"stacked_deep",
     shapes({{"W1", "[784, 4]"},
             {"b1", "[4]"},
             {"W2", "[4, 3]"},
             {"b2", "[3]"},
             {"W3", "[3, 3]"},
             {"b3", "[3]"},
             {"W4", "[3, 2]"},
             {"b4", "[2]"},
             {"V4", "[2, 3]"},
             {"c4", "[3]"},
             {"V3", "[3, 3]"},
             {"c3", "[3]"},
             {"V2", "[3, 4]"},
             {"c2", "[4]"},
             {"V1", "[4, 784]"}}),
     false, kImages, fashion_stages_slice(5, {"stages.4.train.monitor_sets=[\"train\"]"})},
    {"stacked_denoising", kStack, false, {"filters.png"}, stages_slice(3)},
    {"stacked_mnist_ufldl",
     shapes({{"W1.shape", "[784, 4]"},
             {"b1", "[4]"},
             {"V1.shape", "[4, 784]"},
             {"W2.shape", "[4, 3]"},
             {"b2", "[3]"},
             {"V2.shape", "[3, 4]"},
             {"c2", "[4]"},
             {"S.shape", "[3, 10]"}},
            {"data.set=fashion_mnist"}),
     false,
     {"filters.png"},
     fashion_stages_slice(4)},
    {"supervised_double_backpropagation",
     {"data.set=fashion_mnist", "model.hidden=[4, 3]"},
     true,
     {"filters.png"}},
    {"supervised_jacobian",
     {"data.set=fashion_mnist", "model.hidden=[4, 3]"},
     true,
     {"filters.png"}},
    {"supervised_jacobian_mnist",
     {"data.set=fashion_mnist", "model.hidden=[4, 3]"},
     true,
     {"filters.png"},
     kTrainSlice},
    {"supervised_logistic", kLabelled, false, {"filters.png"}, kLabelledSlice},
    {"supervised_mlp",
     {"data.set=fashion_mnist", "model.hidden=4"},
     false,
     {"filters.png"},
     kLabelledSlice},
    {"supervised_softmax_ufldl", {"data.set=fashion_mnist"}, false, {"filters.png"}, kFashionSlice},
    {"supervised_tangent",
     shapes({{"W", "[784, 5]"}, {"b", "[5]"}, {"V", "[5, 10]"}}, {"data.set=fashion_mnist"}),
     true,
     {"filters.png"},
     fashion_stages_slice(2)},
    {"transforming_digits", {kBars}, false, kImages, kFashionSlice},
    {"variational", shapes({{"W", "[784, 4]"},
                            {"b", "[4]"},
                            {"M", "[4, 2]"},
                            {"m", "[2]"},
                            {"S", "[4, 2]"},
                            {"s", "[2]"},
                            {"V", "[2, 4]"},
                            {"d", "[4]"},
                            {"U", "[4, 784]"}})},
    {"weight_decay", kShort},
};

std::string path_of(const Shipped& shipped) { return kFolder / (shipped.name + ".json"); }

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

Json written_out(const std::string& path, const Overrides& overrides = {}) {
  LoadedSpec loaded({path, overrides});
  loaded.problems().throw_if_any();
  return spec_json(loaded.spec());
}

void expect_check_passes(const Shipped& shipped, const Overrides& overrides, int order,
                         std::int64_t examples) {
  CAPTURE(shipped.name);
  CheckCommand command;
  command.spec = {path_of(shipped), overrides};
  command.order = order;
  command.examples = examples;
  command.directions = 1;
  std::ostringstream out, said;
  Talk talk(said, Screen{});
  CHECK(check_command(command, out, talk) == 0);
  const std::string report = out.str();
  CAPTURE(report);
  CHECK(report.ends_with("check passed\n"));
}

TEST_CASE("Every spec of the folder is tested, documented and begins with what it shows") {
  std::set<std::string> files, tested;
  for (const auto& entry : fs::directory_iterator(kFolder)) files.insert(entry.path().filename());
  for (const Shipped& shipped : kShipped) tested.insert(shipped.name + ".json");
  CHECK(files == tested);
  const std::string table = text_of(kSource / "experiments/README.md");
  for (const Shipped& shipped : kShipped) {
    CAPTURE(shipped.name);
    CHECK(text_of(path_of(shipped)).starts_with("// "));
    CHECK(table.find("`" + shipped.name + "`") != std::string::npos);
  }
}

TEST_CASE("A shipped spec is named as its file") {
  for (const Shipped& shipped : kShipped) {
    std::string name = shipped.name;
    std::ranges::replace(name, '_', '-');
    CHECK(written_out(path_of(shipped))["name"] == name);
  }
}

TEST_CASE("A shipped spec written out in full and read again is the same spec") {
  const TemporaryFolder folder;
  for (const Shipped& shipped : kShipped) {
    CAPTURE(shipped.name);
    const Json first = written_out(path_of(shipped));
    CHECK(written_out(folder.put(shipped.name + ".json", first.dump())) == first);
  }
}

TEST_CASE("The first derivatives of every shipped cost are right, with few hidden units") {
  for (const Shipped& shipped : kShipped) expect_check_passes(shipped, shipped.shrink, 1, 2);
}

TEST_SUITE("slow") {
  TEST_CASE("Every shipped spec trains on a slice of its data, and lowers its cost") {
    const TemporaryFolder folder;
    for (const Shipped& shipped : kShipped) {
      CAPTURE(shipped.name);
      const fs::path run = folder / shipped.name;
      RunCommand command;
      command.spec = {path_of(shipped), shipped.slice};
      command.out = run;
      std::ostringstream out, said;
      Talk talk(said, Screen{});
      REQUIRE(run_command(command, out, talk) == 0);
      CHECK(written_out(run / "config.json") == written_out(path_of(shipped), shipped.slice));
      for (const char* file : {"checkpoints/last.safetensors", "checkpoints/best.safetensors"})
        CHECK(fs::is_regular_file(run / file));
      for (const std::string& picture : shipped.pictures)
        CHECK(fs::is_regular_file(run / "artifacts" / picture));

      std::istringstream metrics(text_of(run / "metrics.jsonl"));
      // Of every stage, before the first epoch and after it.
      std::map<std::string, std::vector<double>> costs;
      for (std::string text; std::getline(metrics, text);) {
        const Json line = Json::parse(text);
        costs[line.value("stage", "")].push_back(line["train/cost"]);
      }
      for (const auto& of_stage : costs) {
        CAPTURE(of_stage.first);
        REQUIRE(of_stage.second.size() == 2);
        CHECK(of_stage.second[1] < of_stage.second[0]);
      }
    }
  }

  TEST_CASE("The second derivatives of shipped costs with a Jacobian are right") {
    for (const Shipped& shipped : kShipped)
      if (shipped.contractive) expect_check_passes(shipped, shipped.shrink, 2, 1);
  }
}

TEST_SUITE("long") {
  TEST_CASE("The derivatives of every shipped cost are right at its full size") {
    for (const Shipped& shipped : kShipped) {
      const bool is_mnist =
          written_out(path_of(shipped)).value(Json::json_pointer("/data/set"), "") == "mnist";
      expect_check_passes(shipped, is_mnist ? Overrides{"data.set=fashion_mnist"} : Overrides{},
                          shipped.contractive ? 2 : 1, 1);
    }
  }
}

}  // namespace
}  // namespace jacquard::experiments
