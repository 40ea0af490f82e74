#include "tests/bench/models.h"

#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/log.h"

namespace sigserve::bench {
namespace {

DeclaredType Rows(const std::vector<int64_t>& rest) {
  DeclaredType type;
  type.shape.push_back(-1);
  for (const int64_t size : rest) type.shape.push_back(size);
  return type;
}

Tensor Weights(const Shape& shape, uint32_t seed, float scale) {
  const std::vector<float> values = RandomFloats(shape.elements(), seed, scale);
  return Tensor::Of<float>(shape, values);
}

void Set(Attributes& attributes, absl::string_view name, AttributeValue value) {
  if (!attributes.Add(name, std::move(value)).ok()) std::abort();
}

/// A chain of layers.
class Net {
 public:
  explicit Net(const std::vector<int64_t>& row) : value_(builder_.AddInput("x", Rows(row))) {}

  void Then(absl::string_view type, std::vector<ValueId> more, Attributes attributes = {}) {
    more.insert(more.begin(), value_);
    value_ = builder_.AddNode(type, std::move(more), Name("y"), std::move(attributes));
  }
  void Gemm(int64_t in, int64_t out) {
    Attributes attributes;
    Set(attributes, "transB", int64_t{1});
    Then("Gemm", {Random(Shape{out, in}, in), Random(Shape{out}, in)}, attributes);
  }
  void Conv(int64_t in, int64_t out) {
    Then("Conv", {Random(Shape{out, in, 1, 8}, in * 8), Random(Shape{out}, in * 8)});
  }
  void MaxPool() {
    Attributes attributes;
    Set(attributes, "kernel_shape", std::vector<int64_t>{1, 4});
    Set(attributes, "strides", std::vector<int64_t>{1, 4});
    Then("MaxPool", {}, attributes);
  }
  void Threshold() {
    const ValueId t = builder_.AddConstant(Name("t"), Tensor::Of<float>(Shape{1}, {0.0F}));
    const ValueId which = builder_.AddNode("LessOrEqual", {value_, t}, Name("which"));
    const ValueId shape = builder_.AddNode("Shape", {value_}, Name("shape"));
    Attributes filled;
    Set(filled, "value", std::make_shared<const Tensor>(Tensor::Of<float>(Shape{1}, {1e-6F})));
    const ValueId fill = builder_.AddNode("ConstantOfShape", {shape}, Name("fill"), filled);
    value_ = builder_.AddNode("Where", {which, fill, value_}, Name("y"));
  }
  void Reshape(const std::vector<int64_t>& shape) {
    const auto rank = static_cast<int64_t>(shape.size());
    Then("Reshape", {builder_.AddConstant(Name("shape"), Tensor::Of<int64_t>(Shape{rank}, shape))});
  }
  void ConvTranspose(int64_t in, int64_t out) {
    Attributes attributes;
    Set(attributes, "strides", std::vector<int64_t>{2, 2});
    Set(attributes, "pads", std::vector<int64_t>{1, 1, 1, 1});
    Then("ConvTranspose", {Random(Shape{in, out, 4, 4}, in * 4)}, attributes);
  }
  void BatchNorm(int64_t channels) {
    const ValueId ones = builder_.AddConstant(
        Name("var"),
        Tensor::Of<float>(Shape{channels}, std::vector<float>(static_cast<size_t>(channels), 1)));
    Then("BatchNormalization", {Random(Shape{channels}, 1), Random(Shape{channels}, 1),
                                Random(Shape{channels}, 1), ones});
  }
  Graph Sigmoid() && {
    Then("Sigmoid", {});
    builder_.AddOutput(value_);
    return *std::move(builder_).Build();
  }

 private:
  std::string Name(absl::string_view prefix) { return absl::StrCat(prefix, ++names_); }
  ValueId Random(const Shape& shape, int64_t fan_in) {
    const float scale = 1 / std::sqrt(static_cast<float>(fan_in));
    return builder_.AddConstant(Name("w"), Weights(shape, static_cast<uint32_t>(names_), scale));
  }

