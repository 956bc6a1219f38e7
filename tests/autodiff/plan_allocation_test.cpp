// Counts what plans allocate. The allocation functions are replaced for the whole test binary, but
// not under AddressSanitizer, which has its own; there nothing is counted.
#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/random_program.hpp"
#include "tests/support/run_plan.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define JACQUARD_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define JACQUARD_SANITIZED
#endif
#endif

namespace {
std::atomic<std::int64_t> allocations{0};
}  // namespace

#ifndef JACQUARD_SANITIZED
namespace {

void* allocated(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  const std::size_t whole = (bytes + alignment - 1) / alignment * alignment;
  if (void* memory = std::aligned_alloc(alignment, whole == 0 ? alignment : whole)) return memory;
  throw std::bad_alloc();
}

// Not inlined: the compiler would see free() where it expects operator delete.
[[gnu::noinline]] void release(void* memory) noexcept { std::free(memory); }

}  // namespace

void* operator new(std::size_t bytes) { return allocated(bytes, alignof(std::max_align_t)); }
void* operator new[](std::size_t bytes) { return allocated(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocated(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return allocated(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
#endif

using namespace jacquard;
using namespace jacquard::testing;

namespace {

// Allocations of ten runs after the first.
template <class T>
std::int64_t allocations_of_runs(const Tape& tape, const Program& program, const Feed<double>& feed,
                                 int threads) {
  ThreadPool pool(threads);
  BoundPlan<T> plan(tape, program, feed, pool);
  // Products keep memory per thread: each thread must have seen each product.
  for (std::uint64_t step = 0; step < (threads == 1 ? 1 : 20); ++step) plan.run({1, step});
  const std::int64_t before = allocations;
  for (std::uint64_t step = 100; step < 110; ++step) plan.run({1, step});
  return allocations - before;
}

}  // namespace

#ifndef JACQUARD_SANITIZED
TEST_CASE("plan: allocations are counted") {
  const std::int64_t before = allocations;
  const std::vector<float> memory(100);
  CHECK(allocations == before + 1);
  CHECK(memory.size() == 100);
}
#endif

TEST_CASE("plan: runs after the first allocate nothing, whatever the operations") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    Tape tape;
    const RandomProgram p = random_program(tape, seed);
    Program program{gradient(p.cost, p.parameters), {}, {p.cost}};
    for (std::size_t i = 0; i < p.parameters.size(); ++i)
      program.updates.push_back({p.parameters[i], p.parameters[i] - 0.01 * program.outputs[i]});
    CHECK(allocations_of_runs<float>(tape, program, p.feed, 1) == 0);
    CHECK(allocations_of_runs<double>(tape, program, p.feed, 1) == 0);
  }
}

TEST_CASE("plan: training a network on two threads allocates nothing after the first runs") {
  Tape tape;
  Random random(1);
  const Expr x = tape.input("x", {100, 300});
  const Expr W = tape.input("W", {300, 200}, InputKind::kParameter);
  const Expr h = sigmoid(matmul(x + 0.1 * normal(tape, {100, 300}, "noise"), W));
  const Expr cost = mean(sqnorm(matmul(h, transpose(W)) - x));
  const Expr g = gradient(cost, {W})[0];
  const Feed<double> feed = {{"x", random.tensor({100, 300})},
                             {"W", random.tensor({300, 200}, {-0.05, 0.05})}};
  const Program program{{cost}, {{W, W - 0.01 * g}}, {cost}};
  CHECK(allocations_of_runs<float>(tape, program, feed, 1) == 0);
  CHECK(allocations_of_runs<float>(tape, program, feed, 2) == 0);
  CHECK(allocations_of_runs<double>(tape, program, feed, 2) == 0);
}
