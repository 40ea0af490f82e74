#include "model/ops/core/broadcast.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace sigserve {
namespace {

// Sizes from the innermost dimension outwards; 1 beyond the rank.
int64_t FromEnd(const Shape& shape, int i) {
  return i < shape.rank() ? shape[shape.rank() - 1 - i] : 1;
}

}  // namespace

absl::StatusOr<Shape> BroadcastShape(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  absl::InlinedVector<int64_t, 6> dims(static_cast<size_t>(rank), 1);
  for (int i = 0; i < rank; ++i) {
    const int64_t sa = FromEnd(a, i);
    const int64_t sb = FromEnd(b, i);
    if (sa != sb && sa != 1 && sb != 1) {
      return absl::InvalidArgumentError(absl::StrCat("left is ", a.ToString(), ", right is ",
                                                     b.ToString(), ": sizes ", sa, " and ", sb,
                                                     " do not broadcast"));
    }
    dims[static_cast<size_t>(rank - 1 - i)] = sa == 1 ? sb : sa;
  }
  return Shape(dims);
}

BroadcastRuns::BroadcastRuns(const Shape& a, const Shape& b) {
  absl::InlinedVector<Dimension, 6> dims;  // innermost first, merged; size-1 ones left out
  int64_t a_size = 1;
  int64_t b_size = 1;
  for (int i = 0; i < std::max(a.rank(), b.rank()); ++i) {
    const int64_t sa = FromEnd(a, i);
    const int64_t sb = FromEnd(b, i);
    const int64_t size = sa == 1 ? sb : sa;
    if (size != 1) {
      const Dimension next{size, sa == 1 ? 0 : a_size, sb == 1 ? 0 : b_size};
      if (!dims.empty() && (dims.back().a_stride == 0) == (next.a_stride == 0) &&
          (dims.back().b_stride == 0) == (next.b_stride == 0)) {
        dims.back().size *= size;
      } else {
        dims.push_back(next);
      }
    }
    a_size *= sa;
    b_size *= sb;
  }
  if (dims.empty()) {
    return;
  }
  length_ = dims[0].size;
  a_repeats_ = dims[0].a_stride == 0;
  b_repeats_ = dims[0].b_stride == 0;
  outer_.assign(dims.rbegin(), dims.rend() - 1);
  for (const Dimension& d : outer_) {
    runs_ *= d.size;
  }
  if (length_ == 0) {
    runs_ = 0;
  }
}

}  // namespace sigserve
