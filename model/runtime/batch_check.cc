#include "model/runtime/batch_check.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "model/runtime/random_inputs.h"
#include "model/runtime/session.h"
#include "model/tensor/tensor.h"

namespace sigserve {
namespace {

constexpr int64_t kRows = 3;
// What stands in for free sizes other than the batch.
constexpr int64_t kOtherSizes[] = {3, 4};
// Models with larger rows are not batched: batching would win them nothing.
constexpr int64_t kMaxRowBytes = int64_t{64} << 20;
// Models with more weights take long to run, and loading waits for it.
constexpr int64_t kMaxQuickBytes = int64_t{64} << 20;

// What is tried on three rows: how large their values are, and which of them are run alone, too.
struct Trial {
  unsigned seed;  // integers know no scale: other numbers, at least
  float scale;
  float scale_of_middle;
  int64_t row_step;
};
// Small values and large ones: some mixing shows only in one of them (saturation, vanishing).
constexpr Trial kTrials[] = {{569, 1, 1, 1}, {570, 32, 32, 1}};
// The first and the last row of a batch with a large batch between them: a model that mixes,
// reorders or counts rows changes at least one of the two.
constexpr Trial kTrialsOfSlow[] = {{569, 1, 32, 2}};

TensorView Row(const TensorView& batch, int64_t row) {
  Shape shape = batch.shape();
  shape.set(0, 1);
  const size_t bytes = static_cast<size_t>(shape.elements()) * SizeOf(batch.dtype());
  return {batch.dtype(), shape,
          static_cast<const std::byte*>(batch.data()) + static_cast<size_t>(row) * bytes};
}

bool SameBits(const TensorView& a, const TensorView& b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
  const size_t bytes = static_cast<size_t>(a.elements()) * SizeOf(a.dtype());
  return bytes == 0 || std::memcmp(a.data(), b.data(), bytes) == 0;
}

template <typename T>
void ScaleMiddleRow(Tensor* batch, float factor) {
  const absl::Span<T> values = batch->mutable_values<T>();
  const size_t row = values.size() / kRows;
  for (T& value : values.subspan(row, row)) value *= static_cast<T>(factor);
}

std::vector<Tensor> Rows(const Signature& signature, const Trial& trial, int64_t other) {
  std::mt19937 random(trial.seed);
  std::vector<Tensor> inputs = RandomInputs(signature, kRows, other, trial.scale, random);
  const float factor = trial.scale_of_middle / trial.scale;
  for (Tensor& input : inputs) {
    if (input.dtype() == DType::kFloat32) ScaleMiddleRow<float>(&input, factor);
    if (input.dtype() == DType::kFloat64) ScaleMiddleRow<double>(&input, factor);
  }
  return inputs;
}

bool AreIndependent(const Signature& signature, const Trial& trial, int64_t other,
                    Session& together, Session& alone) {
  const std::vector<Tensor> inputs = Rows(signature, trial, other);
  std::vector<TensorView> batch;
  batch.reserve(inputs.size());
  for (const Tensor& input : inputs) batch.push_back(input.view());
  if (!together.Run(batch).ok()) return false;
  for (int64_t row = 0; row < kRows; row += trial.row_step) {
    std::vector<TensorView> single;
    single.reserve(batch.size());
    for (const TensorView& input : batch) single.push_back(Row(input, row));
    if (!alone.Run(single).ok()) return false;
    for (int i = 0; i < static_cast<int>(signature.outputs.size()); ++i) {
      const TensorView& all = together.output(i);
      if (all.shape().rank() == 0 || all.shape()[0] != kRows) return false;
      if (!SameBits(Row(all, row), alone.output(i))) return false;
    }
  }
  return true;
}

}  // namespace

bool RowsAreIndependent(const std::shared_ptr<const Executable>& executable,
                        int64_t weights_bytes) {
  const absl::Span<const Trial> trials =
      weights_bytes > kMaxQuickBytes ? absl::MakeConstSpan(kTrialsOfSlow) : kTrials;
  bool only_batch_is_free = true;
  int64_t row_bytes = 0;  // of all inputs
  for (const InputSignature& input : executable->signature().inputs) {
    const auto bytes = CheckedBytes(FilledIn(input.shape, 1, kOtherSizes[1]), SizeOf(input.dtype));
    if (!bytes.ok() || *bytes > kMaxRowBytes - row_bytes) return false;
    row_bytes += *bytes;
    const auto dims = input.shape.dims();
    only_batch_is_free = only_batch_is_free && std::count(dims.begin(), dims.end(), -1) == 1;
  }
  Session together(executable);
  Session alone(executable);
  for (const int64_t other : kOtherSizes) {
    for (const Trial& trial : trials) {
      if (!AreIndependent(executable->signature(), trial, other, together, alone)) return false;
    }
    if (only_batch_is_free) break;
  }
  return true;
}

}  // namespace sigserve
