#include "experiments/batches.hpp"

#include "autodiff/error.hpp"

namespace jacquard::experiments {

std::span<const float> BatchFeeder::add(const std::string& name, const ExampleArray& array) {
  arrays_.push_back(
      {name, &array, std::vector<float>(static_cast<std::size_t>(batch_ * array.row()))});
  return arrays_.back().buffer;
}

void BatchFeeder::gather(std::span<const std::int64_t> examples) {
  if (static_cast<std::int64_t>(examples.size()) != batch_)
    throw InternalError(cat("batch: ", examples.size(), " examples for a batch of ", batch_));
  for (Array& array : arrays_) {
    float* to = array.buffer.data();
    for (const std::int64_t example : examples) to = array.source->copy(example, to);
  }
}

void BatchFeeder::add_to(Feed<float>& feed) const {
  for (const Array& array : arrays_) {
    std::vector<std::int64_t> sizes = array.source->shape().sizes();
    sizes[0] = batch_;
    feed.emplace(array.name, Tensor<float>(Shape(std::move(sizes)), array.buffer));
  }
}

}  // namespace jacquard::experiments
