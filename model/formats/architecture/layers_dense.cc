#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/formats/architecture/layers.h"

namespace sigserve {
namespace {

Tensor Transposed(const Tensor& matrix) {
  const int64_t rows = matrix.shape()[0];
  const int64_t columns = matrix.shape()[1];
  Tensor out(DType::kFloat32, Shape{columns, rows});
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      out.mutable_values<float>()[static_cast<size_t>(c * rows + r)] =
          matrix.values<float>()[static_cast<size_t>(r * columns + c)];
    }
  }
  return out;
}

absl::Status AddLinear(const model::Layer& layer, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"in_features", "out_features", "bias"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t in,
                            Size(layer.has_in_features(), layer.in_features(), "in_features"));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t out,
                            Size(layer.has_out_features(), layer.out_features(), "out_features"));
  SIGSERVE_RETURN_IF_ERROR(CheckRank(net, 1, 6));
  const bool bias = !layer.has_bias() || layer.bias();
  if (net.rank() == 2) {
    std::vector<std::string> inputs = {net.WeightConstant("weight", Shape{out, in})};
    if (bias) inputs.push_back(net.WeightConstant("bias", Shape{out}));
    net.Then("Gemm", std::move(inputs), With({{"transB", int64_t{1}}}));
    return absl::OkStatus();
  }
  const Tensor* weight = net.Weight("weight", Shape{out, in});
  if (weight != nullptr) net.Then("MatMul", {net.Constant(Transposed(*weight))});
  if (bias) net.Then("Add", {net.WeightConstant("bias", Shape{out})});
  return absl::OkStatus();
}

absl::Status AddEmbedding(const model::Layer& layer, NetBuilder& net) {
  const bool bag = layer.type() == "EmbeddingBag";
  SIGSERVE_RETURN_IF_ERROR(bag ? CheckArguments(layer, {"num_embeddings", "embedding_dim", "mode"})
                               : CheckArguments(layer, {"num_embeddings", "embedding_dim"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t count, Size(layer.has_num_embeddings(),
                                                      layer.num_embeddings(), "num_embeddings"));
  SIGSERVE_ASSIGN_OR_RETURN(
      const int64_t dim, Size(layer.has_embedding_dim(), layer.embedding_dim(), "embedding_dim"));
  const std::string weight = net.WeightConstant("weight", Shape{count, dim});
  net.set_current(net.Node("Gather", {weight, net.current()}));
  if (!bag) {
    net.set_rank(net.rank() + 1);
    return absl::OkStatus();
  }
  SIGSERVE_RETURN_IF_ERROR(CheckRank(net, 2, 2));
  if (layer.mode() == "sum") {
    net.Then("ReduceSum", {net.Ints({1})}, With({{"keepdims", int64_t{0}}}));
  } else if (layer.mode().empty() || layer.mode() == "mean") {
    net.Then("ReduceMean", {}, With({{"axes", std::vector<int64_t>{1}}, {"keepdims", int64_t{0}}}));
  } else {
    return BadArgument("mode must be mean or sum");
  }
  return absl::OkStatus();
}

absl::Status AddFlatten(const model::Layer& layer, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"start_dim", "end_dim"}));
  const int64_t start = layer.has_start_dim() ? layer.start_dim() : 1;
  const int64_t end = layer.has_end_dim() ? layer.end_dim() : -1;
  if (start < 1 || start >= net.rank() || (end != -1 && end != net.rank() - 1)) {
    return BadArgument("start_dim must be a dimension from 1, end_dim the last one");
  }
  // 0 keeps a size.
  std::vector<int64_t> shape(static_cast<size_t>(start), 0);
  shape.push_back(-1);
  if (start == 1) {
    net.Then("Flatten", {}, With({{"axis", int64_t{1}}}));
  } else {
    net.Then("Reshape", {net.Ints(shape)});
  }
  net.set_rank(static_cast<int>(shape.size()));
  return absl::OkStatus();
}

absl::Status AddUnflatten(const model::Layer& layer, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"dim", "unflattened_size"}));
  const int64_t dim = layer.dim() < 0 ? layer.dim() + net.rank() : layer.dim();
  if (!layer.has_dim() || dim < 1 || dim != net.rank() - 1 || layer.unflattened_size().empty()) {
    return BadArgument("dim must be the last dimension, unflattened_size its new sizes");
  }
  std::vector<int64_t> shape(static_cast<size_t>(dim), 0);
  for (const int64_t size : layer.unflattened_size()) {
    SIGSERVE_RETURN_IF_ERROR(Size(true, size, "unflattened_size").status());
    shape.push_back(size);
  }
  net.Then("Reshape", {net.Ints(shape)});
  net.set_rank(static_cast<int>(shape.size()));
  return absl::OkStatus();
}

absl::Status AddView(const model::Layer& layer, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"shape"}));
  std::vector<int64_t> shape(layer.shape().begin(), layer.shape().end());
  bool good = !shape.empty() && shape[0] == -1;
  for (size_t i = 1; i < shape.size(); ++i) good = good && shape[i] >= 1;
  if (!good) return BadArgument("shape must be -1, the batch, and then sizes from 1");
  net.Then("Reshape", {net.Ints(shape)});
  net.set_rank(static_cast<int>(shape.size()));
  return absl::OkStatus();
}

/// Layers that take a dimension away.
absl::Status AddReduction(const model::Layer& layer, NetBuilder& net) {
  const bool select = layer.type() == "Select";
  SIGSERVE_RETURN_IF_ERROR(select ? CheckArguments(layer, {"dim", "index"})
                                  : CheckArguments(layer, {"dim"}));
  const int64_t dim = layer.dim() < 0 ? layer.dim() + net.rank() : layer.dim();
  if (!layer.has_dim() || dim < 1 || dim >= net.rank() || (select && !layer.has_index())) {
    return BadArgument(absl::StrCat("dim must be a dimension from 1 of ", net.rank(),
                                    select ? ", and index is needed" : ""));
  }
  if (select) {
    Tensor index(DType::kInt64, Shape());
    index.mutable_values<int64_t>()[0] = layer.index();
    net.Then("Gather", {net.Constant(std::move(index))}, With({{"axis", dim}}));
  } else if (layer.type() == "Sum") {
    net.Then("ReduceSum", {net.Ints({dim})}, With({{"keepdims", int64_t{0}}}));
  } else {
    net.Then("ReduceMean", {},
             With({{"axes", std::vector<int64_t>{dim}}, {"keepdims", int64_t{0}}}));
  }
  net.set_rank(net.rank() - 1);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> AddDense(const model::Layer& layer, NetBuilder& net) {
  using Adder = absl::Status (*)(const model::Layer&, NetBuilder&);
  constexpr std::pair<absl::string_view, Adder> kAdders[] = {
      {"Linear", AddLinear},    {"Embedding", AddEmbedding}, {"EmbeddingBag", AddEmbedding},
      {"Flatten", AddFlatten},  {"Unflatten", AddUnflatten}, {"View", AddView},
      {"Select", AddReduction}, {"Mean", AddReduction},      {"Sum", AddReduction},
  };
  for (const auto& [type, add] : kAdders) {
    if (type != layer.type()) continue;
    SIGSERVE_RETURN_IF_ERROR(add(layer, net));
    return true;
  }
  return false;
}

}  // namespace sigserve
