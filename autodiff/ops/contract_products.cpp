#include "autodiff/ops/contract_products.hpp"

#include <algorithm>
#include <optional>

#include "autodiff/error.hpp"
#include "autodiff/ops/contract_loops.hpp"
#include "autodiff/products.hpp"
#include "autodiff/subscripts.hpp"

namespace jacquard {
namespace {

// The indices of a product c[l, m, n] = sum_k a[l, m, k] b[l, n, k], each group in one order.
struct Groups {
  std::string batch, rows, columns, inner;
};

// An operand, or the result, seen as a stack of matrices: one step per group.
struct Layout {
  std::int64_t batch = 0, rows = 0, columns = 0;
};

// Subscripts and shapes of a call of two operands, without axes of size 1.
struct Pair {
  std::string a, b, out;
  std::array<std::int64_t, 128> size{};

  Pair(const Subscripts& s, std::span<const Shape* const> in) {
    const std::vector<const Shape*> shapes(in.begin(), in.end());
    const auto keep = [&](const std::string& from, std::string& to) {
      for (const char c : from) {
        const std::int64_t n = index_size(s, shapes, c);
        size[static_cast<std::size_t>(c)] = n;
        if (n != 1) to += c;
      }
    };
    keep(s.inputs[0], a);
    keep(s.inputs[1], b);
    keep(s.output, out);
  }

  std::int64_t count(const std::string& indices) const {
    std::int64_t n = 1;
    for (const char c : indices) n *= size[static_cast<std::size_t>(c)];
    return n;
  }

  std::int64_t step_of(const std::string& labels, char index) const {
    return count(labels.substr(labels.find(index) + 1));
  }

  // The step of a group of indices walked as one, where the axes lie so.
  std::optional<std::int64_t> merged_step(const std::string& labels,
                                          const std::string& group) const {
    if (group.empty()) return 0;
    std::int64_t step = step_of(labels, group.back());
    const std::int64_t innermost = step;
    for (std::size_t i = group.size() - 1; i > 0; --i) {
      step *= size[static_cast<std::size_t>(group[i])];
      if (step_of(labels, group[i - 1]) != step) return std::nullopt;
    }
    return innermost;
  }

  std::optional<Layout> layout(const std::string& labels, const std::string& batch,
                               const std::string& rows, const std::string& columns) const {
    const auto l = merged_step(labels, batch), r = merged_step(labels, rows),
               c = merged_step(labels, columns);
    if (!l || !r || !c) return std::nullopt;
    return Layout{*l, *r, *c};
  }
};

bool contains(const std::string& text, char c) { return text.find(c) != text.npos; }

bool repeats(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text.find(text[i], i + 1) != text.npos) return true;
  return false;
}

// nullopt where the contraction is no matrix product: an index of one operand alone is summed, or
// one is repeated within an operand, or nothing is summed, or there are no elements.
std::optional<Groups> groups_of(const Pair& pair) {
  if (repeats(pair.a) || repeats(pair.b)) return std::nullopt;
  if (pair.count(pair.a) == 0 || pair.count(pair.b) == 0) return std::nullopt;
  Groups g;
  for (const char c : pair.out)
    (contains(pair.a, c) ? (contains(pair.b, c) ? g.batch : g.rows) : g.columns) += c;
  for (const char c : pair.a)
    if (!contains(pair.out, c)) {
      if (!contains(pair.b, c)) return std::nullopt;
      g.inner += c;
    }
  for (const char c : pair.b)
    if (!contains(pair.out, c) && !contains(pair.a, c)) return std::nullopt;
  if (g.inner.empty()) return std::nullopt;
  return g;
}

// Copies a tensor with axes `from` into the order `to`.
struct Reorder {
  loops::Nest<1> nest;
  Reorder(const Pair& pair, const std::string& from, const std::string& to) {
    for (const char c : to)
      nest.add(pair.size[static_cast<std::size_t>(c)], {pair.step_of(from, c)});
  }

  template <class T>
  void run(ThreadPool* pool, const T* from, T* to) const {
    const int outer = std::max(0, nest.rank - 1);
    const auto last = static_cast<std::size_t>(outer);
    const std::int64_t run = nest.rank == 0 ? 1 : nest.size[last];
    const std::int64_t step = nest.rank == 0 ? 1 : nest.stride[0][last];
    loops::pieces(pool, nest.total(outer), std::max<std::int64_t>(1, loops::kGrain / run),
                  [&](std::int64_t a, std::int64_t b) {
                    for (std::int64_t r = a; r < b; ++r) {
                      const T* p = from + nest.offsets(r, outer)[0];
                      for (std::int64_t i = 0; i < run; ++i) to[r * run + i] = p[i * step];
                    }
                  });
  }
};

// One factor of the product: read in place, or copied into scratch memory first.
struct Factor {
  std::int64_t leading = 0, batch_stride = 0;
  bool transposed = false;
  std::optional<Reorder> copy;
  std::int64_t scratch = 0;  // its offset in the workspace

