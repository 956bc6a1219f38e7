#include "models/language/call_form.hpp"

#include <algorithm>
#include <utility>

#include "autodiff/closest.hpp"

namespace jacquard::models {
namespace {

std::string plural(std::size_t count, std::string_view what) {
  return cat(count, ' ', what, count == 1 ? "" : "s");
}

std::string count_text(const CallForm& form) {
  const std::size_t most = form.parameters.size();
  const auto least = static_cast<std::size_t>(
      std::ranges::count(form.parameters, true, &CallForm::Parameter::required));
  if (most == 0) return "no arguments";
  return least == most ? plural(most, "argument") : cat(least, " to ", plural(most, "argument"));
}

int find_keyword(const SyntaxTree& tree, const Keyword& keyword, const CallForm& form) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < form.parameters.size(); ++i) {
    // What stands in a rest has no name.
    if (form.rest && i + 1 == form.parameters.size()) break;
    if (form.parameters[i].name == keyword.name) return static_cast<int>(i);
    names.push_back(form.parameters[i].name);
  }
  const std::string near = closest(keyword.name, names);
  throw LanguageError(
      tree.source, keyword.span, cat(form.name, " has no argument ", quoted(keyword.name)),
      cat(near.empty() ? "" : cat("did you mean '", near, "'? "), "it is ", form.signature));
}

}  // namespace

CallForm form_of(const Function& function) {
  CallForm form{std::string(function.name), function.signature(), {}};
  for (const FunctionParameter& parameter : function.parameters) {
    form.parameters.push_back({std::string(parameter.name), parameter.fallback.empty()});
    form.rest = parameter.kind == ArgumentKind::kRest;
  }
  return form;
}

CallForm form_of(const Signature& signature) {
  CallForm form{signature.name, "", {}};
  std::string arguments;
  for (const std::string& name : signature.arguments) {
    arguments += cat(arguments.empty() ? "" : ", ", name);
    form.parameters.push_back({name});
  }
  form.signature = cat(signature.name, '(', arguments, ')');
  return form;
}

std::vector<int> bind_call(const SyntaxTree& tree, const SyntaxNode& call, const CallForm& form) {
  const std::size_t positional = call.children.size() - call.keywords.size();
  const std::size_t most = form.parameters.size();
  if (positional > most && !form.rest)
    throw LanguageError(tree.source, tree[call.children[most]].span,
                        cat(form.name, " takes ", count_text(form), ", ", call.children.size(),
                            call.children.size() == 1 ? " is given" : " are given"),
                        cat("it is ", form.signature));
  std::vector<int> bound(std::max(positional, most), -1);
  for (std::size_t i = 0; i < positional; ++i) bound[i] = call.children[i];
  for (std::size_t k = 0; k < call.keywords.size(); ++k) {
    const auto place = static_cast<std::size_t>(find_keyword(tree, call.keywords[k], form));
    if (bound[place] >= 0)
      throw LanguageError(tree.source, call.keywords[k].span,
                          cat("argument ", quoted(call.keywords[k].name), " is given twice"),
                          cat("it is argument ", place + 1, " of ", form.signature));
    bound[place] = call.children[positional + k];
  }
  for (std::size_t i = 0; i < most; ++i)
    if (bound[i] < 0 && form.parameters[i].required)
      throw LanguageError(tree.source, call.mark,
                          cat(form.name, " needs the argument ", quoted(form.parameters[i].name)),
                          cat("it is ", form.signature));
  return bound;
}

}  // namespace jacquard::models
