#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/formats/architecture/layers.h"

namespace sigserve {
namespace {

constexpr double kDefaultEpsilon = 1e-5;

Tensor Filled(int64_t size, float value) {
  Tensor tensor(DType::kFloat32, Shape{size});
  const auto values = tensor.mutable_values<float>();
  std::fill(values.begin(), values.end(), value);
  return tensor;
}

absl::StatusOr<float> Epsilon(const model::Layer& layer) {
  const double eps = layer.has_eps() ? layer.eps() : kDefaultEpsilon;
  if (eps >= 0 && eps < 1) return static_cast<float>(eps);
  return BadArgument(absl::StrCat("eps is ", eps, ", expected from 0 to below 1"));
}

/// weight and bias, or what leaves everything as it is.
std::vector<std::string> Affine(bool affine, int64_t size, NetBuilder& net) {
  if (!affine) return {net.Constant(Filled(size, 1)), net.Constant(Filled(size, 0))};
  return {net.WeightConstant("weight", Shape{size}), net.WeightConstant("bias", Shape{size})};
}

absl::Status AddBatchNorm(const model::Layer& layer, int dims, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"num_features", "eps", "momentum", "affine"}));
  SIGSERVE_RETURN_IF_ERROR(CheckRank(net, dims == 1 ? 2 : 4, dims == 1 ? 3 : 4));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t size,
                            Size(layer.has_num_features(), layer.num_features(), "num_features"));
  SIGSERVE_ASSIGN_OR_RETURN(const float eps, Epsilon(layer));
  std::vector<std::string> inputs = Affine(!layer.has_affine() || layer.affine(), size, net);
  inputs.push_back(net.WeightConstant("running_mean", Shape{size}));
  inputs.push_back(net.WeightConstant("running_var", Shape{size}));
  net.Then("BatchNormalization", std::move(inputs), With({{"epsilon", eps}}));
  return absl::OkStatus();
}

absl::Status AddInstanceNorm(const model::Layer& layer, int dims, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"num_features", "eps", "momentum", "affine"}));
  SIGSERVE_RETURN_IF_ERROR(CheckRank(net, dims + 2, dims + 2));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t size,
                            Size(layer.has_num_features(), layer.num_features(), "num_features"));
  SIGSERVE_ASSIGN_OR_RETURN(const float eps, Epsilon(layer));
  net.Then("InstanceNormalization", Affine(layer.affine(), size, net), With({{"epsilon", eps}}));
  return absl::OkStatus();
}

absl::Status AddLayerNorm(const model::Layer& layer, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(
      CheckArguments(layer, {"normalized_shape", "eps", "elementwise_affine"}));
  Shape shape;
  int64_t elements = 1;
  for (const int64_t size : layer.normalized_shape()) {
    SIGSERVE_RETURN_IF_ERROR(Size(true, size, "normalized_shape").status());
    shape.push_back(size);
    if (elements > (int64_t{1} << 31) / size) return BadArgument("normalized_shape is too large");
    elements *= size;
  }
  if (shape.rank() < 1 || shape.rank() >= net.rank()) {
    return BadArgument(absl::StrCat("normalized_shape must have 1 to ", net.rank() - 1, " sizes"));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const float eps, Epsilon(layer));
  std::vector<std::string> inputs;
  if (!layer.has_elementwise_affine() || layer.elementwise_affine()) {
    inputs = {net.WeightConstant("weight", shape), net.WeightConstant("bias", shape)};
  } else {
    Tensor ones(DType::kFloat32, shape);
    const auto values = ones.mutable_values<float>();
    std::fill(values.begin(), values.end(), 1.0F);
    inputs = {net.Constant(std::move(ones))};
  }
  net.Then("LayerNormalization", std::move(inputs),
           With({{"axis", int64_t{-shape.rank()}}, {"epsilon", eps}}));
  return absl::OkStatus();
}

absl::Status AddGroupNorm(const model::Layer& layer, NetBuilder& net) {
  SIGSERVE_RETURN_IF_ERROR(CheckArguments(layer, {"num_groups", "num_channels", "eps", "affine"}));
  SIGSERVE_RETURN_IF_ERROR(CheckRank(net, 3, 4));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t groups,
                            Size(layer.has_num_groups(), layer.num_groups(), "num_groups"));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t channels,
                            Size(layer.has_num_channels(), layer.num_channels(), "num_channels"));
  if (channels % groups != 0) {
    return BadArgument(absl::StrCat("num_groups ", groups, " must divide num_channels ", channels));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const float eps, Epsilon(layer));
  // Each group as one long channel, then back to the shape it had.
  const std::string shape = net.Node("Shape", {net.current()});
  net.Then("Reshape", {net.Ints({0, groups, -1})});
  net.Then("InstanceNormalization", Affine(false, groups, net), With({{"epsilon", eps}}));
  net.Then("Reshape", {shape});
  if (layer.has_affine() && !layer.affine()) return absl::OkStatus();
  Shape per_channel{channels};
  for (int i = 2; i < net.rank(); ++i) per_channel.push_back(1);
  const Tensor* weight = net.Weight("weight", Shape{channels});
  const Tensor* bias = net.Weight("bias", Shape{channels});
  if (weight == nullptr || bias == nullptr) return absl::OkStatus();
  net.Then("Mul", {net.Constant(Tensor::Of<float>(per_channel, weight->values<float>()))});
  net.Then("Add", {net.Constant(Tensor::Of<float>(per_channel, bias->values<float>()))});
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> AddNormalization(const model::Layer& layer, NetBuilder& net) {
  const std::string& type = layer.type();
  absl::Status status;
  if (type == "BatchNorm1d" || type == "BatchNorm2d") {
    status = AddBatchNorm(layer, type == "BatchNorm1d" ? 1 : 2, net);
  } else if (type == "InstanceNorm1d" || type == "InstanceNorm2d") {
    status = AddInstanceNorm(layer, type == "InstanceNorm1d" ? 1 : 2, net);
  } else if (type == "LayerNorm") {
    status = AddLayerNorm(layer, net);
  } else if (type == "GroupNorm") {
    status = AddGroupNorm(layer, net);
  } else {
    return false;
  }
  if (!status.ok()) return status;
  return true;
}

}  // namespace sigserve