  // `first` and `second` are the groups that make the rows and columns of the factor.
  Factor(const Pair& pair, const std::string& labels, const std::string& batch,
         const std::string& first, const std::string& second, std::int64_t& workspace) {
    const std::int64_t m = pair.count(first), n = pair.count(second);
    if (const auto layout = pair.layout(labels, batch, first, second)) {
      batch_stride = layout->batch;
      if (n == 1 ? layout->rows >= 1 : layout->columns == 1 && (m == 1 || layout->rows >= n)) {
        leading = m == 1 ? n : layout->rows;
        return;
      }
      if (m == 1 ? layout->columns >= 1 : layout->rows == 1 && (n == 1 || layout->columns >= m)) {
        leading = n == 1 ? m : layout->columns;
        transposed = true;
        return;
      }
    }
    copy.emplace(pair, labels, batch + first + second);
    leading = n;
    batch_stride = m * n;
    scratch = workspace;
    workspace += pair.count(batch) * m * n;
  }

  MatrixLayout layout() const { return {leading, batch_stride, transposed}; }

  template <class T>
  const T* ready(ThreadPool* pool, const T* data, T* workspace) const {
    if (!copy) return data;
    copy->run(pool, data, workspace + scratch);
    return workspace + scratch;
  }
};

struct MatrixContraction {
  ProductShape shape;
  std::optional<Factor> a, b;
  std::int64_t leading = 0, batch_stride = 0;
  std::optional<Reorder> reorder;  // from [batch, rows, columns] in scratch memory to the result
  std::int64_t scratch = 0, workspace = 0;

  MatrixContraction(const Pair& pair, const Groups& g, bool symmetric) {
    shape = {pair.count(g.batch), pair.count(g.rows), pair.count(g.columns), pair.count(g.inner),
             symmetric};
    a.emplace(pair, pair.a, g.batch, g.rows, g.inner, workspace);
    b.emplace(pair, pair.b, g.batch, g.inner, g.columns, workspace);
    const auto layout = pair.layout(pair.out, g.batch, g.rows, g.columns);
    if (layout && (shape.n == 1 || layout->columns == 1) &&
        (shape.n != 1 || shape.m == 1 || layout->rows >= 1)) {
      leading = shape.m == 1 ? shape.n : layout->rows;
      batch_stride = layout->batch;
      if (leading >= shape.n && (shape.batch == 1 || batch_stride >= shape.m * leading)) return;
    }
    reorder.emplace(pair, g.batch + g.rows + g.columns, pair.out);
    leading = shape.n;
    batch_stride = shape.m * shape.n;
    scratch = workspace;
    workspace += shape.batch * shape.m * shape.n;
  }
};

// Whether the rows and the columns of the product are one symmetric axis each.
bool is_symmetric(const Subscripts& s, const ShapeCall& call, const Groups& g) {
  const auto axes = symmetric_axes(call.attributes, call.shape);
  if (!axes) return false;
  const std::string first(1, s.output[static_cast<std::size_t>((*axes)[0])]);
  const std::string second(1, s.output[static_cast<std::size_t>((*axes)[1])]);
  return (g.rows == first && g.columns == second) || (g.rows == second && g.columns == first);
}

template <class T>
Prepared<T> plain_pair(const Subscripts& s, const ShapeCall& call) {
  const PlainContraction<2> plain(s, {call.in[0], call.in[1]});
  return {0, [plain](const KernelCall<T>& c) {
            plain.run<T>(c.context.pool, {c.in[0].data, c.in[1].data}, c.out);
          }};
}

// The matrix product that a contraction of two operands is. Operands are exchanged where this
// brings the rows of the result before its columns, so that it is written in place.
struct Product {
  MatrixContraction contraction;
  bool swapped;
};

template <class T>
class ReadyProduct {
 public:
  explicit ReadyProduct(const Product& product)
      : contraction_(product.contraction),
        swapped_(product.swapped),
        product_(contraction_.shape, contraction_.a->layout(), contraction_.b->layout(),
                 {contraction_.leading, contraction_.batch_stride, false}) {}

  std::int64_t workspace() const { return contraction_.workspace; }

  // Columns of the result, where it is computed in rectangles; else 0.
  std::int64_t width() const {
    return !contraction_.reorder && product_.in_rectangles() ? contraction_.shape.n : 0;
  }
  bool in_whole_rows() const { return product_.in_whole_rows(); }
  void run_in_rectangles(const KernelCall<T>& c, const typename Prepared<T>::Each& each) const {
    ThreadPool& pool = *c.context.pool;
    product_.run_in_rectangles(pool, factor_of(*contraction_.a, c, swapped_ ? 1 : 0),
                               factor_of(*contraction_.b, c, swapped_ ? 0 : 1), each);
  }

  // The result is `alpha` times the product of operands `first` and first + 1, plus `beta` times
  // what stands there (only where it is not reordered).
  void run(const KernelCall<T>& c, std::size_t first, T alpha, T beta) const {
    ThreadPool& pool = *c.context.pool;
    const T* const a = factor_of(*contraction_.a, c, first + (swapped_ ? 1 : 0));
    const T* const b = factor_of(*contraction_.b, c, first + (swapped_ ? 0 : 1));
    const auto& reorder = contraction_.reorder;
    T* const result = reorder ? c.workspace + contraction_.scratch : c.out;
    product_.run(pool, a, b, result, alpha, beta);
    if (reorder) reorder->run(&pool, result, c.out);
  }

