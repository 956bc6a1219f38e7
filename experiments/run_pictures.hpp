// The pictures of a finished run: filters, reconstructions or a field, curves.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/pool.hpp"
#include "experiments/data.hpp"
#include "experiments/metrics.hpp"
#include "experiments/run_folder.hpp"
#include "experiments/spec.hpp"
#include "experiments/values.hpp"

namespace jacquard::experiments {

struct RunPictures {
  const Spec& spec;
  const std::map<std::string, Shape>& inputs;
  const Splits& data;
  Values& values;
  ThreadPool& pool;
  RunFolder& folder;
  const LocatedJson& document;  // of the spec

  // filters.png: the incoming weights of each unit, for the first parameter [inputs of x, units];
  // filters_<name>.png for further ones, [units, inputs of x] included. reconstructions.png:
  // originals, corrupted inputs where there are some, reconstructions. Where x has two columns the
  // reconstruction is drawn as a field instead, if it needs no other array of the data: field.svg,
  // with arrows from a grid of points (corrupted where x is) to what becomes of them. Returns what
  // was drawn. What the preparation of the data did is undone for images, as far as it can be.
  std::vector<std::filesystem::path> draw();

  // curves.svg: the cost of each set over the epochs.
  void draw_curves(const std::vector<Metrics>& epochs);

 private:
  std::filesystem::path save(const std::string& file, const std::string& bytes);
  Shape image() const;

  // What x shows as before preparation; `removed` as Preparation::inverse takes it.
  Tensor<float> unprepared(const Tensor<float>& x, const std::vector<Tensor<float>>& removed) const;

  struct Reconstructed {
    Tensor<float> originals, reconstructions;  // [examples, inputs of x]
    std::optional<Tensor<float>> corrupted;
  };
  // Of the first `count` examples; nothing where the spec says none or reads what `set` has not.
  std::optional<Reconstructed> reconstruct(const DataSet& set, std::int64_t count);
  const DataSet& shown() const;  // the set that pictures are of

  void draw_filters(std::vector<std::filesystem::path>& drawn);
  void draw_reconstructions(std::vector<std::filesystem::path>& drawn);
  void draw_field(std::vector<std::filesystem::path>& drawn);
};

}  // namespace jacquard::experiments
