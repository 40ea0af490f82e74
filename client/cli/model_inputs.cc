#include "client/cli/model_inputs.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

using client::DataType;
using client::ModelInfo;
using client::Tensor;
using client::TensorSpec;

std::string Names(const std::vector<TensorSpec>& specs) {
  return absl::StrJoin(specs, ", ", [](std::string* to, const TensorSpec& spec) {
    absl::StrAppend(to, "'", spec.name, "'");
  });
}

/// All digits that tell it from its neighbours: which is why it did not fit.
std::string Text(double value) {
  char buffer[32];
  return std::string(buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr);
}

/// The bytes of `values` as T; names the first value that T cannot hold.
template <typename T>
absl::StatusOr<std::string> Encode(const InputArray& array, const std::string& source,
                                   const char* type) {
  std::string bytes(array.values.size() * sizeof(T), '\0');
  for (size_t i = 0; i < array.values.size(); ++i) {
    const double value = array.values[i];
    bool fits = true;
    if constexpr (std::is_floating_point_v<T>) {
      fits = !std::isfinite(value) || std::abs(value) <= double{std::numeric_limits<T>::max()};
    } else {
      // The bounds are exact powers of two; max() itself may not be a double.
      constexpr double kEnd =
          std::is_same_v<T, bool> ? 2.0 : -static_cast<double>(std::numeric_limits<T>::min());
      constexpr double kBegin =
          std::is_same_v<T, bool> ? 0.0 : double(std::numeric_limits<T>::min());
      fits = value >= kBegin && value < kEnd && value == std::trunc(value);
    }
    if (!fits) {
      const int64_t width = array.shape.empty() ? 1 : std::max<int64_t>(1, array.shape.back());
      const auto at = static_cast<int64_t>(i);
      return absl::InvalidArgumentError(absl::StrCat(source, ": row ", at / width + 1, ", column ",
                                                     at % width + 1, ": ", Text(value),
                                                     " does not fit ", type));
    }
    const T element = static_cast<T>(value);
    std::memcpy(bytes.data() + i * sizeof(T), &element, sizeof(T));
  }
  return bytes;
}

absl::StatusOr<std::string> EncodeAs(DataType dtype, const InputArray& array,
                                     const std::string& source) {
  switch (dtype) {
    case DataType::kFloat64:
      return Encode<double>(array, source, "FLOAT64");
    case DataType::kInt32:
      return Encode<int32_t>(array, source, "INT32");
    case DataType::kInt64:
      return Encode<int64_t>(array, source, "INT64");
    case DataType::kBool:
      return Encode<bool>(array, source, "BOOL");
    default:
      return Encode<float>(array, source, "FLOAT32");
  }
}

/// A table of the wrong width is the commonest mistake: say what to do.
absl::Status CheckWidth(const InputData& data, const std::vector<int64_t>& shape,
                        const TensorSpec& spec, const ModelInfo& model) {
  if (spec.any_rank || spec.shape.size() != 2 || shape.size() != 2) return absl::OkStatus();
  const int64_t expected = spec.shape[1];
  const int64_t given = shape[1];
  if (expected < 0 || given == expected) return absl::OkStatus();
  std::string message =
      absl::StrCat(data.source, ": ", given, " columns, but ", model.name, " takes ", expected);
  if (given == expected + 1 && data.label_names.empty()) {
    absl::StrAppend(&message, "; is one of them the true label? --label-column ",
                    data.column_names.empty() ? absl::StrCat(given) : data.column_names.back());
  }
  return absl::InvalidArgumentError(message);
}

