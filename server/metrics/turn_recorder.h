// Buffers the records of an I/O thread's turn and passes them on in one call, which costs a
// fraction of passing each. Records from other threads are passed on immediately. One per I/O
// thread.
//
// The memory behind a record's views must stay until the turn ends.
#pragma once

#include <thread>
#include <vector>

#include "server/metrics/request_record.h"

namespace sigserve {

class TurnRecorder final : public RequestRecorder {
 public:
  /// `next` must outlive it.
  explicit TurnRecorder(RequestRecorder* next) : next_(next) {}
  ~TurnRecorder() override { EndTurn(); }

  /// Makes the calling thread the one whose turns are buffered. Before other threads record.
  void SetOwnThread() {
    if (!has_thread_) own_thread_ = std::this_thread::get_id();
    has_thread_ = true;
  }
  bool on_own_thread() const { return std::this_thread::get_id() == own_thread_; }

  void RecordAll(absl::Span<const RequestRecord> records) override {
    if (!on_own_thread()) return next_->RecordAll(records);
    turn_.insert(turn_.end(), records.begin(), records.end());
  }
  void RecordBatch(absl::string_view model, absl::string_view reason) override {
    next_->RecordBatch(model, reason);
  }
  void RecordRefusal(absl::string_view model, absl::string_view reason) override {
    next_->RecordRefusal(model, reason);
  }

  /// Passes on the turn's records. Own thread.
  void EndTurn() {
    if (!turn_.empty()) next_->RecordAll(turn_);
    turn_.clear();
  }

 private:
  RequestRecorder* const next_;
  bool has_thread_ = false;
  std::thread::id own_thread_;  // written before any other thread records
  std::vector<RequestRecord> turn_;
};

}  // namespace sigserve
