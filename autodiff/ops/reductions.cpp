// Reductions over axes, what is composed of them, and the mask of the largest elements.
//
// Axes are stored counted from the end, so that a leading axis added by batching changes nothing.
#include <algorithm>
#include <array>
#include <cmath>

#include "autodiff/error.hpp"
#include "autodiff/loops.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/ops/families.hpp"
#include "autodiff/runs.hpp"
#include "autodiff/tile_sums.hpp"
#include "autodiff/vector_code.hpp"

namespace jacquard {
namespace {

using Flags = std::array<bool, Shape::kMaxRank>;

Flags reduced_axes(const Shape& shape, const Attributes& attributes) {
  Flags flags{};
  for (const std::int64_t axis : attributes.integers("axes"))
    flags[static_cast<std::size_t>(axis + shape.rank())] = true;
  return flags;
}

Shape reduced_shape(const Op& op, std::span<const Shape* const> in, const Attributes& attributes) {
  const Shape& shape = *in[0];
  const bool keepdims = attributes.integer("keepdims") != 0;
  for (const std::int64_t axis : attributes.integers("axes"))
    if (axis >= 0 || axis + shape.rank() < 0)
      throw InternalError(cat(op.name, ": axis ", axis, " is not one of ", shape));
  const Flags flags = reduced_axes(shape, attributes);
  std::vector<std::int64_t> sizes;
  for (int i = 0; i < shape.rank(); ++i) {
    if (!flags[static_cast<std::size_t>(i)])
      sizes.push_back(shape[i]);
    else if (keepdims)
      sizes.push_back(1);
  }
  return Shape(std::move(sizes));
}

int reduced_examples(const ExampleCall& call) {
  if (call.axes[0] == kNoAxis) return kNoAxis;
  const Flags flags = reduced_axes(*call.in[0], call.attributes);
  if (flags[static_cast<std::size_t>(call.axes[0])]) return kMixes;
  if (call.attributes.integer("keepdims") != 0) return call.axes[0];
  return call.axes[0] -
         static_cast<int>(std::count(flags.begin(), flags.begin() + call.axes[0], true));
}

// The call is the same on a tensor with one more leading axis.
Expr same_batched(const Call& call, std::span<const Expr> in, const std::vector<bool>&) {
  return call.out.tape->append(call.out.op(), {in.begin(), in.end()}, call.attributes);
}

std::vector<Sample> reduction_samples() {
  const auto with = [](Axes axes, std::int64_t keepdims) {
    return Attributes{{"axes", std::move(axes)}, {"keepdims", keepdims}};
  };
  return {{{{2, 3}}, with({-1}, 0)},     {{{2, 3}}, with({-2}, 1)},
          {{{2, 3}}, with({-2, -1}, 0)}, {{{2, 3, 2}}, with({-3, -1}, 0)},
          {{{2, 3, 2}}, with({-2}, 0)},  {{{1, 4}}, with({-1}, 1)},
          {{{3, 1}}, with({-2}, 0)},     {{{2, 2, 2, 2}}, with({-4, -2}, 1)},
          {{{5}}, with({-1}, 0)}};
}

template <class How>
constexpr Kernel reduction_kernel(How) {
  return kernel([](const auto& c) {
    loops::reduce<How>(c.context.pool, *c.in[0].shape, reduced_axes(*c.in[0].shape, c.attributes),
                       c.in[0].data, c.out);
  });
}

// Brings a reduced tensor back to where it broadcasts against the input of the reduction.
Expr spread(const Call& call, Expr reduced) {
  std::vector<std::int64_t> sizes = call.in[0].shape().sizes();
  for (const std::int64_t axis : call.attributes.integers("axes"))
    sizes[sizes.size() - static_cast<std::size_t>(-axis)] = 1;
  return reshape(reduced, Shape(std::move(sizes)));
}

std::vector<Expr> extremum_derivative(const Call& call, Expr g) {
  const Expr mask = equal(call.in[0], spread(call, call.out));
  const Expr ties = sum(mask, call.attributes.integers("axes"), true);
  return {where(mask, spread(call, g) / ties, constant(*g.tape, 0.0))};
}

constexpr Op reduction(std::string_view name, Kernel value,
                       std::vector<Expr> (*derivative)(const Call&, Expr), bool moves = false) {
  return Op{.name = name,
            .shape = reduced_shape,
            .derivative = derivative,
            .kernel = value,
            .examples = reduced_examples,
            .batch = same_batched,
            .moves = moves,
            .samples = reduction_samples};
}

constinit const Op sum_op = reduction(
    "sum", kernel([](const auto& c) {
      plain_sum(*c.in[0].shape, reduced_axes(*c.in[0].shape, c.attributes), c.in[0].data, c.out);
    }),
    [](const Call& call, Expr g) {
      return std::vector<Expr>{broadcast_to(spread(call, g), call.in[0].shape())};
    },
    /*moves=*/true);
constinit const Op max_op =
    reduction("max", reduction_kernel(loops::Maximum{}), extremum_derivative);
constinit const Op min_op =
    reduction("min", reduction_kernel(loops::Minimum{}), extremum_derivative);

// Marks the k largest of each row; the first wins among equal ones, NaN is never chosen. The k-th
// largest is found in linear time, in the memory of the result.
template <class T>
void mark_largest(const T* x, std::int64_t count, std::int64_t k, T* out) {
  T* const end = std::copy_if(x, x + count, out, [](T v) { return v == v; });
  const std::int64_t numbers = end - out;
  k = std::min(k, numbers);
  if (k == 0) return static_cast<void>(std::fill(out, out + count, T(0)));
  std::nth_element(out, out + (k - 1), end, [](T a, T b) { return a > b; });
  const T least = out[k - 1];
  // Of those that equal the k-th, as many as are left by the larger ones.
  std::int64_t equal = k;
  for (std::int64_t i = 0; i < count; ++i)
    if (x[i] > least) --equal;
  for (std::int64_t i = 0; i < count; ++i) {
    const bool chosen = x[i] > least || (x[i] == least && equal-- > 0);
    out[i] = chosen ? T(1) : T(0);
  }
}

// A count that may change from step to step: the nearest whole number that there is.
template <class T>
std::int64_t count_from(T k, std::int64_t most) {
  const double wanted = std::round(static_cast<double>(k));
  return wanted > 0 ? static_cast<std::int64_t>(std::min(wanted, static_cast<double>(most))) : 0;
}

constexpr std::array kCounted = {Domain{}, Domain{0, 4, true}};

constinit const Op top_k_op{
    .name = "top_k",
    .arity = 2,
    .shape =
        [](const Op&, std::span<const Shape* const> in, const Attributes&) {
          if (in[0]->rank() == 0) throw ShapeError("top_k: a scalar has no axis to choose from");
          if (in[1]->rank() != 0)
            throw ShapeError(cat("top_k: k has shape ", *in[1], "; it must be one number"));
          return *in[0];
        },
    .derivative = [](const Call&, Expr) { return std::vector<Expr>(2); },
    .kernel = kernel([](const auto& c) {
      if (c.shape.size() == 0) return;
      const std::int64_t n = c.shape[c.shape.rank() - 1], rows = c.shape.size() / n;
      const std::int64_t k = count_from(*c.in[1].data, n);
      loops::pieces(c.context.pool, rows, std::max<std::int64_t>(1, loops::kGrain / (8 * n)),
                    [&](std::int64_t a, std::int64_t b) {
                      for (std::int64_t r = a; r < b; ++r)
                        mark_largest(c.in[0].data + r * n, n, k, c.out + r * n);
                    });
    }),
    .examples =
        [](const ExampleCall& call) {
          const bool mixes = call.axes[0] == call.shape.rank() - 1 || call.axes[1] != kNoAxis;
          return mixes ? kMixes : call.axes[0];
        },
    .batch =
        [](const Call& call, std::span<const Expr> in, const std::vector<bool>& batched) {
          return batched[1] ? Expr{} : same_batched(call, in, batched);
        },
    .held = true,
    .domains = kCounted,
    .samples =
        [] {
          return std::vector<Sample>{{{{2, 5}, {}}, {}}, {{{3, 2, 4}, {}}, {}}, {{{4}, {}}, {}}};
        },
};

// How many rows of its last axis a tensor has.
std::int64_t rows_of(const Shape& shape) {
  std::int64_t rows = 1;
  for (int i = 0; i + 1 < shape.rank(); ++i) rows *= shape[i];
  return rows;
}

struct Exponential {
  template <class T>
  T operator()(T x) const {
    return number::exp(x);
  }
};

// `exponentials` writes those of so many numbers over them.
template <class T, class Exponentials>
void softmax_of_row(const T* x, std::int64_t n, T* out, const Exponentials& exponentials) {
  T largest = x[0];
  for (std::int64_t i = 1; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  // A shift that is not finite would make NaN of every number.
  const T shift = number::is_finite(largest) ? largest : T(0);
  T total(0);
  for (std::int64_t i = 0; i < n; ++i) out[i] = x[i] - shift;
  exponentials(out, n);
  for (std::int64_t i = 0; i < n; ++i) total += out[i];
  for (std::int64_t i = 0; i < n; ++i) out[i] /= total;
}

template <class T, class Exponentials>
void softmax_of_rows(const KernelCall<T>& c, const Exponentials& exponentials) {
  if (c.shape.size() == 0) return;
  const std::int64_t n = c.shape[c.shape.rank() - 1], rows = c.shape.size() / n;
  loops::pieces(c.context.pool, rows, std::max<std::int64_t>(1, loops::kGrain / n),
                [&](std::int64_t a, std::int64_t b) {
                  for (std::int64_t r = a; r < b; ++r)
                    softmax_of_row(c.in[0].data + r * n, n, c.out + r * n, exponentials);
                });
}

template <class T>
Prepared<T> prepare_softmax(const ShapeCall&) {
  const VectorCode<T> code =
      vector_code<T>({{false}, {{&runs::recording<Exponential, 1, T>(), {0}}}, {1}});
  if (code == nullptr) return {};
  return {.run = [code](const KernelCall<T>& c) {
    softmax_of_rows(c, [code](T* x, std::int64_t n) {
      const std::array<T*, 2> places{x, x};
      code(places.data(), n);
    });
  }};
}

// p (g - sum(p g)), so written that no digit is lost where one p is nearly 1. With m the mask of
// the largest and c = p - m, whose entry at the largest is minus the sum of the others, it is c g -
// m sum(c g) - c sum(p g): every term is as small as the result.
std::vector<Expr> softmax_derivative(const Call& call, Expr g) {
  const Expr p = call.out, zero = constant(*g.tape, 0.0);
  const Expr m = top_k(p, 1), others = where(m, zero, p);
  const Expr c = where(m, -sum(others, {-1}, true), others);
  const Expr moved = c * g;
  return {moved - m * sum(moved, {-1}, true) - c * sum(p * g, {-1}, true)};
}

constinit const Op softmax_op{
    .name = "softmax",
    .shape =
        [](const Op&, std::span<const Shape* const> in, const Attributes&) {
          const int rank = in[0]->rank();
          if (rank == 0 || ((*in[0])[rank - 1] == 0 && rows_of(*in[0]) > 0))
            throw ShapeError(cat("softmax: no elements to sum over in ", *in[0]));
          return *in[0];
        },
    .derivative = softmax_derivative,
    .kernel = kernel([](const auto& c) {
      softmax_of_rows(c, [](auto* x, std::int64_t n) {
        for (std::int64_t i = 0; i < n; ++i) x[i] = number::exp(x[i]);
      });
    }),
    .prepare_float = prepare_softmax<float>,
    .prepare_double = prepare_softmax<double>,
    .examples =
        [](const ExampleCall& call) {
          return call.axes[0] == call.shape.rank() - 1 ? kMixes : call.axes[0];
        },
    .batch = same_batched,
    .samples =
        [] {
          return std::vector<Sample>{
              {{{2, 5}}, {}}, {{{3, 2, 4}}, {}}, {{{4}}, {}}, {{{3, 1}}, {}}};
        },
};

Expr reduce_with(const Op& op, Expr x, const Axes& axes, bool keepdims) {
  const std::string name(op.name);
  const int rank = x.shape().rank();
  Flags flags{};
  for (const std::int64_t axis : axes) {
    bool& flag = flags[static_cast<std::size_t>(normal_axis(name.c_str(), axis, rank))];
    if (flag) throw ShapeError(cat(name, ": axis ", axis, " is named twice"));
    flag = true;
  }
  Axes normal;
  for (int i = 0; i < rank; ++i)
    if (axes.empty() || flags[static_cast<std::size_t>(i)]) normal.push_back(i - rank);
  if (normal.empty()) return x;
  return x.tape->append(op, {x}, {{"axes", normal}, {"keepdims", std::int64_t{keepdims ? 1 : 0}}});
}

std::int64_t reduced_count(Expr x, const Axes& axes) {
  if (axes.empty()) return x.shape().size();
  std::int64_t count = 1;
  for (const std::int64_t axis : axes)
    count *= x.shape()[normal_axis("mean", axis, x.shape().rank())];
  return count;
}

Expr extremum(const Op& op, Expr x, const Axes& axes, bool keepdims) {
  const Expr result = reduce_with(op, x, axes, keepdims);
  if (x.shape().size() == 0 && result.shape().size() > 0)
    throw ShapeError(cat(op.name, ": no elements to choose from in ", x.shape()));
  return result;
}

// A shift that keeps exp from overflowing; it cancels in every result, so it has no gradient.
Expr safe_shift(const char* where_called, Expr x, const Axes& axes) {
  for (const std::int64_t axis : axes) normal_axis(where_called, axis, x.shape().rank());
  if (x.shape().size() == 0 && sum(x, axes).shape().size() > 0)
    throw ShapeError(cat(where_called, ": no elements to sum over in ", x.shape()));
  const Expr m = max(x, axes, true), zero = constant(*x.tape, 0.0);
  return stop_gradient(where(equal(m - m, zero), m, zero));
}

}  // namespace

Expr sum(Expr x, const Axes& axes, bool keepdims) { return reduce_with(sum_op, x, axes, keepdims); }

Expr mean(Expr x, const Axes& axes, bool keepdims) {
  const std::int64_t count = reduced_count(x, axes);
  if (count == 0) throw ShapeError(cat("mean: no elements to average in ", x.shape()));
  return sum(x, axes, keepdims) / static_cast<double>(count);
}

Expr max(Expr x, const Axes& axes, bool keepdims) { return extremum(max_op, x, axes, keepdims); }
Expr min(Expr x, const Axes& axes, bool keepdims) { return extremum(min_op, x, axes, keepdims); }

Expr logsumexp(Expr x, const Axes& axes, bool keepdims) {
  const Expr shift = safe_shift("logsumexp", x, axes);
  const Expr result = log(sum(exp(x - shift), axes, true)) + shift;
  return keepdims ? result : reshape(result, sum(x, axes, false).shape());
}

Expr softmax(Expr x, std::int64_t axis) {
  const int rank = x.shape().rank(), at = normal_axis("softmax", axis, rank);
  Axes order;  // exchanges the axis with the last one, and is its own inverse
  for (int i = 0; i < rank; ++i) order.push_back(i == at ? rank - 1 : i == rank - 1 ? at : i);
  const Expr last = transpose(x, order);
  return transpose(last.tape->append(softmax_op, {last}), order);
}

Expr log_softmax(Expr x, std::int64_t axis) {
  const Expr shifted = x - safe_shift("log_softmax", x, {axis});
  return shifted - log(sum(exp(shifted), {axis}, true));
}

Expr sqnorm(Expr x) {
  Axes axes;
  if (x.shape().rank() == 0) throw ShapeError("sqnorm: a scalar has no batch axis; use square()");
  for (int i = 1; i < x.shape().rank(); ++i) axes.push_back(i);
  return axes.empty() ? square(x) : sum(square(x), axes);
}

Expr norm(Expr x) {
  const Expr s = sqnorm(x), zero = constant(*x.tape, 0.0);
  const Expr positive = greater(s, zero);
  return where(positive, sqrt(s), zero);
}

Expr top_k(Expr x, Expr k) {
  const Expr mask = x.tape->append(top_k_op, {x, k});
  const Node& count = x.tape->node(k.id);
  if (count.op->name != "constant") return mask;
  const double value = count.attributes.number("value");
  const std::int64_t n = x.shape()[x.shape().rank() - 1];
  if (!(value >= 0 && value <= static_cast<double>(n)))
    throw ShapeError(cat("top_k: k = ", value, " of ", n, " elements in ", x.shape(),
                         "; k must lie between 0 and ", n));
  if (value != std::round(value))
    throw ShapeError(cat("top_k: k = ", value, " is no whole number"));
  return mask;
}
Expr top_k(Expr x, std::int64_t k) { return top_k(x, constant(*x.tape, static_cast<double>(k))); }

std::span<const Op* const> reduction_ops() {
  static constexpr std::array kOps = {&sum_op, &max_op, &min_op, &top_k_op, &softmax_op};
  return kOps;
}

}  // namespace jacquard
