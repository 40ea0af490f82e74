// For onnx_node_test.cc: ONNX's tests whose operators are in our table but which ask for what is
// not served, by name, with the reason.
#pragma once

#include <string>
#include <vector>

namespace sigserve {

struct NodeException {
  std::string reason;
  std::vector<std::string> tests;
};

inline const std::vector<NodeException> kNodeExceptions = {
    {"it declares a size of 0, which the reader takes for any size, as exporters mean it",
     {"test_reshape_allowzero_reordered", "test_split_zero_size_splits",
      "test_split_zero_size_splits_opset13", "test_split_zero_size_splits_opset18"}},
    {"it has three spatial dimensions: one and two are served", {"test_convtranspose_3d"}},
    {"it is about sequences and optionals: only tensors are served",
     {"test_identity_opt", "test_identity_sequence"}},
    {"it trains: only inference is served",
     {"test_batchnorm_epsilon_training_mode", "test_batchnorm_example_training_mode",
      "test_training_dropout", "test_training_dropout_default",
      "test_training_dropout_default_mask", "test_training_dropout_mask",
      "test_training_dropout_zero_ratio", "test_training_dropout_zero_ratio_mask"}},
    {"its tensors are BFLOAT16: only FLOAT, DOUBLE, INT32, INT64 and BOOL are served",
     {"test_cast_BFLOAT16_to_FLOAT", "test_cast_FLOAT_to_BFLOAT16",
      "test_castlike_BFLOAT16_to_FLOAT_expanded", "test_castlike_FLOAT_to_BFLOAT16_expanded"}},
    {"its tensors are FLOAT16: only FLOAT, DOUBLE, INT32, INT64 and BOOL are served",
     {"test_cast_DOUBLE_to_FLOAT16", "test_cast_FLOAT16_to_DOUBLE", "test_cast_FLOAT16_to_FLOAT",
      "test_cast_FLOAT_to_FLOAT16", "test_castlike_DOUBLE_to_FLOAT16_expanded",
      "test_castlike_FLOAT16_to_DOUBLE_expanded", "test_castlike_FLOAT16_to_FLOAT_expanded",
      "test_castlike_FLOAT_to_FLOAT16_expanded", "test_max_float16", "test_min_float16"}},
    {"its tensors are INT16: only FLOAT, DOUBLE, INT32, INT64 and BOOL are served",
     {"test_max_int16", "test_min_int16"}},
    {"its tensors are INT8: only FLOAT, DOUBLE, INT32, INT64 and BOOL are served",
     {"test_add_int8", "test_clip_default_int8_inbounds",
      "test_clip_default_int8_inbounds_expanded", "test_clip_default_int8_max",
      "test_clip_default_int8_min", "test_div_int8", "test_equal_int8", "test_greater_int8",
      "test_less_int8", "test_max_int8", "test_min_int8", "test_mul_int8", "test_sub_int8"}},
    {"its tensors are UINT16: only FLOAT, DOUBLE, INT32, INT64 and BOOL are served",
     {"test_max_uint16", "test_min_uint16"}},
    {"its tensors are UINT32: only FLOAT, DOUBLE, INT32, INT64 and BOOL are served",
     {"test_max_uint32", "test_min_uint32", "test_pow_types_float32_uint32"}},
    {"its tensors are UINT64: only FLOAT, DOUBLE, INT32, INT64 and BOOL are served",
     {"test_max_uint64", "test_min_uint64", "test_pow_types_float32_uint64"}},
    {"its tensors are UINT8: only FLOAT, DOUBLE, INT32, INT64 and BOOL are served",
     {"test_add_uint8", "test_div_uint8", "test_equal_uint8", "test_greater_uint8",
      "test_less_uint8", "test_max_uint8", "test_maxpool_2d_uint8", "test_min_uint8",
      "test_mul_uint8", "test_sub_uint8"}},
    {"its tensors are strings",
     {"test_cast_FLOAT_to_STRING", "test_cast_STRING_to_FLOAT",
      "test_castlike_FLOAT_to_STRING_expanded", "test_castlike_STRING_to_FLOAT_expanded",
      "test_equal_string", "test_equal_string_broadcast"}},
};

/// Inputs and expected outputs of these are rounded to four decimals.
inline const std::vector<std::string> kRoundedTests = {
    "test_averagepool_2d_ceil_last_window_starts_on_pad"};

}  // namespace sigserve
