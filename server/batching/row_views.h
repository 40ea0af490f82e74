// Rows of tensors: the part of a batch's inputs and results that belongs to one task.
#pragma once

#include <cstdint>

#include "model/tensor/tensor_view.h"
#include "server/batching/task.h"

namespace sigserve {

int64_t BytesOf(const TensorView& view);
int64_t InputBytes(const Task& task);

/// Whether the tasks' inputs can be stacked: the same sizes but for dimension 0, which all share.
bool CanStack(const Task& a, const Task& b);

/// `rows` rows of a view from row `first`; an absent view stays one.
TensorView RowsOf(const TensorView& view, int64_t first, int64_t rows);

/// Whether every result has `rows` rows. It has where the signature tells the truth.
bool HasRows(const TaskOutputs& outputs, int count, int64_t rows);

/// One task's rows of a batch's results, which must outlive it.
class RowRange final : public TaskOutputs {
 public:
  RowRange(const TaskOutputs& all, int64_t first, int64_t rows)
      : all_(all), first_(first), rows_(rows) {}
  TensorView output(int i) const override { return RowsOf(all_.output(i), first_, rows_); }
  TensorView logits(int i) const override { return RowsOf(all_.logits(i), first_, rows_); }

 private:
  const TaskOutputs& all_;
  const int64_t first_;
  const int64_t rows_;
};

}  // namespace sigserve
