#include "experiments/shown_cost.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "autodiff/algebra/describe.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/passes.hpp"
#include "autodiff/print.hpp"
#include "autodiff/work.hpp"
#include "experiments/cost_text.hpp"
#include "experiments/json_dump.hpp"
#include "experiments/source_text.hpp"
#include "experiments/table.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

// FLOPs of the value, and of value and gradient.
struct Work {
  double value, both;
};

struct Term {
  Work work, as_written;
  std::optional<algebra::Description> became;  // nothing: computed as written
  std::optional<Work> careful;                 // where digits may be lost
};

// Of what the roots need, after the passes of a plan.
double work_of(const Tape& tape, const std::vector<Expr>& roots) {
  const Graph graph = prepare(tape, roots);
  double total = 0;
  for (const NodeId id : ancestors(*graph.tape, graph.roots)) total += flops(*graph.tape, id);
  return total;
}

Work work_of_term(Expr term, const std::vector<Expr>& parameters) {
  std::vector<Expr> roots{term};
  const double value = work_of(*term.tape, roots);
  if (!parameters.empty())
    for (const Expr& g : gradient(term, parameters, Unused::kZero)) roots.push_back(g);
  return {value, work_of(*term.tape, roots)};
}

Term examined(Expr term, const std::vector<Expr>& parameters) {
  const Simplified fast = simplify({term});
  Term result{work_of_term(fast.roots[0], parameters), work_of_term(term, parameters),
              algebra::describe(fast, sizeof(float)), std::nullopt};
  if (!fast.conditions.empty())
    result.careful = work_of_term(simplify({term}, Care::kCareful).roots[0], parameters);
  return result;
}

// cost = reconstruction + 0.1 * contraction
std::string sum_text(const Spec& spec) {
  std::string text;
  for (const TermSpec& t : spec.cost) {
    const double size = t.weight < 0 ? -t.weight : t.weight;
    text += text.empty() ? (t.weight < 0 ? "-" : "") : (t.weight < 0 ? " - " : " + ");
    text += size == 1 ? printable(t.name) : cat(number_text(size), " * ", printable(t.name));
  }
  return text;
}

// The definitions of the spec that the formulas of the terms use by name, with their texts.
std::vector<NamedText> used_definitions(const Spec& spec, const std::vector<Term>& terms) {
  std::vector<NamedText> used;
  for (const Term& term : terms)
    if (term.became)
      for (const std::string& name : term.became->names) {
        const auto it = std::ranges::find(spec.model.define, name, &NamedText::first);
        if (it != spec.model.define.end() && std::ranges::find(used, *it) == used.end())
          used.push_back(*it);
      }
  return used;
}

std::string times_as_much(double ratio) {
  const double shown = ratio < 10 ? std::round(ratio * 10) / 10 : std::round(ratio);
  return number_text(shown) + " times as much";
}

std::string why_digits(const algebra::Description& d) {
  std::string text;
  const auto add = [&text](bool so, const char* what) {
    if (so) text += (text.empty() ? "" : ", ") + std::string(what);
  };
  add(d.gram, "the square is taken by Gram matrices");
  add(d.expanded, "the square of a sum is expanded");
  add(d.difference, "terms of both signs are added up");
  return text;
}

using Definitions = std::vector<NamedText>;

void print_what_it_became(const Term& term, const Definitions& definitions, std::ostream& out) {
  const algebra::Description& d = *term.became;
  out << "    = " << printable(d.formula) << '\n';
  std::vector<std::string> where = d.where;
  for (const auto& [name, text] : definitions)
    if (std::ranges::find(d.names, name) != d.names.end()) where.push_back(cat(name, " = ", text));
  for (std::size_t i = 0; i < where.size(); ++i)
    out << (i == 0 ? "    where " : "          ") << printable(where[i]) << '\n';
  if (d.steps.empty()) return;
  Table table({"    in this order", "work", "result"});
  for (const algebra::DescribedStep& step : d.steps)
    table.add({"      " + step.text, with_prefix(step.flops, "FLOP"), with_prefix(step.bytes, "B"),
               step.symmetric ? "symmetric" : ""});
  out << table.text();
}

