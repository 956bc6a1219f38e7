// Random draws: pure functions of (seed, stream, step, element index).
#include <array>

#include "autodiff/loops.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/ops/families.hpp"
#include "autodiff/philox.hpp"

namespace jacquard {
namespace {

Shape draw_shape(const Op&, std::span<const Shape* const>, const Attributes& attributes) {
  return Shape(attributes.integers("shape"));
}

std::vector<Sample> draw_samples() {
  return {{{}, {{"stream", std::string("s")}, {"shape", Axes{2, 3}}}},
          {{}, {{"stream", std::string("t")}, {"shape", Axes{}}}}};
}

// A draw belongs to no example of x: its rows are its own.
constexpr Op draw(std::string_view name, Kernel value) {
  return Op{.name = name,
            .arity = 0,
            .shape = draw_shape,
            .derivative = [](const Call&, Expr) { return std::vector<Expr>{}; },
            .kernel = value,
            .examples = [](const ExampleCall&) { return kNoAxis; },
            .samples = draw_samples};
}

// A multiple of the generator's block, so that no block is computed twice.
constexpr std::int64_t kPiece = 4096;

constinit const Op uniform_op = draw(
    "uniform", kernel([](const auto& c) {
      loops::pieces(c.context.pool, c.shape.size(), kPiece, [&](std::int64_t a, std::int64_t b) {
        fill_uniform(std::span(c.out + a, c.out + b), c.context.seed, c.attributes.text("stream"),
                     c.context.step, static_cast<std::uint64_t>(a));
      });
    }));

constinit const Op normal_op = draw(
    "normal", kernel([](const auto& c) {
      loops::pieces(c.context.pool, c.shape.size(), kPiece, [&](std::int64_t a, std::int64_t b) {
        fill_normal(std::span(c.out + a, c.out + b), c.context.seed, c.attributes.text("stream"),
                    c.context.step, static_cast<std::uint64_t>(a));
      });
    }));

Expr append_draw(const Op& op, Tape& tape, const Shape& shape, const std::string& stream) {
  return tape.append(op, {}, {{"stream", stream}, {"shape", shape.sizes()}});
}

}  // namespace

Expr uniform(Tape& tape, const Shape& shape, const std::string& stream) {
  return append_draw(uniform_op, tape, shape, stream);
}
Expr normal(Tape& tape, const Shape& shape, const std::string& stream) {
  return append_draw(normal_op, tape, shape, stream);
}

std::span<const Op* const> draw_ops() {
  static constexpr std::array kOps = {&uniform_op, &normal_op};
  return kOps;
}

}  // namespace jacquard
