// Owned bytes, aligned to 64 (a cache line, and the widest vector). Contents start out as zeros
// unless said otherwise. Moves, does not copy.
#pragma once

#include <cstddef>
#include <memory>

namespace sigserve {

class AlignedBuffer {
 public:
  static constexpr size_t kAlignment = 64;

  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes);
  /// For who writes every byte before it is read: large buffers are written once, not twice.
  static AlignedBuffer Uninitialized(size_t bytes);

  void* data() { return data_.get(); }
  const void* data() const { return data_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  size_t size_ = 0;
};

/// Before memory is first written: large memory that is read from end to end then costs fewer
/// look-ups in page tables and fewer page faults. A hint: without it all works.
void PreferHugePages(void* data, size_t bytes);

}  // namespace sigserve
