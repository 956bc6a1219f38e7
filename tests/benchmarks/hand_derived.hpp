// J2 and J3s as a careful engineer would write them without the engine: the gradient of
//
//   (1/B) sum_b |diag(e_b) V diag(d_b) W'|_F^2     e [B,q], V [q,m], d [B,m], W [n,m]
//
// derived by hand, over dense products alone. It is the squared Jacobian of two layers: their
// derivatives are d and e, and V = W, q = n gives the reconstruction of a tied autoencoder.
//
//   G = W'W once; X[b,k,j] = e[b,k] V[k,j] d[b,j]; Y = X G;  value = (1/B) sum X * Y
//   dX = (2/B) Y is there already, dG = (1/B) sum_bk X'X is symmetric, and dW = 2 W dG
//
// One product of 2 B q m^2 FLOPs and a symmetric one of half of that, in chunks of examples that
// stay in cache. Also included: the layers forward and backward, and the update.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "autodiff/number.hpp"
#include "autodiff/pool.hpp"
#include "autodiff/products.hpp"
#include "tests/benchmarks/vector_kernels.hpp"

namespace jacquard::benchmarks {

// Kernels over one row of m elements.
struct FormRow {  // x = e v d
  template <bool kFused, class T>
  [[gnu::always_inline]] static void run(std::int64_t m, T e, const T* v, const T* d,
                                         T* __restrict x) {
    for (std::int64_t j = 0; j < m; ++j) x[j] = e * v[j] * d[j];
  }
};

struct PullBackRow {  // of y, the adjoint of e v d: adds to those of v and d, sets that of e
  template <bool kFused, class T>
  [[gnu::always_inline]] static void run(std::int64_t m, T e, const T* v, const T* d, const T* y,
                                         T* __restrict dv, T* __restrict dd, T* de) {
    constexpr std::int64_t kWidth = 64 / sizeof(T);
    T sums[kWidth] = {};
    const auto element = [&](std::int64_t j, T& sum) {
      const T yv = y[j] * v[j];
      sum += yv * d[j];
      dd[j] += e * yv;
      dv[j] += e * d[j] * y[j];
    };
    std::int64_t j = 0;
    for (; j + kWidth <= m; j += kWidth)
      for (std::int64_t i = 0; i < kWidth; ++i) element(j + i, sums[i]);
    for (std::int64_t i = 0; j < m; ++i, ++j) element(j, sums[i]);
    *de = 0;
    for (const T sum : sums) *de += sum;
  }
};

// element(i) for i in 0 .. count-1, over the threads.
template <class Element>
void for_each_element(ThreadPool& pool, std::size_t count, const Element& element) {
  constexpr std::size_t kOfTask = 1 << 13;
  pool.run(static_cast<std::int64_t>((count + kOfTask - 1) / kOfTask), [&](std::int64_t task) {
    const std::size_t first = static_cast<std::size_t>(task) * kOfTask;
    for (std::size_t i = first; i < std::min(count, first + kOfTask); ++i) element(i);
  });
}

// A row-major matrix of the given row length, or its transpose.
template <class T>
ProductFactor<T> factor(const std::vector<T>& data, std::int64_t columns, bool transposed = false) {
  return {data.data(), columns, 0, transposed};
}

// c [m,m] = beta c + a'a, a [rows,m].
template <class T>
void add_gram(ThreadPool& pool, std::int64_t rows, std::int64_t m, const T* a, T* c, T beta) {
  product<T>(pool, {1, m, m, rows, true}, {a, m, 0, true}, {a, m, 0, false}, {c, m, 0}, 1, beta);
}

struct PenaltySizes {
  std::int64_t batch, n, m, q;
};

// Value and gradients of the penalty above.
template <class T>
class GramPenalty {
 public:
  std::vector<T> de, dv, dd, dw;  // of the shapes of e, V, d, W

  GramPenalty(ThreadPool& pool, const PenaltySizes& sizes)
      : de(count(sizes.batch, sizes.q)),
        dv(count(sizes.q, sizes.m)),
        dd(count(sizes.batch, sizes.m)),
        dw(count(sizes.n, sizes.m)),
        pool_(pool),
        sizes_(sizes),
        examples_(std::clamp<std::int64_t>(kChunkRows / sizes.q, 1, sizes.batch)),
        gram_(count(sizes.m, sizes.m)),
        groups_(kGroups) {
    for (Group& g : groups_) {
      g.x.resize(count(examples_ * sizes.q, sizes.m));
      g.y.resize(g.x.size());
      g.gram_adjoint.resize(gram_.size());
      g.dv.resize(dv.size());
    }
  }

