// The steps of preparation_step.hpp that look at one example at a time: contrast_normalisation and
// patches.
#include <cmath>

#include "autodiff/error.hpp"
#include "experiments/data/patches.hpp"
#include "experiments/data/preparation_step.hpp"

namespace jacquard::experiments {
namespace {

constexpr double kMost = 1e8;

class ContrastStep : public PreparationStep {
 public:
  explicit ContrastStep(const nn::Choice& choice)
      : subtract_mean_(step_flag(choice, "subtract_mean")),
        deviation_(step_flag(choice, "deviation")),
        scale_(step_option(choice, "scale")),
        bias_(step_option(choice, "bias")),
        least_divisor_(step_option(choice, "least_divisor")) {}

  void apply(DataSet& data, const std::string&) const override {
    Tensor<float>& x = data.arrays.at("x").floats();
    const std::int64_t count = x.shape[0], features = x.shape[1];
    Tensor<float> removed({count, 2});
    for (std::int64_t i = 0; i < count; ++i) {
      float* const example = x.data.data() + i * features;
      const auto [mean, divisor] = measure(example, features);
      for (std::int64_t j = 0; j < features; ++j)
        example[j] = static_cast<float>((example[j] - mean) / divisor);
      removed[2 * i] = static_cast<float>(mean);
      removed[2 * i + 1] = static_cast<float>(divisor);
    }
    data.removed.push_back(std::move(removed));
  }

  std::int64_t removes() const override { return 2; }

  Tensor<float> inverse(const Tensor<float>& y, const Tensor<float>* removed) const override {
    Tensor<float> x = y;
    if (!removed) return x;
    const std::int64_t features = x.shape[1];
    for (std::int64_t i = 0; i < x.size(); ++i) {
      const std::int64_t example = i / features;
      x[i] = x[i] * (*removed)[2 * example + 1] + (*removed)[2 * example];
    }
    return x;
  }
  Tensor<float> inverse_directions(const Tensor<float>& y) const override { return y; }

  void save(const std::string&, SafeTensors&) const override {}

 private:
  struct Measured {
    double mean, divisor;
  };
  Measured measure(const float* example, std::int64_t features) const {
    const auto n = static_cast<double>(features);
    double sum = 0;
    for (std::int64_t j = 0; j < features; ++j) sum += example[j];
    const double centre = sum / n, mean = subtract_mean_ ? centre : 0;
    // The variance is round the mean in any case, the sum of squares round what was subtracted.
    const double origin = deviation_ ? centre : mean;
    double squares = 0;
    for (std::int64_t j = 0; j < features; ++j)
      squares += (example[j] - origin) * (example[j] - origin);
    if (deviation_) squares /= features > 1 ? n - 1 : 1;
    const double divisor = std::sqrt(bias_ + squares) / scale_;
    return {mean, divisor < least_divisor_ ? 1 : divisor};
  }

  bool subtract_mean_, deviation_;
  double scale_, bias_, least_divisor_;
};

Step fit_contrast(const FitContext& context) {
  return std::make_unique<ContrastStep>(context.choice);
}
Step load_contrast(const nn::Choice& choice, const std::string&, const SafeTensors&) {
  return std::make_unique<ContrastStep>(choice);
}
PreparedShape contrast_shape(const nn::Choice&, const std::string&, PreparedShape x) { return x; }

// Every part gives as many patches for its images as the training part.
class PatchesStep : public PreparationStep {
 public:
  PatchesStep(std::int64_t size, std::int64_t count, std::int64_t images, std::uint64_t seed)
      : size_(size), count_(count), images_(images), seed_(seed) {}