/// A table's columns in the model's order. Unchanged where the file or the model names none.
absl::StatusOr<InputArray> OrderColumns(const InputArray& array, const InputData& data,
                                        const TensorSpec& spec, const ModelInfo& model) {
  const std::vector<std::string>& given = data.column_names;
  const std::vector<std::string>& wanted = spec.column_names;
  if (given.empty() || wanted.empty() || given == wanted || array.shape.size() != 2) return array;
  std::vector<size_t> from;  // by the model's column
  std::vector<std::string> missing;
  for (const std::string& name : wanted) {
    const auto found = std::find(given.begin(), given.end(), name);
    if (found == given.end()) missing.push_back(absl::StrCat("'", name, "'"));
    from.push_back(static_cast<size_t>(found - given.begin()));
  }
  std::vector<std::string> unknown;
  for (const std::string& name : given) {
    if (std::find(wanted.begin(), wanted.end(), name) == wanted.end()) {
      unknown.push_back(absl::StrCat("'", name, "'"));
    }
  }
  if (!missing.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        data.source, ": ", model.name, " needs the columns ", absl::StrJoin(missing, ", "),
        ", which the file lacks",
        unknown.empty() ? "" : absl::StrCat("; it has ", absl::StrJoin(unknown, ", "), " instead"),
        "; --no-header takes the columns by position"));
  }
  InputArray ordered = array;
  const size_t width = given.size();
  for (size_t row = 0; row * width < array.values.size(); ++row) {
    for (size_t c = 0; c < width; ++c) {
      ordered.values[row * width + c] = array.values[row * width + from[c]];
    }
  }
  return ordered;
}

}  // namespace

absl::StatusOr<std::vector<Tensor>> FitToModel(const InputData& data, const ModelInfo& model) {
  std::vector<Tensor> tensors;
  for (const InputArray& array : data.arrays) {
    const TensorSpec* spec = nullptr;
    for (const TensorSpec& candidate : model.inputs) {
      if (candidate.name == array.name || (array.name.empty() && model.inputs.size() == 1)) {
        spec = &candidate;
      }
    }
    if (spec == nullptr) {
      return absl::InvalidArgumentError(
          array.name.empty()
              ? absl::StrCat(data.source, ": ", model.name, " has the inputs ", Names(model.inputs),
                             R"(; give them as JSON: {"inputs": {name: ...}})")
              : absl::StrCat(data.source, ": ", model.name, " has no input '", array.name,
                             "'; it has ", Names(model.inputs)));
    }
    std::vector<int64_t> shape = array.shape;
    if (shape.size() == 1 && spec->shape.size() == 2 && !spec->any_rank) {
      shape.insert(shape.begin(), 1);
    }
    CLIENT_RETURN_IF_ERROR(CheckWidth(data, shape, *spec, model));
    CLIENT_ASSIGN_OR_RETURN(const InputArray ordered, OrderColumns(array, data, *spec, model));
    CLIENT_ASSIGN_OR_RETURN(std::string bytes, EncodeAs(spec->dtype, ordered, data.source));
    tensors.push_back(
        {.name = spec->name,
         .dtype = spec->dtype == DataType::kUnspecified ? DataType::kFloat32 : spec->dtype,
         .shape = std::move(shape),
         .data = std::move(bytes)});
  }
  return tensors;
}

int64_t SplittableRows(const std::vector<Tensor>& tensors, const ModelInfo& model) {
  if (!model.batchable || tensors.empty()) return 0;
  for (const Tensor& tensor : tensors) {
    if (tensor.shape.empty() || tensor.shape[0] != tensors[0].shape[0]) return 0;
  }
  return tensors[0].shape[0];
}

std::vector<Tensor> SliceRows(const std::vector<Tensor>& tensors, int64_t begin, int64_t end) {
  std::vector<Tensor> slices;
  for (const Tensor& tensor : tensors) {
    const size_t row_bytes = tensor.data.size() / static_cast<size_t>(tensor.shape[0]);
    Tensor slice{.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape};
    slice.shape[0] = end - begin;
    slice.data = tensor.data.substr(begin * row_bytes, (end - begin) * row_bytes);
    slices.push_back(std::move(slice));
  }
  return slices;
}

}  // namespace sigserve::cli
