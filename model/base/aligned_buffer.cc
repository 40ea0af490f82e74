#include "model/base/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <new>

namespace sigserve {
namespace {

constexpr uintptr_t kHugePage = uintptr_t{2} << 20;

// Weights are read from end to end: huge pages spare look-ups in page tables then, and most of the
// page faults before. A hint: without it all works.
void PreferHugePages(std::byte* data, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(data);
  const uintptr_t before = (kHugePage - address % kHugePage) % kHugePage;
  if (bytes < before + kHugePage) return;
  (void)madvise(data + before, (bytes - before) / kHugePage * kHugePage, MADV_HUGEPAGE);
}

}  // namespace

AlignedBuffer::AlignedBuffer(size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  data_.reset(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kAlignment})));
  PreferHugePages(data_.get(), bytes);
  std::memset(data_.get(), 0, bytes);
}

void AlignedBuffer::Free::operator()(std::byte* p) const {
  ::operator delete (p, std::align_val_t{kAlignment});
}

}  // namespace sigserve