  void apply(DataSet& data, const std::string& part) const override {
    const std::int64_t images = data.count();
    const std::int64_t height = data.image[0], width = data.image[1];
    const std::int64_t channels = data.image.size() > 2 ? data.image[2] : 1;
    const std::int64_t count = (count_ * images + images_ - 1) / images_;
    const std::vector<PatchPlace> places =
        patch_places({images, height, width}, size_, count, seed_, "data/patches/" + part);
    std::vector<std::int64_t> images_of;
    for (const PatchPlace& place : places) images_of.push_back(place.image);
    for (auto& entry : data.arrays)
      if (entry.first != "x") entry.second = entry.second.taken(images_of);
    ExampleArray& x = data.arrays.at("x");
    std::vector<float> image(static_cast<std::size_t>(x.row()));
    Tensor<float> patches({count, size_ * size_ * channels});
    float* to = patches.data.data();
    for (const PatchPlace& place : places) {
      x.copy(place.image, image.data());
      to = copy_patch(image.data(), width, channels, size_, place, to);
    }
    x = std::move(patches);
    data.image[0] = data.image[1] = size_;
  }

  // Patches cannot be put together again: pictures show them as they are.
  Tensor<float> inverse(const Tensor<float>& y, const Tensor<float>*) const override { return y; }
  Tensor<float> inverse_directions(const Tensor<float>& y) const override { return y; }

  void save(const std::string& prefix, SafeTensors& file) const override {
    // The seed in halves, which a double holds exactly.
    const auto half = [this](int shift) {
      return static_cast<double>(seed_ >> shift & 0xffffffff);
    };
    file.tensors.push_back(
        {prefix + "drawn", Tensor<double>({3}, {static_cast<double>(images_), half(32), half(0)})});
  }

 private:
  std::int64_t size_, count_, images_;
  std::uint64_t seed_;
};

std::int64_t whole(const nn::Choice& choice, std::string_view name) {
  return static_cast<std::int64_t>(step_option(choice, name));
}

Step fit_patches(const FitContext& context) {
  if (context.x.count() == 0) throw SpecError(cat(context.where, ": there is no training example"));
  return std::make_unique<PatchesStep>(whole(context.choice, "size"),
                                       whole(context.choice, "count"), context.x.count(),
                                       context.seed);
}

Step load_patches(const nn::Choice& choice, const std::string& prefix, const SafeTensors& file) {
  const Tensor<double> drawn = tensor<double>(file, prefix + "drawn");
  if (drawn.size() != 3 || !(drawn[0] >= 1))
    throw Error(cat("preparation: step '", prefix, "' does not say what it was drawn from"));
  const std::uint64_t seed =
      static_cast<std::uint64_t>(drawn[1]) << 32 | static_cast<std::uint64_t>(drawn[2]);
  return std::make_unique<PatchesStep>(whole(choice, "size"), whole(choice, "count"),
                                       static_cast<std::int64_t>(drawn[0]), seed);
}

PreparedShape patches_shape(const nn::Choice& choice, const std::string& where, PreparedShape x) {
  if (x.image.empty())
    throw SpecError(cat(where, ": x is no image, so that no patches can be cut from it"));
  const std::int64_t size = whole(choice, "size");
  check_patches(x.image[0], x.image[1], size, whole(choice, "count"), where);
  x.image[0] = x.image[1] = size;
  x.features = size * size * (x.image.size() > 2 ? x.image[2] : 1);
  return x;
}

}  // namespace

StepKind contrast_step_kind() {
  return {{"contrast_normalisation",
           "each example minus its mean, over its length or deviation",
           {{"subtract_mean", 1.0, 0, 1, "whether its mean is subtracted; default true", true},
            {"deviation", 0.0, 0, 1,
             "whether it is divided by its standard deviation instead of its length; default false",
             true},
            {"scale", 1.0, 1e-8, kMost, "the length, or deviation, that it gets"},
            {"bias", 0.0, 0, kMost, "added to the square of its length, or to its variance"},
            {"least_divisor", 1e-8, 0, kMost, "examples with less than this are not divided"}}},
          contrast_shape,
          fit_contrast,
          load_contrast};
}

StepKind patches_step_kind() {
  return {{"patches",
           "square pieces cut from the images at random places",
           {{"size", {}, 1, kMost, "side of a piece", false, true},
            {"count",
             {},
             1,
             1e12,
             "pieces of the training part; others give as many for their size",
             false,
             true}}},
          patches_shape,
          fit_patches,
          load_patches};
}

}  // namespace jacquard::experiments