 private:
  static const T* factor_of(const Factor& factor, const KernelCall<T>& c, std::size_t operand) {
    return factor.ready(c.context.pool, c.in[operand].data, c.workspace);
  }

  MatrixContraction contraction_;
  bool swapped_;
  PreparedProduct<T> product_;
};

// nullopt where it is none, or is better computed by plain loops.
std::optional<Product> product_of(const Subscripts& s, const ShapeCall& call) {
  Pair pair(s, call.in);
  auto g = groups_of(pair);
  if (!g) return std::nullopt;
  const bool swap = !g->rows.empty() && !g->columns.empty() &&
                    pair.out.find(g->columns.back()) < pair.out.find(g->rows.back());
  if (swap) {
    std::swap(pair.a, pair.b);
    std::swap(g->rows, g->columns);
  }
  Product product{MatrixContraction(pair, *g, is_symmetric(s, call, *g)), swap};
  // Products element by element, summed: not worth a copy of the operands.
  if (g->rows.empty() && g->columns.empty() && product.contraction.workspace > 0)
    return std::nullopt;
  return product;
}

template <class T>
Prepared<T> two_operands(const Subscripts& s, const ShapeCall& call) {
  if (const auto product = product_of(s, call)) {
    const ReadyProduct<T> ready(*product);
    Prepared<T> prepared{ready.workspace(),
                         [ready](const KernelCall<T>& c) { ready.run(c, 0, T(1), T(0)); }};
    if (ready.width() > 0) {
      prepared.width = ready.width();
      prepared.whole_rows = ready.in_whole_rows();
      prepared.run_in_rectangles = [ready](const KernelCall<T>& c,
                                           const typename Prepared<T>::Each& each) {
        ready.run_in_rectangles(c, each);
      };
    }
    return prepared;
  }
  return plain_pair<T>(s, call);
}

}  // namespace

std::optional<std::array<std::int64_t, 2>> symmetric_axes(const Attributes& attributes,
                                                          const Shape& result) {
  const auto& entries = attributes.entries();
  if (std::ranges::none_of(entries, [](const auto& e) { return e.first == "symmetric"; })) {
    return std::nullopt;
  }
  const std::vector<std::int64_t>& axes = attributes.integers("symmetric");
  const auto inside = [&](std::int64_t axis) { return axis >= 0 && axis < result.rank(); };
  if (axes.size() != 2 || axes[0] == axes[1] || !inside(axes[0]) || !inside(axes[1]) ||
      result[static_cast<int>(axes[0])] != result[static_cast<int>(axes[1])]) {
    throw InternalError(cat("contract: the attributes ", attributes, " do not fit the result ",
                            result, "; symmetric takes two different axes of equal size"));
  }
  return std::array{axes[0], axes[1]};
}

template <class T>
Prepared<T> prepare_contraction(const ShapeCall& call) {
  const Subscripts s = Subscripts::parse(call.attributes.text("subscripts"));
  if (s.inputs.size() == 2) return two_operands<T>(s, call);
  if (s.inputs.size() == 1) {
    const PlainContraction<1> plain(s, {call.in[0]});
    return {0, [plain](const KernelCall<T>& c) {
              plain.run<T>(c.context.pool, {c.in[0].data}, c.out);
            }};
  }
  return {};  // the pass that takes longer ones apart was left out: the plain kernel does it
}

bool adds_in_place(const ShapeCall& contraction) {
  const Subscripts s = Subscripts::parse(contraction.attributes.text("subscripts"));
  if (s.inputs.size() != 2) return false;
  const auto product = product_of(s, contraction);
  return product && !product->contraction.reorder;
}

template <class T>
Prepared<T> prepare_accumulation(const ShapeCall& call) {
  const ShapeCall contraction{call.in.subspan(1, 2), call.shape, call.attributes};
  if (!adds_in_place(contraction)) return {};
  const ReadyProduct<T> product(
      *product_of(Subscripts::parse(call.attributes.text("subscripts")), contraction));
  const T sign = call.attributes.integer("negative") != 0 ? T(-1) : T(1);
  return {product.workspace(), [product, sign](const KernelCall<T>& c) {
            if (c.out != c.in[0].data)
              loops::pieces(c.context.pool, c.shape.size(), loops::kGrain,
                            [&](std::int64_t first, std::int64_t end) {
                              std::copy(c.in[0].data + first, c.in[0].data + end, c.out + first);
                            });
            product.run(c, 1, c.in.size() == 4 ? sign * *c.in[3].data : sign, T(1));
          }};
}

template Prepared<float> prepare_accumulation<float>(const ShapeCall&);
template Prepared<double> prepare_accumulation<double>(const ShapeCall&);
template Prepared<float> prepare_contraction<float>(const ShapeCall&);
template Prepared<double> prepare_contraction<double>(const ShapeCall&);

}  // namespace jacquard
