#include "tests/support/allocations/allocations.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/support/sanitized.h"

namespace {

std::atomic<int64_t> allocations{0};

}  // namespace

#ifndef SIGSERVE_SANITIZED
// Not inlined, or g++ takes new and free for a mismatch.
#define SIGSERVE_NOINLINE __attribute__((noinline))
SIGSERVE_NOINLINE void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* const memory = std::malloc(std::max<size_t>(size, 1));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
SIGSERVE_NOINLINE void* operator new(size_t size, std::align_val_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  const auto align = static_cast<size_t>(alignment);
  void* const memory = std::aligned_alloc(align, (size + align - 1) / align * align);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
SIGSERVE_NOINLINE void operator delete(void* memory) noexcept { std::free(memory); }
SIGSERVE_NOINLINE void operator delete(void* memory, size_t) noexcept { std::free(memory); }
SIGSERVE_NOINLINE void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
SIGSERVE_NOINLINE void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
#endif

namespace sigserve::testing_support {

int64_t Allocations() { return allocations.load(std::memory_order_relaxed); }

}  // namespace sigserve::testing_support
