// Initial values of parameters, chosen by name and drawn by a stream of each parameter's own, so
// that adding a layer does not reshuffle the others.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "autodiff/tensor.hpp"
#include "nn/choice.hpp"

namespace jacquard::nn {

// An empty kind means the default: glorot_uniform for two and more axes, zeros else.
using Initializer = Choice;

// zeros, ones, constant, uniform, normal, glorot_*, he_*, lecun_*, with their options.
std::span<const Kind> initializer_kinds();

// The same with the default filled in.
Initializer resolved(const Initializer& initializer, const Shape& shape);

// Throws SpecError beginning with `where` when the kind or an option is not valid.
void check_initializer(std::string_view where, const Initializer& initializer);

// Values of one parameter: a function of initializer, shape, seed and name alone. The fans are
// those of x @ W: the last axis counts the outputs, the one before it the inputs; axes before
// these multiply both. Throws SpecError.
Tensor<double> initial_value(const Initializer& initializer, const Shape& shape, std::uint64_t seed,
                             std::string_view parameter);

}  // namespace jacquard::nn
