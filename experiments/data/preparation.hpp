// Preparation: what is done to x before a model sees it. Steps are fitted on the training part,
// each on what the steps before it leave, applied to every part, stored with the run, and undone
// for pictures.
//
//   scale                  from the range of the training part to [low, high]
//   standardise            (x - mean) / (deviation + epsilon)
//   contrast_normalisation each example by itself: x minus its mean, over its length or deviation
//   pca                    coordinates along the directions of largest variance
//   zca                    whitened, and turned back so that x still looks like images
//   patches                pieces cut from the images at random places
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "experiments/data.hpp"
#include "experiments/data/preparation_step.hpp"
#include "experiments/safetensors.hpp"
#include "nn/choice.hpp"

namespace jacquard::experiments {

// The steps there are, with their options. The formulas are those of preparation_step.hpp.
std::span<const nn::Kind> preparation_kinds();

// What x is after these steps. Throws SpecError, `/data/prepare/0/...: ...`, for options that
// cannot be and steps that do not fit what x is before them.
PreparedShape prepared_shape(const std::vector<nn::Choice>& steps, PreparedShape x);

class Preparation {
 public:
  // Fits the steps on data.train and applies them to data. Throws SpecError as above, and for
  // training parts from which a step cannot be fitted.
  Preparation(const std::vector<nn::Choice>& steps, std::uint64_t seed, Splits& data);
  // What saved() gave. Throws Error for other files.
  explicit Preparation(const SafeTensors& saved);

  // The steps, with all that was fitted, in double precision; no time, path or host.
  SafeTensors saved() const;

  // Prepares further examples; `part` names the stream that patches are drawn from.
  void apply(DataSet& data, const std::string& part) const;

  // [examples, features] back to what x was before preparation, or to patches where there are such.
  // `removed` of the same examples gives back what steps took from each (DataSet::removed); null:
  // that part stays away.
  Tensor<float> inverse(Tensor<float> x, const std::vector<Tensor<float>>* removed) const;
  // The same for directions, such as filters: the linear part of the inverse, [count, features].
  Tensor<float> inverse_directions(Tensor<float> directions) const;

  // The image that an inverse is; empty if none.
  const std::vector<std::int64_t>& image() const { return image_; }

 private:
  std::vector<nn::Choice> choices_;
  std::vector<std::unique_ptr<const PreparationStep>> steps_;
  std::vector<std::int64_t> image_;
};

}  // namespace jacquard::experiments
