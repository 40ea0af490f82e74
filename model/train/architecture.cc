#include "model/train/architecture.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "model/base/status_macros.h"
#include "model/train/random.h"
#include "model/train/random_streams.h"

namespace sigserve {
namespace {

constexpr char kFeatures[] = "features";
constexpr char kLogits[] = "logits";
constexpr char kProbabilities[] = "probabilities";

const char* OpType(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return "Relu";
    case Activation::kTanh:
      return "Tanh";
    case Activation::kSigmoid:
      return "Sigmoid";
  }
  return "";
}

std::string WeightName(size_t layer) { return absl::StrCat(2 * layer, ".weight"); }
std::string BiasName(size_t layer) { return absl::StrCat(2 * layer, ".bias"); }

// Inputs of the first layer, outputs of every layer.
std::vector<int64_t> Widths(const TrainSpec& spec) {
  std::vector<int64_t> widths = {spec.feature_count};
  widths.insert(widths.end(), spec.architecture.hidden_units.begin(),
                spec.architecture.hidden_units.end());
  widths.push_back(spec.label_count);
  return widths;
}

DeclaredType FeaturesType(const TrainSpec& spec) {
  return {.dtype = DType::kFloat32, .shape = Shape{-1, spec.feature_count}};
}

ValueId AddNode(GraphBuilder& builder, absl::string_view op_type, absl::string_view name,
                std::vector<ValueId> inputs, absl::string_view output, Attributes attributes = {}) {
  NodeSpec spec;
  spec.name = std::string(name);
  spec.op_type = std::string(op_type);
  spec.attributes = std::move(attributes);
  const ValueId value = builder.ValueNamed(output);
  builder.AddNode(std::move(spec), std::move(inputs), {value});
  return value;
}

// The layers from `value` to the logits; weights are the builder's values of their names.
absl::StatusOr<ValueId> AddLayers(const TrainSpec& spec, GraphBuilder& builder, ValueId value) {
  const size_t hidden = spec.architecture.hidden_units.size();
  for (size_t layer = 0; layer <= hidden; ++layer) {
    Attributes attributes;
    SIGSERVE_RETURN_IF_ERROR(attributes.Add("transB", int64_t{1}));
    const std::string name = absl::StrCat(2 * layer);
    value =
        AddNode(builder, "Gemm", name,
                {value, builder.ValueNamed(WeightName(layer)), builder.ValueNamed(BiasName(layer))},
                layer == hidden ? std::string(kLogits) : absl::StrCat(name, ".output"),
                std::move(attributes));
    if (layer < hidden) {
      const std::string next = absl::StrCat(2 * layer + 1);
      value = AddNode(builder, OpType(spec.architecture.activation), next, {value},
                      absl::StrCat(next, ".output"));
    }
  }
  return value;
}

bool IsFinite(const Tensor& tensor) {
  const absl::Span<const float> values = tensor.values<float>();
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

// What keeps `given` from being the weight `expected`; empty = nothing.
std::string Difference(const WeightShape& expected, const NamedWeights& given) {
  const auto is_it = [&](const auto& weight) { return weight.first == expected.name; };
  const auto found = std::find_if(given.begin(), given.end(), is_it);
  const std::string wanted =
      absl::StrCat("'", expected.name, "' FLOAT32 ", expected.shape.ToString());
  if (found == given.end()) {
    return absl::StrCat(wanted, " is missing");
  }
  if (std::count_if(given.begin(), given.end(), is_it) > 1) {
    return absl::StrCat("'", expected.name, "' is given twice");
  }
  const Tensor& tensor = found->second;
  if (tensor.dtype() != DType::kFloat32 || tensor.shape() != expected.shape) {
    return absl::StrCat(wanted, " is given as ", Name(tensor.dtype()), " ",
                        tensor.shape().ToString());
  }
  return IsFinite(tensor) ? "" : absl::StrCat("'", expected.name, "' has a value not finite");
}

}  // namespace

std::vector<WeightShape> WeightShapes(const TrainSpec& spec) {
  const std::vector<int64_t> widths = Widths(spec);
  std::vector<WeightShape> shapes;
  for (size_t layer = 0; layer + 1 < widths.size(); ++layer) {
    shapes.push_back({WeightName(layer), Shape{widths[layer + 1], widths[layer]}});
    shapes.push_back({BiasName(layer), Shape{widths[layer + 1]}});
  }
  return shapes;
}

NamedWeights DrawWeights(const TrainSpec& spec) {
  Random random(spec.schedule.seed, kWeightStream);
  const std::vector<int64_t> widths = Widths(spec);
  const std::vector<WeightShape> shapes = WeightShapes(spec);
  NamedWeights weights;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const auto bound = static_cast<float>(1 / std::sqrt(static_cast<double>(widths[i / 2])));
    Tensor tensor(DType::kFloat32, shapes[i].shape);
    for (float& value : tensor.mutable_values<float>()) {
      value = random.Uniform(-bound, bound);
    }
    weights.emplace_back(shapes[i].name, std::move(tensor));
  }
  return weights;
}

