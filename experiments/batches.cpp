#include "experiments/batches.hpp"

#include <algorithm>

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
  constexpr std::int64_t kNumbersOfTask = 1 << 13;  // some microseconds
  for (Array& array : arrays_) {
    const std::int64_t row = array.source->row(),
                       rows = std::max<std::int64_t>(
                           1, kNumbersOfTask / std::max<std::int64_t>(1, row));
    pool_.run((batch_ + rows - 1) / rows, [&](std::int64_t task) {
      const std::int64_t first = task * rows;
      float* to = array.buffer.data() + first * row;
      for (std::int64_t i = first; i < std::min(batch_, first + rows); ++i)
        to = array.source->copy(examples[static_cast<std::size_t>(i)], to);
    });
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
