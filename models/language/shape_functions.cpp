// The rows of functions that move elements and of products over named axes.
#include "autodiff/ops.hpp"
#include "models/language/arguments.hpp"
#include "models/language/function_groups.hpp"

namespace jacquard::models {
namespace {

Expr build_transpose(const Arguments& a) {
  return a.given(1) ? transpose(a.tensor(0), a.order(1)) : transpose(a.tensor(0));
}

// Labels beyond the classes would give rows of zeros; the number of classes cannot be checked here.
Expr build_one_hot(const Arguments& a) { return one_hot(a.tensor(0), a.integer(1)); }

Expr build_scatter_add(const Arguments& a) {
  const std::int64_t size = a.integer(3);
  if (size < 0) throw ValueError(3, cat("size ", size, " of scatter_add is negative"));
  return scatter_add(a.tensor(0), a.indices(1), a.integer(2), size);
}

}  // namespace

std::vector<Function> shape_functions() {
  using enum ArgumentKind;
  return {
      {"reshape",
       {{"t"}, {"shape", kSizes}},
       "the elements of t in another shape; one size may be -1",
       [](const Arguments& a) { return reshape(a.tensor(0), a.sizes(1, -1)); }},
      {"transpose",
       {{"t"}, {"axes", kSizes, "..."}},
       "the axes of t in the order of the list; without one the last two change places, as in t.T",
       build_transpose},
      {"concat",
       {{"parts", kList}, {"axis", kAxis}},
       "the tensors of a list [a, b, ...] one behind the other along an axis",
       [](const Arguments& a) { return concat(a.list(0), a.integer(1)); }},
      {"broadcast_to",
       {{"t"}, {"shape", kSizes}},
       "t repeated to a shape",
       [](const Arguments& a) { return broadcast_to(a.tensor(0), Shape(a.sizes(1, 0))); }},
      {"stop_gradient",
       {{"t"}},
       "t with derivative 0",
       [](const Arguments& a) { return stop_gradient(a.tensor(0)); }},
      {"one_hot",
       {{"labels"}, {"n", kInteger}},
       "[..] -> [.., n]: 1 at the place of each label, else 0",
       build_one_hot},
      {"take",
       {{"t"}, {"indices", kIndices}, {"axis", kAxis, "0"}},
       "the slices of t at the indices [k], in their order",
       [](const Arguments& a) { return take(a.tensor(0), a.indices(1), a.integer(2)); }},
      {"scatter_add",
       {{"t"}, {"indices", kIndices}, {"axis", kAxis}, {"size", kInteger}},
       "zeros with `size` slices, to which slice i of t is added at indices[i]",
       build_scatter_add},
      {"diag",
       {{"M"}},
       "[.., n, n] -> [.., n]: the diagonal",
       [](const Arguments& a) { return diag(a.tensor(0)); }},
      {"trace",
       {{"M"}},
       "[.., n, n] -> [..]: the sum of the diagonal",
       [](const Arguments& a) { return trace(a.tensor(0)); }},
      {"contract",
       {{"subscripts", kText}, {"t", kRest}},
       "Einstein's sum over named axes, as in contract(\"bi,ij->bj\", x, W)",
       [](const Arguments& a) { return contract(a.text(0), a.rest(1)); }},
      {"matvec",
       {{"M"}, {"v"}},
       "[batch, m, n], [batch, n] -> [batch, m]",
       [](const Arguments& a) { return matvec(a.tensor(0), a.tensor(1)); }},
      {"vecmat",
       {{"u"}, {"M"}},
       "[batch, m], [batch, m, n] -> [batch, n]",
       [](const Arguments& a) { return vecmat(a.tensor(0), a.tensor(1)); }},
  };
}

}  // namespace jacquard::models
