#include "server/registry/signature_check.h"

#include <cmath>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

// Names come from clients: cut and escaped before they are said back.
std::string Printable(absl::string_view name) {
  constexpr size_t kMaxName = 128;
  return absl::StrCat(absl::CEscape(name.substr(0, kMaxName)), name.size() > kMaxName ? "..." : "");
}

std::string ExpectedNames(const Signature& signature) {
  return absl::StrJoin(signature.inputs, ", ", [](std::string* out, const InputSignature& input) {
    absl::StrAppend(out, "'", input.name, "' ", Name(input.dtype),
                    input.any_rank ? " of any shape" : input.shape.ToString());
  });
}

// Index of the input a name means, or an error.
absl::StatusOr<size_t> FindInput(absl::string_view model, const Signature& signature,
                                 absl::string_view name) {
  if (name.empty()) {
    if (signature.inputs.size() == 1) return 0;
    return absl::InvalidArgumentError(absl::StrCat("an input has no name, and model '", model,
                                                   "' has ", signature.inputs.size(),
                                                   " inputs: ", ExpectedNames(signature)));
  }
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    if (name == signature.inputs[i].name) return i;
  }
  return absl::InvalidArgumentError(absl::StrCat("unexpected inference input '", Printable(name),
                                                 "' for model '", model,
                                                 "'; expected: ", ExpectedNames(signature)));
}

bool ShapeFits(const Shape& shape, const InputSignature& expected) {
  if (expected.any_rank) return true;
  if (shape.rank() != expected.shape.rank()) return false;
  for (int i = 0; i < shape.rank(); ++i) {
    if (expected.shape[i] >= 0 && shape[i] != expected.shape[i]) return false;
  }
  return true;
}

std::string ShapeHint(const Shape& shape, const InputSignature& expected) {
  if (shape.rank() != expected.shape.rank()) {
    std::string hint = absl::StrCat("; ", shape.rank(), " dimensions were sent, ",
                                    expected.shape.rank(), " are expected");
    if (shape.rank() + 1 == expected.shape.rank()) {
      absl::StrAppend(&hint, " (is the batch dimension missing?)");
    }
    return hint;
  }
  for (int i = 0; i < shape.rank(); ++i) {
    if (expected.shape[i] >= 0 && shape[i] != expected.shape[i]) {
      return absl::StrCat("; dimension ", i, " is ", shape[i], ", expected ", expected.shape[i]);
    }
  }
  return "";
}

absl::Status CheckTensor(absl::string_view model, const InputSignature& expected,
                         const TensorView& tensor) {
  if (tensor.dtype() != expected.dtype) {
    return absl::InvalidArgumentError(absl::StrCat("input '", expected.name, "' for model '", model,
                                                   "': data-type is ", Name(tensor.dtype()),
                                                   ", expected ", Name(expected.dtype)));
  }
  if (!ShapeFits(tensor.shape(), expected)) {
    return absl::InvalidArgumentError(
        absl::StrCat("unexpected shape for input '", expected.name, "' for model '", model,
                     "'. Expected ", expected.shape.ToString(), ", got ", tensor.shape().ToString(),
                     ShapeHint(tensor.shape(), expected)));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> CountRows(absl::string_view model, const Signature& signature,
                                  const CheckOptions& options,
                                  absl::Span<const TensorView> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].elements() == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", signature.inputs[i].name, "' for model '", model,
                       "' is empty: its shape is ", inputs[i].shape().ToString()));
    }
  }
  if (!signature.batchable || inputs.empty()) return 1;
  const auto rows_of = [](const TensorView& t) { return t.shape().rank() > 0 ? t.shape()[0] : 1; };
  const int64_t rows = rows_of(inputs[0]);
  for (size_t i = 1; i < inputs.size(); ++i) {
    if (rows_of(inputs[i]) != rows) {
      return absl::InvalidArgumentError(absl::StrCat(
          "input '", signature.inputs[i].name, "' for model '", model, "' has ", rows_of(inputs[i]),
          " rows, but input '", signature.inputs[0].name, "' has ", rows));
    }
  }
  if (options.max_batch_size > 0 && rows > options.max_batch_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("inference request batch-size must be <= ", options.max_batch_size, " for '",
                     model, "'; got ", rows, " rows"));
  }
  return rows;
}

template <typename T>
absl::Status FindNan(absl::string_view model, const InputSignature& input, const TensorView& tensor,
                     int64_t rows) {
  const auto* const bytes = static_cast<const char*>(tensor.data());
  const auto count = static_cast<size_t>(tensor.elements());
  const auto value_at = [bytes](size_t i) {  // of any alignment
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof value);
    return value;
  };
  bool any = false;  // no early exit: the loop vectorizes, and finding one is the rare case
  for (size_t i = 0; i < count; ++i) any |= value_at(i) != value_at(i);
  if (!any) return absl::OkStatus();
  size_t at = 0;
  while (!std::isnan(value_at(at))) ++at;
  const size_t per_row = count / static_cast<size_t>(rows);
  return absl::InvalidArgumentError(absl::StrCat("input '", input.name, "' for model '", model,
                                                 "': row ", at / per_row, ", column ", at % per_row,
                                                 " is NaN, which the model's config forbids"));
}

absl::Status CheckNoNan(absl::string_view model, const Signature& signature,
                        const CheckedInputs& checked) {
  for (size_t i = 0; i < checked.inputs.size(); ++i) {
    const TensorView& tensor = checked.inputs[i];
    if (tensor.dtype() == DType::kFloat32) {
      SIGSERVE_RETURN_IF_ERROR(FindNan<float>(model, signature.inputs[i], tensor, checked.rows));
    } else if (tensor.dtype() == DType::kFloat64) {
      SIGSERVE_RETURN_IF_ERROR(FindNan<double>(model, signature.inputs[i], tensor, checked.rows));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CheckedInputs> CheckInputs(absl::string_view model, const Signature& signature,
                                          const CheckOptions& options,
                                          absl::Span<const NamedTensor> inputs) {
  const size_t count = signature.inputs.size();
  if (inputs.size() != count) {
    return absl::InvalidArgumentError(absl::StrCat("expected ", count, " inputs but got ",
                                                   inputs.size(), " inputs for model '", model,
                                                   "'; expected: ", ExpectedNames(signature)));
  }
  CheckedInputs checked;
  checked.inputs.resize(count);
  absl::InlinedVector<bool, 8> given(count, false);
  for (const NamedTensor& input : inputs) {
    SIGSERVE_ASSIGN_OR_RETURN(const size_t i, FindInput(model, signature, input.name));
    if (given[i]) {
      return absl::InvalidArgumentError(absl::StrCat("input '", signature.inputs[i].name,
                                                     "' for model '", model, "' is given twice"));
    }
    given[i] = true;
    SIGSERVE_RETURN_IF_ERROR(CheckTensor(model, signature.inputs[i], input.tensor));
    checked.inputs[i] = input.tensor;
  }
  SIGSERVE_ASSIGN_OR_RETURN(checked.rows, CountRows(model, signature, options, checked.inputs));
  if (options.forbid_nan) SIGSERVE_RETURN_IF_ERROR(CheckNoNan(model, signature, checked));
  return checked;
}

}  // namespace sigserve
