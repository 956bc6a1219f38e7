// Counts allocations and keeps the size of the largest: replaces the allocation functions of the
// whole program, so that one source of it includes this. Not under AddressSanitizer, which has its
// own; there nothing is counted.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define JACQUARD_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define JACQUARD_SANITIZED
#endif
#endif

namespace {
std::atomic<std::int64_t> allocations{0};
[[maybe_unused]] std::atomic<std::size_t> largest_allocation{0};
}  // namespace

#ifndef JACQUARD_SANITIZED
namespace {

void* allocated(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  if (bytes > largest_allocation) largest_allocation = bytes;
  const std::size_t whole = (bytes + alignment - 1) / alignment * alignment;
  if (void* memory = std::aligned_alloc(alignment, whole == 0 ? alignment : whole)) return memory;
  throw std::bad_alloc();
}

// Not inlined: the compiler would see free() where it expects operator delete.
[[gnu::noinline]] void release(void* memory) noexcept { std::free(memory); }

}  // namespace

void* operator new(std::size_t bytes) { return allocated(bytes, alignof(std::max_align_t)); }
void* operator new[](std::size_t bytes) { return allocated(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocated(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return allocated(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
#endif
