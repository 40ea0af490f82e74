#include "model/ops/core/op.h"

#include "absl/strings/str_cat.h"

namespace sigserve {

std::string NodeSpec::DebugName() const {
  return name.empty() ? absl::StrCat(op_type, " (unnamed)")
                      : absl::StrCat(op_type, " '", name, "'");
}

}  // namespace sigserve
