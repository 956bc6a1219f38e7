// The steps of preparation_step.hpp that are affine maps: scale, standardise, pca, zca.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autodiff/error.hpp"
#include "autodiff/products.hpp"
#include "experiments/data/covariance.hpp"
#include "experiments/data/preparation_step.hpp"

namespace jacquard::experiments {
namespace {

constexpr double kMost = 1e8;
constexpr double kAny = std::numeric_limits<double>::max();

// y = (x - offset) * factors, or with vectors V [features, k]: ((x - offset) V * factors), turned
// back by V' where `turned_back`.
struct AffineMap {
  Tensor<double> offset;   // [features]
  Tensor<double> factors;  // [features], or [k]
  std::optional<Tensor<double>> vectors = {};
  bool turned_back = false;
};

// Rows times a matrix [n, m], in double precision, some rows at a time.
template <class Prepare, class Finish>
Tensor<float> mapped(const Tensor<float>& x, const double* matrix, std::int64_t n, std::int64_t m,
                     bool transposed, Prepare prepare, Finish finish) {
  constexpr std::int64_t kRows = 1000;
  const std::int64_t count = x.shape[0];
  Tensor<float> y({count, m});
  const std::int64_t most = std::min(kRows, count);
  std::vector<double> from(static_cast<std::size_t>(most * n)),
      to(static_cast<std::size_t>(most * m));
  ThreadPool pool(1);
  for (std::int64_t begin = 0; begin < count; begin += kRows) {
    const std::int64_t rows = std::min(kRows, count - begin);
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        from[static_cast<std::size_t>(i * n + j)] =
            prepare(static_cast<double>(x[(begin + i) * n + j]), j);
    ProductShape shape;
    shape.m = rows;
    shape.n = m;
    shape.k = n;
    const PreparedProduct<double> product(shape, {n, 0, false}, {transposed ? n : m, 0, transposed},
                                          {m, 0, false});
    product.run(pool, from.data(), matrix, to.data());
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < m; ++j)
        y[(begin + i) * m + j] =
            static_cast<float>(finish(to[static_cast<std::size_t>(i * m + j)], j));
  }
  return y;
}

class AffineStep : public PreparationStep {
 public:
  explicit AffineStep(AffineMap map) : map_(std::move(map)) {
    if (!map_.turned_back) return;
    forward_ = symmetric_map([](double factor) { return factor; });
    backward_ = symmetric_map([](double factor) { return 1 / factor; });
  }

