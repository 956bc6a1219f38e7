// Mistakes in calls, operators and indices, with their full text and the piece that is marked.
#include <doctest/doctest.h>

#include <string>

#include "tests/models/mistakes.hpp"

using namespace jacquard;
using namespace jacquard::models;

TEST_CASE("calls with too many, missing, unknown and repeated arguments are refused") {
  check_all(
      {
          {"exp()", "0+3: exp needs the argument 't'; it is exp(t)"},
          {"exp(x, W)", "7+1: exp takes 1 argument, 2 are given; it is exp(t)"},
          {"sum(x, 0, true, 5)",
           "16+1: sum takes 1 to 3 arguments, 4 are given; it is sum(t, axis=all, "
           "keepdims=false)"},
          {"clamp(x, 0)", "0+5: clamp needs the argument 'hi'; it is clamp(t, lo, hi)"},
          {"sum(x, axes=1)",
           "7+4: sum has no argument 'axes'; did you mean 'axis'? it is sum(t, axis=all, "
           "keepdims=false)"},
          {"sum(x, dim=1)",
           "7+3: sum has no argument 'dim'; it is sum(t, axis=all, keepdims=false)"},
          {"sum(x, 1, axis=1)",
           "10+4: argument 'axis' is given twice; it is argument 2 of sum(t, axis=all, "
           "keepdims=false)"},
          {"contract()",
           "0+8: contract needs the argument 'subscripts'; it is "
           "contract(subscripts, t, ...)"},
          {"contract('ij->ij')",
           "0+8: contract needs the argument 't'; it is contract(subscripts, t, ...)"},
          {"contract('ij->ij', t=x)",
           "19+1: contract has no argument 't'; it is contract(subscripts, t, ...)"},
          {"kl(x)", "0+2: kl needs the argument 'q'; it is kl(p, q)"},
          {"kl(x, x, x)", "9+1: kl takes 2 arguments, 3 are given; it is kl(p, q)"},
          {"kl(x, r=x)", "6+1: kl has no argument 'r'; it is kl(p, q)"},
          {"one(1)", "4+1: one takes no arguments, 1 is given; it is one()"},
      },
      {}, {{"kl(p, q)", "p*log(p/q)"}, {"one()", "1"}});
}