  GraphBuilder builder_;
  int names_ = 0;
  ValueId value_;
};

}  // namespace

std::vector<float> RandomFloats(int64_t count, uint32_t seed, float scale) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

Graph Mlp(const std::vector<int64_t>& widths) {
  GraphBuilder builder;
  ValueId value = builder.AddInput("x", Rows({widths[0]}));
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    const int64_t in = widths[i];
    const int64_t out = widths[i + 1];
    const auto seed = static_cast<uint32_t>(i);
    const float scale = 1 / std::sqrt(static_cast<float>(in));
    const ValueId w =
        builder.AddConstant(absl::StrCat(i, ".weight"), Weights(Shape{out, in}, seed, scale));
    const ValueId b =
        builder.AddConstant(absl::StrCat(i, ".bias"), Weights(Shape{out}, seed + 100, scale));
    Attributes transposed;
    if (!transposed.Add("transB", int64_t{1}).ok()) std::abort();
    value = builder.AddNode("Gemm", {value, w, b}, absl::StrCat("z", i), transposed);
    const bool last = i + 2 == widths.size();
    value = builder.AddNode(last ? "Sigmoid" : "Relu", {value}, absl::StrCat("y", i));
  }
  builder.AddOutput(value);
  return *std::move(builder).Build();
}

Graph Elementwise(const std::vector<std::string>& op_types) {
  GraphBuilder builder;
  ValueId value = builder.AddInput("x", Rows({}));
  for (size_t i = 0; i < op_types.size(); ++i) {
    value = builder.AddNode(op_types[i], {value}, absl::StrCat("y", i));
  }
  builder.AddOutput(value);
  return *std::move(builder).Build();
}

Graph DeepSea() {
  Net net({4, 1, 1000});
  net.Conv(4, 320);
  net.Threshold();
  net.MaxPool();
  net.Conv(320, 480);
  net.Threshold();
  net.MaxPool();
  net.Conv(480, 960);
  net.Threshold();
  net.Then("Flatten", {});
  net.Gemm(50880, 925);
  net.Threshold();
  net.Gemm(925, 919);
  return std::move(net).Sigmoid();
}

Graph Decoder() {
  Net net({64});
  net.Gemm(64, 512 * 4 * 4);
  net.Reshape({-1, 512, 4, 4});
  net.Then("Relu", {});
  const int64_t channels[] = {512, 256, 128, 64, 3};
  for (int i = 0; i < 4; ++i) {
    net.ConvTranspose(channels[i], channels[i + 1]);
    if (i == 3) break;
    net.BatchNorm(channels[i + 1]);
    net.Then("Relu", {});
  }
  return std::move(net).Sigmoid();
}

Graph Trees(int64_t trees, int depth) {
  constexpr int64_t kFeatures = 30;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::map<std::string, std::vector<int64_t>> ints;
  std::vector<std::string> modes;
  std::vector<float> values;
  std::vector<float> weights;
  const int64_t inner = (int64_t{1} << depth) - 1;
  for (int64_t tree = 0; tree < trees; ++tree) {
    for (int64_t node = 0; node < 2 * inner + 1; ++node) {
      const bool leaf = node >= inner;
      ints["nodes_treeids"].push_back(tree);
      ints["nodes_nodeids"].push_back(node);
      ints["nodes_featureids"].push_back(leaf ? 0 : static_cast<int64_t>(random() % kFeatures));
      ints["nodes_truenodeids"].push_back(leaf ? 0 : 2 * node + 1);
      ints["nodes_falsenodeids"].push_back(leaf ? 0 : 2 * node + 2);
      ints["nodes_missing_value_tracks_true"].push_back(0);
      modes.push_back(leaf ? "LEAF" : "BRANCH_LT");
      values.push_back(leaf ? 0 : normal(random));
      if (!leaf) continue;
      ints["class_treeids"].push_back(tree);
      ints["class_nodeids"].push_back(node);
      ints["class_ids"].push_back(0);
      weights.push_back(0.1F * normal(random));
    }
  }
  ints["classlabels_int64s"] = {0, 1};
  NodeSpec spec;
  spec.domain = "ai.onnx.ml";
  spec.op_type = "TreeEnsembleClassifier";
  spec.opset = 1;
  for (const auto& [name, list] : ints) Set(spec.attributes, name, list);
  Set(spec.attributes, "nodes_modes", modes);
  Set(spec.attributes, "nodes_values", values);
  Set(spec.attributes, "class_weights", weights);
  Set(spec.attributes, "post_transform", std::string("LOGISTIC"));
  GraphBuilder builder;
  const ValueId x = builder.AddInput("x", Rows({kFeatures}));
  const ValueId label = builder.ValueNamed("label");
  const ValueId prob = builder.ValueNamed("prob");
  builder.AddNode(std::move(spec), {x}, {label, prob});
  builder.AddOutput(prob);
  return *std::move(builder).Build();
}

}  // namespace sigserve::bench
