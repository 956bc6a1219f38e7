#include "experiments/manifest.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

using namespace jacquard::experiments;

namespace {
Cpu cpu_of(const char* text) {
  std::istringstream stream(text);
  return read_cpu(stream);
}
TimePoint at(std::int64_t seconds) { return TimePoint(std::chrono::seconds(seconds)); }
}  // namespace

TEST_CASE("the first processor's model and SIMD flags are read") {
  const Cpu cpu = cpu_of(
      "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9R45  \n"
      "flags\t\t: fpu sse sse2 ssse3 ht fma sse4_1 avx f16c avx2 bmi2 avx512f avx_vnni amx_tile "
      "rdseed\n\nprocessor\t: 1\nmodel name\t: another\nflags\t\t: sse5\n");
  CHECK(cpu.model == "AMD EPYC 9R45");
  CHECK(cpu.simd == std::vector<std::string>{"sse", "sse2", "ssse3", "fma", "sse4_1", "avx", "f16c",
                                             "avx2", "avx512f", "avx_vnni", "amx_tile"});
}

TEST_CASE("strange processor files give an unknown processor, no error") {
  for (const char* text : {"", "\n\n", "model name", "model name\t:\n", "no colon here\nflags :\n",
                           ": : :\n", "flags\r\n"}) {
    CAPTURE(text);
    const Cpu cpu = cpu_of(text);
    CHECK(cpu.model == "unknown");
    CHECK(cpu.simd.empty());
  }
  std::istringstream broken;
  broken.setstate(std::ios::failbit);
  CHECK(read_cpu(broken).model == "unknown");
}

TEST_CASE("moments are written in UTC") {
  CHECK(utc_text(at(0)) == "1970-01-01T00:00:00Z");
  CHECK(utc_text(at(1772373909)) == "2026-03-01T14:05:09Z");
  CHECK(utc_stamp(at(1772373909)) == "20260301-140509");
  CHECK(utc_text(at(951782400)) == "2000-02-29T00:00:00Z");
  CHECK(utc_text(at(0) + std::chrono::milliseconds(1999)) == "1970-01-01T00:00:01Z");
  CHECK(utc_text(at(0) - std::chrono::milliseconds(1)) == "1969-12-31T23:59:59Z");
}

TEST_CASE("a manifest says what was run, with what and where, in a fixed order") {
  ManifestInput input;
  input.arguments = {"jacquard", "run", "spec \"x\".json"};
  input.seed = std::numeric_limits<std::int64_t>::max();
  input.threads = 2;
  input.data = {{"train-images", "sha256:12"}, {"labels", "sha256:34"}};
  input.libraries = {{"openblas", "0.3.21"}};
  input.start = at(1772373909);
  const nlohmann::ordered_json json = manifest(input);
  std::vector<std::string> keys;
  for (const auto& item : json.items()) keys.push_back(item.key());
  CHECK(keys == std::vector<std::string>{"schema_version", "jacquard", "compiler", "build",
                                         "libraries", "cpu", "threads", "seed", "arguments", "data",
                                         "start", "host"});
  CHECK(json["jacquard"] == program_version());
  CHECK(json["compiler"] == compiler_text());
  CHECK(json["build"]["optimized"].is_boolean());
  CHECK(json["libraries"]["openblas"] == "0.3.21");
  CHECK(json["cpu"]["model"].is_string());
  CHECK(json["cpu"]["simd"].is_array());
  CHECK(json["threads"] == 2);
  CHECK(json["seed"] == std::numeric_limits<std::int64_t>::max());
  CHECK(json["arguments"][2] == "spec \"x\".json");
  CHECK(json["data"] ==
        nlohmann::ordered_json{{"labels", "sha256:34"}, {"train-images", "sha256:12"}});
  CHECK(json["start"] == "2026-03-01T14:05:09Z");
  CHECK(!json["host"].get<std::string>().empty());
}

TEST_CASE("a manifest without data or libraries has empty objects there") {
  const nlohmann::ordered_json json = manifest({});
  CHECK(json["data"].dump() == "{}");
  CHECK(json["libraries"].dump() == "{}");
  CHECK(json["arguments"].dump() == "[]");
}

TEST_CASE("version and compiler are known") {
  CHECK(program_version().find_first_not_of("0123456789.") == std::string::npos);
  CHECK(compiler_text().find("++ ") != std::string::npos);
}
