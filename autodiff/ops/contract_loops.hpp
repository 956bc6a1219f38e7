// Contractions of one or two operands by plain loops: the definition, in every precision.
#pragma once

#include <algorithm>
#include <array>

#include "autodiff/loops.hpp"
#include "autodiff/subscripts.hpp"

namespace jacquard {

// out[o] = sum over the indices that the output lacks of the product of N operands.
template <std::size_t N>
class PlainContraction {
 public:
  PlainContraction(const Subscripts& s, const std::array<const Shape*, N>& shapes) {
    const std::vector<const Shape*> all(shapes.begin(), shapes.end());
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
    else
      sum(pool, data, out);
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

  template <class T>
  static auto product(const std::array<const T*, N>& p, const std::array<std::int64_t, N>& step,
                      std::int64_t i) {
    auto result = static_cast<typename loops::Accumulator<T>::type>(p[0][i * step[0]]);
    for (std::size_t k = 1; k < N; ++k) result *= p[k][i * step[k]];
    return result;
  }

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

  // Nothing to sum over: an outer or elementwise product.
  template <class T>
  void multiply(ThreadPool* pool, const std::array<const T*, N>& data, T* out) const {
    const Rows rows(kept_);
    loops::pieces(pool, rows.rows, std::max<std::int64_t>(1, loops::kGrain / rows.run),
                  [&](std::int64_t a, std::int64_t b) {
                    for (std::int64_t r = a; r < b; ++r) {
                      const auto p = shifted(data, kept_.offsets(r, rows.outer_axes));
                      T* o = out + r * rows.run;
                      for (std::int64_t i = 0; i < rows.run; ++i)
                        o[i] = static_cast<T>(product<T>(p, rows.step, i));
                    }
                  });
  }

  template <class T>
  void sum(ThreadPool* pool, const std::array<const T*, N>& data, T* out) const {
    const Rows rows(summed_);
    loops::pieces(pool, outputs_, std::max<std::int64_t>(1, loops::kGrain / terms_),
                  [&](std::int64_t a, std::int64_t b) {
                    for (std::int64_t o = a; o < b; ++o) {
                      const auto base = shifted(data, kept_.offsets(o, kept_.rank));
                      typename loops::Accumulator<T>::type total(0);
                      for (std::int64_t r = 0; r < rows.rows; ++r) {
                        const auto p = shifted(base, summed_.offsets(r, rows.outer_axes));
                        for (std::int64_t i = 0; i < rows.run; ++i)
                          total += product<T>(p, rows.step, i);
                      }
                      out[o] = static_cast<T>(total);
                    }
                  });
  }

  loops::Nest<N> kept_, summed_;
  std::int64_t outputs_ = 1, terms_ = 1;
};

}  // namespace jacquard
