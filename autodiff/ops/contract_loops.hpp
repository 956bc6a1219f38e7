// Contractions of one or two operands by plain loops, in every precision; those of two in quad by
// quad_sums.hpp where there is more than a little to do.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <type_traits>

#include "autodiff/loops.hpp"
#include "autodiff/ops/quad_sums.hpp"
#include "autodiff/subscripts.hpp"

namespace jacquard {

// Is one factor zero and the other finite, so that their product changes no sum? Told from the
// bits: calls for quad arithmetic take longer than all the rest of a sum.
inline bool product_is_zero(Quad a, Quad b) {
  using Halves = std::array<std::uint64_t, 2>;  // the upper half last: sign, exponent, fraction
  static_assert(std::endian::native == std::endian::little);
  constexpr std::uint64_t kExponent = 0x7fff000000000000;
  const auto x = std::bit_cast<Halves>(a), y = std::bit_cast<Halves>(b);
  const auto zero = [](const Halves& h) { return (h[0] | h[1] << 1) == 0; };
  const auto finite = [](const Halves& h) { return (h[1] & kExponent) != kExponent; };
  return (zero(x) && finite(y)) || (zero(y) && finite(x));
}

// out[o] = sum over the indices that the output lacks of the product of N operands.
template <std::size_t N>
class PlainContraction {
 public:
  PlainContraction(const Subscripts& s, const std::array<const Shape*, N>& shapes) {
    const std::vector<const Shape*> all(shapes.begin(), shapes.end());
    for (std::size_t k = 0; k < N; ++k) sizes_[k] = shapes[k]->size();
    std::string seen = s.output;
    for (const char c : s.output) outputs_ *= add(kept_, c, index_size(s, all, c), s, shapes);
    for (const std::string& in : s.inputs)
      for (const char c : in)
        if (seen.find(c) == seen.npos) {
          seen += c;
          terms_ *= add(summed_, c, index_size(s, all, c), s, shapes);
        }
  }

  template <class T>
  void run(ThreadPool* pool, const std::array<const T*, N>& data, T* out) const {
    if (outputs_ == 0) return;
    if (terms_ == 0)
      std::fill(out, out + outputs_, T(0));
    else if (terms_ == 1)
      multiply(pool, data, out);
    else if (!sum_in_parts(pool, data, out))
      sum_all(pool, out, PlainTerms<T>{data});
  }

 private:
  // Repeated indices of an operand walk its diagonal.
  static std::int64_t add(loops::Nest<N>& nest, char index, std::int64_t size, const Subscripts& s,
                          const std::array<const Shape*, N>& shapes) {
    std::array<std::int64_t, N> steps{};
    for (std::size_t k = 0; k < N; ++k) {
      std::int64_t step = 1;
      for (int i = shapes[k]->rank() - 1; i >= 0; --i) {
        if (s.inputs[k][static_cast<std::size_t>(i)] == index) steps[k] += step;
        step *= (*shapes[k])[i];
      }
    }
    nest.add(size, steps);
    return size;
  }

  using Steps = std::array<std::int64_t, N>;

  // What is summed, and how: one product after the other, in the accumulator of the number type.
  template <class T>
  struct PlainTerms {
    using Sum = typename loops::Accumulator<T>::type;
    static constexpr std::int64_t kWaiting = 256;
    struct Sums {
      std::array<Sum, kWaiting> waiting;
      void clear(std::int64_t count) { std::fill_n(waiting.begin(), count, Sum(0)); }
      T value(std::int64_t i) const { return static_cast<T>(waiting[static_cast<std::size_t>(i)]); }
    };

    std::array<const T*, N> data;