TEST_CASE("arguments of the wrong kind are named with what they are and what they must be") {
  check_all({
      {"exp('a')", "4+3: argument 't' of exp is a text; it must be a tensor or a number; exp(t)"},
      {"exp([x])", "4+3: argument 't' of exp is a list; it must be a tensor or a number; exp(t)"},
      {"sum(x, axis=x)",
       "12+1: argument 'axis' of sum is a tensor of shape [4, 3]; it must be all, a whole number "
       "or a list of whole numbers; sum(t, axis=all, keepdims=false)"},
      {"sum(x, axis=0.5)",
       "12+3: argument 'axis' of sum is the number 0.5; it must be all, a whole number or a list "
       "of whole numbers; sum(t, axis=all, keepdims=false)"},
      {"sum(x, axis=[0, x])",
       "12+6: item 2 of argument 'axis' of sum is a tensor of shape [4, 3]; it must be a whole "
       "number"},
      {"sum(x, axis=[])",
       "12+2: the list of axes is empty; name at least one axis or write axis=all"},
      {"sum(x, keepdims=1)",
       "16+1: argument 'keepdims' of sum is the number 1; it must be true or false; sum(t, "
       "axis=all, keepdims=false)"},
      {"sum(all)",
       "4+3: argument 't' of sum is 'all'; it must be a tensor or a number; sum(t, "
       "axis=all, keepdims=false)"},
      {"softmax(x, axis=all)",
       "16+3: argument 'axis' of softmax is 'all'; it must be a whole number that is known before "
       "the run; softmax(t, axis=-1)"},
      {"clamp(x, 0, epoch)",
       "12+5: argument 'hi' of clamp is a tensor of shape []; it must be a number that is known "
       "before the run; clamp(t, lo, hi)"},
      {"top_k(x, 1.5)", "0+5: top_k: k = 1.5 is no whole number"},
      {"reshape(x, 12)",
       "11+2: argument 'shape' of reshape is the number 12; it must be a list of whole numbers, as "
       "in [5, 3]; reshape(t, shape)"},
      {"reshape(x, [-2, 6])", "11+7: size -2 in argument 'shape' of reshape is negative"},
      {"broadcast_to(x, [-1, 3])", "16+7: size -1 in argument 'shape' of broadcast_to is negative"},
      {"concat(x, 0)",
       "7+1: argument 'parts' of concat is a tensor of shape [4, 3]; it must be a list of tensors, "
       "as in [a, b]; concat(parts, axis)"},
      {"concat([x, 'a'], 0)", "7+8: item 2 of the list is a text; it must be a tensor"},
      {"contract(x, x)",
       "9+1: argument 'subscripts' of contract is a tensor of shape [4, 3]; it must be a text in "
       "quotes; contract(subscripts, t, ...)"},
      {"contract('ij,k->i', x, 'a')",
       "23+3: argument number 3 of contract is a text; it must be a tensor or a number; "
       "contract(subscripts, t, ...)"},
      {"normal(x, stream=3)",
       "17+1: argument 'stream' of normal is the number 3; it must be a text in quotes; "
       "normal(like, stream=\"...\")"},
      {"normal(x, stream='')", "17+2: the name of the stream is empty; equal names are one draw"},
      {"jacobian(x, 3)",
       "12+1: argument 'x' of jacobian is the number 3; it must be a tensor: a parameter, an "
       "input, a definition; jacobian(h, x)"},
      {"sqnorm_estimate(x)",
       "16+1: argument 'jacobian(h, x)' of sqnorm_estimate is a tensor of shape [4, 3]; it must be "
       "written as jacobian(h, x); sqnorm_estimate(jacobian(h, x), probes=1, stream=\"...\")"},
      {"sqnorm_estimate(jacobian(tanh(x), x)^2)",
       "16+22: argument 'jacobian(h, x)' of sqnorm_estimate is a tensor of shape [4, 3, 3]; it "
       "must be written as jacobian(h, x); sqnorm_estimate(jacobian(h, x), probes=1, "
       "stream=\"...\")"},
      {"sqnorm_estimate(jacobian(tanh(x), x), probes=0)",
       "45+1: sqnorm_estimate: probes = 0; it must lie between 1 and 1000"},
      {"take(x, [0, 0.5])",
       "8+8: item 2 of argument 'indices' of take is the number 0.5; it must be a whole number"},
      {"scatter_add(x, [0, 0, 0, 0], 0, -1)", "32+2: size -1 of scatter_add is negative"},
  });
}

TEST_CASE("operators refuse what is no tensor or number") {
  check_all({
      {"x + 'a'", "4+3: an operand of '+' is a text; it must be a tensor or a number"},
      {"[1, 2] * x", "0+6: an operand of '*' is a list; it must be a tensor or a number"},
      {"not [x]", "4+3: an operand of 'not' is a list; it must be a tensor or a number"},
      {"-'a'", "1+3: an operand of '-' is a text; it must be a tensor or a number"},
      {"'a'^2", "0+3: an operand of '^' is a text; it must be a tensor or a number"},
      {"x^[2]", "2+3: an operand of '^' is a list; it must be a tensor or a number"},
      {"2 @ 3", "2+1: '@' stands between two numbers; it multiplies tensors; write '*'"},
      {"(2).T", "0+3: '.T' of the number 2; numbers have no axes"},
      {"'text'", "0+6: the value is a text; it must be a tensor or a number"},
      {"[x, x]", "0+6: the value is a list; it must be a tensor or a number"},
      {"all", "0+3: the value is 'all'; it must be a tensor or a number"},
  });
}

