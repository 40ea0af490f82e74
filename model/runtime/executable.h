// A model compiled for running: constants folded, weights packed, operators built. Immutable and
// shared by all threads; each thread runs it through a Session of its own (session.h).
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "model/graph/graph.h"
#include "model/graph/passes/apply_numerics.h"
#include "model/runtime/signature.h"

namespace sigserve {

class Executable {
 public:
  /// Compiles a graph. Errors name the node and start with a token: INVALID_ARGUMENT (ONNX_SHAPE:
  /// shapes that cannot fit for any batch; ONNX_ATTR: bad attributes), UNIMPLEMENTED (ONNX_OP: an
  /// operator, or a combination of attributes, that we lack), RESOURCE_EXHAUSTED
  /// (ONNX_TENSOR_LIMIT: a result over 2 GiB). Tries the graph on small shapes so that a model
  /// which cannot run is refused here, not at its first request.
  static absl::StatusOr<std::shared_ptr<const Executable>> Compile(const Graph& graph,
                                                                   const Numerics& numerics = {});

  ~Executable();
  const Signature& signature() const { return signature_; }

 private:
  friend class Session;
  struct Impl;
  static absl::StatusOr<std::shared_ptr<const Executable>> CompileGraph(const Graph& graph,
                                                                        const Numerics& numerics);
  Executable();

  Signature signature_;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace sigserve
