#include "autodiff/ops/families.hpp"

namespace jacquard {

std::vector<const Op*> all_ops() {
  std::vector<const Op*> ops;
  for (const auto family : {leaf_ops(), arithmetic_ops(), function_ops(), choice_ops(),
                            reduction_ops(), movement_ops(), contract_ops(), draw_ops()})
    ops.insert(ops.end(), family.begin(), family.end());
  return ops;
}

}  // namespace jacquard