TEST_CASE("constant values that are not finite are refused where they arise") {
  check_all({
      {"x + 1 / 0", "4+5: the value of '1 / 0' is inf; numbers must be finite"},
      {"0 / 0 * x", "0+5: the value of '0 / 0' is not a number; numbers must be finite"},
      {"log(0) + x", "0+6: the value of 'log(0)' is -inf; numbers must be finite"},
      {"(-8)^0.5 * x", "0+8: the value of '(-8)^0.5' is not a number; numbers must be finite"},
      {"1e300 * 1e300 * 0", "0+13: the value of '1e300 * 1e300' is inf; numbers must be finite"},
  });
}

TEST_CASE("indices outside of their axis and too many of them are refused") {
  check_all({
      {"x[:, 3]", "5+1: 3 lies outside of axis 1 of shape [4, 3]; the axis has 3 elements"},
      {"x[-5]", "2+2: -5 lies outside of axis 0 of shape [4, 3]; the axis has 4 elements"},
      {"x[:, 1:4]", "5+3: 4 lies outside of axis 1 of shape [4, 3]; the axis has 3 elements"},
      {"x[3:1]", "2+3: the slice 3:1 of axis 0 of shape [4, 3] ends before it begins"},
      {"x[0, 0, 0]", "1+9: 3 indices for a tensor of shape [4, 3]; it has 2 axes"},
      {"labels[0][0]", "9+3: 1 indices for a tensor of shape []; it has 0 axes"},
      {"x[0.5]", "2+3: an index is the number 0.5; it must be a whole number or a slice begin:end"},
      {"x[true]", "2+4: an index is true; it must be a whole number or a slice begin:end"},
      {"x[labels]",
       "2+6: an index is a tensor of shape [4]; it must be a whole number or a slice; take(t, "
       "indices, axis) picks many elements"},
      {"x[:, [0, 1]]",
       "5+6: an index is a list; it must be a whole number or a slice; take(t, indices, axis) "
       "picks many elements"},
      {"[1, 2][0]", "0+6: a list cannot be indexed; only tensors have elements"},
      {"(3)[0]", "0+3: the number 3 cannot be indexed; only tensors have elements"},
  });
}

TEST_CASE("what the engine refuses is shown at the operator or function, with the shapes") {
  check_all({
      {"x @ x", "2+1: matmul: [4, 3] @ [4, 3]: the inner sizes differ"},
      {"W @ 2", "2+1: matmul: [3, 2] @ []: a scalar has no axis to sum over; use * instead"},
      {"mean(x + W)",
       "7+1: add: [4, 3] and [3, 2]: sizes 3 and 2 do not broadcast; they must be equal or 1"},
      {"labels.T", "6+2: transpose: [4] has fewer than two axes to swap"},
      {"sum(x, axis=2)", "0+3: sum: axis 2 does not exist in a tensor of rank 2"},
      {"x + reshape(x, [5, -1])",
       "4+7: reshape: [4, 3] has 12 elements, which the sizes given do not divide; one size may be "
       "-1"},
      {"reshape(x, [1000000000000, 1000000000000])",
       "0+7: shape [1000000000000, 1000000000000]: too many elements; at most 2^40 are allowed"},
      {"squared_error(x, W)",
       "0+13: squared_error: the prediction has shape [4, 3], the target [3, 2]; they must be "
       "equal, or the target broadcast to the prediction"},
      {"masking_noise(x, 1.5)",
       "0+13: masking_noise: p = 1.5 is no probability; it must lie in [0, 1]"},
      {"gradient(x, W)",
       "0+8: gradient: the cost has shape [4, 3]; it must be a scalar, take sum() or mean() of "
       "it"},
      {"contract('bi->b', x, x)", "0+8: contract: 'ab->a' names 1 operands, 2 are given"},
  });
  MistakeSetting s({}, {});
  CHECK(s.mistakes_in("gradient(sum(x), W)")
            .starts_with("0+8: gradient: the cost does not depend on %"));
  CHECK(s.mistakes_in("jacobian(x - mean(x, axis=0), x)").find("mixes the examples of the batch") !=
        std::string::npos);
}
