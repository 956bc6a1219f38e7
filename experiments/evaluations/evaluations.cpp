#include "experiments/evaluations/evaluations.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "autodiff/attribute.hpp"
#include "autodiff/error.hpp"
#include "autodiff/philox.hpp"
#include "experiments/curves.hpp"
#include "experiments/encoding.hpp"
#include "experiments/evaluations/k_means.hpp"
#include "experiments/evaluations/linear_regression.hpp"
#include "experiments/evaluations/partition.hpp"
#include "experiments/evaluations/projection.hpp"
#include "experiments/evaluations/scatter.hpp"
#include "experiments/evaluations/spectrum.hpp"
#include "experiments/recording.hpp"
#include "experiments/source_text.hpp"

namespace jacquard::experiments {
namespace {

// The first examples of a set.
DataSet beginning(const DataSet& set, std::int64_t count) {
  DataSet part = set;
  for (const auto& [name, values] : set.arrays) part.arrays[name] = values.beginning(count);
  return part;
}

std::vector<std::int64_t> labels_of(const DataSet& set) {
  std::vector<std::int64_t> labels;
  if (const auto at = set.arrays.find("labels"); at != set.arrays.end())
    for (const float label : at->second.values().data) labels.push_back(std::llround(label));
  if (!labels.empty() && *std::ranges::min_element(labels) < 0) labels.clear();
  return labels;
}

// Under which name the target is among the texts and places of the spec.
std::string target_name(const EvaluationSpec& evaluation) { return evaluation.name + "/target"; }

class Evaluation {
 public:
  Evaluation(const EvaluationSpec& spec, const Spec& stage, const DataSet& data,
             const DataSet& training, std::int64_t epoch, Values& values, ThreadPool& pool,
             Problems& problems)
      : spec_(spec),
        stage_(stage),
        data_(data),
        training_(training),
        inputs_(example_shapes(stage)),
        epoch_(epoch),
        values_(values),
        pool_(pool),
        problems_(problems) {}

  void make(Evaluated& result) {
    const std::string& kind = spec_.choice.kind;
    if (kind == "mean") return mean(result);
    if (kind == "k_means") return clusters(result);
    if (kind == "singular_values") return spectrum(result);
    if (kind == "contraction_curve") return contraction(result);
    if (kind == "embedding") return embedding(result);
    if (kind == "regression") return regression(result);
    throw InternalError(cat("evaluation: no kind ", kind));
  }

 private:
  double option(std::string_view name) const {
    return nn::option(evaluation_kinds(), spec_.choice, name);
  }
  std::int64_t count(std::string_view name) const {
    return static_cast<std::int64_t>(option(name));
  }

  using Texts = std::vector<std::pair<std::string, std::string>>;

  // The values of all texts, by name, with the same draws.
  std::map<std::string, Tensor<float>> all_of(const Texts& texts, const DataSet& set) const {
    auto computed = computed_for_each(stage_, inputs_, set, texts, "evaluate", epoch_, values_,
                                      pool_, problems_);
    for (const auto& [name, text] : texts)
      if (!std::ranges::all_of(computed.at(name).data, [](float v) { return std::isfinite(v); }))
        throw SpecError(cat("evaluate/", spec_.name, ": '", text, "' is not finite"));
    return computed;
  }

  Tensor<float> values_of(const DataSet& set) const {
    return std::move(all_of({{spec_.name, spec_.of}}, set).at(spec_.name));
  }

  void mean(Evaluated& result) const {
    const Tensor<float> values = values_of(data_);
    const double n = static_cast<double>(values.size());
    double sum = 0, squares = 0;
    for (const float v : values.data) sum += static_cast<double>(v);
    for (const float v : values.data) squares += std::pow(static_cast<double>(v) - sum / n, 2);
    result.metrics = {{"mean", sum / n}, {"interval95", 1.959964 * std::sqrt(squares / n / n)}};
  }

  void clusters(Evaluated& result) const {
    const Clusters found =
        k_means(values_of(data_), count("clusters"), count("restarts"), stage_.seed, pool_);
    result.metrics = {{"inertia", found.inertia / static_cast<double>(found.of.size())}};
    const std::vector<std::int64_t> labels = labels_of(data_);
    if (labels.empty()) return;
    const Agreement with_labels = agreement(found.of, labels);
    result.metrics.emplace_back("accuracy", with_labels.accuracy);
    result.metrics.emplace_back("mutual_information", with_labels.mutual_information);
  }

  void spectrum(Evaluated& result) const {
    const Spectrum found = spectrum_of(values_of(beginning(data_, count("examples"))), pool_);
    result.metrics = {{"largest", found.values[0]}, {"effective_rank", found.effective_rank}};
    Series series{"mean", {}, {}};
    for (std::int64_t k = 0; k < found.values.size(); ++k) {
      series.x.push_back(static_cast<double>(k + 1));
      series.y.push_back(found.values[k]);
    }
    result.picture = curves_svg({spec_.of, "number", "singular value", {std::move(series)}, true});
  }

