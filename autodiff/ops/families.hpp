// The tables of the op families; each stands at the foot of its family's file.
#pragma once

#include <span>

#include "autodiff/op.hpp"

namespace jacquard {

std::span<const Op* const> leaf_ops();
std::span<const Op* const> arithmetic_ops();
std::span<const Op* const> function_ops();
std::span<const Op* const> choice_ops();
std::span<const Op* const> reduction_ops();
std::span<const Op* const> movement_ops();
std::span<const Op* const> contract_ops();
std::span<const Op* const> draw_ops();

}  // namespace jacquard