void print_work(const Term& term, std::int64_t batch, std::ostream& out) {
  const Work &now = term.work, &before = term.as_written;
  out << "    value " << with_prefix(now.value, "FLOP")
      << (term.became ? " (forward pass included)" : "") << ", with gradient "
      << with_prefix(now.both, "FLOP") << " for a batch of " << batch;
  if (before.both != now.both) out << "; as written " << with_prefix(before.both, "FLOP");
  if (before.both != now.both && now.both > 0) out << ", " << times_as_much(before.both / now.both);
  out << '\n';
  if (term.careful)
    out << "    digits may be lost: " << why_digits(*term.became)
        << "; every step checks that terms <= " << number_text(kMostCancelling)
        << " * value, and takes the careful form, " << with_prefix(term.careful->both, "FLOP")
        << " with gradient, where they are not\n";
}

void print_text(const Spec& spec, const std::vector<Term>& terms, const WrittenCost& written,
                std::int64_t batch, std::ostream& out) {
  out << "cost = " << sum_text(spec) << '\n';
  const auto end_of_terms = written.terms.begin() + static_cast<std::ptrdiff_t>(terms.size());
  Definitions definitions(end_of_terms, written.terms.end());
  // Definitions that the texts call by name stand at the end.
  std::erase_if(definitions, [&](const NamedText& d) {
    return std::ranges::find(written.where, d.first, &NamedText::first) != written.where.end();
  });
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const auto& [name, text] = written.terms[i];
    out << '\n' << printable(name) << " = " << text << '\n';
    if (terms[i].became) print_what_it_became(terms[i], definitions, out);
    print_work(terms[i], batch, out);
  }
  if (!written.where.empty()) out << "\nwhere\n";
  for (const auto& [name, text] : written.where) out << "  " << name << " = " << text << '\n';
}

Json term_json(const TermSpec& spec, const std::string& text, const Term& term) {
  Json json{{"name", spec.name},
            {"weight", spec.weight},
            {"text", text},
            {"value_flops", term.work.value},
            {"value_and_gradient_flops", term.work.both},
            {"value_and_gradient_flops_as_written", term.as_written.both}};
  if (!term.became) return json;
  json["formula"] = term.became->formula;
  json["where"] = term.became->where;
  json["steps"] = Json::array();
  for (const algebra::DescribedStep& step : term.became->steps)
    json["steps"].push_back({{"text", step.text},
                             {"flops", step.flops},
                             {"bytes", step.bytes},
                             {"symmetric", step.symmetric}});
  if (term.careful) {
    json["may_lose_digits"] = why_digits(*term.became);
    json["value_and_gradient_flops_careful"] = term.careful->both;
  }
  return json;
}

Json cost_json(const Spec& spec, const std::vector<Term>& terms, const WrittenCost& written) {
  Json list = Json::array(), where = Json::object();
  for (std::size_t i = 0; i < terms.size(); ++i)
    list.push_back(term_json(spec.cost[i], written.terms[i].second, terms[i]));
  for (std::size_t i = terms.size(); i < written.terms.size(); ++i)
    where[written.terms[i].first] = written.terms[i].second;
  for (const auto& [name, text] : written.where) where[name] = text;
  return {{"cost", sum_text(spec)}, {"terms", list}, {"where", where}};
}

}  // namespace

void show_cost(const Spec& spec, const Recording& recording, std::int64_t batch, bool json,
               std::ostream& out) {
  std::vector<Term> terms;
  std::vector<NamedText> texts;
  for (std::size_t i = 0; i < spec.cost.size(); ++i) {
    terms.push_back(examined(recording.terms[i].value, recording.parameters()));
    texts.emplace_back(spec.cost[i].name, spec.cost[i].value);
  }
  for (NamedText& definition : used_definitions(spec, terms)) texts.push_back(definition);
  const WrittenCost written = written_out(spec.model, texts);
  if (json)
    out << dump_strict(cost_json(spec, terms, written)) << '\n';
  else
    print_text(spec, terms, written, batch, out);
}

}  // namespace jacquard::experiments