  T run(const std::vector<T>& e, const std::vector<T>& v, const std::vector<T>& d,
        const std::vector<T>& w) {
    const auto [batch, n, m, q] = sizes_;
    add_gram(pool_, n, m, w.data(), gram_.data(), T(0));
    pool_.run(kGroups, [&](std::int64_t g) {
      run_group(groups_[static_cast<std::size_t>(g)], sizes_.batch * g / kGroups,
                sizes_.batch * (g + 1) / kGroups, e.data(), v.data(), d.data());
    });
    add_groups();
    const T scale = T(2) / static_cast<T>(batch);
    product<T>(pool_, {1, n, m, m}, factor(w, m), factor(groups_[0].gram_adjoint, m),
               {dw.data(), m, 0}, scale);
    T value = 0;
    for (std::size_t i = 0; i < e.size(); ++i) value += e[i] * de[i];
    for (std::vector<T>* adjoint : {&de, &dd})
      for (T& a : *adjoint) a *= scale;
    return value / static_cast<T>(batch);
  }

 private:
  // Examples are dealt to groups of fixed bounds, each with sums of its own: the same bits for any
  // number of threads. The products inside a group run on its thread.
  static constexpr std::int64_t kGroups = 10;
  static constexpr std::int64_t kChunkRows = 512;  // of X and Y, [512,500] floats are 1 MB

  struct Group {
    std::vector<T> x, y, gram_adjoint, dv;
  };

  static std::size_t count(std::int64_t rows, std::int64_t columns) {
    return static_cast<std::size_t>(rows * columns);
  }

  void run_group(Group& g, std::int64_t first, std::int64_t end, const T* e, const T* v,
                 const T* d) {
    std::ranges::fill(g.dv, T(0));
    std::ranges::fill(g.gram_adjoint, T(0));
    std::fill(dd.data() + first * sizes_.m, dd.data() + end * sizes_.m, T(0));
    for (std::int64_t b = first; b < end; b += examples_)
      run_chunk(g, b, std::min(end, b + examples_), e, v, d);
  }

  void run_chunk(Group& g, std::int64_t first, std::int64_t end, const T* e, const T* v,
                 const T* d) {
    const std::int64_t m = sizes_.m, q = sizes_.q, rows = (end - first) * q;
    for (std::int64_t k = 0; k < q; ++k)
      for (std::int64_t b = first; b < end; ++b)
        on_this_machine<FormRow>(m, e[b * q + k], v + k * m, d + b * m,
                                 g.x.data() + ((b - first) * q + k) * m);
    product<T>(pool_, {1, rows, m, m}, factor(g.x, m), factor(gram_, m), {g.y.data(), m, 0});
    add_gram(pool_, rows, m, g.x.data(), g.gram_adjoint.data(), T(1));
    for (std::int64_t k = 0; k < q; ++k)
      for (std::int64_t b = first; b < end; ++b)
        on_this_machine<PullBackRow>(m, e[b * q + k], v + k * m, d + b * m,
                                     static_cast<const T*>(g.y.data()) + ((b - first) * q + k) * m,
                                     g.dv.data() + k * m, dd.data() + b * m, de.data() + b * q + k);
  }

  void add_groups() {
    const T scale = T(2) / static_cast<T>(sizes_.batch);
    for_each_element(pool_, gram_.size(), [&](std::size_t i) {
      for (std::size_t g = 1; g < kGroups; ++g)
        groups_[0].gram_adjoint[i] += groups_[g].gram_adjoint[i];
    });
    for_each_element(pool_, dv.size(), [&](std::size_t i) {
      T sum = 0;
      for (const Group& g : groups_) sum += g.dv[i];
      dv[i] = scale * sum;
    });
  }

  ThreadPool& pool_;
  PenaltySizes sizes_;
  std::int64_t examples_;  // of a chunk
  std::vector<T> gram_;
  std::vector<Group> groups_;
};

// A whole step on mean_b |d h2 / d x|_F^2 with h1 = sigmoid(x W + b), h2 = sigmoid(h1 V' + c).
// A tied step has V = W (and q = n), and its gradient in dw.
template <class T>
class HandDerivedStep {
 public:
  std::vector<T> x, w, b, v, c;   // [batch,n], [n,m], [m], [q,m] or empty, [q]
  std::vector<T> dw, db, dv, dc;  // the gradients of the last step

