// Scratch memory for running one Executable on one thread at a time. Memory grows to the largest
// batch seen and stays: running a batch no larger than that allocates nothing.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model/runtime/executable.h"
#include "model/tensor/tensor_view.h"

namespace sigserve {

class Session {
 public:
  explicit Session(std::shared_ptr<const Executable> executable);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Runs the inputs, given in the signature's order. INVALID_ARGUMENT when their number, types or
  /// shapes do not fit, or one has no data (names the input, or the node where shapes met);
  /// RESOURCE_EXHAUSTED when these shapes take more scratch memory than is allowed, or than there
  /// is. Input data may have any alignment. The results below hold until the next Run(); one that
  /// is an input unchanged (the logits of a model that is but a Sigmoid) is the caller's own data.
  absl::Status Run(absl::Span<const TensorView> inputs);

  /// Output i of the signature.
  TensorView output(int i) const;
  /// The inputs of output i's final sigmoid or softmax; not present() unless the signature says
  /// has_logits.
  TensorView logits(int i) const;

  /// Bytes of scratch memory held now.
  size_t memory_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sigserve