  void apply(DataSet& data, const std::string&) const override {
    ExampleArray& array = data.arrays.at("x");
    Tensor<float>& x = array.floats();
    const auto centred = [this](double value, std::int64_t j) { return value - map_.offset[j]; };
    const auto scaled = [this](double value, std::int64_t j) { return value * map_.factors[j]; };
    const auto same = [](double value, std::int64_t) { return value; };
    const std::int64_t n = map_.offset.size(), k = map_.factors.size();
    if (map_.turned_back) {
      array = mapped(x, forward_.data.data(), n, n, false, centred, same);
    } else if (map_.vectors) {
      array = mapped(x, map_.vectors->data.data(), n, k, false, centred, scaled);
      data.image.clear();
    } else {
      for (std::int64_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<float>(scaled(centred(x[i], i % n), i % n));
    }
  }

  Tensor<float> inverse(const Tensor<float>& y, const Tensor<float>*) const override {
    return back(y, [this](double value, std::int64_t j) { return value + map_.offset[j]; });
  }
  Tensor<float> inverse_directions(const Tensor<float>& y) const override {
    return back(y, [](double value, std::int64_t) { return value; });
  }

  void save(const std::string& prefix, SafeTensors& file) const override {
    file.tensors.push_back({prefix + "offset", map_.offset});
    file.tensors.push_back({prefix + "factors", map_.factors});
    if (map_.vectors) file.tensors.push_back({prefix + "vectors", *map_.vectors});
  }

 private:
  // V diag(f(factors)) V'.
  template <class F>
  Tensor<double> symmetric_map(F f) const {
    const Tensor<double>& v = *map_.vectors;
    const std::int64_t n = v.shape[0], k = v.shape[1];
    Tensor<double> weighted(v.shape), result({n, n});
    for (std::int64_t i = 0; i < v.size(); ++i) weighted[i] = v[i] * f(map_.factors[i % k]);
    ProductShape shape;
    shape.m = shape.n = n;
    shape.k = k;
    shape.symmetric = true;
    ThreadPool pool(1);
    const PreparedProduct<double> product(shape, {k, 0, false}, {k, 0, true}, {n, 0, false});
    product.run(pool, weighted.data.data(), v.data.data(), result.data.data());
    return result;
  }

  template <class Finish>
  Tensor<float> back(const Tensor<float>& y, Finish finish) const {
    const auto unscaled = [this](double value, std::int64_t j) { return value / map_.factors[j]; };
    const auto same = [](double value, std::int64_t) { return value; };
    const std::int64_t n = map_.offset.size(), k = map_.factors.size();
    if (map_.turned_back) return mapped(y, backward_.data.data(), n, n, false, same, finish);
    if (map_.vectors) return mapped(y, map_.vectors->data.data(), k, n, true, unscaled, finish);
    Tensor<float> x = y;
    for (std::int64_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>(finish(unscaled(x[i], i % n), i % n));
    return x;
  }

  AffineMap map_;
  Tensor<double> forward_, backward_;  // [features, features], only where turned back
};

const Tensor<float>& examples(const FitContext& context) {
  if (context.x.count() == 0) throw SpecError(cat(context.where, ": there is no training example"));
  return context.x.floats();
}

Step fit_scale(const FitContext& context) {
  const Tensor<float>& x = examples(context);
  const std::int64_t features = x.shape[1];
  const bool each = step_flag(context.choice, "each");
  const double low = step_option(context.choice, "low"), high = step_option(context.choice, "high");
  if (!(low < high))
    throw SpecError(cat(context.where, "/low: the range from ", low, " to ", high, " is empty"));
  Tensor<double> least({features}, kAny), most({features}, -kAny);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    least[i % features] = std::min<double>(least[i % features], x[i]);
    most[i % features] = std::max<double>(most[i % features], x[i]);
  }
  if (!each) {
    least = Tensor<double>({features}, *std::ranges::min_element(least.data));
    most = Tensor<double>({features}, *std::ranges::max_element(most.data));
  }
  AffineMap map{Tensor<double>({features}), Tensor<double>({features})};
  for (std::int64_t j = 0; j < features; ++j) {
    // A feature that never changes becomes `low`.
    map.factors[j] = most[j] > least[j] ? (high - low) / (most[j] - least[j]) : 1;
    map.offset[j] = least[j] - low / map.factors[j];
  }
  return std::make_unique<AffineStep>(std::move(map));
}

Step fit_standardise(const FitContext& context) {
  const Tensor<float>& x = examples(context);
  const std::int64_t count = x.shape[0], features = x.shape[1];
  const double epsilon = step_option(context.choice, "epsilon");
  AffineMap map{mean_of(x), Tensor<double>({features})};
  const auto mean_over = [](Tensor<double>& values) {
    double sum = 0;
    for (const double value : values.data) sum += value;
    std::ranges::fill(values.data, sum / static_cast<double>(values.size()));
  };
  const bool together = step_flag(context.choice, "together");
  if (together) mean_over(map.offset);
  Tensor<double> variance({features});
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double deviation = x[i] - map.offset[i % features];
    variance[i % features] += deviation * deviation / static_cast<double>(count);
  }
  if (together) mean_over(variance);
  for (std::int64_t j = 0; j < features; ++j) {
    const double divisor = std::sqrt(variance[j]) + epsilon;
    map.factors[j] = divisor > 0 ? 1 / divisor : 1;  // a feature that never changes stays 0
  }
  return std::make_unique<AffineStep>(std::move(map));
}

// 1 / sqrt(eigenvalue + epsilon). An eigenvalue that is nothing but rounding is no variance.
double whitening_factor(const FitContext& context, const Eigen& eigen, std::int64_t k) {
  constexpr double kRounding = 1e-12;
  const double epsilon = step_option(context.choice, "epsilon");
  const double variance = std::max(eigen.values[k], 0.0) + epsilon;
  if (variance <= kRounding * eigen.values[0] || variance <= 0)
    throw SpecError(cat(context.where, "/epsilon: the training part has no variance along its ",
                        "direction ", k + 1, " of ", eigen.values.size(),
                        ", which cannot be made 1; an epsilon above 0 or fewer components can be"));
  return 1 / std::sqrt(variance);
}

Step fit_principal(const FitContext& context, std::int64_t components, bool whiten, bool back) {
  const Tensor<float>& x = examples(context);
  const std::int64_t features = x.shape[1];
  AffineMap map{mean_of(x), Tensor<double>({components}, 1.0)};
  const Eigen eigen = symmetric_eigen(covariance_of(x, map.offset));
  map.vectors = Tensor<double>({features, components});
  for (std::int64_t i = 0; i < features; ++i)
    for (std::int64_t k = 0; k < components; ++k)
      (*map.vectors)[i * components + k] = eigen.vectors[i * features + k];
  if (whiten)
    for (std::int64_t k = 0; k < components; ++k)
      map.factors[k] = whitening_factor(context, eigen, k);
  map.turned_back = back;
  return std::make_unique<AffineStep>(std::move(map));
}

Step fit_pca(const FitContext& context) {
  const auto components = static_cast<std::int64_t>(step_option(context.choice, "components"));
  return fit_principal(context, components, step_flag(context.choice, "whiten"), false);
}

Step fit_zca(const FitContext& context) {
  return fit_principal(context, context.x.row(), true, true);
}

Step load_affine(const nn::Choice& choice, const std::string& prefix, const SafeTensors& file) {
  AffineMap map{tensor<double>(file, prefix + "offset"), tensor<double>(file, prefix + "factors")};
  const std::int64_t features = map.offset.size(), k = map.factors.size();
  const bool has_vectors = choice.kind == "pca" || choice.kind == "zca";
  if (has_vectors) map.vectors = tensor<double>(file, prefix + "vectors");
  map.turned_back = choice.kind == "zca";
  const bool fits = map.offset.shape.rank() == 1 && map.factors.shape.rank() == 1 &&
                    (has_vectors ? map.vectors->shape == Shape{features, k} : features == k) &&
                    (!map.turned_back || features == k);
  if (!fits)
    throw Error(cat("preparation: the tensors of step '", prefix, "' do not fit each other"));
  return std::make_unique<AffineStep>(std::move(map));
}

PreparedShape same_shape(const nn::Choice&, const std::string&, PreparedShape x) { return x; }

PreparedShape pca_shape(const nn::Choice& choice, const std::string& where, PreparedShape x) {
  const auto components = static_cast<std::int64_t>(step_option(choice, "components"));
  if (components > x.features)
    throw SpecError(cat(where, "/components: ", components, " components of ", x.features,
                        " features are asked for; 1 to ", x.features, " are there"));
  return {components, {}};
}

}  // namespace

