#include "server/batching/split_task.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "model/base/aligned_buffer.h"
#include "server/batching/row_views.h"

namespace sigserve {

/// The whole's outputs, filled part by part.
class SplitTask::Results final : public TaskOutputs {
 public:
  TensorView output(int i) const override { return outputs_[static_cast<size_t>(i)].view; }
  TensorView logits(int i) const override { return logits_[static_cast<size_t>(i)].view; }

  /// Room for `rows` rows like the part's.
  void Prepare(const TaskOutputs& part, int outputs, int64_t rows) {
    for (int i = 0; i < outputs; ++i) {
      outputs_.push_back(Room(part.output(i), rows));
      logits_.push_back(Room(part.logits(i), rows));
    }
  }
  /// Whether the part's rows look like the others'.
  bool Fits(const TaskOutputs& part) const {
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (!SameRow(outputs_[i].view, part.output(static_cast<int>(i)))) return false;
      if (!SameRow(logits_[i].view, part.logits(static_cast<int>(i)))) return false;
    }
    return true;
  }
  void Write(const TaskOutputs& part, int64_t first, int64_t rows) {
    for (size_t i = 0; i < outputs_.size(); ++i) {
      Copy(part.output(static_cast<int>(i)), first, rows, &outputs_[i]);
      Copy(part.logits(static_cast<int>(i)), first, rows, &logits_[i]);
    }
  }

 private:
  struct Assembled {
    AlignedBuffer bytes;
    TensorView view;
  };

  static Assembled Room(const TensorView& part, int64_t rows) {
    if (!part.present()) return {};
    Assembled all;
    Shape shape = part.shape();
    const int64_t row_bytes = BytesOf(part) / std::max<int64_t>(1, shape[0]);
    shape.set(0, rows);
    all.bytes = AlignedBuffer(static_cast<size_t>(row_bytes * rows));
    all.view = TensorView(part.dtype(), std::move(shape), all.bytes.data());
    return all;
  }
  static bool SameRow(const TensorView& a, const TensorView& b) {
    if (!a.present() || !b.present()) return a.present() == b.present();
    return a.dtype() == b.dtype() && a.shape().dims().subspan(1) == b.shape().dims().subspan(1);
  }
  static void Copy(const TensorView& part, int64_t first, int64_t rows, Assembled* to) {
    if (!part.present()) return;
    const int64_t row_bytes = BytesOf(part) / std::max<int64_t>(1, rows);
    std::memcpy(static_cast<char*>(to->bytes.data()) + first * row_bytes, part.data(),
                static_cast<size_t>(row_bytes * rows));
  }

  std::vector<Assembled> outputs_;
  std::vector<Assembled> logits_;
};

std::shared_ptr<SplitTask> SplitTask::Create(Task whole, int outputs) {
  return std::shared_ptr<SplitTask>(new SplitTask(std::move(whole), outputs));
}

SplitTask::SplitTask(Task whole, int outputs)
    : whole_(std::move(whole)), outputs_(outputs), rows_left_(whole_.rows) {
  timing_.queued = absl::InfiniteDuration();
}

SplitTask::~SplitTask() = default;

bool SplitTask::failed() const {
  absl::MutexLock lock(&mutex_);
  return !status_.ok();
}

Task SplitTask::Part(int64_t first, int64_t rows) {
  Task part;
  part.inputs.reserve(whole_.inputs.size());
  for (const TensorView& input : whole_.inputs) part.inputs.push_back(RowsOf(input, first, rows));
  part.rows = rows;
  part.priority = whole_.priority;
  part.arrival = whole_.arrival;
  part.deadline = whole_.deadline;
  part.cancelled = [self = shared_from_this()] {
    return self->failed() || (self->whole_.cancelled && self->whole_.cancelled());
  };
  part.done = [self = shared_from_this(), first, rows](const absl::Status& status,
                                                       const TaskOutputs* outputs,
                                                       const TaskTiming& timing) {
    self->PartDone(first, rows, status, outputs, timing);
  };
  return part;
}

void SplitTask::Drop(int64_t rows, const absl::Status& status) { End(rows, status); }

void SplitTask::PartDone(int64_t first, int64_t rows, const absl::Status& status,
                         const TaskOutputs* outputs, const TaskTiming& timing) {
  absl::Status result = status;
  Results* results = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    timing_.queued = std::min(timing_.queued, timing.queued);
    timing_.computed += timing.computed;
    timing_.batch_rows = std::max(timing_.batch_rows, timing.batch_rows);
    if (result.ok() && status_.ok()) result = Prepare(*outputs, rows);
    if (result.ok() && status_.ok()) results = results_.get();
  }
  if (results != nullptr) results->Write(*outputs, first, rows);
  End(rows, result);
}

absl::Status SplitTask::Prepare(const TaskOutputs& part, int64_t rows) {
  absl::Status misfit =
      absl::InternalError("the results of the request's parts do not fit together");
  if (!HasRows(part, outputs_, rows)) return misfit;
  if (results_ == nullptr) {
    try {
      auto results = std::make_unique<Results>();
      results->Prepare(part, outputs_, whole_.rows);
      results_ = std::move(results);
    } catch (const std::bad_alloc&) {  // one request must not end the process
      return absl::ResourceExhaustedError("not enough memory for the answer");
    }
  }
  return results_->Fits(part) ? absl::OkStatus() : misfit;
}

void SplitTask::End(int64_t rows, const absl::Status& status) {
  const TaskOutputs* results = nullptr;
  absl::Status result;
  TaskTiming timing;
  {
    absl::MutexLock lock(&mutex_);
    status_.Update(status);
    rows_left_ -= rows;
    if (rows_left_ > 0) return;
    result = status_;
    timing = timing_;
    results = results_.get();
  }
  // The last part: no other thread uses the task any more.
  if (timing.queued == absl::InfiniteDuration()) timing.queued = absl::ZeroDuration();
  whole_.done(result, result.ok() ? results : nullptr, timing);
}

}  // namespace sigserve
