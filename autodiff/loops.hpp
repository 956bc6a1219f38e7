// Loops over tensors: broadcasting maps and reductions, for the kernels of the ops.
//
// Work is cut into pieces whose bounds depend on the shapes alone, and reductions add in a fixed
// order, so results have the same bits for any number of threads. Nothing here allocates.
#pragma once

#include <algorithm>
#include <array>

#include "autodiff/op.hpp"
#include "autodiff/pool.hpp"

namespace jacquard::loops {

// Elements that one task handles at least: enough to hide the price of handing it out.
constexpr std::int64_t kGrain = 16384;

// Nested loops over a result of up to kMaxRank axes and N operands that are read along with it.
// Neighbouring axes that all operands walk through evenly are merged.
template <std::size_t N>
struct Nest {
  int rank = 0;
  std::array<std::int64_t, Shape::kMaxRank + 1> size;
  std::array<std::array<std::int64_t, Shape::kMaxRank + 1>, N> stride;

  // Adds an inner axis. Axes of size 1 vanish.
  void add(std::int64_t axis_size, const std::array<std::int64_t, N>& steps) {
    if (axis_size == 1) return;
    if (rank > 0) {
      bool even = true;
      const auto r = static_cast<std::size_t>(rank - 1);
      for (std::size_t k = 0; k < N; ++k) even = even && stride[k][r] == steps[k] * axis_size;
      if (even) {
        size[r] *= axis_size;
        for (std::size_t k = 0; k < N; ++k) stride[k][r] = steps[k];
        return;
      }
    }
    const auto r = static_cast<std::size_t>(rank++);
    size[r] = axis_size;
    for (std::size_t k = 0; k < N; ++k) stride[k][r] = steps[k];
  }

  std::int64_t total(int axes) const {
    std::int64_t n = 1;
    for (int i = 0; i < axes; ++i) n *= size[static_cast<std::size_t>(i)];
    return n;
  }

