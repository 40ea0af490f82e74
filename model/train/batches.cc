#include "model/train/batches.h"

#include <algorithm>
#include <numeric>

#include "model/train/random_streams.h"

namespace sigserve {
namespace {

TensorView SliceRows(const TensorView& from, int64_t first, int64_t count) {
  const int64_t columns = from.shape()[1];
  return {DType::kFloat32, Shape{count, columns},
          static_cast<const float*>(from.data()) + first * columns};
}

void Gather(const Tensor& from, absl::Span<const uint32_t> rows, Tensor& to) {
  const int64_t columns = from.shape()[1];
  const float* in = from.values<float>().data();
  float* out = to.mutable_values<float>().data();
  for (const uint32_t row : rows) {
    out = std::copy_n(in + row * columns, columns, out);
  }
}

}  // namespace

Batch Batch::Slice(int64_t first, int64_t count) const {
  return {SliceRows(features, first, count), SliceRows(labels, first, count)};
}

Batch Whole(const Rows& rows) { return {rows.features.view(), rows.labels.view()}; }

Batches::Batches(const Rows& rows, int64_t batch_size, bool shuffle, uint64_t seed)
    : rows_(rows),
      batch_size_(batch_size == 0 ? rows.count() : std::min(batch_size, rows.count())),
      random_(seed, kShuffleStream) {
  if (shuffle && batch_size_ < rows.count()) {
    order_.resize(static_cast<size_t>(rows.count()));
    std::iota(order_.begin(), order_.end(), 0u);
    scratch_.features = Tensor(DType::kFloat32, Shape{batch_size_, rows.features.shape()[1]});
    scratch_.labels = Tensor(DType::kFloat32, Shape{batch_size_, rows.labels.shape()[1]});
  }
}

void Batches::StartEpoch() {
  next_row_ = 0;
  random_.Shuffle(absl::MakeSpan(order_));
}

Batch Batches::Next() {
  const int64_t first = next_row_;
  const int64_t count = std::min(batch_size_, rows_.count() - first);
  next_row_ += count;
  if (order_.empty()) {
    return Whole(rows_).Slice(first, count);
  }
  const auto picked =
      absl::MakeConstSpan(order_).subspan(static_cast<size_t>(first), static_cast<size_t>(count));
  Gather(rows_.features, picked, scratch_.features);
  Gather(rows_.labels, picked, scratch_.labels);
  return Whole(scratch_).Slice(0, count);
}

}  // namespace sigserve
