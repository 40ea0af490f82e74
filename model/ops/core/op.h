// One operator of one node: what shape its outputs have and how to compute them. Gradients are
// model/autodiff's.
//
// An Op is built once per node, from the node's attributes and its constant inputs (which it may
// repack), and is immutable afterwards: any number of threads may call it at once. Infer() decides
// everything that can go wrong; Forward() then cannot fail. Operators follow the
// ONNX specification of the opset named in op_table.cc.
//
// To add an operator: CONTRIBUTING.md, "How to add".
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/ops/core/attributes.h"
#include "model/ops/core/workspace.h"
#include "model/tensor/tensor_view.h"

namespace sigserve {

/// What is known of a tensor before its elements: dtype and concrete shape.
struct TensorType {
  DType dtype = DType::kFloat32;
  Shape shape;

  friend bool operator==(const TensorType& a, const TensorType& b) {
    return a.dtype == b.dtype && a.shape == b.shape;
  }
};

/// An input as shape inference sees it.
struct Operand {
  /// False for an optional input that the node leaves out; the other fields are then meaningless.
  bool present = true;
  TensorType type;
  /// The elements, where they are already known (a constant); else value.present() is false.
  TensorView value;
};

/// The domain of nodes that passes make (graph/passes): ONNX's operators with more fused into them.
/// No model file may name it.
inline constexpr absl::string_view kFusedDomain = "sigserve";

/// A node as its model file wrote it.
struct NodeSpec {
  std::string name;     // may be empty: errors then say "Gemm (unnamed)"
  std::string domain;   // "" = ai.onnx; "ai.onnx.ml"
  std::string op_type;  // "Gemm"
  int opset = 17;       // the version of `domain` that the model asks for
  Attributes attributes;

  /// "Gemm 'fc1'": how errors name the node.
  std::string DebugName() const;
};

/// How output 0 may relate to input 0.
enum class MemoryUse {
  kSeparate,  // they must not overlap
  kInPlace,   // always the same type; Forward() works when both have the same address
  kSame,      // the same elements: with one output and the same address, Forward() is not needed
};

class Op {
 public:
  virtual ~Op() = default;

  /// Fills `out` (one entry per output of the node). INVALID_ARGUMENT says what met what, without
  /// naming the node: the caller adds that.
  virtual absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const = 0;

  /// Computes `out` from `in`, with dtypes and shapes as Infer() said; absent inputs are not
  /// present(). Inputs and outputs do not overlap, but see memory_use(). Row i of a batch gets the
  /// same bits whatever the other rows are.
  /// `workspace` holds WorkspaceBytes() for these inputs, or more.
  virtual void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
                       Workspace workspace) const = 0;

  /// Scratch memory for Forward() on inputs of these types, in bytes; those of absent inputs do not
  /// matter. Never less for inputs with a larger dimension, so that one plan serves smaller
  /// batches.
  virtual int64_t WorkspaceBytes(absl::Span<const TensorType> in) const;

  virtual MemoryUse memory_use() const { return MemoryUse::kSeparate; }
};

/// Forward() in a workspace of its own, which lives as long as the call: for constants. Throws
/// std::bad_alloc when there is no memory for it.
void ForwardOnce(const Op& op, absl::Span<const TensorView> in,
                 absl::Span<const MutableTensorView> out);

}  // namespace sigserve
