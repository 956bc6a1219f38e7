// W1, W2, W5 and W9: whole training steps (value, gradients, update) against the same steps written
// by hand, and those against their bare products and the peak of the machine.
#include <algorithm>
#include <cmath>
#include <memory>

#include "tests/benchmarks/fma_peak.hpp"
#include "tests/benchmarks/training_costs.hpp"

namespace jacquard::benchmarks {
namespace {

using Pool = std::shared_ptr<ThreadPool>;

// A program by hand with all of its work, and one of the same with its products alone.
template <class Floor, class Options>
std::vector<Implementation> floor_and_products(const Pool& pool, const Options& options,
                                               const Start<float>& start = random_start) {
  const auto whole = std::make_shared<Floor>(*pool, options);
  const auto bare = std::make_shared<Floor>(*pool, options);
  Implementation floor = started("floor", pool, whole, start);
  Implementation products = started("products", pool, bare, start);
  products.step = [pool, bare] { return static_cast<double>(bare->run(Work::kProducts)); };
  products.compared = false;
  products.flops = bare->product_flops();
  return {floor, products};
}

constexpr std::int64_t kInputs = 784, kHidden = 1000;

TiedOptions<float> tied(std::int64_t batch, Loss loss, float contraction) {
  return {.batch = batch,
          .n = kInputs,
          .m = kHidden,
          .loss = loss,
          .contraction = contraction,
          .rate = static_cast<float>(kRate)};
}

std::string variant_of(Loss loss) {
  return loss == Loss::kSquaredError ? "784-1000-784 tied, squared error, SGD"
                                     : "784-1000-784 tied, cross-entropy, SGD";
}

Workload tied_step(const std::string& name, const TiedOptions<float>& options) {
  return {name, variant_of(options.loss), options.batch, [options](int threads) {
            const auto pool = std::make_shared<ThreadPool>(threads);
            auto all = floor_and_products<TiedFloor<float>>(pool, options);
            all.push_back(fma_peak(pool));
            all.push_back(planned_step("jacquard", pool, [options](Tape& tape) {
              return tied_autoencoder(tape, options);
            }));
            all.back().live_bytes = TiedFloor<float>(*pool, options).live_bytes();
            return all;
          }};
}

// Weights that let gradients through eight layers (Glorot and Bengio 2010, with normal numbers).
Start<float> deep_start(const std::vector<std::int64_t>& widths) {
  return [widths](const std::string& name, InputKind kind, std::span<float> values) {
    if (kind != InputKind::kParameter || name[0] != 'W') return random_start(name, kind, values);
    const auto layer = static_cast<std::size_t>(name[1] - '0');
    const auto ends = static_cast<float>(widths[layer] + widths[layer + 1]);
    std::ranges::copy(
        random_values(static_cast<std::int64_t>(values.size()), name, std::sqrt(2.0f / ends)),
        values.begin());
  };
}

Workload deep_step(std::int64_t batch) {
  DeepOptions<float> options{.batch = batch,
                             .widths = {kInputs, 1000, 500, 250, 30, 250, 500, 1000, kInputs}};
  options.rate = 1e-4f;
  return {"W5", "784-1000-500-250-30 and back, squared error, Adam", batch, [options](int threads) {
            const auto pool = std::make_shared<ThreadPool>(threads);
            auto all =
                floor_and_products<DeepFloor<float>>(pool, options, deep_start(options.widths));
            all.push_back(fma_peak(pool));
            const StepOptions adam{.optimizer = nn::Optimizer{"adam"},
                                   .rate = static_cast<double>(options.rate)};
            const auto write = [options](Tape& tape) { return deep_autoencoder(tape, options); };
            all.push_back(planned_step("jacquard", pool, write, adam, deep_start(options.widths)));
            return all;
          }};
}

// What it costs to make no update from a cost that is not finite.
Workload guarded_step(std::int64_t batch) {
  const TiedOptions<float> options = tied(batch, Loss::kSquaredError, 0);
  return {"Wguard", "W1 whose cost is watched", batch, [options](int threads) {
            const auto pool = std::make_shared<ThreadPool>(threads);
            const auto write = [options](Tape& tape) { return tied_autoencoder(tape, options); };
            return std::vector<Implementation>{
                planned_step("unwatched", pool, write, {.guarded = false}),
                planned_step("jacquard", pool, write)};
          }};
}

Expr corrupted(Expr x) {
  return nn::masking_noise(nn::gaussian_noise(x, 0.1, "gaussian"), 0.25, "masking");
}

Workload denoising_step(std::int64_t batch) {
  const TiedOptions<float> options = tied(batch, Loss::kSquaredError, 0);
  return {
      "W9", "W1 with Gaussian noise of 0.1, then masking of 0.25", batch, [options](int threads) {
        const auto pool = std::make_shared<ThreadPool>(threads);
        const auto step = [&](const char* name, Corruption corruption) {
          return planned_step(
              name, pool, [=](Tape& tape) { return tied_autoencoder(tape, options, corruption); });
        };
        std::vector<Implementation> all{step("plain", nullptr), step("jacquard", corrupted)};
        all[0].compared = false;
        return all;
      }};
}

}  // namespace

std::vector<Workload> training_steps() {
  std::vector<Workload> all;
  for (const Loss loss : {Loss::kSquaredError, Loss::kCrossEntropy})
    for (const std::int64_t batch : {20, 100, 500})
      all.push_back(tied_step("W1", tied(batch, loss, 0)));
  for (const Loss loss : {Loss::kSquaredError, Loss::kCrossEntropy})
    for (const std::int64_t batch : {20, 100, 500})
      all.push_back(tied_step("W2", tied(batch, loss, 1)));
  for (const std::int64_t batch : {100, 500}) all.push_back(deep_step(batch));
  all.push_back(denoising_step(100));
  for (const std::int64_t batch : {20, 100}) all.push_back(guarded_step(batch));
  return all;
}

}  // namespace jacquard::benchmarks
