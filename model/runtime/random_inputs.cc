#include "model/runtime/random_inputs.h"

#include <utility>

namespace sigserve {
namespace {

Tensor RandomTensor(DType dtype, const Shape& shape, float scale, std::mt19937& random) {
  Tensor tensor(dtype, shape);
  std::normal_distribution<float> normal(0.0F, scale);
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const auto at = static_cast<size_t>(i);
    switch (dtype) {
      case DType::kFloat32:
        tensor.mutable_values<float>()[at] = normal(random);
        break;
      case DType::kFloat64:
        tensor.mutable_values<double>()[at] = normal(random);
        break;
      case DType::kInt32:
        tensor.mutable_values<int32_t>()[at] = static_cast<int32_t>(random() % 2);
        break;
      case DType::kInt64:
        tensor.mutable_values<int64_t>()[at] = static_cast<int64_t>(random() % 2);
        break;
      case DType::kBool:
        tensor.mutable_values<bool>()[at] = random() % 2 == 1;
        break;
    }
  }
  return tensor;
}

}  // namespace

Shape FilledIn(const Shape& declared, int64_t rows, int64_t other) {
  Shape shape = declared;
  for (int d = 0; d < shape.rank(); ++d) {
    if (shape[d] == -1) shape.set(d, d == 0 ? rows : other);
  }
  return shape;
}

std::vector<Tensor> RandomInputs(const Signature& signature, int64_t rows, int64_t other,
                                 float scale, std::mt19937& random) {
  std::vector<Tensor> inputs;
  for (const InputSignature& input : signature.inputs) {
    inputs.push_back(RandomTensor(input.dtype, FilledIn(input.shape, rows, other), scale, random));
  }
  return inputs;
}

}  // namespace sigserve
