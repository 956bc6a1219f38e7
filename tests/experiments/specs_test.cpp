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

// Sets that are to be fetched give way to one that is there, or to numbers of the same kind.
Overrides with(Overrides all, const Overrides& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}
const Overrides kFashion = {"data.set=fashion_mnist"};
const Overrides kFashionSlice = with(kFashion, kSlice);
const std::string kPatches = R"(data={"set": "gaussian", "size": 192, "count": 60, "test": 0})";
const std::string kGreyPatches =
    R"(data={"set": "gaussian", "size": 64, "count": 60, "valid": 20, "test": 0})";

// Other shapes of single parameters: {"W", "[784, 4]"}.
Overrides shapes(std::initializer_list<std::pair<const char*, const char*>> all,
                 Overrides more = {kBars}) {
  for (const auto& entry : all)
    more.push_back(cat("model.parameters.", entry.first, "=", entry.second));
  return more;
}
const Overrides kArticle =
    shapes({{"W.shape", "[192, 4]"}, {"b", "[4]"}, {"V.shape", "[4, 192]"}}, {kPatches});
const Overrides kClassifier = shapes({{"W", "[784, 4]"}, {"b", "[4]"}, {"V", "[4, 10]"}}, kFashion);
const std::vector<std::string> kDeepWidths = {"784", "5", "4", "3", "2"};
// The layers of deep.json and stacked_deep.json; `form` begins the shapes of what is declared long.
Overrides deep_shapes(const std::string& form, bool last_is_long, Overrides more) {
  const auto pair = [](std::size_t a, std::size_t b) {
    return cat("[", kDeepWidths[a], ", ", kDeepWidths[b], "]");
  };
  for (std::size_t layer = 1; layer <= 4; ++layer) {
    const std::string number = std::to_string(layer);
    const auto set = [&](const std::string& name, const std::string& shape) {
      more.push_back(cat("model.parameters.", name, "=", shape));
    };
    set(cat("W", number, form), pair(layer - 1, layer));
    set(cat("b", number), cat("[", kDeepWidths[layer], "]"));
    set(cat("V", number, layer > 1 || last_is_long ? form : ""), pair(layer, layer - 1));
    set(cat("c", number), cat("[", kDeepWidths[layer - 1], "]"));
  }
  return more;
}
const Overrides kUntied = shapes({{"W", "[784, 4]"}, {"b", "[4]"}, {"V", "[4, 784]"}});
const Overrides kPlane =
    shapes({{"W1", "[2, 4]"}, {"b1", "[4]"}, {"W2", "[4, 3]"}, {"b2", "[3]"}, {"W3", "[3, 2]"}},
           {"data.count=60", "data.valid=20"});
const std::vector<std::string> kFieldOf = {"filters.png", "field.svg"};

const std::vector<std::string> kImages = {"filters.png", "reconstructions.png"};

const std::vector<std::string> kEvaluated = {"filters.png", "reconstructions.png", "spectrum.svg",
                                             "locality.svg", "map.svg"};

struct Shipped {
  std::string name;
  Overrides shrink;
  bool contractive = false;  // a Jacobian is in the cost
  std::vector<std::string> pictures = kImages;
  Overrides slice = kSlice;
  bool falls = true;  // the cost, in the first epoch: not what nothing is trained by, or by chains
};

