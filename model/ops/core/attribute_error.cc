#include "model/ops/core/attribute_error.h"

#include <utility>

#include "absl/strings/cord.h"

namespace sigserve {
namespace {

constexpr absl::string_view kMark = "sigserve/attribute_error";

}  // namespace

absl::Status AttributeError(absl::string_view message) {
  return AsAttributeError(absl::InvalidArgumentError(message));
}

absl::Status AsAttributeError(absl::Status status) {
  if (absl::IsInvalidArgument(status)) status.SetPayload(kMark, absl::Cord());
  return status;
}

bool IsAttributeError(const absl::Status& status) { return status.GetPayload(kMark).has_value(); }

}  // namespace sigserve
