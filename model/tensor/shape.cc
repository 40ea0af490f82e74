#include "model/tensor/shape.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace sigserve {

int64_t Shape::elements() const {
  int64_t n = 1;
  for (const int64_t d : dims_) n *= d;
  return n;
}

bool Shape::is_concrete() const {
  return std::all_of(dims_.begin(), dims_.end(), [](int64_t d) { return d >= 0; });
}

std::string Shape::ToString() const { return absl::StrCat("[", absl::StrJoin(dims_, ","), "]"); }

absl::StatusOr<int64_t> CheckedBytes(const Shape& shape, size_t element_bytes) {
  constexpr int64_t kLimit = int64_t{1} << 62;
  int64_t bytes = static_cast<int64_t>(element_bytes);
  bool empty = false;
  for (const int64_t d : shape.dims()) {
    if (d < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape ", shape.ToString(), " has a negative size"));
    }
    if (d == 0) {
      empty = true;
    } else if (bytes > kLimit / d) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape ", shape.ToString(), " is larger than any memory"));
    } else {
      bytes *= d;
    }
  }
  return empty ? 0 : bytes;
}

}  // namespace sigserve
