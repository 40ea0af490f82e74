// Goes through training rows in batches, epoch after epoch: in order, or in a new order drawn for
// each epoch. Borrows the rows; owns one batch of scratch when it shuffles. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "model/tensor/tensor.h"
#include "model/train/dataset.h"
#include "model/train/random.h"

namespace sigserve {

/// Views of consecutive rows; valid until the next call of the Batches they came from.
struct Batch {
  TensorView features;
  TensorView labels;

  int64_t count() const { return labels.shape()[0]; }
  /// `count` rows from `first`.
  Batch Slice(int64_t first, int64_t count) const;
};

/// All rows as one batch of views into them.
Batch Whole(const Rows& rows);

class Batches {
 public:
  /// `rows` must outlive this. `batch_size` 0, or more than there are rows: all of them in one
  /// batch, which is never shuffled (its mean loss has no order). The last batch of an epoch may
  /// be smaller.
  Batches(const Rows& rows, int64_t batch_size, bool shuffle, uint64_t seed);

  void StartEpoch();
  bool done() const { return next_row_ == rows_.count(); }
  /// Requires !done().
  Batch Next();

 private:
  const Rows& rows_;
  const int64_t batch_size_;
  Random random_;
  std::vector<uint32_t> order_;  // empty = as they come
  Rows scratch_;
  int64_t next_row_ = 0;
};

}  // namespace sigserve
