// What the specs of restricted Boltzmann machines say of their likelihood, against sums over all
// states.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "experiments/file.hpp"
#include "experiments/safetensors.hpp"
#include "tests/experiments/command_call.hpp"

using namespace jacquard;
using namespace jacquard::experiments;

namespace {

namespace fs = std::filesystem;

constexpr int kVisible = 4, kHidden = 10;

const std::vector<std::string> kSmall = {
    R"(data={"set": "bars", "size": 2, "count": 2400, "valid": 200, "test": 200})",
    "model.parameters.W.shape=[4, 10]", "model.parameters.b=[10]", "model.parameters.c=[4]"};

// The metrics of each epoch.
std::vector<nlohmann::json> trained(const char* spec, const fs::path& out,
                                    std::vector<std::string> overrides) {
  RunCommand command;
  command.spec.path = cat(JACQUARD_SOURCE_DIR, "/experiments/specs/", spec, ".json");
  command.spec.overrides = kSmall;
  for (std::string& each : overrides) command.spec.overrides.push_back(std::move(each));
  command.out = out;
  REQUIRE(call([&](auto& o, auto& talk) { return run_command(command, o, talk); }).code == 0);
  std::istringstream lines(read_file<Error>(out / "metrics.jsonl"));
  std::vector<nlohmann::json> metrics;
  for (std::string line; std::getline(lines, line);) metrics.push_back(nlohmann::json::parse(line));
  return metrics;
}

// log sum over v and h of exp(v c + h b + v W h), and the same of the rows of x as v alone, on
// average.
struct Likelihood {
  double log_partition, log_likelihood;
};
Likelihood by_enumeration(const fs::path& checkpoint, const Tensor<float>& x) {
  const SafeTensors file = read_safetensors<Error>(checkpoint);
  const Tensor<double> w = tensor<double>(file, "W"), b = tensor<double>(file, "b"),
                       c = tensor<double>(file, "c");
  const auto log_sum_over_hidden = [&](const std::vector<double>& v) {
    double sum = 0;
    for (unsigned h = 0; h < 1U << kHidden; ++h) {
      double exponent = 0;
      for (int i = 0; i < kVisible; ++i) exponent += v[static_cast<std::size_t>(i)] * c[i];
      for (int j = 0; j < kHidden; ++j) {
        if ((h >> j & 1) == 0) continue;
        exponent += b[j];
        for (int i = 0; i < kVisible; ++i)
          exponent += v[static_cast<std::size_t>(i)] * w[i * kHidden + j];
      }
      sum += std::exp(exponent);
    }
    return std::log(sum);
  };
  double partition = 0, likelihood = 0;
  for (unsigned v = 0; v < 1U << kVisible; ++v) {
    std::vector<double> bits;
    for (int i = 0; i < kVisible; ++i) bits.push_back(v >> i & 1);
    partition += std::exp(log_sum_over_hidden(bits));
  }
  for (std::int64_t e = 0; e < x.shape[0]; ++e) {
    std::vector<double> row;
    for (int i = 0; i < kVisible; ++i) row.push_back(static_cast<double>(x[e * kVisible + i]));
    likelihood += log_sum_over_hidden(row) / static_cast<double>(x.shape[0]);
  }
  return {std::log(partition), likelihood - std::log(partition)};
}

}  // namespace

TEST_CASE("the likelihood of a small machine is that of all its states, and chains find it too") {
  const TemporaryFolder folder;
  const auto exact =
      trained("rbm_likelihood", folder / "small", {"train.epochs=2", "train.optimizer.rate=0.2"});
  const fs::path checkpoint = folder / "small/checkpoints/last.safetensors";
  DataSpec data;
  data.set = "bars";
  data.size = 2;
  data.count = 2400;
  data.valid = 200;
  data.test = 200;
  const Likelihood all =
      by_enumeration(checkpoint, load_data(data, 1).valid.arrays.at("x").values());
  CHECK(exact.back()["valid/log_partition"].get<double>() ==
        doctest::Approx(all.log_partition).epsilon(1e-5));
  CHECK(exact.back()["valid/log_likelihood"].get<double>() ==
        doctest::Approx(all.log_likelihood).epsilon(1e-4));
  // It has learnt something: more likely than at the beginning, and than one of 16 states.
  CHECK(all.log_likelihood > exact.front()["valid/log_likelihood"].get<double>() + 0.2);

  const auto estimated =
      trained("rbm_partition", folder / "chains",
              {cat("initial=", checkpoint.native()), "model.state.chain.shape=[100, 4]",
               "train.batch=20", "train.epochs=100"});
  CHECK(estimated.back()["step"] == 10'000);
  CHECK(estimated.back()["valid/log_partition"].get<double>() ==
        doctest::Approx(all.log_partition).epsilon(0.005));
  CHECK(estimated.back()["valid/effective_chains"].get<double>() > 90);
}
