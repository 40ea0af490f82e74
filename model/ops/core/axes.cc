#include "model/ops/core/axes.h"

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/ops/core/attribute_error.h"

namespace sigserve {

absl::StatusOr<int> ResolveAxis(int64_t axis, const Shape& shape) {
  const int64_t resolved = axis < 0 ? axis + shape.rank() : axis;
  if (resolved < 0 || resolved >= shape.rank()) {
    return AttributeError(
        absl::StrCat("axis ", axis, " is out of range for input ", shape.ToString()));
  }
  return static_cast<int>(resolved);
}

absl::StatusOr<AxisSet> ResolveAxes(absl::Span<const int64_t> axes, int rank) {
  AxisSet set(static_cast<size_t>(rank), false);
  for (const int64_t axis : axes) {
    const int64_t resolved = axis < 0 ? axis + rank : axis;
    if (resolved < 0 || resolved >= rank) {
      return AttributeError(
          absl::StrCat("axis ", axis, " is out of range for ", rank, " dimensions"));
    }
    bool& flag = set[static_cast<size_t>(resolved)];
    if (flag) {
      return AttributeError(absl::StrCat("axis ", axis, " is given twice"));
    }
    flag = true;
  }
  return set;
}

absl::StatusOr<Integers> KnownIntegers(const Operand& operand, absl::string_view what) {
  const TensorType& type = operand.type;
  if ((type.dtype != DType::kInt64 && type.dtype != DType::kInt32) || type.shape.rank() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is ", Name(type.dtype), " ",
                                                   type.shape.ToString(),
                                                   ", expected one dimension of integers"));
  }
  if (!operand.value.present()) {
    return absl::UnimplementedError(absl::StrCat(
        what, " depends on the values of the inputs: only constants and shapes are supported"));
  }
  if (type.dtype == DType::kInt64) {
    const auto values = operand.value.values<int64_t>();
    return Integers(values.begin(), values.end());
  }
  const auto values = operand.value.values<int32_t>();
  return Integers(values.begin(), values.end());
}

absl::StatusOr<int64_t> KnownInteger(const Operand& operand, absl::string_view what) {
  SIGSERVE_ASSIGN_OR_RETURN(const Integers values, KnownIntegers(operand, what));
  if (values.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has ", values.size(), " elements, expected one"));
  }
  return values[0];
}

absl::StatusOr<std::optional<Integers>> ListOf(const std::optional<std::vector<int64_t>>& attribute,
                                               absl::Span<const Operand> in, size_t index,
                                               absl::string_view what) {
  if (attribute.has_value()) {
    return Integers(attribute->begin(), attribute->end());
  }
  if (in.size() <= index || !in[index].present) {
    return std::optional<Integers>();
  }
  SIGSERVE_ASSIGN_OR_RETURN(Integers values, KnownIntegers(in[index], what));
  return values;
}

absl::StatusOr<std::optional<std::vector<int64_t>>> OptionalInts(const Attributes& attributes,
                                                                 absl::string_view name) {
  if (!attributes.has(name)) {
    return std::optional<std::vector<int64_t>>();
  }
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<int64_t> values, attributes.Ints(name));
  return values;
}

}  // namespace sigserve
