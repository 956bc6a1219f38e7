// Ops that move elements: reshape, transpose, broadcast, slices and pads, concat, take and its
// adjoint. Each is closed under differentiation through its partner.
#include <algorithm>
#include <array>
#include <numeric>

#include "autodiff/error.hpp"
#include "autodiff/loops.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/ops/families.hpp"
#include "autodiff/runs.hpp"

namespace jacquard {
namespace {

using Adjoints = std::vector<Expr>;
using Steps = std::array<std::int64_t, Shape::kMaxRank + 1>;

// A tensor seen as [outer, axis, inner].
struct Around {
  std::int64_t outer = 1, size = 1, inner = 1;
  Around(const Shape& shape, int axis) {
    for (int i = 0; i < axis; ++i) outer *= shape[i];
    size = shape[axis];
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  }
};

int axis_of(const Shape& shape, const Attributes& attributes) {
  return static_cast<int>(attributes.integer("axis")) + shape.rank();  // stored from the end
}

Attributes from_end(const Shape& shape, int axis, std::initializer_list<Attributes::Entry> more) {
  std::vector<Attributes::Entry> entries{{"axis", static_cast<std::int64_t>(axis - shape.rank())}};
  entries.insert(entries.end(), more);
  return Attributes(std::move(entries));
}

// The example axis survives unless the op acts along it.
int unless_along(const ExampleCall& call) {
  if (call.axes[0] == kNoAxis) return kNoAxis;
  return call.axes[0] == axis_of(*call.in[0], call.attributes) ? kMixes : call.axes[0];
}

Expr same_batched(const Call& call, std::span<const Expr> in, const std::vector<bool>&) {
  return call.out.tape->append(call.out.op(), {in.begin(), in.end()}, call.attributes);
}

Shape prefixed(std::int64_t size, const Shape& shape) {
  std::vector<std::int64_t> sizes{size};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  return Shape(std::move(sizes));
}

Shape with_size(const Shape& shape, int axis, std::int64_t size) {
  std::vector<std::int64_t> sizes = shape.sizes();
  sizes[static_cast<std::size_t>(axis)] = size;
  return Shape(std::move(sizes));
}

template <class T>
void copy(const T* from, std::int64_t count, T* to) {
  std::copy(from, from + count, to);
}

// ---------------------------------------------------------------- reshape
constinit const Op reshape_op{
    .name = "reshape",
    .shape =
        [](const Op&, std::span<const Shape* const> in, const Attributes& attributes) {
          Shape to(attributes.integers("shape"));
          if (to.size() != in[0]->size())
            throw ShapeError(cat("reshape: ", *in[0], " has ", in[0]->size(), " elements, ", to,
                                 " has ", to.size()));
          return to;
        },
    .derivative = [](const Call& c, Expr g) { return Adjoints{reshape(g, c.in[0].shape())}; },
    .kernel = kernel([](const auto& c) { copy(c.in[0].data, c.shape.size(), c.out); }),
    .examples =
        [](const ExampleCall& call) {
          if (call.axes[0] == kNoAxis) return kNoAxis;
          // The axis survives where the same number of elements stands before it.
          const Around from(*call.in[0], call.axes[0]);
          for (int i = 0; i < call.shape.rank(); ++i) {
            const Around to(call.shape, i);
            if (to.outer == from.outer && to.size == from.size && to.inner == from.inner) return i;
          }
          return kMixes;
        },
    .batch =
        [](const Call& call, std::span<const Expr> in, const std::vector<bool>&) {
          return reshape(in[0], prefixed(in[0].shape()[0], call.out.shape()));
        },
    .moves = true,
    .samples =
        [] {
          return std::vector<Sample>{{{{2, 3}}, {{"shape", Axes{3, 2}}}},
                                     {{{2, 3}}, {{"shape", Axes{6}}}},
                                     {{{1}}, {{"shape", Axes{}}}},
                                     {{{4, 1, 2}}, {{"shape", Axes{1, 4, 2}}}}};
        },
};

// ---------------------------------------------------------------- transpose
constinit const Op transpose_op{
    .name = "transpose",
    .shape =
        [](const Op&, std::span<const Shape* const> in, const Attributes& attributes) {
          std::vector<std::int64_t> sizes;
          for (const std::int64_t axis : attributes.integers("axes"))
            sizes.push_back((*in[0])[static_cast<int>(axis)]);
          return Shape(std::move(sizes));
        },
    .derivative =
        [](const Call& c, Expr g) {
          const auto& axes = c.attributes.integers("axes");
          Axes inverse(axes.size());
          for (std::size_t i = 0; i < axes.size(); ++i)
            inverse[static_cast<std::size_t>(axes[i])] = static_cast<std::int64_t>(i);
          return Adjoints{transpose(g, inverse)};
        },
    .kernel = kernel([](const auto& c) {
      if (c.shape.size() == 0) return;
      const Steps from = loops::read_strides(*c.in[0].shape, *c.in[0].shape);
      const auto& axes = c.attributes.integers("axes");
      loops::Nest<1> nest;
      for (int i = 0; i < c.shape.rank(); ++i) {
        const auto source = static_cast<std::size_t>(axes[static_cast<std::size_t>(i)]);
        nest.add(c.shape[i], {from[source]});
      }
      const int outer_axes = std::max(0, nest.rank - 1);
      const auto last = static_cast<std::size_t>(outer_axes);
      const std::int64_t inner = nest.rank == 0 ? 1 : nest.size[last];
      const std::int64_t step = nest.rank == 0 ? 1 : nest.stride[0][last];
      loops::pieces(c.context.pool, nest.total(outer_axes),
                    std::max<std::int64_t>(1, loops::kGrain / inner),
                    [&](std::int64_t a, std::int64_t b) {
                      for (std::int64_t row = a; row < b; ++row) {
                        const auto* p = c.in[0].data + nest.offsets(row, outer_axes)[0];
                        auto* o = c.out + row * inner;
                        for (std::int64_t i = 0; i < inner; ++i) o[i] = p[i * step];
                      }
                    });
    }),
    .examples =
        [](const ExampleCall& call) {
          const auto& axes = call.attributes.integers("axes");
          for (std::size_t i = 0; i < axes.size(); ++i)
            if (axes[i] == call.axes[0]) return static_cast<int>(i);
          return kNoAxis;
        },
    .batch =
        [](const Call& call, std::span<const Expr> in, const std::vector<bool>&) {
          Axes axes{0};
          for (const std::int64_t axis : call.attributes.integers("axes")) axes.push_back(axis + 1);
          return transpose(in[0], axes);
        },
    .moves = true,
    .samples =
        [] {
          return std::vector<Sample>{{{{2, 3}}, {{"axes", Axes{1, 0}}}},
                                     {{{2, 3, 4}}, {{"axes", Axes{2, 0, 1}}}},
                                     {{{2, 1, 3}}, {{"axes", Axes{1, 2, 0}}}},
                                     {{{3, 2, 2, 2}}, {{"axes", Axes{0, 3, 2, 1}}}}};
        },
};

// ---------------------------------------------------------------- broadcast_to
constexpr auto same = [](auto x) JACQUARD_INLINE { return x; };

constinit const Op broadcast_op{
    .name = "broadcast_to",
    .shape =
        [](const Op&, std::span<const Shape* const> in, const Attributes& attributes) {
          Shape to(attributes.integers("shape"));
          if (!broadcasts_to(*in[0], to))
            throw ShapeError(cat("broadcast_to: ", *in[0], " does not broadcast to ", to));
          return to;
        },
    // gradient() sums the adjoint over broadcast axes, here as everywhere.
    .derivative = [](const Call&, Expr g) { return Adjoints{g}; },
    .kernel =
        kernel([](const auto& c) { loops::map1(c.context.pool, c.shape, c.out, c.in[0], same); }),
    .examples =
        [](const ExampleCall& call) {
          if (call.axes[0] == kNoAxis) return kNoAxis;
          const int aligned = call.axes[0] + call.shape.rank() - call.in[0]->rank();
          return (*call.in[0])[call.axes[0]] == call.shape[aligned] ? aligned : kMixes;
        },
    .batch =
        [](const Call& call, std::span<const Expr> in, const std::vector<bool>&) {
          Expr x = in[0];
          std::vector<std::int64_t> sizes{x.shape()[0]};
          sizes.resize(static_cast<std::size_t>(call.out.shape().rank() + 2 - x.shape().rank()), 1);
          sizes.insert(sizes.end(), x.shape().begin() + 1, x.shape().end());
          return broadcast_to(reshape(x, Shape(std::move(sizes))),
                              prefixed(x.shape()[0], call.out.shape()));
        },
    .runs = &runs::kRuns<decltype(same), 1>,
    .moves = true,
    .samples =
        [] {
          return std::vector<Sample>{{{{}}, {{"shape", Axes{2, 3}}}},
                                     {{{3}}, {{"shape", Axes{2, 3}}}},
                                     {{{2, 1}}, {{"shape", Axes{2, 3}}}},
                                     {{{1, 3, 1}}, {{"shape", Axes{2, 2, 3, 2}}}}};
        },
};

// ---------------------------------------------------------------- slice and pad
constinit const Op slice_op{
    .name = "slice",
    .shape =
        [](const Op&, std::span<const Shape* const> in, const Attributes& a) {
          const int axis = axis_of(*in[0], a);
          return with_size(*in[0], axis, a.integer("end") - a.integer("begin"));
        },
    .derivative =
        [](const Call& c, Expr g) {
          const Shape& shape = c.in[0].shape();
          const int axis = axis_of(shape, c.attributes);
          return Adjoints{pad(g, axis, c.attributes.integer("begin"),
                              shape[axis] - c.attributes.integer("end"))};
        },
    .kernel = kernel([](const auto& c) {
      const Around around(*c.in[0].shape, axis_of(*c.in[0].shape, c.attributes));
      const std::int64_t begin = c.attributes.integer("begin"),
                         size = c.attributes.integer("end") - begin;
      for (std::int64_t o = 0; o < around.outer; ++o)
        copy(c.in[0].data + (o * around.size + begin) * around.inner, size * around.inner,
             c.out + o * size * around.inner);
    }),
    .examples = unless_along,
    .batch = same_batched,
    .moves = true,
    .samples =
        [] {
          const auto with = [](std::int64_t axis, std::int64_t begin, std::int64_t end) {
            return Attributes{{"axis", axis}, {"begin", begin}, {"end", end}};
          };
          return std::vector<Sample>{{{{2, 5}}, with(-1, 1, 4)},
                                     {{{4, 3}}, with(-2, 0, 1)},
                                     {{{2, 3, 2}}, with(-2, 2, 3)},
                                     {{{3}}, with(-1, 1, 1)}};
        },
};

constinit const Op pad_op{
    .name = "pad",
    .shape =
        [](const Op&, std::span<const Shape* const> in, const Attributes& a) {
          const int axis = axis_of(*in[0], a);
          return with_size(*in[0], axis, (*in[0])[axis] + a.integer("before") + a.integer("after"));
        },
    .derivative =
        [](const Call& c, Expr g) {
          const Shape& shape = c.in[0].shape();
          const int axis = axis_of(shape, c.attributes);
          const std::int64_t before = c.attributes.integer("before");
          return Adjoints{slice(g, axis, before, before + shape[axis])};
        },
    .kernel = kernel([](const auto& c) {
      using T = std::remove_reference_t<decltype(*c.out)>;
      std::fill(c.out, c.out + c.shape.size(), T(0));
      const Around from(*c.in[0].shape, axis_of(*c.in[0].shape, c.attributes));
      const std::int64_t before = c.attributes.integer("before");
      const std::int64_t size = from.size + before + c.attributes.integer("after");
      for (std::int64_t o = 0; o < from.outer; ++o)
        copy(c.in[0].data + o * from.size * from.inner, from.size * from.inner,
             c.out + (o * size + before) * from.inner);
    }),
    .examples = unless_along,
    .batch = same_batched,
    .moves = true,
    .samples =
        [] {
          const auto with = [](std::int64_t axis, std::int64_t before, std::int64_t after) {
            return Attributes{{"axis", axis}, {"before", before}, {"after", after}};
          };
          return std::vector<Sample>{{{{2, 3}}, with(-1, 1, 2)},
                                     {{{2, 3}}, with(-2, 0, 1)},
                                     {{{2, 1, 2}}, with(-2, 2, 0)},
                                     {{{0}}, with(-1, 1, 1)}};
        },
};

// ---------------------------------------------------------------- concat
constinit const Op concat_op{
    .name = "concat",
    .arity = kAnyArity,
    .shape =
        [](const Op&, std::span<const Shape* const> in, const Attributes& a) {
          const Shape& first = *in[0];
          const int axis = axis_of(first, a);
          std::int64_t size = 0;
          for (const Shape* shape : in) {
            bool fits = shape->rank() == first.rank();
            for (int i = 0; fits && i < first.rank(); ++i)
              fits = i == axis || (*shape)[i] == first[i];
            if (!fits)
              throw ShapeError(
                  cat("concat: ", first, " and ", *shape, " differ outside axis ", axis));
            size += (*shape)[axis];
          }
          return with_size(first, axis, size);
        },
    .derivative =
        [](const Call& c, Expr g) {
          const int axis = axis_of(c.out.shape(), c.attributes);
          Adjoints adjoints;
          std::int64_t at = 0;
          for (const Expr& part : c.in) {
            const std::int64_t size = part.shape()[axis];
            adjoints.push_back(slice(g, axis, at, at + size));
            at += size;
          }
          return adjoints;
        },
    .kernel = kernel([](const auto& c) {
      const Around to(c.shape, axis_of(c.shape, c.attributes));
      std::int64_t at = 0;
      for (const auto& part : c.in) {
        const std::int64_t size = Around(*part.shape, axis_of(c.shape, c.attributes)).size;
        for (std::int64_t o = 0; o < to.outer; ++o) {
          const auto* const source = part.data + o * size * to.inner;
          auto* const place = c.out + (o * to.size + at) * to.inner;
          // Plans compute some parts where they belong.
          if (source != place) copy(source, size * to.inner, place);
        }
        at += size;
      }
    }),
    .examples =
        [](const ExampleCall& call) {
          int axis = kNoAxis;
          for (const int a : call.axes) {
            if (a == kNoAxis) continue;
            if (a == axis_of(call.shape, call.attributes) || (axis != kNoAxis && a != axis))
              return kMixes;
            axis = a;
          }
          return axis;
        },
    .batch =
        [](const Call& call, std::span<const Expr> in, const std::vector<bool>& batched) {
          std::int64_t count = 0;
          for (std::size_t i = 0; i < in.size(); ++i)
            if (batched[i]) count = in[i].shape()[0];
          std::vector<Expr> parts;
          for (std::size_t i = 0; i < in.size(); ++i)
            parts.push_back(batched[i] ? in[i]
                                       : broadcast_to(in[i], prefixed(count, in[i].shape())));
          return concat(parts, call.attributes.integer("axis"));
        },
    .moves = true,
    .samples =
        [] {
          const auto with = [](std::int64_t axis) { return Attributes{{"axis", axis}}; };
          return std::vector<Sample>{{{{2, 3}, {2, 1}}, with(-1)},
                                     {{{3, 2}, {3, 2}}, with(-1)},
                                     {{{1, 2}, {2, 2}, {1, 2}}, with(-2)},
                                     {{{2, 2, 1}, {2, 0, 1}}, with(-2)}};
        },
};

// ---------------------------------------------------------------- take and scatter_add
constexpr std::array kIndexed = {Domain{}, Domain{0, 1, true}};

std::int64_t checked_index(double value, std::int64_t size, const char* where) {
  const bool inside = value >= 0 && value < static_cast<double>(size);
  const std::int64_t index = inside ? static_cast<std::int64_t>(value) : 0;
  if (!inside || static_cast<double>(index) != value)
    throw Error(cat(where, ": index ", value, " is not a whole number between 0 and ", size - 1));
  return index;
}

void check_indices(const char* where, const Shape& indices) {
  if (indices.rank() != 1)
    throw ShapeError(cat(where, ": indices of shape ", indices, "; they must have one axis"));
}

constinit const Op take_op{
    .name = "take",
    .arity = 2,
    .shape =
        [](const Op&, std::span<const Shape* const> in, const Attributes& a) {
          check_indices("take", *in[1]);
          return with_size(*in[0], axis_of(*in[0], a), (*in[1])[0]);
        },
    .derivative =
        [](const Call& c, Expr g) {
          const Shape& shape = c.in[0].shape();
          const int axis = axis_of(shape, c.attributes);
          return Adjoints{scatter_add(g, c.in[1], axis, shape[axis]), Expr{}};
        },
    .kernel = kernel([](const auto& c) {
      const Around from(*c.in[0].shape, axis_of(*c.in[0].shape, c.attributes));
      const std::int64_t k = c.in[1].shape->size();
      for (std::int64_t i = 0; i < k; ++i) {
        const std::int64_t at =
            checked_index(static_cast<double>(c.in[1].data[i]), from.size, "take");
        for (std::int64_t o = 0; o < from.outer; ++o)
          copy(c.in[0].data + (o * from.size + at) * from.inner, from.inner,
               c.out + (o * k + i) * from.inner);
      }
    }),
    .examples =
        [](const ExampleCall& call) {
          // Examples of the indices pick rows of their own from a table that all share.
          if (call.axes[1] != kNoAxis)
            return call.axes[0] == kNoAxis ? axis_of(*call.in[0], call.attributes) : kMixes;
          return unless_along(call);
        },
    .batch = [](const Call& call, std::span<const Expr> in, const std::vector<bool>& batched)
        -> Expr { return batched[1] ? Expr{} : same_batched(call, in, batched); },
    .domains = kIndexed,
    .samples =
        [] {
          const auto with = [](std::int64_t axis) { return Attributes{{"axis", axis}}; };
          return std::vector<Sample>{
              {{{4, 2}, {3}}, with(-2)}, {{{2, 5}, {1}}, with(-1)}, {{{2, 3, 2}, {4}}, with(-2)}};
        },
};

constinit const Op scatter_add_op{
    .name = "scatter_add",
    .arity = 2,
    .shape =
        [](const Op&, std::span<const Shape* const> in, const Attributes& a) {
          check_indices("scatter_add", *in[1]);
          const int axis = axis_of(*in[0], a);
          if ((*in[0])[axis] != (*in[1])[0])
            throw ShapeError(cat("scatter_add: ", (*in[0])[axis], " slices of ", *in[0], " for ",
                                 (*in[1])[0], " indices"));
          return with_size(*in[0], axis, a.integer("size"));
        },
    .derivative =
        [](const Call& c, Expr g) {
          return Adjoints{take(g, c.in[1], axis_of(c.in[0].shape(), c.attributes)), Expr{}};
        },
    .kernel = kernel([](const auto& c) {
      using T = std::remove_reference_t<decltype(*c.out)>;
      std::fill(c.out, c.out + c.shape.size(), T(0));
      const Around to(c.shape, axis_of(c.shape, c.attributes));
      const std::int64_t k = c.in[1].shape->size();
      for (std::int64_t i = 0; i < k; ++i) {
        const std::int64_t at =
            checked_index(static_cast<double>(c.in[1].data[i]), to.size, "scatter_add");
        for (std::int64_t o = 0; o < to.outer; ++o) {
          const T* p = c.in[0].data + (o * k + i) * to.inner;
          T* q = c.out + (o * to.size + at) * to.inner;
          for (std::int64_t j = 0; j < to.inner; ++j) q[j] += p[j];
        }
      }
    }),
    .examples =
        [](const ExampleCall& call) {
          return call.axes[1] != kNoAxis ? kMixes : unless_along(call);
        },
    .batch = [](const Call& call, std::span<const Expr> in, const std::vector<bool>& batched)
        -> Expr { return batched[1] ? Expr{} : same_batched(call, in, batched); },
    .moves = true,
    .domains = kIndexed,
    .samples =
        [] {
          const auto with = [](std::int64_t axis, std::int64_t size) {
            return Attributes{{"axis", axis}, {"size", size}};
          };
          return std::vector<Sample>{{{{3, 2}, {3}}, with(-2, 4)}, {{{2, 2}, {2}}, with(-1, 2)}};
        },
};

}  // namespace

Expr reshape(Expr x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return x.tape->append(reshape_op, {x}, {{"shape", shape.sizes()}});
}

Expr reshape(Expr x, std::vector<std::int64_t> sizes) {
  const auto open = std::ranges::find(sizes, -1);
  if (open != sizes.end()) {
    std::int64_t known = 1;
    for (const std::int64_t s : sizes) known *= s == -1 ? 1 : s;
    if (known <= 0 || x.shape().size() % known != 0 || std::ranges::count(sizes, -1) > 1)
      throw ShapeError(cat("reshape: ", x.shape(), " has ", x.shape().size(),
                           " elements, which the sizes given do not divide; one size may be -1"));
    *open = x.shape().size() / known;
  }
  return reshape(x, Shape(std::move(sizes)));
}

Expr transpose(Expr x, const Axes& axes) {
  const int rank = x.shape().rank();
  Axes normal;
  for (const std::int64_t axis : axes) normal.push_back(normal_axis("transpose", axis, rank));
  Axes sorted = normal, places(static_cast<std::size_t>(rank));
  std::ranges::sort(sorted);
  std::iota(places.begin(), places.end(), 0);
  if (sorted != places)
    throw ShapeError(
        cat("transpose: the axes given are no order of the ", rank, " axes of ", x.shape()));
  if (normal == places) return x;
  return x.tape->append(transpose_op, {x}, {{"axes", normal}});
}

Expr transpose(Expr x) {
  const int rank = x.shape().rank();
  if (rank < 2) throw ShapeError(cat("transpose: ", x.shape(), " has fewer than two axes to swap"));
  Axes axes(static_cast<std::size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  return transpose(x, axes);
}

Expr broadcast_to(Expr x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return x.tape->append(broadcast_op, {x}, {{"shape", shape.sizes()}});
}

Expr insert_axis(Expr x, std::int64_t axis) {
  std::vector<std::int64_t> sizes = x.shape().sizes();
  sizes.insert(sizes.begin() + normal_axis("insert_axis", axis, x.shape().rank() + 1), 1);
  return reshape(x, Shape(std::move(sizes)));
}

Expr remove_axis(Expr x, std::int64_t axis) {
  std::vector<std::int64_t> sizes = x.shape().sizes();
  const int at = normal_axis("remove_axis", axis, x.shape().rank());
  if (x.shape()[at] != 1)
    throw ShapeError(cat("remove_axis: axis ", axis, " of ", x.shape(), " has not size 1"));
  sizes.erase(sizes.begin() + at);
  return reshape(x, Shape(std::move(sizes)));
}

Expr slice(Expr x, std::int64_t axis, std::int64_t begin, std::int64_t end) {
  const int at = normal_axis("slice", axis, x.shape().rank());
  const std::int64_t size = x.shape()[at];
  if (begin < 0 || end < begin || end > size)
    throw ShapeError(cat("slice: ", begin, ":", end, " of axis ", at, " of ", x.shape(),
                         "; bounds must lie between 0 and ", size));
  if (begin == 0 && end == size) return x;
  return x.tape->append(slice_op, {x}, from_end(x.shape(), at, {{"begin", begin}, {"end", end}}));
}

Expr pad(Expr x, std::int64_t axis, std::int64_t before, std::int64_t after) {
  const int at = normal_axis("pad", axis, x.shape().rank());
  if (before < 0 || after < 0)
    throw ShapeError(
        cat("pad: ", before, " before and ", after, " after; neither may be negative"));
  if (before == 0 && after == 0) return x;
  return x.tape->append(pad_op, {x},
                        from_end(x.shape(), at, {{"before", before}, {"after", after}}));
}

Expr concat(const std::vector<Expr>& parts, std::int64_t axis) {
  if (parts.empty()) throw ShapeError("concat: nothing to join; at least one tensor is needed");
  const int at = normal_axis("concat", axis, parts[0].shape().rank());
  if (parts.size() == 1) return parts[0];
  return parts[0].tape->append(concat_op, parts, from_end(parts[0].shape(), at, {}));
}

Expr take(Expr x, Expr indices, std::int64_t axis) {
  const int at = normal_axis("take", axis, x.shape().rank());
  return x.tape->append(take_op, {x, indices}, from_end(x.shape(), at, {}));
}

Expr scatter_add(Expr x, Expr indices, std::int64_t axis, std::int64_t size) {
  const int at = normal_axis("scatter_add", axis, x.shape().rank());
  return x.tape->append(scatter_add_op, {x, indices}, from_end(x.shape(), at, {{"size", size}}));
}

Expr one_hot(Expr labels, std::int64_t n) {
  if (n < 1) throw ShapeError(cat("one_hot: ", n, " classes; at least one is needed"));
  return equal(insert_axis(labels, -1), iota(*labels.tape, n));
}

std::span<const Op* const> movement_ops() {
  static constexpr std::array kOps = {&reshape_op, &transpose_op, &broadcast_op, &slice_op,
                                      &pad_op,     &concat_op,    &take_op,      &scatter_add_op};
  return kOps;
}

}  // namespace jacquard
