#include "model/graph/shape_probe.h"

#include <algorithm>
#include <utility>

namespace sigserve {
namespace {

constexpr int64_t kBatchSizes[] = {1, 2, 3, 5};
// Other free sizes are tried at batch + this: different from it.
constexpr int64_t kOtherSizes = 2;
constexpr int kRanks[] = {2, 1, 0, 3, 4};

/// The declared shape with the batch and the other free sizes filled in.
Shape FilledIn(const DeclaredType& type, int64_t batch, int64_t other, int any_rank) {
  Shape shape = type.shape;
  if (type.any_rank) {
    for (int i = 0; i < any_rank; ++i) shape.push_back(-1);
  }
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == -1) shape.set(i, i == 0 ? batch : other);
  }
  return shape;
}

void Probe(const Program& program, int64_t batch, int any_rank, Probes& probes) {
  std::vector<TensorType> inputs;
  for (const GraphInput& input : program.graph().inputs()) {
    TensorType& type = inputs.emplace_back();
    type.dtype = input.type.dtype;
    type.shape = FilledIn(input.type, batch, batch + kOtherSizes, any_rank);
  }
  std::vector<TensorType> types;
  absl::Status status = program.InferTypes(inputs, types);
  if (!status.ok()) {
    probes.all_worked = false;
    probes.last_error = std::move(status);
    return;
  }
  probes.sizes.push_back(batch);
  probes.types.push_back(std::move(types));
}

}  // namespace

bool BatchIsFree(const Graph& graph) {
  return !graph.inputs().empty() &&
         std::all_of(graph.inputs().begin(), graph.inputs().end(), [](const GraphInput& input) {
           const Shape& shape = input.type.shape;
           return !input.type.any_rank && shape.rank() > 0 && shape[0] == -1;
         });
}

bool OnlyBatchIsFree(const Graph& graph) {
  return BatchIsFree(graph) &&
         std::all_of(graph.inputs().begin(), graph.inputs().end(), [](const GraphInput& input) {
           const auto dims = input.type.shape.dims();
           return std::count(dims.begin(), dims.end(), -1) == 1;
         });
}

bool IsFixed(const Graph& graph) {
  return std::all_of(graph.inputs().begin(), graph.inputs().end(), [](const GraphInput& input) {
    return !input.type.any_rank && input.type.shape.is_concrete();
  });
}

Probes ProbeShapes(const Program& program) {
  Probes probes;
  probes.all_worked = true;
  const auto& inputs = program.graph().inputs();
  if (IsFixed(program.graph())) {
    Probe(program, 1, 0, probes);
    return probes;
  }
  const bool any_rank = std::any_of(inputs.begin(), inputs.end(),
                                    [](const GraphInput& input) { return input.type.any_rank; });
  for (const int rank : kRanks) {
    for (const int64_t batch : kBatchSizes) Probe(program, batch, rank, probes);
    if (!any_rank) break;
  }
  return probes;
}

DeclaredType Summarize(const Program& program, const Probes& probes, ValueId id) {
  const auto at = static_cast<size_t>(id);
  DeclaredType summary;
  const auto& inputs = program.graph().inputs();
  const bool constant = program.graph().value(id).constant != nullptr;
  summary.any_rank =
      probes.types.empty() ||
      (!constant && std::any_of(inputs.begin(), inputs.end(),
                                [](const GraphInput& input) { return input.type.any_rank; }));
  if (!probes.types.empty()) summary.dtype = probes.types[0][at].dtype;
  if (summary.any_rank) return summary;
  const Shape& first = probes.types[0][at].shape;
  Shape common = first;
  for (const std::vector<TensorType>& types : probes.types) {
    const Shape& shape = types[at].shape;
    summary.any_rank = shape.rank() != first.rank();
    if (summary.any_rank) return summary;
    for (int d = 0; d < shape.rank(); ++d) {
      if (shape[d] != first[d]) common.set(d, -1);
    }
  }
  summary.shape = std::move(common);
  return summary;
}

}  // namespace sigserve
