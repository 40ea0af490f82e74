// Keeps the records of an I/O thread's turn and passes them on together, which costs a fraction of
// passing them on one by one. Records of other threads pass at once. One per I/O thread.
//
// What a record's views point to must stay until the turn is over.
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

  /// Says that this thread is the one whose turns count. Before anything is handed to others.
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

  /// Passes on what the turn has brought. Own thread.
  void EndTurn() {
    if (!turn_.empty()) next_->RecordAll(turn_);
    turn_.clear();
  }

 private:
  RequestRecorder* const next_;
  bool has_thread_ = false;
  std::thread::id own_thread_;  // written before any other thread gets here
  std::vector<RequestRecord> turn_;
};

}  // namespace sigserve