    Sum product(const Steps& at) const {
      auto result = static_cast<Sum>(data[0][at[0]]);
      for (std::size_t k = 1; k < N; ++k) result *= data[k][at[k]];
      return result;
    }
    // Identity matrices and masks are mostly zeros: in quad those are left out, to the same bits.
    void add_product(Sum& sum, const Steps& at) const {
      if constexpr (N == 2 && std::is_same_v<T, Quad>)
        if (product_is_zero(data[0][at[0]], data[1][at[1]])) return;
      sum += product(at);
    }
    void add_row(Sums& sums, const Steps& at, const Steps& step, std::int64_t count) const {
      constexpr Steps kOnes = ones();
      const auto add = [&](const Steps& each) {
        for (std::int64_t i = 0; i < count; ++i)
          add_product(sums.waiting[static_cast<std::size_t>(i)], along(at, each, i));
      };
      if (step == kOnes)
        add(kOnes);
      else
        add(step);
    }
    void clear_total(Sums& sums) const { sums.waiting[0] = Sum(0); }
    void add_run(Sums& sums, const Steps& at, const Steps& step, std::int64_t count) const {
      Sum total = sums.waiting[0];
      for (std::int64_t i = 0; i < count; ++i) add_product(total, along(at, step, i));
      sums.waiting[0] = total;
    }
    T total(const Sums& sums) const { return sums.value(0); }
  };

  // Products of quad numbers that lie apart in doubles.
  struct PartTerms {
    using Sums = QuadSums;
    static constexpr std::int64_t kWaiting = QuadSums::kMost;

    QuadParts a, b;

    void add_row(Sums& sums, const Steps& at, const Steps& step, std::int64_t count) const {
      sums.add(a.at(at[0]), step[0], b.at(at[1]), step[1], count);
    }
    void clear_total(Sums& sums) const { sums.clear(QuadSums::kLanes); }
    void add_run(Sums& sums, const Steps& at, const Steps& step, std::int64_t count) const {
      sums.add_run(a.at(at[0]), step[0], b.at(at[1]), step[1], count);
    }
    Quad total(const Sums& sums) const { return sums.total(); }
  };

  static constexpr Steps ones() {
    Steps result{};
    for (std::int64_t& s : result) s = 1;
    return result;
  }
  static Steps along(Steps at, const Steps& step, std::int64_t i) {
    for (std::size_t k = 0; k < N; ++k) at[k] += i * step[k];
    return at;
  }
  static Steps moved(Steps at, const Steps& by) { return along(at, by, 1); }

  struct Rows {
    int outer_axes;
    std::int64_t rows, run;
    std::array<std::int64_t, N> step{};
    explicit Rows(const loops::Nest<N>& nest)
        : outer_axes(std::max(0, nest.rank - 1)),
          rows(nest.total(outer_axes)),
          run(nest.rank == 0 ? 1 : nest.size[static_cast<std::size_t>(outer_axes)]) {
      for (std::size_t k = 0; k < N && nest.rank > 0; ++k)
        step[k] = nest.stride[k][static_cast<std::size_t>(outer_axes)];
    }
  };

  template <class T>
  static std::array<const T*, N> shifted(std::array<const T*, N> p,
                                         const std::array<std::int64_t, N>& at) {
    for (std::size_t k = 0; k < N; ++k) p[k] += at[k];
    return p;
  }

  // A product of two is rounded once, whatever it is computed in.
  template <class T>
  static void multiply_row(const std::array<const T*, N>& p,
                           const std::array<std::int64_t, N>& step, std::int64_t n, T* out) {
    if constexpr (N == 2) {
      const T *a = p[0], *b = p[1];
      if (step[0] == 1 && step[1] == 1) {
        for (std::int64_t i = 0; i < n; ++i) out[i] = a[i] * b[i];
        return;
      }
      if (step[0] + step[1] == 1 && step[0] * step[1] == 0) {
        const T factor = step[0] == 0 ? *a : *b;
        const T* row = step[0] == 0 ? b : a;
        for (std::int64_t i = 0; i < n; ++i) out[i] = row[i] * factor;
        return;
      }
    }
    for (std::int64_t i = 0; i < n; ++i)
      out[i] = static_cast<T>(PlainTerms<T>{p}.product(along({}, step, i)));
  }

  // Nothing to sum over: an outer or elementwise product.
  template <class T>
  void multiply(ThreadPool* pool, const std::array<const T*, N>& data, T* out) const {
    const Rows rows(kept_);
    loops::pieces(pool, rows.rows, std::max<std::int64_t>(1, loops::kGrain / rows.run),
                  [&](std::int64_t a, std::int64_t b) {
                    for (std::int64_t r = a; r < b; ++r)
                      multiply_row(shifted(data, kept_.offsets(r, rows.outer_axes)), rows.step,
                                   rows.run, out + r * rows.run);
                  });
  }

