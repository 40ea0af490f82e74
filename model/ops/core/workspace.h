// Scratch memory of one run of an operator: a stack of typed pieces in memory that the session has
// planned (runtime/session.h). Borrowed; copies start where the original stands.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "model/base/aligned_buffer.h"

namespace sigserve {

class Workspace {
 public:
  /// More than any run is allowed: what BytesFor() answers beyond.
  static constexpr int64_t kTooManyBytes = int64_t{1} << 40;

  Workspace() = default;
  /// `memory` is aligned to AlignedBuffer::kAlignment; null when nothing is taken.
  explicit Workspace(void* memory) : next_(static_cast<std::byte*>(memory)) {}

  /// What Take() of `count` elements uses, in bytes. `count` is a product of sizes as a double, so
  /// that it cannot overflow.
  template <typename T>
  static int64_t BytesFor(double count) {
    const double bytes = count * static_cast<double>(sizeof(T));
    if (bytes >= static_cast<double>(kTooManyBytes)) return kTooManyBytes;
    constexpr auto kAlignment = static_cast<int64_t>(AlignedBuffer::kAlignment);
    return (static_cast<int64_t>(bytes) + kAlignment - 1) / kAlignment * kAlignment;
  }

  /// The next `count` elements, aligned to AlignedBuffer::kAlignment. Their contents are arbitrary.
  template <typename T>
  absl::Span<T> Take(size_t count) {
    auto* const at = reinterpret_cast<T*>(next_);
    if (count > 0) next_ += BytesFor<T>(static_cast<double>(count));
    return {at, count};
  }

 private:
  std::byte* next_ = nullptr;
};

}  // namespace sigserve