std::vector<StepKind> affine_step_kinds() {
  const nn::Option epsilon{"epsilon", 0.0, 0, kMost, "added to every variance"};
  nn::Option zca_epsilon = epsilon;
  zca_epsilon.fallback = 0.1;
  return {
      {{"scale",
        "from the range of the training part to low .. high",
        {{"low", 0.0, -kMost, kMost, "what the smallest becomes"},
         {"high", 1.0, -kMost, kMost, "what the largest becomes"},
         {"each", 0.0, 0, 1, "every feature by its own range; default false", true}}},
       same_shape,
       fit_scale,
       load_affine},
      {{"standardise",
        "mean 0 and standard deviation 1 over the training part",
        {{"epsilon", 1e-4, 0, kMost, "added to the standard deviation"},
         {"together", 0.0, 0, 1, "one mean and deviation of all features; default false", true}}},
       same_shape,
       fit_standardise,
       load_affine},
      {{"pca",
        "coordinates along the directions of largest variance",
        {{"components", {}, 1, kMost, "how many directions are kept", false, true},
         {"whiten", 0.0, 0, 1, "variance 1 along each of them; default false", true},
         epsilon}},
       pca_shape,
       fit_pca,
       load_affine},
      {{"zca", "variance 1 in every direction, as near to x as can be", {zca_epsilon}},
       same_shape,
       fit_zca,
       load_affine}};
}

}  // namespace jacquard::experiments
