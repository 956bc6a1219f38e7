#include "autodiff/attribute.hpp"

#include <bit>
#include <charconv>
#include <functional>
#include <ostream>

#include "autodiff/error.hpp"

namespace jacquard {
namespace {

bool same(const AttributeValue& a, const AttributeValue& b) {
  if (a.index() != b.index()) return false;
  if (const auto* x = std::get_if<double>(&a))
    return std::bit_cast<std::uint64_t>(*x) == std::bit_cast<std::uint64_t>(std::get<double>(b));
  return a == b;
}

struct HashValue {
  std::size_t operator()(std::int64_t x) const { return std::hash<std::int64_t>{}(x); }
  std::size_t operator()(double x) const {
    return std::hash<std::uint64_t>{}(std::bit_cast<std::uint64_t>(x));
  }
  std::size_t operator()(const std::string& x) const { return std::hash<std::string>{}(x); }
  std::size_t operator()(const std::vector<std::int64_t>& x) const {
    std::size_t h = x.size();
    for (const std::int64_t v : x) h = hash_combine(h, std::hash<std::int64_t>{}(v));
    return h;
  }
};

template <class Value>
const Value& as(const AttributeValue& value, std::string_view name) {
  if (const auto* v = std::get_if<Value>(&value)) return *v;
  throw InternalError(cat("attributes: '", name, "' has another type than the one asked for"));
}

}  // namespace

std::size_t hash_combine(std::size_t seed, std::size_t value) {
  return seed ^ (value * 0x9e3779b97f4a7c15ULL + 0x7f4a7c15ULL + (seed << 6) + (seed >> 2));
}

std::string number_text(double x) {
  char buffer[40];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, x);
  return std::string(buffer, end);
}

const AttributeValue& Attributes::find(std::string_view name) const {
  for (const Entry& entry : entries_)
    if (entry.first == name) return entry.second;
  throw InternalError(cat("attributes: there is no '", name, "' among ", *this));
}

std::int64_t Attributes::integer(std::string_view name) const {
  return as<std::int64_t>(find(name), name);
}
double Attributes::number(std::string_view name) const { return as<double>(find(name), name); }
const std::string& Attributes::text(std::string_view name) const {
  return as<std::string>(find(name), name);
}
const std::vector<std::int64_t>& Attributes::integers(std::string_view name) const {
  return as<std::vector<std::int64_t>>(find(name), name);
}

bool Attributes::operator==(const Attributes& other) const {
  if (entries_.size() != other.entries_.size()) return false;
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (entries_[i].first != other.entries_[i].first ||
        !same(entries_[i].second, other.entries_[i].second))
      return false;
  return true;
}

std::size_t Attributes::hash() const {
  std::size_t h = entries_.size();
  for (const Entry& entry : entries_) h = hash_combine(h, std::visit(HashValue{}, entry.second));
  return h;
}

std::ostream& operator<<(std::ostream& out, const Attributes& attributes) {
  bool first = true;
  for (const auto& [name, value] : attributes.entries()) {
    out << (first ? "" : ", ") << name << '=';
    first = false;
    if (const auto* i = std::get_if<std::int64_t>(&value)) out << *i;
    if (const auto* x = std::get_if<double>(&value)) out << number_text(*x);
    if (const auto* s = std::get_if<std::string>(&value)) out << '"' << *s << '"';
    if (const auto* v = std::get_if<std::vector<std::int64_t>>(&value)) {
      out << '[';
      for (std::size_t k = 0; k < v->size(); ++k) out << (k ? ", " : "") << (*v)[k];
      out << ']';
    }
  }
  return out;
}

}  // namespace jacquard
