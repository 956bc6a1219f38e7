// W6, W7 and W8: small tensors, where everything but arithmetic shows.
#include <memory>

#include "tests/benchmarks/floor_tiny.hpp"
#include "tests/benchmarks/training_costs.hpp"

namespace jacquard::benchmarks {
namespace {

Workload tiny_step() {
  return {"W6", "8-16-8 tied, squared error, SGD", 4, [](int threads) {
            const auto pool = std::make_shared<ThreadPool>(threads);
            const auto floor =
                std::make_shared<TinyFloor<float, 4, 8, 16>>(static_cast<float>(kRate));
            const auto write = [](Tape& tape) {
              return tied_autoencoder(tape, TiedOptions<float>{.batch = 4, .n = 8, .m = 16});
            };
            std::vector<Implementation> all{started("floor", pool, floor),
                                            planned_step("jacquard", pool, write)};
            floor->start();
            return all;
          }};
}

Workload sparse_step() {
  const SparseOptions<float> options{
      .examples = 10000, .visible = 64, .hidden = 25, .decay = 1e-4f, .target = 0.01f, .weight = 3};
  return {"W7", "64-25-64 sparse, 10,000 patches, gradients alone", options.examples,
          [options](int threads) {
            const auto pool = std::make_shared<ThreadPool>(threads);
            const auto whole = std::make_shared<SparseFloor<float>>(*pool, options);
            const auto bare = std::make_shared<SparseFloor<float>>(*pool, options);
            Implementation products = started("products", pool, bare);
            products.step = [pool, bare] {
              return static_cast<double>(bare->run(Work::kProducts));
            };
            products.compared = false;
            products.flops = bare->product_flops();
            const auto write = [options](Tape& tape) { return sparse_autoencoder(tape, options); };
            return std::vector<Implementation>{
                started("floor", pool, whole), products,
                planned_step("jacquard", pool, write, {.optimizer = std::nullopt})};
          }};
}

// With p just below 4 and r = 1/2 every x comes to rest just above 0, where a round multiplies the
// adjoint by nearly 1: the gradient for the first x neither vanishes in 2,500 rounds nor becomes so
// small that the machine slows down.
void rounds_start(const std::string& name, InputKind, std::span<float> values) {
  struct Range {
    float middle, deviation;
  };
  const Range range = name == "x"   ? Range{0, 0.1f}
                      : name == "p" ? Range{3.95f, 0.005f}
                      : name == "q" ? Range{4e-4f, 4e-5f}
                                    : Range{0.5f, 1e-5f};
  const std::vector<float> noise = random_values(static_cast<std::int64_t>(values.size()), name, 1);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = range.middle + range.deviation * noise[i];
}

Workload rounds() {
  constexpr int kRounds = 2500;
  return {"W8", "10,000 operations on 64 numbers, gradients alone", 1, [](int threads) {
            const auto pool = std::make_shared<ThreadPool>(threads);
            const auto write = [](Tape& tape) { return sigmoid_rounds(tape, 64, kRounds); };
            std::vector<Implementation> all{
                started("floor", pool, std::make_shared<RoundsFloor<float, 64, kRounds>>(),
                        rounds_start),
                planned_step("jacquard", pool, write, {.optimizer = std::nullopt}, rounds_start)};
            for (Implementation& i : all) i.operations = 4 * kRounds;
            return all;
          }};
}

}  // namespace

std::vector<Workload> small_steps() { return {tiny_step(), sparse_step(), rounds()}; }

}  // namespace jacquard::benchmarks
