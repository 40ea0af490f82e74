#include "server/batching/row_views.h"

#include <utility>

namespace sigserve {
namespace {

bool HasRows(const TensorView& view, int64_t rows) {
  return view.shape().rank() > 0 && view.shape()[0] == rows;
}

}  // namespace

int64_t BytesOf(const TensorView& view) {
  return view.elements() * static_cast<int64_t>(SizeOf(view.dtype()));
}

int64_t InputBytes(const Task& task) {
  int64_t bytes = 0;
  for (const TensorView& input : task.inputs) bytes += BytesOf(input);
  return bytes;
}

bool CanStack(const Task& a, const Task& b) {
  if (a.inputs.size() != b.inputs.size()) return false;
  for (size_t i = 0; i < a.inputs.size(); ++i) {
    const absl::Span<const int64_t> x = a.inputs[i].shape().dims();
    const absl::Span<const int64_t> y = b.inputs[i].shape().dims();
    if (x.empty() || y.empty() || x.subspan(1) != y.subspan(1)) return false;
    if (x[0] != a.rows || y[0] != b.rows) return false;
  }
  return true;
}

TensorView RowsOf(const TensorView& view, int64_t first, int64_t rows) {
  if (!view.present()) return view;
  Shape shape = view.shape();
  const int64_t row_bytes = BytesOf(view) / shape[0];
  shape.set(0, rows);
  return {view.dtype(), std::move(shape),
          static_cast<const char*>(view.data()) + first * row_bytes};
}

bool HasRows(const TaskOutputs& outputs, int count, int64_t rows) {
  for (int i = 0; i < count; ++i) {
    if (!HasRows(outputs.output(i), rows)) return false;
    const TensorView logits = outputs.logits(i);
    if (logits.present() && !HasRows(logits, rows)) return false;
  }
  return true;
}

}  // namespace sigserve
