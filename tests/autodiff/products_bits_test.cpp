// A product's bits depend on its shape and values, and on nothing else.
#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "autodiff/products.hpp"
#include "autodiff/simd.hpp"
#include "tests/autodiff/product_cases.hpp"

// Null in builds without oneDNN, which know no OpenMP.
extern "C" [[gnu::weak]] void omp_set_num_threads(int threads);

using namespace jacquard;
using namespace jacquard::product_cases;

namespace {

std::uint64_t hash_of_all_bits(ThreadPool& pool) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](const auto& values) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
    for (std::size_t i = 0; i < values.size() * sizeof(values[0]); ++i) {
      hash = (hash ^ bytes[i]) * 0x100000001b3;
    }
  };
  for (const Case& t : telling_cases()) {
    add(result_of<float>(pool, t));
    add(result_of<double>(pool, t));
  }
  return hash;
}

}  // namespace

TEST_CASE_TEMPLATE("products: the bits are the same for 1, 2 and 3 threads", T, float, double) {
  ThreadPool one(1), two(2), three(3);
  // What OpenMP has been told must not matter: each call to a library sets it for its own thread.
  for (const int openmp_threads : {1, 4}) {
    if (omp_set_num_threads != nullptr) omp_set_num_threads(openmp_threads);
    for (const Case& t : telling_cases()) {
      const std::vector<T> expected = result_of<T>(one, t);
      if (omp_set_num_threads != nullptr) omp_set_num_threads(openmp_threads);
      INFO(text(t));
      CHECK(same_bits(result_of<T>(two, t), expected));
      CHECK(same_bits(result_of<T>(three, t), expected));
    }
  }
}

TEST_CASE_TEMPLATE("products: the bits do not depend on the alignment of memory", T, float,
                   double) {
  ThreadPool pool(2);
  for (Case t : telling_cases()) {
    const std::vector<T> expected = result_of<T>(pool, t);
    for (const std::size_t shift : {1u, 2u, 5u}) {
      t.shift = shift;
      INFO(text(t));
      CHECK(same_bits(result_of<T>(pool, t), expected));
    }
  }
}

TEST_CASE_TEMPLATE("products: our own kernels give the same bits on every processor", T, float,
                   double) {
  ThreadPool pool(1);
  for (const Case& t : telling_cases()) {
    const bool tiny = t.shape.m * t.shape.n * t.shape.k <= 4096;
    if (!tiny && t.shape.m != 1 && t.shape.n != 1) continue;
    const std::vector<T> expected = result_of<T>(pool, t);
    for (const Simd most : {Simd::kBaseline, Simd::kAvx2}) {
      limit_simd(most);
      INFO(text(t));
      CHECK(same_bits(result_of<T>(pool, t), expected));
    }
    limit_simd(Simd::kAvx512);
  }
}

TEST_CASE("products: the bits are the same under OMP_NUM_THREADS 1 and 4, in fresh processes") {
  // OpenMP reads its variable once, when a process starts; the pool's threads get that setting.
  std::array<char, 4096> self{};
  REQUIRE(readlink("/proc/self/exe", self.data(), self.size() - 1) > 0);
  const auto hash_under = [&](int openmp_threads) {
    const std::string command =
        cat("OMP_NUM_THREADS=", openmp_threads, " '", self.data(),
            "' --no-skip --test-case='products: (child) print the hash of all bits'");
    FILE* pipe = popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string output;
    std::array<char, 256> line{};
    while (std::fgets(line.data(), line.size(), pipe) != nullptr) output += line.data();
    REQUIRE(pclose(pipe) == 0);
    const std::size_t start = output.find("bits: ");
    REQUIRE(start != std::string::npos);
    return std::stoull(output.substr(start + 6));
  };
  ThreadPool pool(1);
  const std::uint64_t expected = hash_of_all_bits(pool);
  CHECK(hash_under(1) == expected);
  CHECK(hash_under(4) == expected);
}

TEST_CASE("products: (child) print the hash of all bits" * doctest::skip()) {
  ThreadPool pool(2);
  std::printf("bits: %llu\n", static_cast<unsigned long long>(hash_of_all_bits(pool)));
}
