#include "model/runtime/executable.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "model/base/status_macros.h"
#include "model/graph/passes/expand_linear_classifier.h"
#include "model/graph/passes/expand_tree_classifier.h"
#include "model/graph/passes/optimize.h"
#include "model/graph/shape_probe.h"
#include "model/runtime/batch_check.h"
#include "model/runtime/compile_error.h"
#include "model/runtime/executable_impl.h"
#include "model/runtime/link_function.h"

namespace sigserve {
namespace {

absl::StatusOr<Graph> Prepare(const Graph& graph, const Numerics& numerics) {
  SIGSERVE_ASSIGN_OR_RETURN(const Graph linear, ExpandLinearClassifier(graph));
  SIGSERVE_ASSIGN_OR_RETURN(const Graph expanded, ExpandTreeClassifier(linear));
  SIGSERVE_ASSIGN_OR_RETURN(const Graph optimized, Optimize(expanded));
  return ApplyNumerics(optimized, numerics);
}

Signature Describe(const Program& program, const Probes& probes, std::vector<ValueId>& logits) {
  const Graph& graph = program.graph();
  Signature signature;
  for (const GraphInput& input : graph.inputs()) {
    InputSignature& described = signature.inputs.emplace_back();
    described.name = graph.value(input.value).name;
    described.dtype = input.type.dtype;
    described.any_rank = input.type.any_rank;
    described.shape = input.type.shape;
  }
  for (const ValueId id : graph.outputs()) {
    OutputSignature& output = signature.outputs.emplace_back();
    output.name = graph.value(id).name;
    DeclaredType type = Summarize(program, probes, id);
    output.dtype = type.dtype;
    output.any_rank = type.any_rank;
    output.shape = std::move(type.shape);
    LinkFunction link = FindLinkFunction(graph, id, output.any_rank ? -1 : output.shape.rank());
    output.link = link.link;
    output.has_logits = link.logits != kNoValue && output.dtype == DType::kFloat32;
    output.labels = std::move(link.labels);
    logits.push_back(output.has_logits ? link.logits : kNoValue);
  }
  return signature;
}

int64_t ConstantBytes(const Graph& graph) {
  int64_t bytes = 0;
  for (const auto& value : graph.values()) {
    if (value.constant != nullptr) bytes += static_cast<int64_t>(value.constant->bytes());
  }
  return bytes;
}

bool OutputsFollowBatch(const Graph& graph, const Probes& probes) {
  for (const ValueId id : graph.outputs()) {
    for (size_t p = 0; p < probes.types.size(); ++p) {
      const Shape& shape = probes.types[p][static_cast<size_t>(id)].shape;
      if (shape.rank() == 0 || shape[0] != probes.sizes[p]) return false;
    }
  }
  return true;
}

}  // namespace

Executable::Executable() = default;
Executable::~Executable() = default;

absl::StatusOr<std::shared_ptr<const Executable>> Executable::Compile(const Graph& graph,
                                                                      const Numerics& numerics) {
  auto executable = CompileGraph(graph, numerics);
  if (!executable.ok()) return WithCompileToken(executable.status());
  return executable;
}

absl::StatusOr<std::shared_ptr<const Executable>> Executable::CompileGraph(
    const Graph& graph, const Numerics& numerics) {
  SIGSERVE_ASSIGN_OR_RETURN(const Graph prepared, Prepare(graph, numerics));
  auto impl = std::make_unique<Impl>();
  SIGSERVE_ASSIGN_OR_RETURN(impl->program, Program::Create(prepared));
  const Program& program = impl->program;

  const Probes probes = ProbeShapes(program);
  const bool only_batch_is_free = OnlyBatchIsFree(prepared);
  // What fails at our guesses of open sizes may work at the request's; what we lack, we lack.
  if (probes.types.empty() &&
      (only_batch_is_free || IsFixed(prepared) || !absl::IsInvalidArgument(probes.last_error))) {
    return probes.last_error;
  }
  if (only_batch_is_free && probes.all_worked) {
    impl->affine = AffineShapes(probes.sizes, probes.types);
  }

  std::shared_ptr<Executable> executable(new Executable());
  executable->signature_ = Describe(program, probes, impl->logits);
  std::vector<ValueId> kept = impl->logits;
  kept.insert(kept.end(), prepared.outputs().begin(), prepared.outputs().end());
  impl->aliases = Aliases(program, kept);
  const bool maybe_batchable =
      (only_batch_is_free ? impl->affine.valid() : BatchIsFree(prepared) && probes.all_worked) &&
      OutputsFollowBatch(prepared, probes);
  executable->impl_ = std::move(impl);
  executable->signature_.batchable =
      maybe_batchable && RowsAreIndependent(executable, ConstantBytes(prepared));
  return executable;
}

}  // namespace sigserve
