#include "model/runtime/checked_compile.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/kernels/bf16_gemm.h"
#include "model/runtime/random_inputs.h"
#include "model/runtime/session.h"

namespace sigserve {
namespace {

// Of random inputs. Rows of more bytes: one.
constexpr int64_t kRows = 8;
constexpr int64_t kManyBytes = int64_t{1} << 20;
constexpr int64_t kMostBytes = int64_t{64} << 20;
// Of a sample.
constexpr int64_t kRowsAtOnce = 64;
constexpr int64_t kOtherSize = 4;  // what stands in for free sizes other than the batch

absl::StatusOr<std::vector<Tensor>> MakeUp(const Signature& signature) {
  int64_t row_bytes = 0;  // of all inputs
  for (const InputSignature& input : signature.inputs) {
    SIGSERVE_ASSIGN_OR_RETURN(
        const int64_t bytes,
        CheckedBytes(FilledIn(input.shape, 1, kOtherSize), SizeOf(input.dtype)));
    if (bytes > kMostBytes || row_bytes + bytes > kMostBytes) {
      return absl::FailedPreconditionError(
          absl::StrCat("a row has more than ", kMostBytes,
                       " bytes, too many to make up: the check needs a sample"));
    }
    row_bytes += bytes;
  }
  std::mt19937 random(1);
  return RandomInputs(signature, row_bytes > kManyBytes ? 1 : kRows, kOtherSize, 1, random);
}

absl::StatusOr<std::vector<Tensor>> Outputs(Session& session, const Executable& executable,
                                            absl::Span<const TensorView> inputs) {
  SIGSERVE_RETURN_IF_ERROR(session.Run(inputs));
  const size_t count = executable.signature().outputs.size();
  std::vector<Tensor> outputs;
  outputs.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    outputs.push_back(Tensor::CopyOf(session.output(static_cast<int>(i))));
  }
  return outputs;
}

double ChangeOf(double from, double to) {
  if (from == to || (std::isnan(from) && std::isnan(to))) return 0;
  const double change = std::abs(from - to);
  return std::isnan(change) ? std::numeric_limits<double>::infinity() : change;
}

/// The largest change between two runs of the same inputs, if there was anything to compare.
template <typename T>
std::optional<double> LargestChange(const Tensor& from, const Tensor& to) {
  if (from.dtype() != to.dtype() || from.shape() != to.shape()) {
    return std::numeric_limits<double>::infinity();
  }
  std::optional<double> largest;
  const auto a = from.values<T>();
  const auto b = to.values<T>();
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    largest = std::max(largest.value_or(0), ChangeOf(a[i], b[i]));
  }
  return largest;
}

// By what the outputs are, not by what the signature says: it may know nothing of them.
std::optional<double> LargestChange(const Tensor& from, const Tensor& to) {
  switch (from.dtype()) {
    case DType::kFloat32:
      return LargestChange<float>(from, to);
    case DType::kFloat64:
      return LargestChange<double>(from, to);
    case DType::kInt32:
    case DType::kInt64:
    case DType::kBool:
      break;
  }
  return std::nullopt;
}

/// False when there is nothing to compare.
bool Compare(const Signature& signature, const std::vector<Tensor>& usual,
             const std::vector<Tensor>& changed, CheckedExecutable& result) {
  bool compared = false;
  const bool any_probabilities =
      std::any_of(signature.outputs.begin(), signature.outputs.end(),
                  [](const OutputSignature& output) { return output.link != Link::kNone; });
  for (size_t i = 0; i < signature.outputs.size(); ++i) {
    const OutputSignature& output = signature.outputs[i];
    if (any_probabilities && output.link == Link::kNone) continue;
    const std::optional<double> change = LargestChange(usual[i], changed[i]);
    compared = compared || change.has_value();
    if (change.value_or(0) <= result.change) continue;
    result.change = *change;
    result.output = output.name;
  }
  return compared;
}

/// The sample's rows, a few at a time where the model takes rows: memory is that of a few.
std::vector<std::vector<TensorView>> Slices(const Signature& signature,
                                            absl::Span<const Tensor> sample) {
  const auto rows_of = [](const Tensor& tensor) {
    return tensor.shape().rank() > 0 ? tensor.shape()[0] : 0;
  };
  const int64_t rows = sample.empty() ? 0 : rows_of(sample[0]);
  const bool sliceable = signature.batchable && rows > kRowsAtOnce &&
                         std::all_of(sample.begin(), sample.end(),
                                     [&](const Tensor& tensor) { return rows_of(tensor) == rows; });
  std::vector<std::vector<TensorView>> slices;
  for (int64_t first = 0; slices.empty() || (sliceable && first < rows); first += kRowsAtOnce) {
    std::vector<TensorView>& slice = slices.emplace_back();
    for (const Tensor& tensor : sample) {
      const TensorView view = tensor.view();
      if (!sliceable) {
        slice.push_back(view);
        continue;
      }
      Shape shape = view.shape();
      const int64_t row_bytes =
          shape.elements() / rows * static_cast<int64_t>(SizeOf(view.dtype()));
      shape.set(0, std::min(kRowsAtOnce, rows - first));
      slice.emplace_back(view.dtype(), std::move(shape),
                         static_cast<const char*>(view.data()) + first * row_bytes);
    }
  }
  return slices;
}

}  // namespace

absl::StatusOr<CheckedExecutable> CompileChecked(const Graph& graph, const Numerics& numerics,
                                                 absl::Span<const Tensor> sample,
                                                 double max_change) {
  std::vector<Tensor> made_up;
  std::vector<std::vector<TensorView>> slices;
  std::vector<std::vector<Tensor>> usual;
  {  // the usual executable goes before the other one comes
    SIGSERVE_ASSIGN_OR_RETURN(const auto executable, Executable::Compile(graph));
    if (sample.empty()) {
      SIGSERVE_ASSIGN_OR_RETURN(made_up, MakeUp(executable->signature()));
      sample = made_up;
    }
    slices = Slices(executable->signature(), sample);
    Session session(executable);
    for (const std::vector<TensorView>& slice : slices) {
      absl::StatusOr<std::vector<Tensor>> outputs = Outputs(session, *executable, slice);
      if (!outputs.ok()) {
        return Annotate(outputs.status(),
                        made_up.empty() ? "the sample" : "random inputs (a sample may do)");
      }
      usual.push_back(*std::move(outputs));
    }
  }
  CheckedExecutable result;
  SIGSERVE_ASSIGN_OR_RETURN(result.executable, Executable::Compile(graph, numerics));
  result.bf16_unit = kernels::NameOf(kernels::BestBf16Unit());
  result.bf16_is_slow = kernels::BestBf16Unit() == kernels::Bf16Unit::kReference;
  const char* const inputs = made_up.empty() ? "the sample" : "random inputs";
  Session session(result.executable);
  bool compared = false;
  for (size_t i = 0; i < slices.size(); ++i) {
    SIGSERVE_ASSIGN_OR_RETURN(const std::vector<Tensor> changed,
                              Outputs(session, *result.executable, slices[i]));
    compared |= Compare(result.executable->signature(), usual[i], changed, result);
  }
  if (!compared) {
    return absl::FailedPreconditionError(
        absl::StrCat("nothing to compare: no output is a number on ", inputs));
  }
  if (result.change <= max_change) return result;
  return absl::FailedPreconditionError(absl::StrCat("output '", result.output,
                                                    "' changes by up to ", result.change, " on ",
                                                    inputs, ", more than ", max_change));
}

}  // namespace sigserve
