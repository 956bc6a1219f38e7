// Memory that a thread keeps for one use from one run to the next: a thread allocates when it first
// takes such a task, and not again. It is not part of a plan's arena.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace jacquard {

// At least `count` numbers, aligned to 64 bytes, with anything in them. `Use` is a type that names
// what they are for: the next call for the same use may give the same memory.
template <class T, class Use>
T* thread_memory(std::size_t count) {
  struct Free {
    void operator()(T* memory) const { ::operator delete (memory, std::align_val_t{64}); }
  };
  thread_local std::unique_ptr<T, Free> memory;
  thread_local std::size_t size = 0;
  if (size < count) {
    memory.reset(static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{64})));
    size = count;
  }
  return memory.get();
}

}  // namespace jacquard