  // Offsets of the operands at place `index` of the loops over the first `axes` axes.
  std::array<std::int64_t, N> offsets(std::int64_t index, int axes) const {
    std::array<std::int64_t, N> at{};
    for (int i = axes - 1; i >= 0; --i) {
      const auto r = static_cast<std::size_t>(i);
      const std::int64_t position = index % size[r];
      index /= size[r];
      for (std::size_t k = 0; k < N; ++k) at[k] += position * stride[k][r];
    }
    return at;
  }
};

// Strides of `from` read as `to`, without allocating.
inline std::array<std::int64_t, Shape::kMaxRank + 1> read_strides(const Shape& from,
                                                                  const Shape& to) {
  std::array<std::int64_t, Shape::kMaxRank + 1> result{};
  std::int64_t step = 1;
  for (int i = 1; i <= from.rank(); ++i) {
    const std::int64_t n = from[from.rank() - i];
    if (n != 1) result[static_cast<std::size_t>(to.rank() - i)] = step;
    step *= n;
  }
  return result;
}

// Hands out [0, count) in pieces of `grain`.
template <class Body>
void pieces(ThreadPool* pool, std::int64_t count, std::int64_t grain, const Body& body) {
  const std::int64_t tasks = (count + grain - 1) / grain;
  const auto task = [&](std::int64_t t) { body(t * grain, std::min(count, (t + 1) * grain)); };
  if (pool != nullptr && tasks > 1)
    pool->run(tasks, task);
  else
    for (std::int64_t t = 0; t < tasks; ++t) task(t);
}

// Calls row(out, in, step, count) for contiguous runs of the result; in[k] points at operand k's
// element and step[k] is 0 or the distance to its next one.
template <std::size_t N, class T, class Row>
void broadcast_rows(ThreadPool* pool, const Shape& shape, T* out,
                    const std::array<Operand<T>, N>& in, const Row& row) {
  if (shape.size() == 0) return;
  Nest<N> nest;
  std::array<std::array<std::int64_t, Shape::kMaxRank + 1>, N> steps;
  for (std::size_t k = 0; k < N; ++k) steps[k] = read_strides(*in[k].shape, shape);
  for (int i = 0; i < shape.rank(); ++i) {
    std::array<std::int64_t, N> at;
    for (std::size_t k = 0; k < N; ++k) at[k] = steps[k][static_cast<std::size_t>(i)];
    nest.add(shape[i], at);
  }
  if (nest.rank == 0) {
    nest.rank = 1;
    nest.size[0] = 1;
    for (std::size_t k = 0; k < N; ++k) nest.stride[k][0] = 1;
  }
  const int outer_axes = nest.rank - 1;
  const auto last = static_cast<std::size_t>(outer_axes);
  const std::int64_t inner = nest.size[last], outer = nest.total(outer_axes);
  std::array<std::int64_t, N> step;
  for (std::size_t k = 0; k < N; ++k) step[k] = nest.stride[k][last];
  const auto run_row = [&](std::int64_t index, std::int64_t first, std::int64_t count) {
    const auto at = nest.offsets(index, outer_axes);
    std::array<const T*, N> from;
    for (std::size_t k = 0; k < N; ++k) from[k] = in[k].data + at[k] + first * step[k];
    row(out + index * inner + first, from, step, count);
  };
  if (outer == 1) {
    pieces(pool, inner, kGrain, [&](std::int64_t a, std::int64_t b) { run_row(0, a, b - a); });
  } else {
    pieces(pool, outer, std::max<std::int64_t>(1, kGrain / inner),
           [&](std::int64_t a, std::int64_t b) {
             for (std::int64_t index = a; index < b; ++index) run_row(index, 0, inner);
           });
  }
}

// out = f(in[0]), elementwise.
template <class T, class F>
void map1(ThreadPool* pool, const Shape& shape, T* out, Operand<T> x, const F& f) {
  broadcast_rows<1, T>(pool, shape, out, {x},
                       [&f](T* o, const auto& in, const auto& step, std::int64_t count) {
                         const T* a = in[0];
                         if (step[0] == 0) {
                           std::fill(o, o + count, f(*a));
                         } else {
                           for (std::int64_t i = 0; i < count; ++i) o[i] = f(a[i]);
                         }
                       });
}

// out = f(x, y), elementwise with broadcasting.
template <class T, class F>
void map2(ThreadPool* pool, const Shape& shape, T* out, Operand<T> x, Operand<T> y, const F& f) {
  broadcast_rows<2, T>(pool, shape, out, {x, y},
                       [&f](T* o, const auto& in, const auto& step, std::int64_t count) {
                         const T *a = in[0], *b = in[1];
                         if (step[0] == 1 && step[1] == 1) {
                           for (std::int64_t i = 0; i < count; ++i) o[i] = f(a[i], b[i]);
                         } else if (step[0] == 1 && step[1] == 0) {
                           const T v = *b;
                           for (std::int64_t i = 0; i < count; ++i) o[i] = f(a[i], v);
                         } else if (step[0] == 0 && step[1] == 1) {
                           const T v = *a;
                           for (std::int64_t i = 0; i < count; ++i) o[i] = f(v, b[i]);
                         } else {
                           std::fill(o, o + count, f(*a, *b));
                         }
                       });
}

// out = f(x, y, z), elementwise with broadcasting.
template <class T, class F>
void map3(ThreadPool* pool, const Shape& shape, T* out, Operand<T> x, Operand<T> y, Operand<T> z,
          const F& f) {
  broadcast_rows<3, T>(pool, shape, out, {x, y, z},
                       [&f](T* o, const auto& in, const auto& s, std::int64_t count) {
                         for (std::int64_t i = 0; i < count; ++i)
                           o[i] = f(in[0][i * s[0]], in[1][i * s[1]], in[2][i * s[2]]);
                       });
}

// The number type that sums of T are kept in.
template <class T>
struct Accumulator {
  using type = T;
};
template <>
struct Accumulator<float> {
  using type = double;
};

// Maximum and minimum let NaN through.
struct Maximum {
  template <class A>
  static A start() {
    return -number::infinity<A>();
  }
  template <class A>
  static A join(A a, A b) {
    return a > b || a != a ? a : b;
  }
};
struct Minimum {
  template <class A>
  static A start() {
    return number::infinity<A>();
  }
  template <class A>
  static A join(A a, A b) {
    return a < b || a != a ? a : b;
  }
};

// A contiguous run in eight lanes, joined pairwise.
template <class How, class T>
typename Accumulator<T>::type reduce_run(const T* x, std::int64_t count) {
  using A = typename Accumulator<T>::type;
  std::array<A, 8> lane;
  lane.fill(How::template start<A>());
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (std::size_t l = 0; l < 8; ++l)
      lane[l] = How::join(lane[l], static_cast<A>(x[i + static_cast<std::int64_t>(l)]));
  for (std::size_t l = 0; i < count; ++i, ++l) lane[l] = How::join(lane[l], static_cast<A>(x[i]));
  return How::join(How::join(How::join(lane[0], lane[1]), How::join(lane[2], lane[3])),
                   How::join(How::join(lane[4], lane[5]), How::join(lane[6], lane[7])));
}

// Reduces x over the axes marked in `reduced`; out holds the kept axes in order. The fixed order:
// rows of the reduced axes one after the other, each row in lanes.
template <class How, class T>
void reduce(ThreadPool* pool, const Shape& shape, const std::array<bool, Shape::kMaxRank>& reduced,
            const T* x, T* out) {
  using A = typename Accumulator<T>::type;
  Nest<1> kept, gone;
  bool last_is_gone = true;
  const auto steps = read_strides(shape, shape);
  for (int i = 0; i < shape.rank(); ++i) {
    const auto r = static_cast<std::size_t>(i);
    if (shape[i] == 1) continue;
    (reduced[r] ? gone : kept).add(shape[i], {steps[r]});
    last_is_gone = reduced[r];
  }
  const std::int64_t outputs = kept.total(kept.rank), rows_all = gone.total(gone.rank);
  if (outputs == 0) return;
  if (rows_all == 0) {
    std::fill(out, out + outputs, static_cast<T>(How::template start<A>()));
    return;
  }
  if (last_is_gone) {
    const int outer = std::max(0, gone.rank - 1);
    const std::int64_t run = gone.rank == 0 ? 1 : gone.size[static_cast<std::size_t>(outer)];
    const std::int64_t rows = gone.total(outer);
    const std::int64_t work = std::max<std::int64_t>(1, rows * run);
    // A long run is cut into pieces whose results are joined in order.
    constexpr std::int64_t kRun = 4096;
    pieces(pool, outputs, std::max<std::int64_t>(1, kGrain / work),
           [&](std::int64_t a, std::int64_t b) {
             for (std::int64_t o = a; o < b; ++o) {
               const T* from = x + kept.offsets(o, kept.rank)[0];
               A total = How::template start<A>();
               for (std::int64_t row = 0; row < rows; ++row) {
                 const T* p = from + gone.offsets(row, outer)[0];
                 for (std::int64_t c = 0; c < run; c += kRun)
                   total = How::join(total, reduce_run<How>(p + c, std::min(kRun, run - c)));
               }
               out[o] = static_cast<T>(total);
             }
           });
    return;
  }
  // The innermost axis is kept: whole rows are joined into a strip of accumulators.
  constexpr std::int64_t kStrip = 128;
  const int outer = kept.rank - 1;
  const std::int64_t columns = kept.size[static_cast<std::size_t>(outer)];
  const std::int64_t strips = (columns + kStrip - 1) / kStrip;
  const std::int64_t tasks = kept.total(outer) * strips;
  const std::int64_t work = rows_all * std::min(columns, kStrip);
  pieces(pool, tasks, std::max<std::int64_t>(1, kGrain / work),
         [&](std::int64_t a, std::int64_t b) {
           for (std::int64_t t = a; t < b; ++t) {
             const std::int64_t first = t % strips * kStrip;
             const std::int64_t count = std::min(kStrip, columns - first);
             const T* from = x + kept.offsets(t / strips, outer)[0] + first;
             std::array<A, static_cast<std::size_t>(kStrip)> strip;
             strip.fill(How::template start<A>());
             for (std::int64_t row = 0; row < rows_all; ++row) {
               const T* p = from + gone.offsets(row, gone.rank)[0];
               for (std::int64_t c = 0; c < count; ++c)
                 strip[static_cast<std::size_t>(c)] =
                     How::join(strip[static_cast<std::size_t>(c)], static_cast<A>(p[c]));
             }
             for (std::int64_t c = 0; c < count; ++c)
               out[t / strips * columns + first + c] =
                   static_cast<T>(strip[static_cast<std::size_t>(c)]);
           }
         });
}

}  // namespace jacquard::loops
