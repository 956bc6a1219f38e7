#include "experiments/content_hash.hpp"

#include <doctest/doctest.h>

namespace jacquard::experiments {
namespace {

TEST_CASE("the fingerprint of nothing is the one that xxHash publishes, in 16 digits") {
  CHECK(hash_text(content_hash("")) == "2d06800538d394c2");
  CHECK(hash_text(0) == "0000000000000000");
  CHECK(hash_text(0x0123456789abcdef) == "0123456789abcdef");
}

TEST_CASE("pieces have the fingerprint of the whole") {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>(i * i / 7);
  ContentHash pieces;
  for (std::size_t at = 0; at < text.size(); at += 77) {
    const std::string piece = text.substr(at, 77);
    pieces.add(piece.data(), piece.size());
  }
  CHECK(pieces.value() == content_hash(text));
  text[4321] = static_cast<char>(text[4321] ^ 1);
  CHECK(pieces.value() != content_hash(text));
}

}  // namespace
}  // namespace jacquard::experiments