  HandDerivedStep(ThreadPool& pool, const PenaltySizes& sizes, bool tied)
      : x(size(sizes.batch * sizes.n)),
        w(size(sizes.n * sizes.m)),
        b(size(sizes.m)),
        v(tied ? 0 : size(sizes.q * sizes.m)),
        c(size(sizes.q)),
        dw(w.size()),
        db(b.size()),
        dv(v.size()),
        dc(c.size()),
        pool_(pool),
        sizes_(sizes),
        tied_(tied),
        penalty_(pool, sizes),
        h1_(size(sizes.batch * sizes.m)),
        d_(h1_),
        h2_(size(sizes.batch * sizes.q)),
        e_(h2_),
        da1_(h1_),
        da2_(h2_) {}

  // Returns the cost before the update of all parameters by -rate times their gradients.
  T run(T rate) {
    const auto [batch, n, m, q] = sizes_;
    const std::vector<T>& upper = tied_ ? w : v;
    layer(factor(x, n), factor(w, m), b, n, h1_, d_);
    layer(factor(h1_, m), factor(upper, m, true), c, m, h2_, e_);
    const T value = penalty_.run(e_, upper, d_, w);
    backward(upper);
    update(w, dw, rate);
    update(b, db, rate);
    update(v, dv, rate);
    update(c, dc, rate);
    return value;
  }

 private:
  static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

  // h = sigmoid(in weights + bias) and its derivative h (1 - h).
  void layer(const ProductFactor<T>& in, const ProductFactor<T>& weights,
             const std::vector<T>& bias, std::int64_t width, std::vector<T>& h,
             std::vector<T>& slope) {
    const auto columns = static_cast<std::int64_t>(bias.size());
    product<T>(pool_, {1, sizes_.batch, columns, width}, in, weights, {h.data(), columns, 0});
    for_each_element(pool_, h.size(), [&](std::size_t i) {
      h[i] = number::sigmoid(h[i] + bias[i % bias.size()]);
      slope[i] = h[i] * (1 - h[i]);
    });
  }

  // The derivative of h (1 - h) by its argument is h (1 - h) (1 - 2 h).
  void backward(const std::vector<T>& upper) {
    const auto [batch, n, m, q] = sizes_;
    for_each_element(pool_, h2_.size(),
                     [&](std::size_t i) { da2_[i] = penalty_.de[i] * e_[i] * (1 - 2 * h2_[i]); });
    product<T>(pool_, {1, batch, m, q}, factor(da2_, q), factor(upper, m), {da1_.data(), m, 0});
    for_each_element(pool_, h1_.size(), [&](std::size_t i) {
      da1_[i] = (da1_[i] + penalty_.dd[i] * (1 - 2 * h1_[i])) * d_[i];
    });
    std::vector<T>& upper_gradient = tied_ ? dw : dv;
    upper_gradient.swap(penalty_.dv);
    product<T>(pool_, {1, q, m, batch}, factor(da2_, q, true), factor(h1_, m),
               {upper_gradient.data(), m, 0}, 1, 1);
    if (tied_)
      for_each_element(pool_, dw.size(), [&](std::size_t i) { dw[i] += penalty_.dw[i]; });
    else
      dw.swap(penalty_.dw);
    product<T>(pool_, {1, n, m, batch}, factor(x, n, true), factor(da1_, m), {dw.data(), m, 0}, 1,
               1);
    add_rows(da1_, db);
    add_rows(da2_, dc);
  }

  static void add_rows(const std::vector<T>& rows, std::vector<T>& sum) {
    std::ranges::fill(sum, T(0));
    for (std::size_t first = 0; first < rows.size(); first += sum.size())
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += rows[first + i];
  }

  void update(std::vector<T>& parameter, const std::vector<T>& gradient, T rate) {
    for_each_element(pool_, parameter.size(),
                     [&](std::size_t i) { parameter[i] -= rate * gradient[i]; });
  }

  ThreadPool& pool_;
  PenaltySizes sizes_;
  bool tied_;
  GramPenalty<T> penalty_;
  std::vector<T> h1_, d_, h2_, e_, da1_, da2_;
};

}  // namespace jacquard::benchmarks
