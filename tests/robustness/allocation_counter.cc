#include "tests/robustness/allocation_counter.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "tests/support/sanitized.h"

namespace sigserve::robustness {
namespace {

std::atomic<int64_t> live = 0;
std::atomic<int64_t> peak = 0;
int64_t baseline = 0;

}  // namespace

#ifndef SIGSERVE_SANITIZED
namespace {

void* Counted(void* p) {
  if (p == nullptr) throw std::bad_alloc();
  const int64_t now = live += static_cast<int64_t>(malloc_usable_size(p));
  int64_t before = peak.load();
  while (now > before && !peak.compare_exchange_weak(before, now)) {
  }
  return p;
}

void Release(void* p) {
  if (p != nullptr) live -= static_cast<int64_t>(malloc_usable_size(p));
  std::free(p);
}

}  // namespace
#endif

void ResetPeak() { peak = baseline = live.load(); }

size_t PeakBytes() { return static_cast<size_t>(std::max<int64_t>(0, peak - baseline)); }

}  // namespace sigserve::robustness

#ifndef SIGSERVE_SANITIZED
using sigserve::robustness::Counted;
using sigserve::robustness::Release;

void* operator new(size_t size) { return Counted(std::malloc(std::max<size_t>(size, 1))); }
void* operator new[](size_t size) { return operator new(size); }
void* operator new(size_t size, std::align_val_t alignment) {
  const auto unit = static_cast<size_t>(alignment);
  return Counted(std::aligned_alloc(unit, (size + unit - 1) / unit * unit));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return operator new(size, alignment);
}
void operator delete(void* p) noexcept { Release(p); }
void operator delete[](void* p) noexcept { Release(p); }
void operator delete(void* p, size_t) noexcept { Release(p); }
void operator delete[](void* p, size_t) noexcept { Release(p); }
void operator delete(void* p, std::align_val_t) noexcept { Release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { Release(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { Release(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { Release(p); }
#endif
