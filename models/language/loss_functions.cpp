// The rows of losses: one number per example.
#include "models/language/arguments.hpp"
#include "models/language/function_groups.hpp"
#include "nn/losses.hpp"

namespace jacquard::models {
namespace {

template <Expr (*loss)(Expr, Expr)>
Expr of_two(const Arguments& a) {
  return loss(a.tensor(0), a.tensor(1));
}

}  // namespace

std::vector<Function> loss_functions() {
  return {
      {"squared_error",
       {{"y"}, {"t"}},
       "(y - t)^2 summed over features",
       of_two<nn::squared_error>},
      {"cross_entropy",
       {{"y"}, {"t"}},
       "-(t*log(y) + (1 - t)*log(1 - y)) summed over features, 0*log(0) = 0",
       of_two<nn::cross_entropy>},
      {"cross_entropy_logits",
       {{"a"}, {"t"}},
       "cross_entropy(sigmoid(a), t) as softplus(a) - t*a, summed over features",
       of_two<nn::cross_entropy_logits>},
      {"softmax_cross_entropy",
       {{"logits"}, {"labels"}},
       "-log(softmax(logits)) at the label; logits [batch, classes], labels [batch]",
       of_two<nn::softmax_cross_entropy>},
  };
}

}  // namespace jacquard::models
