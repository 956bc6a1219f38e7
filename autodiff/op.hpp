// Op: the whole description of one operation, in one place.
//
// Everything else the engine knows about an operation follows from this struct: equality, hashing,
// printing, broadcasting and accumulation of adjoints, gradient tests, execution in three
// precisions. An op is a constant; its identity is its address. There is no list of ops beside
// all_ops(), which the tests walk.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "autodiff/attribute.hpp"
#include "autodiff/number.hpp"
#include "autodiff/shape.hpp"

namespace jacquard {

class ThreadPool;
class Tape;
struct Op;
struct Recording;

using NodeId = std::int32_t;

// A handle on a node of a tape. Cheap to copy; an empty one means "nothing", as in a derivative
// rule whose input receives no gradient.
struct Expr {
  Tape* tape = nullptr;
  NodeId id = -1;

  explicit operator bool() const { return tape != nullptr; }
  bool operator==(const Expr&) const = default;
  const Shape& shape() const;
  const Op& op() const;
};

// What a rule sees of a node that stands on a tape.
struct Call {
  std::span<const Expr> in;
  Expr out;
  const Attributes& attributes;
};

// What a run of a tape is given beside its inputs. Random draws are pure functions of
// (seed, stream, step, element index).
struct RunContext {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  ThreadPool* pool = nullptr;  // nullptr: everything on the calling thread
};

template <class T>
struct Operand {
  const Shape* shape;
  const T* data;
};

template <class T>
struct KernelCall {
  std::span<const Operand<T>> in;
  const Shape& shape;  // of the result
  T* out;
  const Attributes& attributes;
  const RunContext& context;
  T* workspace = nullptr;  // scratch memory that a prepared call asked for
};

// One computation in the three precisions, plain and slow. Plans run elementwise ops by their runs,
// sums in tile programs, and what has a prepared call by that.
struct Kernel {
  void (*float_kernel)(const KernelCall<float>&) = nullptr;
  void (*double_kernel)(const KernelCall<double>&) = nullptr;
  void (*quad_kernel)(const KernelCall<Quad>&) = nullptr;

  explicit constexpr operator bool() const { return float_kernel != nullptr; }
  void operator()(const KernelCall<float>& call) const { float_kernel(call); }
  void operator()(const KernelCall<double>& call) const { double_kernel(call); }
  void operator()(const KernelCall<Quad>& call) const { quad_kernel(call); }
};

// Part of a matrix, row by row without gaps.
template <class T>
struct Rectangle {
  std::int64_t first_row, rows, first_column, columns;
  const T* values;
};

// A call made ready for many runs, when its shapes are known: what plans execute where an op has
// something faster than its plain kernel. Running it allocates nothing.
template <class T>
struct Prepared {
  using Each = std::function<void(const Rectangle<T>&)>;

