#include "model/base/aligned_buffer.h"

#include <cstring>
#include <new>

namespace sigserve {

AlignedBuffer::AlignedBuffer(size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  data_.reset(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kAlignment})));
  std::memset(data_.get(), 0, bytes);
}

void AlignedBuffer::Free::operator()(std::byte* p) const {
  ::operator delete (p, std::align_val_t{kAlignment});
}

}  // namespace sigserve
