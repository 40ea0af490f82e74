#include "tests/bench/models.h"

#include <cmath>
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

Graph Elementwise(const std::string& op_type) {
  GraphBuilder builder;
  builder.AddOutput(builder.AddNode(op_type, {builder.AddInput("x", Rows({}))}, "y"));
  return *std::move(builder).Build();
}

}  // namespace sigserve::bench
