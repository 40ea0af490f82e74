#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "model/ops/ml/makers.h"
#include "model/ops/ml/numbers.h"

namespace sigserve {
namespace {

// Keys by their bits, so that a NaN finds a NaN; -0 and 0 are one key.
template <typename T>
int64_t KeyOf(T key) {
  if constexpr (std::is_same_v<T, float>) {
    const float plain = key == 0     ? 0.0F
                        : key != key ? std::numeric_limits<float>::quiet_NaN()
                                     : key;
    int32_t bits = 0;
    std::memcpy(&bits, &plain, sizeof(bits));
    return bits;
  } else {
    return key;
  }
}

// A table from numbers to numbers, INT64 or FLOAT32 on either side, with a default.
template <typename From, typename To>
class LabelEncoderOp final : public Op {
 public:
  LabelEncoderOp(const std::vector<From>& keys, const std::vector<To>& values, To otherwise)
      : otherwise_(otherwise) {
    for (size_t i = 0; i < keys.size(); ++i) {
      table_[KeyOf(keys[i])] = values[i];
    }
  }

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    if (in[0].type.dtype != DTypeOf<From>) {
      return absl::InvalidArgumentError(
          absl::StrCat("input is ", Name(in[0].type.dtype), ", expected ", Name(DTypeOf<From>)));
    }
    return SetOutput(DTypeOf<To>, in[0].type.shape, out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const auto x = in[0].values<From>();
    To* y = out[0].values<To>().data();
    for (size_t i = 0; i < x.size(); ++i) {
      const auto found = table_.find(KeyOf(x[i]));
      y[i] = found == table_.end() ? otherwise_ : found->second;
    }
  }

 private:
  absl::flat_hash_map<int64_t, To> table_;
  const To otherwise_;
};

template <typename From, typename To>
absl::StatusOr<std::unique_ptr<const Op>> Encoder(const std::vector<From>& keys,
                                                  const std::vector<To>& values, To otherwise) {
  if (keys.size() != values.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", keys.size(), " keys and ", values.size(), " values"));
  }
  return std::make_unique<LabelEncoderOp<From, To>>(keys, values, otherwise);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeLabelEncoder(const NodeSpec& node,
                                                           absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  for (const char* name : {"keys_strings", "values_strings"}) {
    if (attributes.has(name)) {
      return absl::UnimplementedError(
          absl::StrCat("attribute '", name, "': strings are not supported"));
    }
  }
  SIGSERVE_RETURN_IF_ERROR(
      attributes.CheckKnown({"default_float", "default_int64", "default_string", "keys_floats",
                             "keys_int64s", "values_floats", "values_int64s"}));
  SIGSERVE_ASSIGN_OR_RETURN(const auto float_keys, attributes.Floats("keys_floats"));
  SIGSERVE_ASSIGN_OR_RETURN(const auto int_keys, attributes.Ints("keys_int64s"));
  SIGSERVE_ASSIGN_OR_RETURN(const auto floats, attributes.Floats("values_floats"));
  SIGSERVE_ASSIGN_OR_RETURN(const auto ints, attributes.Ints("values_int64s"));
  SIGSERVE_ASSIGN_OR_RETURN(const float other_float, attributes.Float("default_float", -0.0F));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t other_int, attributes.Int("default_int64", -1));
  if (float_keys.empty() == int_keys.empty() || floats.empty() == ints.empty()) {
    return absl::InvalidArgumentError(
        "expected one of 'keys_floats' and 'keys_int64s' and one of 'values_floats' and "
        "'values_int64s'");
  }
  if (int_keys.empty()) {
    return ints.empty() ? Encoder<float, float>(float_keys, floats, other_float)
                        : Encoder<float, int64_t>(float_keys, ints, other_int);
  }
  return ints.empty() ? Encoder<int64_t, float>(int_keys, floats, other_float)
                      : Encoder<int64_t, int64_t>(int_keys, ints, other_int);
}

}  // namespace sigserve
