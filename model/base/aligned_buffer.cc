#include "model/base/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <new>

namespace sigserve {
namespace {

constexpr uintptr_t kHugePage = uintptr_t{2} << 20;

}  // namespace

void PreferHugePages(void* data, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(data);
  const uintptr_t before = (kHugePage - address % kHugePage) % kHugePage;
  if (bytes < before + kHugePage) return;
  (void)madvise(static_cast<std::byte*>(data) + before, (bytes - before) / kHugePage * kHugePage,
                MADV_HUGEPAGE);
}

AlignedBuffer::AlignedBuffer(size_t bytes) : AlignedBuffer(Uninitialized(bytes)) {
  if (bytes > 0) std::memset(data_.get(), 0, bytes);
}

AlignedBuffer AlignedBuffer::Uninitialized(size_t bytes) {
  AlignedBuffer buffer;
  buffer.size_ = bytes;
  if (bytes > 0) {
    void* data = ::operator new (bytes, std::align_val_t{kAlignment});
    buffer.data_.reset(static_cast<std::byte*>(data));
    PreferHugePages(data, bytes);
  }
  return buffer;
}

void AlignedBuffer::Free::operator()(std::byte* p) const {
  ::operator delete (p, std::align_val_t{kAlignment});
}

}  // namespace sigserve
