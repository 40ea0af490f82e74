#include "model/ops/core/op.h"

#include <new>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/aligned_buffer.h"

namespace sigserve {

std::string NodeSpec::DebugName() const {
  return name.empty() ? absl::StrCat(op_type, " (unnamed)")
                      : absl::StrCat(op_type, " '", name, "'");
}

int64_t Op::WorkspaceBytes(absl::Span<const TensorType>) const { return 0; }

void ForwardOnce(const Op& op, absl::Span<const TensorView> in,
                 absl::Span<const MutableTensorView> out) {
  std::vector<TensorType> types;
  types.reserve(in.size());
  for (const TensorView& view : in) types.push_back({view.dtype(), view.shape()});
  const int64_t bytes = op.WorkspaceBytes(types);
  // The op needs more than it says then: even a system that overcommits must not grant it.
  if (bytes >= Workspace::kTooManyBytes) throw std::bad_alloc();
  AlignedBuffer buffer = AlignedBuffer::Uninitialized(static_cast<size_t>(bytes));
  op.Forward(in, out, Workspace(buffer.data()));
}

}  // namespace sigserve
