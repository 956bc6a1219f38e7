#include "experiments/example_array.hpp"

#include <doctest/doctest.h>

#include "autodiff/error.hpp"
#include "experiments/content_hash.hpp"
#include "tests/experiments/temporary_folder.hpp"

using namespace jacquard;
using namespace jacquard::experiments;

namespace {

ByteValues halves() {
  ByteValues values{};
  for (std::size_t byte = 0; byte < values.size(); ++byte)
    values[byte] = static_cast<float>(byte) / 2;
  return values;
}

const Tensor<float> kRows({3, 2}, {0.5F, 1, 1.5F, 2, 127.5F, 64});

std::uint64_t hash_of(const ExampleArray& array) {
  ContentHash hash;
  array.add_to(hash);
  return hash.value();
}

}  // namespace

TEST_CASE("examples from floats and from bytes are taken, copied and made floats alike") {
  for (const ExampleArray& all :
       {ExampleArray(kRows), ExampleArray({3, 2}, "\1\2\3\4\xff\x80", halves())}) {
    CHECK(all.values() == kRows);
    CHECK(all.count() == 3);
    CHECK(all.row() == 2);
    const ExampleArray some = all.taken({2, 0, 2});
    CHECK(some.values() == Tensor<float>({3, 2}, {127.5F, 64, 0.5F, 1, 127.5F, 64}));
    // Numbers of examples are those of the array that is asked.
    CHECK(some.taken({1, 2}).values() == Tensor<float>({2, 2}, {0.5F, 1, 127.5F, 64}));
    CHECK(some.beginning(2) == all.taken({2, 0}));
    CHECK(all.beginning(2).values() == Tensor<float>({2, 2}, {0.5F, 1, 1.5F, 2}));
    CHECK(all.beginning(9) == all);
    CHECK(all.taken({}).values() == Tensor<float>({0, 2}));
    CHECK(all != all.taken({0, 2, 1}));
    float to[2] = {};
    CHECK(some.copy(1, to) == to + 2);
    CHECK(to[0] == 0.5F);
    CHECK(to[1] == 1);
  }
}

TEST_CASE("examples are changed in floats of their own") {
  for (const ExampleArray& all :
       {ExampleArray(kRows), ExampleArray({3, 2}, "\1\2\3\4\xff\x80", halves())}) {
    ExampleArray one = all, other = all.taken({1});
    one.floats()[0] = 7;
    other.floats()[1] = 8;
    CHECK(all.values() == kRows);
    CHECK(one.values()[0] == 7);
    CHECK(one.values()[1] == 1);
    CHECK(other.values() == Tensor<float>({1, 2}, {1.5F, 8}));
  }
}

TEST_CASE("the hash of examples tells numbers, their order and shapes apart") {
  const ExampleArray floats(kRows), bytes({3, 2}, "\1\2\3\4\xff\x80", halves());
  CHECK(hash_of(bytes) == hash_of(bytes.taken({0, 1, 2})));
  CHECK(hash_of(bytes) != hash_of(bytes.taken({1, 0, 2})));
  CHECK(hash_of(bytes) != hash_of({{2, 3}, "\1\2\3\4\xff\x80", halves()}));
  CHECK(hash_of(bytes) != hash_of({{3, 2}, "\1\2\3\4\xff\x80", ByteValues{}}));
  CHECK(hash_of(floats) != hash_of(floats.beginning(2)));
}

TEST_CASE("examples that cannot be are refused") {
  CHECK(message_of<InternalError>([] {
          ExampleArray({3, 2}, "12345", halves());
        }) == "examples: 5 bytes for the shape [3, 2]");
  CHECK(message_of<InternalError>([] { ExampleArray(kRows).taken({3}); }) ==
        "examples: number 3 of 3");
  CHECK(message_of<InternalError>([] { ExampleArray(Tensor<float>({}, 1.0F)); }) ==
        "examples: a number has no axis of examples");
}