  // Do neighbours of the result come from neighbours of the operands, while what is summed lies
  // apart? Then whole rows are added to sums that wait.
  bool walks_rows() const {
    if (kept_.rank == 0 || summed_.rank == 0) return false;
    const auto row = static_cast<std::size_t>(kept_.rank - 1);
    const auto term = static_cast<std::size_t>(summed_.rank - 1);
    bool apart = false;
    for (std::size_t k = 0; k < N; ++k) {
      if (kept_.stride[k][row] > 1) return false;
      apart = apart || summed_.stride[k][term] > 1;
    }
    return apart && kept_.size[row] >= 8;
  }

  // Are there enough products to take quad numbers apart for, and can they be?
  template <class T>
  bool sum_in_parts(ThreadPool* pool, const std::array<const T*, N>& data, T* out) const {
    if constexpr (N == 2 && std::is_same_v<T, Quad>) {
      constexpr std::int64_t kFew = 256;
      if (outputs_ * terms_ < kFew) return false;
      auto a = QuadParts::of(pool, data[0], sizes_[0]);
      if (!a) return false;
      auto b = QuadParts::of(pool, data[1], sizes_[1]);
      if (!b) return false;
      sum_all(pool, out, PartTerms{std::move(*a), std::move(*b)});
      return true;
    }
    return false;
  }

  template <class T, class Terms>
  void sum_all(ThreadPool* pool, T* out, const Terms& terms) const {
    if (walks_rows())
      sum_rows(pool, out, terms);
    else
      sum(pool, out, terms);
  }

  // Plain sums have their products in the order of sum().
  template <class T, class Terms>
  void sum_rows(ThreadPool* pool, T* out, const Terms& what) const {
    constexpr std::int64_t kWaiting = Terms::kWaiting;
    const Rows rows(kept_), terms(summed_);
    const std::int64_t blocks = (rows.run + kWaiting - 1) / kWaiting;
    const std::int64_t work = terms_ * std::min(kWaiting, rows.run);
    loops::pieces(pool, rows.rows * blocks, std::max<std::int64_t>(1, loops::kGrain / work),
                  [&](std::int64_t a, std::int64_t b) {
                    typename Terms::Sums sums;
                    for (std::int64_t piece = a; piece < b; ++piece) {
                      const std::int64_t row = piece / blocks, first = piece % blocks * kWaiting;
                      const std::int64_t n = std::min(kWaiting, rows.run - first);
                      const Steps base =
                          along(kept_.offsets(row, rows.outer_axes), rows.step, first);
                      sums.clear(n);
                      for (std::int64_t r = 0; r < terms.rows; ++r) {
                        const Steps start = moved(base, summed_.offsets(r, terms.outer_axes));
                        for (std::int64_t i = 0; i < terms.run; ++i)
                          what.add_row(sums, along(start, terms.step, i), rows.step, n);
                      }
                      T* o = out + row * rows.run + first;
                      for (std::int64_t i = 0; i < n; ++i) o[i] = sums.value(i);
                    }
                  });
  }

  template <class T, class Terms>
  void sum(ThreadPool* pool, T* out, const Terms& what) const {
    const Rows rows(summed_);
    loops::pieces(pool, outputs_, std::max<std::int64_t>(1, loops::kGrain / terms_),
                  [&](std::int64_t a, std::int64_t b) {
                    typename Terms::Sums sums;
                    for (std::int64_t o = a; o < b; ++o) {
                      const Steps base = kept_.offsets(o, kept_.rank);
                      what.clear_total(sums);
                      for (std::int64_t r = 0; r < rows.rows; ++r)
                        what.add_run(sums, moved(base, summed_.offsets(r, rows.outer_axes)),
                                     rows.step, rows.run);
                      out[o] = what.total(sums);
                    }
                  });
  }

  loops::Nest<N> kept_, summed_;
  Steps sizes_{};
  std::int64_t outputs_ = 1, terms_ = 1;
};

}  // namespace jacquard
