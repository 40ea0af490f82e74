#include "client/bench/load_connection.h"

#include <utility>

#include "client/status_macros.h"

namespace sigserve::bench {
namespace {

constexpr int kInternal = 13;
constexpr int kUnavailable = 14;
// More would be memory without use: the rest waits, and its wait counts.
constexpr int64_t kMaxInFlight = 100000;

}  // namespace

absl::StatusOr<std::unique_ptr<LoadConnection>> LoadConnection::Open(const std::string& address,
                                                                     const Workload& workload,
                                                                     int64_t deadline_ms,
                                                                     OnAnswer on_answer) {
  std::unique_ptr<LoadConnection> connection(
      new LoadConnection(address, workload, deadline_ms, std::move(on_answer)));
  CLIENT_RETURN_IF_ERROR(connection->Connect());
  return connection;
}

LoadConnection::LoadConnection(std::string address, const Workload& workload, int64_t deadline_ms,
                               OnAnswer on_answer)
    : address_(std::move(address)),
      workload_(workload),
      deadline_ms_(deadline_ms),
      on_answer_(std::move(on_answer)) {}

absl::Status LoadConnection::Connect() {
  CLIENT_ASSIGN_OR_RETURN(connection_, H2Connection::Connect(address_, this));
  method_ = connection_->AddMethod({.path = workload_.path, .timeout_us = deadline_ms_ * 1000});
  stream_ = 0;
  return absl::OkStatus();
}

bool LoadConnection::CanSend() const {
  return in_flight_ < kMaxInFlight &&
         (stream_ != 0 ? connection_->CanSend() : connection_->CanStart());
}

void LoadConnection::Send(int64_t due_ns) {
  const uint32_t slot = TakeSlot(due_ns);
  const std::string& next = workload_.messages[next_message_];
  if (!streams()) {
    connection_->Start(method_, next, /*last=*/true, slot);
  } else {
    message_.assign(next);
    SetId(workload_.matching, workload_.id_at[next_message_], slot, &message_);
    if (workload_.matching == Matching::kInOrder) order_.push_back(slot);
    if (stream_ == 0) {
      stream_ = connection_->Start(method_, message_, /*last=*/false, /*tag=*/0);
    } else {
      connection_->Send(stream_, message_, /*last=*/false);
    }
  }
  if (++next_message_ == workload_.messages.size()) next_message_ = 0;
}

absl::Status LoadConnection::Pump() {
  if (connection_->Pump().ok()) return absl::OkStatus();
  Abandon(kUnavailable);
  ++reconnects_;
  return Connect();
}

uint32_t LoadConnection::TakeSlot(int64_t due_ns) {
  ++in_flight_;
  if (free_.empty()) {
    due_.push_back(due_ns);
    return static_cast<uint32_t>(due_.size() - 1);
  }
  const uint32_t slot = free_.back();
  free_.pop_back();
  due_[slot] = due_ns;
  return slot;
}

void LoadConnection::Answer(uint32_t slot, int code) {
  if (slot >= due_.size() || due_[slot] < 0) return;  // an id we are not waiting for
  const int64_t due = std::exchange(due_[slot], -1);
  free_.push_back(slot);
  --in_flight_;
  on_answer_(due, code);
}

void LoadConnection::Abandon(int code) {
  for (uint32_t slot = 0; slot < due_.size(); ++slot) Answer(slot, code);
  order_.clear();
}

void LoadConnection::OnMessage(uint64_t /*tag*/, absl::string_view message) {
  if (!streams()) return;  // the call's end tells
  if (workload_.matching == Matching::kInOrder) {
    if (order_.empty()) return;
    const uint32_t slot = order_.front();
    order_.pop_front();
    Answer(slot, 0);
    return;
  }
  const auto answer = ReadStreamAnswer(workload_.matching, message);
  if (!answer.ok()) {
    Abandon(kInternal);  // the call it answers is unknown
    return;
  }
  Answer(answer->slot, answer->code < 17 ? answer->code : kInternal);
}

void LoadConnection::OnEnd(uint64_t tag, int code) {
  if (!streams()) {
    Answer(static_cast<uint32_t>(tag), code);
    return;
  }
  stream_ = 0;
  Abandon(code == 0 ? kInternal : code);  // a stream that ends early has not answered
}

}  // namespace sigserve::bench
