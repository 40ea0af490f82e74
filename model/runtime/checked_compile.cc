#include "model/runtime/checked_compile.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/runtime/random_inputs.h"
#include "model/runtime/session.h"

namespace sigserve {
namespace {

// Of random inputs. Rows of more bytes: one.
constexpr int64_t kRows = 8;
constexpr int64_t kManyBytes = int64_t{1} << 20;
constexpr int64_t kOtherSize = 4;  // what stands in for free sizes other than the batch

absl::StatusOr<std::vector<Tensor>> MakeUp(const Signature& signature) {
  int64_t row_bytes = 0;
  for (const InputSignature& input : signature.inputs) {
    SIGSERVE_ASSIGN_OR_RETURN(
        const int64_t bytes,
        CheckedBytes(FilledIn(input.shape, 1, kOtherSize), SizeOf(input.dtype)));
    row_bytes = std::max(row_bytes, bytes);
  }
  std::mt19937 random(1);
  return RandomInputs(signature, row_bytes > kManyBytes ? 1 : kRows, kOtherSize, 1, random);
}

absl::StatusOr<std::vector<Tensor>> Outputs(const std::shared_ptr<const Executable>& executable,
                                            absl::Span<const Tensor> inputs) {
  std::vector<TensorView> views;
  views.reserve(inputs.size());
  for (const Tensor& input : inputs) views.push_back(input.view());
  Session session(executable);
  SIGSERVE_RETURN_IF_ERROR(session.Run(views));
  const size_t count = executable->signature().outputs.size();
  std::vector<Tensor> outputs;
  outputs.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    outputs.push_back(Tensor::CopyOf(session.output(static_cast<int>(i))));
  }
  return outputs;
}

double ChangeOf(float from, float to) {
  if (from == to || (std::isnan(from) && std::isnan(to))) return 0;
  const double change = std::abs(double{from} - double{to});
  return std::isnan(change) ? std::numeric_limits<double>::infinity() : change;
}

void Compare(const Signature& signature, const std::vector<Tensor>& usual,
             const std::vector<Tensor>& changed, CheckedExecutable& result) {
  const auto is_probability = [](const OutputSignature& output) {
    return output.link != Link::kNone && output.dtype == DType::kFloat32;
  };
  const bool any_probabilities =
      std::any_of(signature.outputs.begin(), signature.outputs.end(), is_probability);
  for (size_t i = 0; i < signature.outputs.size(); ++i) {
    const OutputSignature& output = signature.outputs[i];
    if (output.dtype != DType::kFloat32 || (any_probabilities && !is_probability(output))) continue;
    const auto from = usual[i].values<float>();
    const auto to = changed[i].values<float>();
    for (size_t at = 0; at < std::min(from.size(), to.size()); ++at) {
      const double change = ChangeOf(from[at], to[at]);
      if (change <= result.change) continue;
      result.change = change;
      result.output = output.name;
    }
  }
}

}  // namespace

absl::StatusOr<CheckedExecutable> CompileChecked(const Graph& graph, const Numerics& numerics,
                                                 absl::Span<const Tensor> sample,
                                                 double max_change) {
  std::vector<Tensor> made_up;
  std::vector<Tensor> usual;
  {  // the usual executable goes before the other one comes
    SIGSERVE_ASSIGN_OR_RETURN(const auto executable, Executable::Compile(graph));
    if (sample.empty()) {
      SIGSERVE_ASSIGN_OR_RETURN(made_up, MakeUp(executable->signature()));
      sample = made_up;
    }
    absl::StatusOr<std::vector<Tensor>> outputs = Outputs(executable, sample);
    if (!outputs.ok()) {
      return Annotate(outputs.status(), made_up.empty() ? "the sample" : "random inputs");
    }
    usual = *std::move(outputs);
  }
  CheckedExecutable result;
  SIGSERVE_ASSIGN_OR_RETURN(result.executable, Executable::Compile(graph, numerics));
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<Tensor> changed, Outputs(result.executable, sample));
  Compare(result.executable->signature(), usual, changed, result);
  if (result.change <= max_change) return result;
  return absl::FailedPreconditionError(
      absl::StrCat("output '", result.output, "' changes by up to ", result.change, " on ",
                   made_up.empty() ? "the sample" : "random inputs", ", more than ", max_change));
}

}  // namespace sigserve