absl::StatusOr<NamedWeights> ArrangeWeights(const TrainSpec& spec, NamedWeights given) {
  const std::vector<WeightShape> shapes = WeightShapes(spec);
  std::vector<std::string> differences;
  for (const WeightShape& expected : shapes) {
    std::string difference = Difference(expected, given);
    if (!difference.empty()) {
      differences.push_back(std::move(difference));
    }
  }
  const auto rank = [&](const std::string& name) {
    return std::find_if(shapes.begin(), shapes.end(),
                        [&](const WeightShape& shape) { return shape.name == name; });
  };
  for (const auto& [name, tensor] : given) {
    if (rank(name) == shapes.end()) {
      differences.push_back(absl::StrCat("'", name, "' is unknown"));
    }
  }
  if (!differences.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("TRAIN_PARAM: initial_weights: ", absl::StrJoin(differences, ", ")));
  }
  std::sort(given.begin(), given.end(),
            [&](const auto& a, const auto& b) { return rank(a.first) < rank(b.first); });
  return given;
}

absl::StatusOr<Graph> TrainingGraph(const TrainSpec& spec) {
  GraphBuilder builder;
  const ValueId features = builder.AddInput(kFeatures, FeaturesType(spec));
  for (const WeightShape& weight : WeightShapes(spec)) {
    builder.AddInput(weight.name, {.dtype = DType::kFloat32, .shape = weight.shape});
  }
  SIGSERVE_ASSIGN_OR_RETURN(const ValueId logits, AddLayers(spec, builder, features));
  builder.AddOutput(logits);
  return std::move(builder).Build();
}

absl::StatusOr<Graph> PublishableGraph(const TrainSpec& spec,
                                       const Standardization* standardization,
                                       const NamedWeights& weights) {
  GraphBuilder builder;
  ValueId value = builder.AddInput(kFeatures, FeaturesType(spec));
  if (standardization != nullptr) {
    const auto constant = [&](absl::string_view name, const std::vector<float>& values) {
      return builder.AddConstant(
          name, Tensor::Of<float>(Shape{spec.feature_count}, absl::MakeConstSpan(values)));
    };
    const ValueId mean = constant("standardization.mean", standardization->mean);
    const ValueId stddev = constant("standardization.stddev", standardization->stddev);
    value = AddNode(builder, "Sub", "standardization.shift", {value, mean}, "centered");
    value = AddNode(builder, "Div", "standardization.scale", {value, stddev}, "standardized");
  }
  for (const auto& [name, tensor] : weights) {
    builder.AddConstant(name, tensor.Clone());
  }
  SIGSERVE_ASSIGN_OR_RETURN(const ValueId logits, AddLayers(spec, builder, value));
  builder.AddOutput(AddNode(builder, "Sigmoid", "sigmoid", {logits}, kProbabilities));
  return std::move(builder).Build();
}

}  // namespace sigserve
