#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>

#include "autodiff/print.hpp"
#include "autodiff/products.hpp"
#include "experiments/commands.hpp"
#include "experiments/failure.hpp"
#include "experiments/json_dump.hpp"
#include "experiments/manifest.hpp"
#include "experiments/schema.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

void print_json(std::ostream& out, const Json& value) { out << dump_strict(value) << '\n'; }

Json listing_json(const DataListing& set) {
  Json json{{"name", set.name}, {"what", set.what}, {"state", set.state}};
  if (!set.where.empty()) json["where"] = set.where.string();
  if (set.bytes > 0) json["bytes"] = set.bytes;
  return json;
}

// A stream buffer whose lines are said, so that they reach the screen and no result.
class TalkLines : public std::stringbuf {
 public:
  explicit TalkLines(Talk& talk) : std::stringbuf(std::ios::out), talk_(talk) {}
  ~TalkLines() override { say_lines(); }

 protected:
  int sync() override {
    say_lines();
    return 0;
  }

 private:
  void say_lines() {
    std::string text = str();
    str("");
    while (text.ends_with('\n')) text.pop_back();
    if (!text.empty()) talk_.say(text);
  }

  Talk& talk_;
};

}  // namespace

int data_list_command(bool json, std::ostream& out) {
  const std::vector<DataListing> sets = data_list();
  if (json) {
    Json list = Json::array();
    for (const DataListing& set : sets) list.push_back(listing_json(set));
    print_json(out, {{"sets", list}});
    return kExitFine;
  }
  std::size_t name_width = 0, state_width = 0;
  for (const DataListing& set : sets) {
    name_width = std::max(name_width, set.name.size());
    state_width = std::max(state_width, set.state.size());
  }
  const auto padded = [](const std::string& text, std::size_t width) {
    return text + std::string(width + 2 - text.size(), ' ');
  };
  for (const DataListing& set : sets) {
    out << padded(set.name, name_width) << padded(set.state, state_width) << set.what;
    if (!set.where.empty())
      out << " (" << set.where.string() << ", " << with_prefix(static_cast<double>(set.bytes), "B")
          << ')';
    out << '\n';
  }
  return kExitFine;
}

int data_get_command(const std::string& name, Talk& talk) {
  TalkLines lines(talk);
  std::ostream stream(&lines);
  data_get(name, stream);
  return kExitFine;
}

int schema_command(std::ostream& out) {
  print_json(out, spec_schema());
  return kExitFine;
}

int version_command(bool json, std::ostream& out) {
  if (json)
    print_json(out, {{"version", program_version()},
                     {"compiler", compiler_text()},
                     {"libraries", {{"products", gemm_library_description()}}}});
  else
    out << "jacquard " << program_version() << "\ncompiler: " << compiler_text()
        << "\nproducts: " << gemm_library_description() << '\n';
  return kExitFine;
}

}  // namespace jacquard::experiments
