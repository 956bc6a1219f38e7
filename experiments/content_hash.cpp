#include "experiments/content_hash.hpp"

#include <xxhash.h>

#include <new>

namespace jacquard::experiments {

struct ContentHash::State {
  XXH3_state_t* const xxh3 = XXH3_createState();
  State() {
    if (!xxh3) throw std::bad_alloc();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { XXH3_freeState(xxh3); }
};

ContentHash::ContentHash() : state_(std::make_unique<State>()) { XXH3_64bits_reset(state_->xxh3); }
ContentHash::~ContentHash() = default;

void ContentHash::add(const void* bytes, std::size_t size) {
  XXH3_64bits_update(state_->xxh3, bytes, size);
}
std::uint64_t ContentHash::value() const { return XXH3_64bits_digest(state_->xxh3); }

std::uint64_t content_hash(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::string hash_text(std::uint64_t hash) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[hash >> shift & 15];
  return text;
}

}  // namespace jacquard::experiments