  std::int64_t workspace = 0;  // numbers of scratch memory
  std::function<void(const KernelCall<T>&)> run;
  // The same for a result that nobody keeps, a matrix of `width` columns: it is computed in
  // rectangles, which are given to `each` at once, on any thread of the pool. Empty, and width 0,
  // where the result comes as a whole.
  std::function<void(const KernelCall<T>&, const Each& each)> run_in_rectangles = {};
  std::int64_t width = 0;
  bool whole_rows = false;  // all rectangles have all columns
};

// An elementwise op on `count` neighbouring elements: what plans' tile programs are made of. The
// result may be written over an operand. Operands that the op does not have are nullptr.
template <class T>
using RunKernel = void (*)(T* out, const T* a, const T* b, const T* c, std::int64_t count);

// Its forms for operands of which some are one number that counts for the whole run: bit i of the
// index says so of operand i.
template <class T>
using RunKernels = std::array<RunKernel<T>, 8>;

// How plans compute an elementwise op: by runs, or by code for several ops in one pass over memory,
// made of what the op does (runs.hpp).
struct Runs {
  RunKernels<float> float_kernels;
  RunKernels<double> double_kernels;
  const Recording& (*float_recording)();
  const Recording& (*double_recording)();
};

// A kernel from one generic lambda `[](const auto& call)`, without captures.
template <class Function>
constexpr Kernel kernel(Function) {
  return {[](const KernelCall<float>& call) { Function{}(call); },
          [](const KernelCall<double>& call) { Function{}(call); },
          [](const KernelCall<Quad>& call) { Function{}(call); }};
}

// Where an automatic test may sample an input: the interval, away from poles and cuts; whole
// numbers where the input counts something; no gradient flows to such an input.
struct Domain {
  double low = -2, high = 2;
  bool whole = false;
};

// One way to call an op, for its automatic test.
struct Sample {
  std::vector<Shape> shapes;
  Attributes attributes;
};

// How the rows of the result depend on the rows of the inputs. The example axis of an input that
// does not depend on the examples is kNoAxis; a result whose rows depend on several examples is
// kMixes.
constexpr int kNoAxis = -1;
constexpr int kMixes = -2;

struct ExampleCall {
  std::span<const Shape* const> in;
  std::span<const int> axes;  // of the inputs
  const Shape& shape;         // of the result
  const Attributes& attributes;
};

// The shapes of a call, for rules that need no more.
struct ShapeCall {
  std::span<const Shape* const> in;
  const Shape& shape;
  const Attributes& attributes;
};

constexpr int kAnyArity = -1;

struct Op {
  std::string_view name;
  int arity = 1;

  // The shape of the result. Throws ShapeError.
  Shape (*shape)(const Op&, std::span<const Shape* const>, const Attributes&) = nullptr;

  // The vector-Jacobian product: one adjoint per input, of the result's or the input's shape (the
  // engine sums over broadcast axes); an empty Expr where no gradient flows. Graph in, graph out.
  // nullptr: not differentiable, and gradient() says so by name.
  std::vector<Expr> (*derivative)(const Call&, Expr g) = nullptr;

  // The plain definition of the value, the reference of all plans.
  Kernel kernel = {};

  // What plans run instead, where there is something faster.
  Prepared<float> (*prepare_float)(const ShapeCall&) = nullptr;
  Prepared<double> (*prepare_double)(const ShapeCall&) = nullptr;

  // The example axis of the result, kNoAxis or kMixes.
  int (*examples)(const ExampleCall&) = nullptr;

  // The same call with one more leading axis on the inputs marked `batched`, the result having it
  // as well. nullptr, or an empty result: done slice by slice.
  Expr (*batch)(const Call&, std::span<const Expr> in, const std::vector<bool>& batched) = nullptr;

  // What the prepared call writes may lie where operand 0 does.
  bool in_place = false;
  // Result element = function of the input elements at the same (broadcast) place.
  bool elementwise = false;
  // How plans compute an elementwise op: one operand after the other where it has any number of
  // them; an attribute named here is one more operand.
  const Runs* runs = nullptr;
  std::string_view run_attribute = {};
  // It costs as much as many additions: rather kept in memory than computed again.
  bool costly = false;
  // The derivative rule copies elements of the adjoint (or sets 0), each to one place of each input
  // at most. gradient() carries what it knows of where an adjoint is 0 through such an op by the
  // same rule.
  bool moves = false;
  // Inputs may be exchanged; the tape stores them in one order.
  bool commutative = false;
  // Held at its base value while a gradient check takes differences: its derivative is zero or
  // stopped by definition, not by calculus.
  bool held = false;

  std::span<const Domain> domains = {};  // per input, the last one repeated; empty: the default
  // Elementwise ops need some only if they have attributes; shapes are the tests' choice then.
  std::vector<Sample> (*samples)() = nullptr;
};

// Every op of the engine, in the order of the families' files.
std::vector<const Op*> all_ops();

}  // namespace jacquard
