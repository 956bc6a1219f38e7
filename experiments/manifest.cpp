#include "experiments/manifest.hpp"

#include <unistd.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "autodiff/error.hpp"

#ifndef JACQUARD_VERSION
#define JACQUARD_VERSION "unknown"
#endif

namespace jacquard::experiments {
namespace {

constexpr int kSchemaVersion = 1;  // raised when a field changes its meaning

bool is_simd(std::string_view flag) {
  constexpr std::array<std::string_view, 6> kBeginnings = {"sse", "ssse", "avx",
                                                           "fma", "f16c", "amx"};
  for (std::string_view beginning : kBeginnings)
    if (flag.starts_with(beginning)) return true;
  return false;
}

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r") - first + 1));
}

std::string host_name() {
  std::array<char, 256> name{};
  // The last byte stays 0: POSIX leaves open whether a name that was cut is terminated.
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == 0) return "unknown";
  return name.data();
}

nlohmann::ordered_json build_flags() {
  nlohmann::ordered_json flags;
#ifdef JACQUARD_BUILD_TYPE
  flags["type"] = JACQUARD_BUILD_TYPE;
#endif
#ifdef __OPTIMIZE__
  flags["optimized"] = true;
#else
  flags["optimized"] = false;
#endif
#ifdef NDEBUG
  flags["assertions"] = false;
#else
  flags["assertions"] = true;
#endif
#if defined(__SANITIZE_ADDRESS__)
  flags["sanitized"] = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
  flags["sanitized"] = true;
#else
  flags["sanitized"] = false;
#endif
#else
  flags["sanitized"] = false;
#endif
  return flags;
}

}  // namespace

std::string program_version() { return JACQUARD_VERSION; }

std::string compiler_text() {
#if defined(__clang__)
  return cat("clang++ ", __clang_major__, ".", __clang_minor__, ".", __clang_patchlevel__);
#elif defined(__GNUC__)
  return cat("g++ ", __GNUC__, ".", __GNUC_MINOR__, ".", __GNUC_PATCHLEVEL__);
#else
  return "unknown";
#endif
}

Cpu read_cpu(std::istream& cpuinfo) {
  Cpu cpu;
  std::string line;
  while (std::getline(cpuinfo, line) && !trimmed(line).empty()) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key = trimmed(std::string_view(line).substr(0, colon));
    const std::string value = trimmed(std::string_view(line).substr(colon + 1));
    if (key == "model name" && !value.empty()) cpu.model = value;
    if (key != "flags") continue;
    std::istringstream flags(value);
    for (std::string flag; flags >> flag;)
      if (is_simd(flag)) cpu.simd.push_back(flag);
  }
  return cpu;
}

nlohmann::ordered_json manifest(const ManifestInput& input) {
  std::ifstream cpuinfo("/proc/cpuinfo");
  const Cpu cpu = read_cpu(cpuinfo);
  nlohmann::ordered_json json;
  json["schema_version"] = kSchemaVersion;
  json["jacquard"] = program_version();
  json["compiler"] = compiler_text();
  json["build"] = build_flags();
  json["libraries"] = nlohmann::ordered_json::object();
  for (const auto& [name, version] : input.libraries) json["libraries"][name] = version;
  json["cpu"] = {{"model", cpu.model}, {"simd", cpu.simd}};
  json["threads"] = input.threads;
  json["seed"] = input.seed;
  json["arguments"] = input.arguments;
  json["data"] = nlohmann::ordered_json::object();
  for (const auto& [file, hash] : input.data) json["data"][file] = hash;
  json["start"] = utc_text(input.start);
  json["host"] = host_name();
  return json;
}

}  // namespace jacquard::experiments