  // Examples x + r u for a direction u of length 1 of each example.
  static DataSet moved(const DataSet& set, const Tensor<float>& directions, double radius) {
    DataSet result = set;
    Tensor<float>& x = result.arrays.at("x").floats();
    for (std::int64_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>(static_cast<double>(x[i]) +
                                radius * static_cast<double>(directions[i]));
    return result;
  }

  Tensor<float> directions_for(const Tensor<float>& x) const {
    Tensor<float> u(x.shape);
    fill_normal(std::span<float>(u), stage_.seed, "evaluate/" + spec_.name, 0);
    const std::int64_t n = x.size() / x.shape[0];
    for (std::int64_t i = 0; i < x.shape[0]; ++i) {
      double square = 0;
      for (std::int64_t j = 0; j < n; ++j) square += std::pow(static_cast<double>(u[i * n + j]), 2);
      for (std::int64_t j = 0; j < n; ++j)
        u[i * n + j] = static_cast<float>(static_cast<double>(u[i * n + j]) / std::sqrt(square));
    }
    return u;
  }

  void contraction(Evaluated& result) const {
    const DataSet set = beginning(data_, count("examples"));
    if (!set.arrays.contains("x"))
      throw SpecError(cat("evaluate/", spec_.name, ": the data set has no 'x' to move"));
    const Tensor<float> codes = values_of(set), u = directions_for(set.arrays.at("x").values());
    const std::int64_t points = count("points"), width = codes.size() / codes.shape[0];
    Series series{"mean of |h(x + r u) - h(x)| / r", {}, {}};
    for (std::int64_t p = 0; p < points; ++p) {
      const double part = static_cast<double>(p) / static_cast<double>(points - 1);
      const double radius = option("from") * std::pow(option("to") / option("from"), part);
      const Tensor<float> there = values_of(moved(set, u, radius));
      double ratio = 0;
      for (std::int64_t i = 0; i < codes.shape[0]; ++i) {
        double square = 0;
        for (std::int64_t j = i * width; j < (i + 1) * width; ++j)
          square += std::pow(static_cast<double>(there[j]) - static_cast<double>(codes[j]), 2);
        ratio += std::sqrt(square) / radius / static_cast<double>(codes.shape[0]);
      }
      series.x.push_back(std::log10(radius));
      series.y.push_back(ratio);
    }
    result.metrics = {{"nearest", series.y.front()}, {"farthest", series.y.back()}};
    result.picture = curves_svg(
        {cat("contraction of ", spec_.of), "log10 of the radius", "ratio", {std::move(series)}});
  }

  void embedding(Evaluated& result) const {
    const DataSet set = beginning(data_, count("examples"));
    Projection plane = principal_plane(values_of(set));
    result.metrics = {{"explained", plane.explained}};
    Scatter scatter{cat(spec_.of, " of ", set.name),
                    "first principal component",
                    "second principal component",
                    std::move(plane.places),
                    labels_of(set),
                    ""};
    scatter.below = cat(number_text(std::round(1000 * plane.explained) / 10),
                        " % of the variance lies in this plane");
    result.picture = scatter_svg(scatter);
  }

  struct Pairs {
    Tensor<float> codes, targets;  // [points, n], [points, k]
  };

  Pairs pairs_of(const DataSet& set) const {
    const std::string target = target_name(spec_);
    auto computed = all_of({{spec_.name, spec_.of}, {target, spec_.target}}, set);
    Pairs pairs{std::move(computed.at(spec_.name)), std::move(computed.at(target))};
    if (pairs.targets.shape.rank() == 1) pairs.targets.shape = Shape{pairs.targets.shape[0], 1};
    return pairs;
  }

  // The picture has the first number of the target.
  void regression(Evaluated& result) const {
    const Pairs known = pairs_of(beginning(training_, count("examples"))), asked = pairs_of(data_);
    const LinearMap map = fitted_linear_map(known.codes, known.targets, option("decay"));
    const Tensor<float> predicted = map(asked.codes);
    const Fit fit = fit_of(predicted, asked.targets);
    result.metrics = {{"r2", fit.r2}, {"mean_squared_error", fit.mean_squared_error}};
    const std::int64_t points = predicted.shape[0], k = predicted.shape[1];
    Scatter scatter{cat(spec_.target, " from ", spec_.of),
                    "true",
                    "predicted",
                    Tensor<float>({points, 2}),
                    {},
                    ""};
    for (std::int64_t i = 0; i < points; ++i) {
      scatter.points[2 * i] = asked.targets[i * k];
      scatter.points[2 * i + 1] = predicted[i * k];
    }
    scatter.below = cat("R^2 = ", number_text(std::round(1000 * fit.r2) / 1000));
    result.picture = scatter_svg(scatter);
  }

  const EvaluationSpec& spec_;
  const Spec& stage_;
  const DataSet& data_;
  const DataSet& training_;
  std::map<std::string, Shape> inputs_;
  std::int64_t epoch_;
  Values& values_;
  ThreadPool& pool_;
  Problems& problems_;
};

const DataSet& part_of(const Splits& data, const std::string& set) {
  return set == "train" ? data.train : set == "valid" ? data.valid : data.test;
}

std::string set_of(const EvaluationSpec& evaluation, const Splits& data, const std::string& set) {
  if (!set.empty()) return set;
  if (!evaluation.set.empty()) return evaluation.set;
  return data.test.count() > 0 ? "test" : data.valid.count() > 0 ? "valid" : "train";
}

}  // namespace

void check_evaluations(const Spec& stage, Problems& problems) {
  // No other axis is likely to have this size by chance.
  constexpr std::int64_t kBatch = 3;
  if (stage.evaluations.empty()) return;
  struct Asked {
    const EvaluationSpec& evaluation;
    int lowest, highest;  // rank
  };
  std::vector<Asked> asked;
  std::vector<std::pair<std::string, std::string>> texts;
  for (const EvaluationSpec& evaluation : stage.evaluations) {
    const int rank = evaluated_rank(evaluation);
    texts.emplace_back("evaluate/" + evaluation.name, evaluation.of);
    asked.push_back({evaluation, rank, rank});
    if (!has_target(evaluation.choice.kind)) continue;
    texts.emplace_back("evaluate/" + target_name(evaluation), evaluation.target);
    asked.push_back({evaluation, 1, 2});
  }
  const std::vector<Shape> shapes =
      recorded_shapes(model_alone(stage), example_shapes(stage), kBatch, texts, problems);
  if (!problems.empty()) return;
  constexpr std::array kForms = {"a number for each example: [batch]",
                                 "a vector for each example: [batch, n]",
                                 "a matrix for each example: [batch, m, n]"};
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const auto& [evaluation, lowest, highest] = asked[i];
    const int rank = shapes[i].rank();
    if (rank < lowest || rank > highest || shapes[i][0] != kBatch || shapes[i].size() == 0) {
      std::string forms(kForms[static_cast<std::size_t>(lowest - 1)]);
      if (highest > lowest) forms += cat(", or ", kForms[static_cast<std::size_t>(highest - 1)]);
      problems.add(
          stage.pointers.at(texts[i].first),
          cat(in_quotes(texts[i].second), " has shape ", shapes[i], " for a batch of ", kBatch),
          cat(evaluation.choice.kind, " needs ", forms));
    }
  }
}

void check_evaluation_data(const Spec& stage, const Splits& data, Problems& problems) {
  for (const EvaluationSpec& evaluation : stage.evaluations) {
    const std::string set = set_of(evaluation, data, "");
    const DataSet& part = part_of(data, set);
    const std::string& pointer = stage.pointers.at("evaluate/" + evaluation.name);
    const double clusters = evaluation.choice.kind == "k_means"
                                ? nn::option(evaluation_kinds(), evaluation.choice, "clusters")
                                : 1;
    if (static_cast<double>(part.count()) < clusters)
      problems.add(pointer, cat("the ", set, " part of the data has ", part.count(), " examples"),
                   clusters > 1 ? cat("at least ", clusters, " are needed for so many clusters")
                                : "name a set that has examples");
    else if (evaluation.choice.kind == "contraction_curve" && !part.arrays.contains("x"))
      problems.add(pointer, "the data set has no 'x'", "a contraction curve moves x");
  }
}

std::vector<Evaluated> evaluate(const Spec& stage, const Splits& data, const std::string& set,
                                std::int64_t epoch, Values& values, ThreadPool& pool,
                                Problems& problems) {
  std::vector<Evaluated> results;
  for (const EvaluationSpec& evaluation : stage.evaluations) {
    Evaluated result{evaluation.name, set_of(evaluation, data, set), {}, {}};
    const DataSet& part = part_of(data, result.set);
    if (part.count() == 0)
      throw SpecError(cat("evaluate/", evaluation.name, ": the ", result.set,
                          " part of the data has no examples"));
    if (has_target(evaluation.choice.kind) && data.train.count() == 0)
      throw SpecError(cat("evaluate/", evaluation.name, ": there is no training part to fit"));
    Evaluation(evaluation, stage, part, data.train, epoch, values, pool, problems).make(result);
    results.push_back(std::move(result));
  }
  return results;
}

std::string told(const Evaluated& evaluated) {
  std::string text = evaluated.name + ":";
  for (const auto& [name, value] : evaluated.metrics) {
    std::string words = name;
    std::ranges::replace(words, '_', ' ');
    text += cat(text.back() == ':' ? " " : ", ", words, ' ', static_cast<float>(value));
  }
  return text + " on " + evaluated.set;
}

Metrics metrics_of(const std::vector<Evaluated>& evaluated) {
  Metrics all;
  for (const Evaluated& each : evaluated)
    for (const auto& [name, value] : each.metrics) all.emplace_back(each.name + "/" + name, value);
  return all;
}

}  // namespace jacquard::experiments
