// Hostile inputs 60 to 74: models whose bytes are fine and whose graphs are not.
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/robustness/hostile_input.h"
#include "tests/robustness/onnx_files.h"

namespace sigserve::robustness {
namespace {

using onnx::AttributeProto;

struct Case {
  std::string what;
  M model;
  absl::StatusCode code;
  std::string token;
  std::string config = {};
};

/// 3 x 8 x 8 through a convolution of 3 x 3 to 4 channels.
M Conv(const std::vector<AttributeProto>& attributes) {
  return OneNode("Conv", {3, 8, 8}, {{{4, 3, 3, 3}}}, attributes);
}

std::vector<Case> Cases() {
  constexpr int64_t kTrillion = 1'000'000'000'000;
  const AttributeProto twice = Attribute("axis", int64_t{1});
  AttributeProto both = twice;
  both.set_f(1);
  const auto batch_norm = [](float variance, float epsilon) {
    return OneNode("BatchNormalization", {2}, {{{2}, 1}, {{2}}, {{2}}, {{2}, variance}},
                   {Attribute("epsilon", epsilon)});
  };
  constexpr float kSubnormal = 1e-40F;
  M fixed = testing_support::LogisticModel();
  fixed.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_value(7);
  M no_batch = fixed;
  no_batch.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim()
      ->DeleteSubrange(0, 1);
  const std::string batches = "max_batch_size: 8";
  return {
      {"60 Gemm by a vector", OneNode("Gemm", {2}, {{{2}}}), kIa, "ONNX_SHAPE: Gemm 'it'"},
      {"60 Gemm of other sizes", OneNode("Gemm", {2}, {{{3, 1}}}), kIa, "ONNX_SHAPE: Gemm 'it'"},
      {"61 stride 0", Conv({Attribute("strides", std::vector<int64_t>{0, 1})}), kIa,
       "ONNX_ATTR: Conv 'it'"},
      {"61 dilation 0", Conv({Attribute("dilations", std::vector<int64_t>{1, 0})}), kIa,
       "ONNX_ATTR: Conv 'it'"},
      {"61 group 0", Conv({Attribute("group", int64_t{0})}), kIa, "ONNX_ATTR: Conv 'it'"},
      {"61 kernel 0", Conv({Attribute("kernel_shape", std::vector<int64_t>{0, 3})}), kIa,
       "ONNX_ATTR: Conv 'it'"},
      {"61 negative pads", Conv({Attribute("pads", std::vector<int64_t>{0, -1, 0, 0})}), kIa,
       "ONNX_ATTR: Conv 'it'"},
      {"61 pads of 2^31",
       Conv({Attribute("pads", std::vector<int64_t>{0, int64_t{1} << 31, 0, 0})}), kIa,
       "ONNX_ATTR: Conv 'it'"},
      {"62 a window larger than the image", OneNode("Conv", {3, 2, 2}, {{{4, 3, 3, 3}}}), kIa,
       "ONNX_SHAPE: Conv 'it'"},
      {"63 two sizes open", OneNode("Reshape", {2}, {Ints({-1, -1})}), kIa,
       "ONNX_SHAPE: Reshape 'it'"},
      {"63 another number of elements", OneNode("Reshape", {2}, {Ints({0, 3})}), kIa,
       "ONNX_SHAPE: Reshape 'it'"},
      {"63 copies a size that is not there", OneNode("Reshape", {2}, {Ints({0, 0, 0})}), kIa,
       "ONNX_SHAPE: Reshape 'it'"},
      {"64 Concat", OneNode("Concat", {2}, {}, {Attribute("axis", int64_t{5})}), kIa,
       "ONNX_ATTR: Concat 'it'"},
      {"64 Softmax", OneNode("Softmax", {2}, {}, {Attribute("axis", int64_t{-5})}), kIa,
       "ONNX_ATTR: Softmax 'it'"},
      {"64 Gather", OneNode("Gather", {2}, {Ints({0})}, {Attribute("axis", int64_t{5})}), kIa,
       "ONNX_ATTR: Gather 'it'"},
      {"64 Gather's index", OneNode("Gather", {2}, {Ints({7})}, {Attribute("axis", int64_t{1})}),
       kIa, "ONNX_ATTR: Gather 'it'"},
      {"65 Split's sum", OneNode("Split", {4}, {Ints({1, 2})}, {Attribute("axis", int64_t{1})}, 2),
       kIa, "ONNX_ATTR: Split 'it'"},
      {"65 Split's size of 0",
       OneNode("Split", {4}, {Ints({0, 4})}, {Attribute("axis", int64_t{1})}, 2), kIa,
       "ONNX_ATTR: Split 'it'"},
      {"65 Split's negative size",
       OneNode("Split", {4}, {Ints({-1, 5})}, {Attribute("axis", int64_t{1})}, 2), kIa,
       "ONNX_ATTR: Split 'it'"},
      {"65 Slice's step", OneNode("Slice", {4}, {Ints({0}), Ints({4}), Ints({1}), Ints({0})}), kIa,
       "ONNX_ATTR: Slice 'it'"},
      {"66 Expand", OneNode("Expand", {1}, {Ints({1, kTrillion})}), kRe, "ONNX_TENSOR_LIMIT"},
      {"66 Tile", OneNode("Tile", {1}, {Ints({1, kTrillion})}), kRe, "ONNX_TENSOR_LIMIT"},
      {"66 ConstantOfShape", OneNode("ConstantOfShape", {1}, {Ints({kTrillion})}, {}, 1, false),
       kRe, "ONNX_TENSOR_LIMIT"},
      {"66 Range",
       OneNode("Range", {1}, {{{}, 0, {0}}, {{}, 0, {kTrillion}}, {{}, 0, {1}}}, {}, 1, false), kRe,
       "ONNX_TENSOR_LIMIT"},
      {"70 twice", OneNode("Softmax", {2}, {}, {twice, twice}), kIa,
       "ONNX_ATTR: Softmax 'it': attribute 'axis'"},
      {"70 another type", OneNode("Softmax", {2}, {}, {Attribute("axis", 1.0F)}), kIa,
       "ONNX_ATTR: Softmax 'it'"},
      {"70 two values", OneNode("Softmax", {2}, {}, {both}), kIa,
       "ONNX_ATTR: Softmax 'it': attribute 'axis'"},
      {"70 unknown", OneNode("Softmax", {2}, {}, {Attribute("evil", int64_t{1})}), kIa,
       "ONNX_ATTR: Softmax 'it'"},
      {"71 negative variance", batch_norm(-1, 1e-5F), kIa, "ONNX_ATTR: BatchNormalization 'it'"},
      {"71 epsilon NaN", batch_norm(1, NAN), kIa, "ONNX_ATTR: BatchNormalization 'it'"},
      {"71 Clip from 1 to 0", OneNode("Clip", {2}, {{{}, 1}, {{}, 0}}), kIa,
       "ONNX_ATTR: Clip 'it'"},
      {"72 no sigmoid", OneNode("Relu", {2}, {}), absl::StatusCode::kOk, ""},
      {"72 thresholds for no sigmoid", OneNode("Relu", {2}, {}), kIa,
       "MODEL_NOT_CLASSIFIER: output 'y0'", "sigserve { output { name: \"y0\" thresholds: 0.5 } }"},
      {"73 a fixed batch of 7", fixed, absl::StatusCode::kOk, ""},
      {"73 batches of a fixed batch of 7", fixed, kIa, "MODEL_BATCH_DIM", batches},
      {"73 batches of no declared batch", no_batch, kIa, "MODEL_BATCH_DIM", batches},
      {"74 NaN", OneNode("Add", {2}, {{{2}, NAN}}), kIa, "MODEL_NONFINITE: tensor 'c0'"},
      {"74 infinity", OneNode("Add", {2}, {{{2}, HUGE_VALF}}), kIa, "MODEL_NONFINITE"},
      {"74 subnormals", OneNode("Add", {2}, {{{2}, kSubnormal}}), absl::StatusCode::kOk, ""},
  };
}

}  // namespace

std::vector<HostileInput> OnnxGraphInputs() {
  std::vector<HostileInput> inputs;
  for (const Case& c : Cases()) {
    inputs.push_back(
        {c.what, {{"model.onnx", c.model.SerializeAsString()}}, c.code, c.token, c.config});
  }
  return inputs;
}

}  // namespace sigserve::robustness