const std::vector<Shipped> kShipped = {
    {"combined", kLong, true},
    {"contractive_cifar_article",
     kArticle,
     true,
     kImages,
     {kPatches, "train.batch=20", "train.epochs=1"}},
    {"contractive_deep", kDeep, true},
    {"contractive_higher_order", kLong, true},
    {"contractive_mnist_rifai2011",
     kClassifier,
     true,
     {"filters.png"},
     with(kFashion, stages_slice(2))},
    {"contractive_softplus", kShort, true},
    {"contractive_swiss_roll",
     shapes({{"W.shape", "[3, 4]"}, {"b.shape", "[4]"}, {"V", "[4, 3]"}},
            {"data.count=60", "data.valid=20", "data.test=20"}),
     true,
     {"reconstructions.png", "position.svg", "map.svg"}},
    {"contractive_tanh", kShort, true},
    {"contractive_untied", kShort, true},
    {"deep", deep_shapes(".shape", false, kFashion), false, kImages, kFashionSlice},
    {"denoising_gaussian", kShort},
    {"denoising_linear_gaussian", {"data.count=60", "data.valid=20"}, false, {}},
    {"denoising_masking", kLong},
    {"denoising_salt_and_pepper", kLong},
    {"ksparse", shapes({{"W.shape", "[784, 110]"}, {"b", "[110]"}})},
    {"ksparse_mnist_makhzani2013",
     shapes({{"W.shape", "[784, 110]"}, {"b", "[110]"}, {"V.shape", "[110, 10]"}}, kFashion),
     false,
     {"filters.png"},
     with(kFashion, stages_slice(2))},
    {"new_regularizer", kLong, true},
    {"pca",
     shapes({{"W.shape", "[784, 4]"}}, kFashion),
     false,
     {"filters.png", "reconstructions.png", "map.svg"},
     kFashionSlice},
    {"plain", kLong, false, kEvaluated},
    {"plain_cifar_article",
     kArticle,
     false,
     kImages,
     {kPatches, "train.batch=20", "train.epochs=1"}},
    {"plain_mnist_rifai2011", kClassifier, false, {"filters.png"}, with(kFashion, stages_slice(2))},
    {"quickstart", kLong, true, kEvaluated},
    {"rbm_contrastive", shapes({{"W.shape", "[784, 4]"}, {"b", "[4]"}}), false, kImages, kSlice,
     false},
    {"rbm_gaussian",
     shapes({{"W.shape", "[64, 4]"}, {"b", "[4]"}}, {kGreyPatches}),
     false,
     kImages,
     {kGreyPatches, "train.batch=20", "train.epochs=1"},
     false},
    {"rbm_likelihood",
     {"data.count=60", "data.valid=20", "data.test=0"},
     false,
     kImages,
     kSlice,
     false},
    {"rbm_mnist_tutorial",
     shapes({{"W.shape", "[784, 4]"}, {"b", "[4]"}},
            with(kFashion, {"model.state.chain.shape=[20, 4]"})),
     false, kImages, kFashionSlice, false},
    {"rbm_partition", shapes({{"W.shape", "[784, 4]"}, {"b", "[4]"}}), false, kImages, kSlice,
     false},
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
    {"sparse_patches",
     shapes({{"W.shape", "[64, 3]"}, {"b", "[3]"}, {"V.shape", "[3, 64]"}}, {kGreyPatches}),
     false,
     kImages,
     {kGreyPatches, "train.batch=20", "train.epochs=2"}},
    {"sparse_running_average",
     shapes({{"W", "[784, 4]"}, {"b", "[4]"}}, {kBars, "model.state.rate.shape=[4]"})},
    {"stacked_belief",
     shapes({{"W1.shape", "[784, 4]"},
             {"b1", "[4]"},
             {"W2.shape", "[4, 3]"},
             {"b2", "[3]"},
             {"c2", "[4]"},
             {"W3.shape", "[3, 4]"},
             {"b3", "[4]"},
             {"c3", "[3]"},
             {"V", "[4, 10]"}},
            kFashion),
     false,
     {"filters.png"},
     with(kFashion, stages_slice(4)),
     false},
    {"stacked_deep", deep_shapes("", true, kFashion), false, kImages,
     with(kFashion, stages_slice(5))},
    {"stacked_denoising", kStack, false, {"filters.png"}, stages_slice(3)},
    {"supervised_double_backpropagation",
     {"data.set=fashion_mnist", "model.hidden=[4, 3]"},
     true,
     {"filters.png"}},
    {"supervised_jacobian",
     {"data.set=fashion_mnist", "model.hidden=[4, 3]"},
     true,
     {"filters.png"}},
    {"stacked_mnist_ufldl",
     shapes({{"W1.shape", "[784, 4]"},
             {"b1", "[4]"},
             {"V1.shape", "[4, 784]"},
             {"W2.shape", "[4, 3]"},
             {"b2", "[3]"},
             {"V2.shape", "[3, 4]"},
             {"c2", "[4]"},
             {"S.shape", "[3, 10]"}},
            kFashion),
     false,
     {"filters.png"},
     with(kFashion, stages_slice(4))},
    {"supervised_jacobian_mnist",
     with(kFashion, {"model.hidden=[4, 3]"}),
     true,
     {"filters.png"},
     kFashionSlice},
    {"supervised_logistic", kLabelled, false, {"filters.png"}, kLabelledSlice},
    {"supervised_mlp",
     {"data.set=fashion_mnist", "model.hidden=4"},
     false,
     {"filters.png"},
     kLabelledSlice},
    {"supervised_softmax_ufldl", kFashion, false, {"filters.png"}, kFashionSlice},
    {"supervised_tangent",
     shapes({{"W", "[784, 4]"}, {"b", "[4]"}, {"V", "[4, 10]"}}, kFashion),
     true,
     {"filters.png"},
     with(kFashion, stages_slice(2))},
    {"transforming_digits",
     shapes({{"R", "[784, 300]"}}, kFashion),
     false,
     {"filters.png", "reconstructions.png", "place.svg"},
     kFashionSlice},
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

const std::vector<std::string> kParts = {"train", "valid", "test"};

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
        const auto of = std::ranges::find_if(
            kParts, [&](const std::string& part) { return line.contains(part + "/cost"); });
        costs[line.value("stage", "")].push_back(line[*of + "/cost"]);
      }
      for (const auto& of_stage : costs) {
        CAPTURE(of_stage.first);
        REQUIRE(of_stage.second.size() >= 2);
        if (shipped.falls) CHECK(of_stage.second.back() < of_stage.second[0]);
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
